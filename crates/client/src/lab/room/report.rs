//! What was found in a room, for programs and as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::ledger::{Book, Counts, Micros, Pairs};
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
    /// How many members were asked for.
    pub members: usize,
    /// How many came in.
    pub came: usize,
    /// Who heard and saw whom.
    pub pairs: Meetings,
    /// How long it took.
    pub times: Times,
    /// What was counted.
    pub counts: Counts,
    /// What failed, and how often.
    pub failures: BTreeMap<String, u64>,
}

/// Ordered pairs of members.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Meetings {
    /// That were to hear and to see each other.
    pub wanted: usize,
    /// That heard each other.
    pub heard: usize,
    /// That saw each other.
    pub seen: usize,
    /// The first that did not hear, as `listener ← speaker`.
    pub unheard: Vec<String>,
    /// The first that did not see.
    pub unseen: Vec<String>,
}

/// Distributions; `None` of what did not happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Times {
    /// From opening the signalling to the first sound of somebody else.
    pub join_sound: Option<Summary>,
    /// And to the first picture.
    pub join_picture: Option<Summary>,
    /// From a packet's sending to its coming, of sound.
    pub sound_age: Option<Summary>,
    /// And of pictures, of which those of a joined group are old when they come.
    pub picture_age: Option<Summary>,
    /// From a command to each other member's being told of it.
    pub told: Option<Summary>,
    /// From switching a camera on to its first picture at each other member.
    pub shown: Option<Summary>,
    /// From losing the signalling to being welcomed back.
    pub resumed: Option<Summary>,
}

impl Times {
    fn of(times: &Micros) -> Self {
        let summary = |micros: &[i64]| Summary::of(micros.iter().copied());
        Self {
            join_sound: summary(&times.join_sound),
            join_picture: summary(&times.join_picture),
            sound_age: summary(&times.sound_age),
            picture_age: summary(&times.picture_age),
            told: summary(&times.told),
            shown: summary(&times.shown),
            resumed: summary(&times.resumed),
        }
    }
}

impl Meetings {
    fn of(came: &[u32], book: &Book) -> Self {
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
        let wanted = pairs().count();
        Self {
            wanted,
            heard: wanted - unheard.len(),
            seen: wanted - unseen.len(),
            unheard: named(&unheard),
            unseen: named(&unseen),
        }
    }
}

impl Report {
    pub(super) fn new(room: &str, (members, came): (usize, &[u32]), book: &Book) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            room: room.to_owned(),
            members,
            came: came.len(),
            pairs: Meetings::of(came, book),
            times: Times::of(&book.times),
            counts: book.counts,
            failures: book.failures.clone(),
        }
    }

    /// Everybody came in, heard and saw everybody else, and nobody itself or a stranger.
    pub fn is_whole(&self) -> bool {
        let Meetings { wanted, heard, seen, .. } = self.pairs;
        self.came == self.members
            && (heard, seen) == (wanted, wanted)
            && (self.counts.echoes, self.counts.misplaced) == (0, 0)
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
            self.pairs.heard,
            self.pairs.wanted,
            self.pairs.seen,
            self.counts.pictures,
            self.counts.missed,
            self.counts.echoes,
            self.counts.misplaced
        );
        for (what, found) in [
            ("join to the first sound", &self.times.join_sound),
            ("join to the first picture", &self.times.join_picture),
            ("sound, sent to come", &self.times.sound_age),
            ("picture, sent to come", &self.times.picture_age),
            ("change of the stage, told to all", &self.times.told),
            ("camera on, seen by all", &self.times.shown),
            ("signalling lost to resumed", &self.times.resumed),
        ] {
            if let Some(Summary { count, p50_ms, p95_ms, p99_ms, max_ms, .. }) = found {
                let _ = writeln!(
                    out,
                    "| {what} | {p50_ms:.1} | {p95_ms:.1} | {p99_ms:.1} | {max_ms:.1} | {count} |"
                );
            }
        }
        for (name, missing) in [("heard", &self.pairs.unheard), ("seen", &self.pairs.unseen)] {
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
        assert_eq!((report.pairs.wanted, report.pairs.heard, report.pairs.seen), (6, 6, 5));
        assert!(!report.is_whole() && report.table().contains("not seen: 3 ← 2"), "{}", report.table());
        assert!(!Report::new("x", (4, &[1, 2]), &book).is_whole(), "two of four came");
        book.seen.insert((3, 2));
        book.counts.echoes = 1;
        assert!(!Report::new("x", (3, &[1, 2, 3]), &book).is_whole());
    }
}
