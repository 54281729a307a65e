//! The last deliveries and answers, for who looks whether a receiver works; and how many of each there were.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// What a person scrolls through; some 150 KB.
const RECORDS_MAX: usize = 500;
/// An error of ours is a sentence.
const ERROR_CHARS_MAX: usize = 300;

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was taken, or a question was answered.
    Delivered,
    /// It waits for its first or next attempt.
    Retrying,
    /// It was given up, or a question got no answer.
    Dead,
}

/// One delivery.
#[derive(Clone, Debug)]
pub struct Record {
    /// The id that its receiver sees.
    pub id: String,
    /// Which hook.
    pub hook: String,
    /// Of what.
    pub event: &'static str,
    /// Which broadcast.
    pub path: String,
    /// When it happened.
    pub at: SystemTime,
    /// Attempts so far.
    pub attempts: u32,
    /// How far it is.
    pub status: Status,
    /// Of the last answer, if there was one.
    pub http_status: Option<u16>,
    /// Why it was not taken the last time.
    pub error: Option<String>,
    /// How long the last attempt took.
    pub took: Option<Duration>,
}

/// What became of one attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    pub(super) http_status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) took: Duration,
}

/// The newest records, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Record>>);

impl Recent {
    fn records(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, record: Record) {
        let mut records = self.records();
        if records.len() >= RECORDS_MAX {
            records.pop_front();
        }
        records.push_back(record);
    }

    /// Notes an attempt, unless so much has happened since that its record is gone.
    pub(super) fn note(&self, id: &str, (attempts, status): (u32, Status), attempt: &Attempt) {
        let mut records = self.records();
        let Some(record) = records.iter_mut().rev().find(|record| record.id == id) else { return };
        (record.attempts, record.status) = (attempts, status);
        record.http_status = attempt.http_status;
        record.error = attempt.error.as_deref().map(clipped);
        record.took = Some(attempt.took);
    }

    /// The newest first.
    pub(super) fn list(&self, limit: usize) -> Vec<Record> {
        self.records().iter().rev().take(limit).cloned().collect()
    }
}

pub(super) fn clipped(error: &str) -> String {
    error.chars().take(ERROR_CHARS_MAX).collect()
}

/// What `/metrics` counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Notifications that were taken.
    pub delivered: AtomicU64,
    /// Attempts that failed and are made again.
    pub retried: AtomicU64,
    /// Notifications that were given up.
    pub dead: AtomicU64,
    /// Questions that were answered with yes.
    pub allowed: AtomicU64,
    /// Questions that were answered with no.
    pub refused: AtomicU64,
    /// Questions that got no answer.
    pub unanswered: AtomicU64,
}

impl Counts {
    /// All of them, by the name of their outcome.
    pub fn all(&self) -> [(&'static str, u64); 6] {
        let read = |(name, count): (_, &AtomicU64)| (name, count.load(Ordering::Relaxed));
        [
            ("delivered", &self.delivered),
            ("retried", &self.retried),
            ("dead", &self.dead),
            ("allowed", &self.allowed),
            ("refused", &self.refused),
            ("unanswered", &self.unanswered),
        ]
        .map(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: usize) -> Record {
        Record {
            id: id.to_string(),
            hook: "x".into(),
            event: "play",
            path: "live/a".into(),
            at: SystemTime::UNIX_EPOCH,
            attempts: 0,
            status: Status::Retrying,
            http_status: None,
            error: None,
            took: None,
        }
    }

    #[test]
    fn the_newest_records_are_kept_and_brought_up_to_date() {
        let recent = Recent::default();
        (0..RECORDS_MAX + 3).for_each(|id| recent.add(record(id)));
        let attempt = Attempt {
            http_status: Some(500),
            error: Some("x".repeat(9_999)),
            took: Duration::from_millis(3),
        };
        recent.note("502", (1, Status::Dead), &attempt);
        // Its record is gone.
        recent.note("0", (1, Status::Delivered), &attempt);
        let list = recent.list(2);
        assert_eq!((list[0].id.as_str(), list[1].id.as_str()), ("502", "501"));
        assert_eq!((list[0].status, list[0].http_status), (Status::Dead, Some(500)));
        assert_eq!(list[0].error.as_ref().unwrap().len(), ERROR_CHARS_MAX);
        assert_eq!(recent.list(usize::MAX).len(), RECORDS_MAX);
    }
}
