//! What all members have seen and heard, in one book.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::media::Tag;
use crate::lab::wall_micros;

/// Who heard or saw whom.
pub(super) type Pairs = BTreeSet<(u32, u32)>;

/// The book.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Book>);

/// What is in it. Times are in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub(super) heard: Pairs,
    pub(super) seen: Pairs,
    /// From a packet's sending to its coming.
    pub(super) sound_ages: Vec<i64>,
    pub(super) picture_ages: Vec<i64>,
    /// From opening the signalling to the first of somebody else.
    pub(super) join_sound: Vec<i64>,
    pub(super) join_picture: Vec<i64>,
    /// From giving a command to each other member's being told, and to the first picture after it.
    pub(super) told: Vec<i64>,
    pub(super) shown: Vec<i64>,
    /// From losing the signalling to being welcomed back.
    pub(super) resumed: Vec<i64>,
    /// Pictures that came, and that were missing between two that came in a tile.
    pub(super) pictures: u64,
    pub(super) missed: u64,
    /// Packets of oneself, and of somebody who was not asked for.
    pub(super) echoes: u64,
    pub(super) misplaced: u64,
    /// What was refused or failed, in words, and how often.
    pub(super) failures: BTreeMap<String, u64>,
    /// The command that is being told of: of whom, when, and who was told and shown.
    change: Option<Change>,
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
                book.echoes += 1;
                return;
            }
            book.heard.insert((listener, tag.member));
            book.sound_ages.push(age(tag));
        });
    }

    /// A picture came in a tile where `missed` were missing since the one before, or for somebody who was not asked for.
    pub(super) fn see(&self, viewer: u32, tag: Tag, missed: u64, was_asked: bool) {
        self.with(|book| {
            book.echoes += u64::from(tag.member == viewer);
            book.misplaced += u64::from(!was_asked);
            book.seen.insert((viewer, tag.member));
            book.picture_ages.push(age(tag));
            (book.pictures, book.missed) = (book.pictures + 1, book.missed + missed);
            let Book { change, shown, .. } = book;
            if let Some(Change { of, at, shown: Some(who), .. }) = change
                && *of == tag.member
                && who.insert(viewer)
            {
                shown.push(since(*at));
            }
        });
    }

    pub(super) fn join(&self, began: Instant, is_sound: bool) {
        self.with(|book| {
            let joins = if is_sound { &mut book.join_sound } else { &mut book.join_picture };
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
            let Book { change, told, .. } = book;
            if let Some(change) = change
                && change.of == of
                && member != of
                && change.told.insert(member)
            {
                told.push(since(change.at));
            }
        });
    }

    pub(super) fn resume(&self, lost: Instant) {
        self.with(|book| book.resumed.push(since(lost)));
    }

    pub(super) fn fail(&self, why: &str) {
        self.with(|book| *book.failures.entry(why.to_owned()).or_default() += 1);
    }
}
