//! What was found in a room, for programs and as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::ledger::{Book, Pairs};
use crate::lab::stats::Summary;

/// Pairs that are named when they are missing; more would not be read.
const NAMED_MAX: usize = 20;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of this program.
    pub version: &'static str,
    /// The room.
    pub room: String,
    /// How many members were asked for, and how many came in.
    pub members: usize,
    /// See `members`.
    pub came: usize,
    /// Ordered pairs of members that were to hear and to see each other.
    pub pairs: usize,
    /// How many did.
    pub heard: usize,
    /// See `heard`.
    pub seen: usize,
    /// The first that did not, as `listener ← speaker`.
    pub unheard: Vec<String>,
    /// See `unheard`.
    pub unseen: Vec<String>,
    /// From opening the signalling to the first sound of somebody else.
    pub join_sound: Option<Summary>,
    /// And to the first picture.
    pub join_picture: Option<Summary>,
    /// From a packet's sending to its coming.
    pub sound_age: Option<Summary>,
    /// See `sound_age`.
    pub picture_age: Option<Summary>,
    /// From a command to each other member's being told of it.
    pub told: Option<Summary>,
    /// From switching a camera on to its first picture at each other member.
    pub shown: Option<Summary>,
    /// From losing the signalling to being welcomed back.
    pub resumed: Option<Summary>,
    /// Pictures that came in tiles, and that were missing between two of the same member there.
    pub pictures: u64,
    /// See `pictures`.
    pub missed: u64,
    /// Packets of oneself that came back, and pictures of somebody who was not asked for. There are to be none.
    pub echoes: u64,
    /// See `echoes`.
    pub misplaced: u64,
    /// What failed, and how often.
    pub failures: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn new(room: &str, (members, came): (usize, &[u32]), book: &Book) -> Self {
        let pairs = || came.iter().flat_map(|a| came.iter().map(|b| (*a, *b))).filter(|(a, b)| a != b);
        let missing = |had: &Pairs| pairs().filter(|pair| !had.contains(pair)).collect::<Vec<_>>();
        let (unheard, unseen) = (missing(&book.heard), missing(&book.seen));
        let named = |missing: &[(u32, u32)]| {
            missing
                .iter()
                .take(NAMED_MAX)
                .map(|(listener, speaker)| format!("{listener} ← {speaker}"))
                .collect()
        };
        let summary = |micros: &[i64]| Summary::of(micros.iter().copied());
        let count = pairs().count();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            room: room.to_owned(),
            members,
            came: came.len(),
            pairs: count,
            heard: count - unheard.len(),
            seen: count - unseen.len(),
            unheard: named(&unheard),
            unseen: named(&unseen),
            join_sound: summary(&book.join_sound),
            join_picture: summary(&book.join_picture),
            sound_age: summary(&book.sound_ages),
            picture_age: summary(&book.picture_ages),
            told: summary(&book.told),
            shown: summary(&book.shown),
            resumed: summary(&book.resumed),
            pictures: book.pictures,
            missed: book.missed,
            echoes: book.echoes,
            misplaced: book.misplaced,
            failures: book.failures.clone(),
        }
    }

    /// Everybody came in, heard and saw everybody else, and nobody itself or a stranger.
    pub fn is_whole(&self) -> bool {
        self.came == self.members
            && (self.heard, self.seen) == (self.pairs, self.pairs)
            && (self.echoes, self.misplaced) == (0, 0)
            && self.failures.is_empty()
    }

    /// As a table for people.
    pub fn table(&self) -> String {
        let mut out = format!(
            "openmic {}; room {}: {} of {} members came in\n{} of {} pairs heard, {} seen; {} pictures, {} missed; \
             {} packets of oneself, {} of strangers\n\n| | p50 ms | p95 ms | p99 ms | most ms | of |\n|---|---|---|---|---|---|\n",
            self.version,
            self.room,
            self.came,
            self.members,
            self.heard,
            self.pairs,
            self.seen,
            self.pictures,
            self.missed,
            self.echoes,
            self.misplaced
        );
        for (what, found) in [
            ("join to the first sound", &self.join_sound),
            ("join to the first picture", &self.join_picture),
            ("sound, sent to come", &self.sound_age),
            ("picture, sent to come", &self.picture_age),
            ("change of the stage, told to all", &self.told),
            ("camera on, seen by all", &self.shown),
            ("signalling lost to resumed", &self.resumed),
        ] {
            if let Some(Summary { count, p50_ms, p95_ms, p99_ms, max_ms, .. }) = found {
                let _ = writeln!(
                    out,
                    "| {what} | {p50_ms:.1} | {p95_ms:.1} | {p99_ms:.1} | {max_ms:.1} | {count} |"
                );
            }
        }
        for (name, missing) in [("heard", &self.unheard), ("seen", &self.unseen)] {
            if !missing.is_empty() {
                let _ = writeln!(out, "\nnot {name}: {}", missing.join(", "));
            }
        }
        for (why, count) in &self.failures {
            let _ = writeln!(out, "\n{count} times: {why}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_is_missing_is_named_and_makes_the_run_fail() {
        let mut book = Book::default();
        for pair in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)] {
            book.heard.insert(pair);
            book.seen.insert(pair);
        }
        assert!(Report::new("x", (3, &[1, 2, 3]), &book).is_whole());
        book.seen.remove(&(3, 2));
        let report = Report::new("x", (3, &[1, 2, 3]), &book);
        assert_eq!((report.pairs, report.heard, report.seen), (6, 6, 5));
        assert!(!report.is_whole() && report.table().contains("not seen: 3 ← 2"), "{}", report.table());
        assert!(!Report::new("x", (4, &[1, 2]), &book).is_whole(), "two of four came");
        book.seen.insert((3, 2));
        book.echoes = 1;
        assert!(!Report::new("x", (3, &[1, 2, 3]), &book).is_whole());
    }
}
