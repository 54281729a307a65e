//! The answer to "who moved how much from then to then": hours of the disk and of memory, summed as asked.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::table::{Key, Sums, Table};
use super::{DAYS_KEPT, FOLDER, Hour, Ledger, keep};

/// Rows of an answer, some 10 MB; what comes beyond is summed in rows that name no broadcast.
const ROWS_MAX: usize = 50_000;

/// What is kept apart in an answer. The action always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Apps.
    pub app: bool,
    /// Streams, and with them their apps.
    pub stream: bool,
    /// Protocols.
    pub protocol: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// By what.
    pub by: Grouping,
    /// The first hour.
    pub from: Hour,
    /// The first hour that is not meant any more.
    pub to: Hour,
}

/// The answer.
#[derive(Debug)]
pub struct Report {
    /// In the order of their keys.
    pub rows: Vec<(Key<'static>, Sums)>,
    /// The hours that were summed: those asked for that are kept.
    pub from: Hour,
    /// The first that was not.
    pub to: Hour,
}

/// Sums up. It reads files: call it where blocking is allowed.
pub fn report(directory: &Path, ledger: &Ledger, question: Question, now: SystemTime) -> io::Result<Report> {
    let current = Hour::of(now);
    let oldest = Hour(current.0.saturating_sub(DAYS_KEPT * 24));
    let from = question.from.max(oldest);
    let to = question.to.min(Hour(current.0 + 1)).max(from);
    let folder = directory.join(FOLDER);
    let mut hours = keep::kept(&folder)?;
    hours.extend(ledger.hours());
    hours.sort_unstable();
    hours.dedup();
    let mut sum = Table::new(ROWS_MAX);
    for hour in hours.into_iter().filter(|hour| (from..to).contains(hour)) {
        // What is open in memory holds what its file holds, and more.
        let table = match ledger.copy(hour, || keep::read(&folder, hour))? {
            Some(table) => table,
            None => keep::read(&folder, hour)?,
        };
        for (key, sums) in table.rows() {
            sum.add(grouped(key, question.by), *sums);
        }
    }
    let rows = sum.rows().map(|(key, sums)| (key.clone(), *sums)).collect();
    Ok(Report { rows, from, to })
}

fn grouped<'a>(key: &'a Key<'static>, by: Grouping) -> Key<'a> {
    let text = |keep: bool, text: &'a str| if keep { text } else { "" };
    Key {
        app: text(by.app || by.stream, &key.app).into(),
        stream: text(by.stream, &key.stream).into(),
        protocol: text(by.protocol, &key.protocol).into(),
        action: (&*key.action).into(),
        // Nobody is left out of a sum over all broadcasts.
        overflow: key.overflow && (by.app || by.stream),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::private::Folder;

    const ALL: Grouping = Grouping { app: true, stream: true, protocol: true };

    fn key<'a>(app: &'a str, stream: &'a str, protocol: &'a str) -> Key<'a> {
        Key {
            app: app.into(),
            stream: stream.into(),
            protocol: protocol.into(),
            action: "play".into(),
            overflow: false,
        }
    }

    fn bytes(bytes: u64) -> Sums {
        Sums { sessions: 1, milliseconds: 1_000, bytes }
    }

    #[test]
    fn hours_are_summed_as_asked_and_only_those_asked_for() {
        let (folder, ledger) = (Folder::new(), Ledger::default());
        let now = Hour(498_700).start() + Duration::from_secs(1_800);
        let hours_ago = |hours: u64| now - Duration::from_secs(hours * 3_600);
        ledger.add(hours_ago(2), key("live", "a", "flv"), bytes(1));
        ledger.add(hours_ago(1), key("live", "b", "hls"), bytes(10));
        ledger.add(now, key("live", "a", "hls"), bytes(100));
        ledger.add(now, key("class", "a", "flv"), bytes(1_000));
        let ask = |by, from, to| {
            let report = report(&folder.0, &ledger, Question { by, from, to }, now).unwrap();
            report.rows.into_iter().map(|(key, sums)| (key.app.into_owned(), sums.bytes)).collect::<Vec<_>>()
        };
        let (first, last) = (Hour(0), Hour(u64::MAX));
        let app = Grouping { stream: false, protocol: false, ..ALL };
        assert_eq!(ask(app, first, last), [("class".into(), 1_000), ("live".into(), 111)]);
        assert_eq!(ask(app, Hour(498_699), last), [("class".into(), 1_000), ("live".into(), 110)]);
        assert_eq!(ask(app, Hour(498_698), Hour(498_700)), [("live".into(), 11)]);
        assert_eq!(ask(ALL, first, last).len(), 4);
        let protocol = Grouping { app: false, stream: false, protocol: true };
        assert_eq!(ask(protocol, first, last), [(String::new(), 1_001), (String::new(), 110)]);
        assert_eq!(ask(app, last, first), [], "an empty time");
    }
}
