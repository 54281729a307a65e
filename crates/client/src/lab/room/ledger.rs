//! What all members have seen and heard, in one book.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::media::Tag;
use crate::lab::wall_micros;

/// Who heard or saw whom.
pub(super) type Pairs = BTreeSet<(u32, u32)>;

/// The book.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Book>);

/// What is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub(super) heard: Pairs,
    pub(super) seen: Pairs,
    pub(super) times: Micros,
    pub(super) counts: Counts,
    /// What was refused or failed, in words, and how often.
    pub(super) failures: BTreeMap<String, u64>,
    /// The command that is being told of: of whom, when, and who was told and shown.
    change: Option<Change>,
}

/// Times in microseconds; report.rs says of what.
#[derive(Clone, Debug, Default)]
pub(super) struct Micros {
    pub(super) sound_age: Vec<i64>,
    pub(super) picture_age: Vec<i64>,
    pub(super) join_sound: Vec<i64>,
    pub(super) join_picture: Vec<i64>,
    pub(super) told: Vec<i64>,
    pub(super) shown: Vec<i64>,
    pub(super) resumed: Vec<i64>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pictures that came in tiles.
    pub pictures: u64,
    /// Pictures that were missing between two of the same member in a tile.
    pub missed: u64,
    /// Packets of oneself that came back. There are to be none.
    pub echoes: u64,
    /// Pictures of somebody who was not asked for. There are to be none.
    pub misplaced: u64,
}

#[derive(Clone, Debug)]
struct Change {
    of: u32,
    at: Instant,
    told: BTreeSet<u32>,
    shown: Option<BTreeSet<u32>>,
}

fn since(at: Instant) -> i64 {
    at.elapsed().as_micros() as i64
}

/// How old a packet is when it comes.
fn age(tag: Tag) -> i64 {
    wall_micros() as i64 - tag.sent as i64
}

impl Ledger {
    fn with<T>(&self, what: impl FnOnce(&mut Book) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What stands there now.
    pub(super) fn book(&self) -> Book {
        self.with(|book| book.clone())
    }

    pub(super) fn hear(&self, listener: u32, tag: Tag) {
        self.with(|book| {
            if tag.member == listener {
                book.counts.echoes += 1;
                return;
            }
            book.heard.insert((listener, tag.member));
            book.times.sound_age.push(age(tag));
        });
    }

    /// A picture came in a tile where `missed` were missing since the one before, or for somebody who was not asked for.
    pub(super) fn see(&self, viewer: u32, tag: Tag, missed: u64, was_asked: bool) {
        self.with(|book| {
            book.counts.echoes += u64::from(tag.member == viewer);
            book.counts.misplaced += u64::from(!was_asked);
            book.counts.pictures += 1;
            book.counts.missed += missed;
            book.seen.insert((viewer, tag.member));
            book.times.picture_age.push(age(tag));
            let Book { change, times, .. } = book;
            if let Some(Change { of, at, shown: Some(who), .. }) = change
                && *of == tag.member
                && who.insert(viewer)
            {
                times.shown.push(since(*at));
            }
        });
    }

    pub(super) fn join(&self, began: Instant, is_sound: bool) {
        self.with(|book| {
            let joins = if is_sound { &mut book.times.join_sound } else { &mut book.times.join_picture };
            joins.push(since(began));
        });
    }

    /// A command that changes this member is given; `shows` if its picture comes by it.
    pub(super) fn change(&self, of: u32, shows: bool) {
        let shown = shows.then(BTreeSet::new);
        let change = Change { of, at: Instant::now(), told: BTreeSet::new(), shown };
        self.with(|book| book.change = Some(change));
    }

    /// How many were told of the change, and shown it.
    pub(super) fn reached(&self) -> (usize, usize) {
        self.with(|book| {
            let shown = |change: &Change| change.shown.as_ref().map_or(0, BTreeSet::len);
            book.change.as_ref().map_or((0, 0), |change| (change.told.len(), shown(change)))
        })
    }

    pub(super) fn tell(&self, member: u32, of: u32) {
        self.with(|book| {
            let Book { change, times, .. } = book;
            if let Some(change) = change
                && change.of == of
                && member != of
                && change.told.insert(member)
            {
                times.told.push(since(change.at));
            }
        });
    }

    pub(super) fn resume(&self, lost: Instant) {
        self.with(|book| book.times.resumed.push(since(lost)));
    }

    pub(super) fn fail(&self, why: &str) {
        self.with(|book| *book.failures.entry(why.to_owned()).or_default() += 1);
    }
}
