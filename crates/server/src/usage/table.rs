//! Sums by broadcast, protocol and action, with a bound on how many.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is summed apart. An empty text stands for all of that kind together.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key<'a> {
    /// Everything before the last slash of the broadcast's name.
    pub app: Cow<'a, str>,
    /// What follows it.
    pub stream: Cow<'a, str>,
    /// As in the API.
    pub protocol: Cow<'a, str>,
    /// `publish`, `play`, or `stage`: being on the stage of a room (app `room/{room}`, stream: the member).
    pub action: Cow<'a, str>,
    /// What found no room in the table under its own name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub overflow: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Key<'_> {
    fn into_owned(self) -> Key<'static> {
        Key {
            app: self.app.into_owned().into(),
            stream: self.stream.into_owned().into(),
            protocol: self.protocol.into_owned().into(),
            action: self.action.into_owned().into(),
            overflow: self.overflow,
        }
    }
}

/// What is summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Sessions that began.
    pub sessions: u64,
    /// How long sessions lasted, together.
    pub milliseconds: u64,
    /// What they moved.
    pub bytes: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.milliseconds = self.milliseconds.saturating_add(other.milliseconds);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The sums of one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    rows: BTreeMap<Key<'static>, Sums>,
    /// Rows that name a broadcast.
    named: usize,
    rows_max: usize,
}

impl Table {
    /// An empty one.
    pub fn new(rows_max: usize) -> Self {
        Self { rows: BTreeMap::new(), named: 0, rows_max }
    }

    /// Adds to a row, or to the row of what has none.
    pub fn add(&mut self, key: Key<'_>, sums: Sums) {
        let key = key.into_owned();
        let is_known = key.overflow || self.rows.contains_key(&key);
        if !is_known && self.named >= self.rows_max {
            let beyond = Key { protocol: key.protocol, action: key.action, overflow: true, ..Key::default() };
            return self.rows.entry(beyond).or_default().add(sums);
        }
        self.named += usize::from(!is_known);
        self.rows.entry(key).or_default().add(sums);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (key, sums) in other.rows() {
            self.add(key.clone(), *sums);
        }
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&Key<'static>, &Sums)> {
        self.rows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(stream: &str) -> Key<'_> {
        Key {
            app: "live".into(),
            stream: stream.into(),
            protocol: "flv".into(),
            action: "play".into(),
            overflow: false,
        }
    }

    #[test]
    fn what_finds_no_row_of_its_own_is_counted_all_the_same() {
        let mut table = Table::new(2);
        let one = Sums { sessions: 1, milliseconds: 10, bytes: 100 };
        for stream in ["a", "b", "c", "a", "d"] {
            table.add(key(stream), one);
        }
        let rows: Vec<_> = table.rows().map(|(key, sums)| (&*key.stream, key.overflow, sums.bytes)).collect();
        assert_eq!(rows, [("", true, 200), ("a", false, 200), ("b", false, 100)]);
        let mut other = Table::new(2);
        other.merge(&table);
        assert_eq!(other, table, "a table that is read back is the same");
    }
}
