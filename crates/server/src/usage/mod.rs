//! Usage: who moved how much, summed by broadcast, protocol and action for each hour. Sessions that last are settled every
//! minute, so that an hour holds what moved in it.

mod keep;
mod report;
mod table;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use keep::serve;
pub use keep::{DAYS_KEPT, FOLDER};
pub use report::{Grouping, Question, Report, report};
pub use table::{Key, Sums, Table};

/// Rows of one hour: broadcasts by protocol and action. What comes beyond is summed in rows that name no broadcast. Some
/// 2 MB of memory at most, and as much on the disk for each hour.
pub const ROWS_MAX: usize = 4_096;

/// Whole hours since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub u64);

/// Seconds of an hour.
const HOUR_S: u64 = 3_600;

impl Hour {
    /// The hour of this moment.
    pub fn of(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs() / HOUR_S)
    }

    /// When it begins.
    pub fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.saturating_mul(HOUR_S))
    }
}

/// The hours that are not on the disk yet: the one that runs, and the one before for a while.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Vec<Open>>);

#[derive(Debug)]
struct Open {
    hour: Hour,
    table: Table,
    /// It holds what its file holds: an earlier run of the server may have begun the hour.
    whole: bool,
}

/// Hours kept open where none can be written: the disk may be full for a while.
const OPEN_MAX: usize = 24;

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was moved, at this time of the wall clock.
    pub fn add(&self, at: SystemTime, key: Key<'_>, sums: Sums) {
        let (hour, mut open) = (Hour::of(at), self.lock());
        if let Some(known) = open.iter_mut().find(|open| open.hour == hour) {
            return known.table.add(key, sums);
        }
        if open.len() >= OPEN_MAX {
            open.remove(0);
        }
        let mut table = Table::new(ROWS_MAX);
        table.add(key, sums);
        open.push(Open { hour, table, whole: false });
    }

    /// The hours that are open.
    pub(crate) fn hours(&self) -> Vec<Hour> {
        self.lock().iter().map(|open| open.hour).collect()
    }

    /// A copy of an hour that is open, with what `stored` has of it where that is not in it yet.
    pub(crate) fn copy(
        &self,
        hour: Hour,
        stored: impl FnOnce() -> io::Result<Table>,
    ) -> io::Result<Option<Table>> {
        match self.lock().iter().find(|open| open.hour == hour) {
            Some(open) if open.whole => return Ok(Some(open.table.clone())),
            Some(_) => {}
            None => return Ok(None),
        }
        // Not under the lock, which sessions take: it reads a file.
        let stored = stored()?;
        let mut all = self.lock();
        let Some(open) = all.iter_mut().find(|open| open.hour == hour) else { return Ok(None) };
        // Another may have been faster.
        if !open.whole {
            open.table.merge(&stored);
            open.whole = true;
        }
        Ok(Some(open.table.clone()))
    }

    /// Forgets an hour that is over and on the disk.
    pub(crate) fn forget(&self, hour: Hour) {
        self.lock().retain(|open| open.hour != hour);
    }
}
