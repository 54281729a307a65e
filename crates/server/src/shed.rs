//! Refusing new viewers before the server runs out of file descriptors or memory: those who watch go on, and publishers
//! are still taken, for whom room is kept.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::access::{Refused, Why};
use crate::context::Context;
use crate::process::{files_max, memory_total, open_files, resident_bytes};

/// How often the kernel is asked. Connections are counted in between as well, memory grows slower than this.
const LOOK: Duration = Duration::from_secs(1);
/// The share of file descriptors that viewers may have; the rest is for publishers, files and child processes.
const FILES_PERCENT: u64 = 90;
/// The share of the machine's or container's memory that is taken for the limit where the configuration names none: the
/// kernel needs some for sockets, and kills whoever reaches the whole.
const MEMORY_PERCENT: u64 = 85;
/// Under attack a line for each refusal would be an attack of its own.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What this server has and may have. Read without waiting by whoever lets viewers in.
#[derive(Debug)]
pub struct Shed {
    files: AtomicU64,
    files_max: AtomicU64,
    /// Connections when `files` was read.
    connections: AtomicUsize,
    memory: AtomicU64,
    memory_max: AtomicU64,
    /// The machine's or container's memory.
    memory_total: u64,
    /// Viewers refused so far.
    pub(crate) refused: AtomicU64,
    told: Mutex<Option<Instant>>,
}

/// What is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// File descriptors.
    Files,
    /// Memory.
    Memory,
}

impl Shed {
    pub(crate) fn new() -> Self {
        Self {
            files: AtomicU64::new(0),
            files_max: AtomicU64::new(u64::MAX),
            connections: AtomicUsize::new(0),
            memory: AtomicU64::new(0),
            memory_max: AtomicU64::new(u64::MAX),
            memory_total: memory_total().unwrap_or(u64::MAX),
            refused: AtomicU64::new(0),
            told: Mutex::new(None),
        }
    }

    /// Asks the kernel. `limit` is `limits.memory_bytes`, 0 for our own choice; `connections` are those open now.
    fn look(&self, limit: u64, connections: usize) {
        // What cannot be read is taken for plenty: refusing everybody on a strange kernel helps nobody.
        self.files.store(open_files().unwrap_or(0), Ordering::Relaxed);
        self.files_max.store(files_max().unwrap_or(u64::MAX), Ordering::Relaxed);
        self.connections.store(connections, Ordering::Relaxed);
        self.memory.store(resident_bytes().unwrap_or(0), Ordering::Relaxed);
        let limit = if limit == 0 { share(self.memory_total, MEMORY_PERCENT) } else { limit };
        self.memory_max.store(limit, Ordering::Relaxed);
    }

    /// What another viewer would lack.
    pub fn shortage(&self, connections: usize) -> Option<Shortage> {
        let since = connections.saturating_sub(self.connections.load(Ordering::Relaxed));
        let files = self.files.load(Ordering::Relaxed) + since as u64;
        if files >= share(self.files_max.load(Ordering::Relaxed), FILES_PERCENT) {
            return Some(Shortage::Files);
        }
        let (memory, limit) = (self.memory.load(Ordering::Relaxed), self.memory_max.load(Ordering::Relaxed));
        (memory >= limit).then_some(Shortage::Memory)
    }

    /// The limit of file descriptors; `None` where there is none.
    pub(crate) fn files_max(&self) -> Option<u64> {
        Some(self.files_max.load(Ordering::Relaxed)).filter(|max| *max != u64::MAX)
    }

    /// Above this much memory viewers are refused; `None` where nothing is known.
    pub(crate) fn memory_max(&self) -> Option<u64> {
        Some(self.memory_max.load(Ordering::Relaxed)).filter(|max| *max != u64::MAX)
    }

    fn refuse(&self, shortage: Shortage, now: Instant) -> Refused {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY) {
            *told = Some(now);
            let files = (self.files.load(Ordering::Relaxed), self.files_max.load(Ordering::Relaxed));
            let memory = (self.memory.load(Ordering::Relaxed), self.memory_max.load(Ordering::Relaxed));
            tracing::warn!(
                ?shortage,
                ?files,
                ?memory,
                "new viewers are refused, each with what there is of the limit"
            );
        }
        let what = match shortage {
            Shortage::Files => "file descriptors (LimitNOFILE)",
            Shortage::Memory => "memory (limits.memory_bytes)",
        };
        Refused {
            why: Why::Unavailable,
            detail: format!("the server is full: it is short of {what}; try again in a moment"),
        }
    }
}

impl Context {
    /// Whether there is room for one more viewer; asked before each is let in.
    ///
    /// # Errors
    /// [`Refused`] with [`Why::Unavailable`] where there is none.
    pub(crate) fn room_for_viewer(&self) -> Result<(), Refused> {
        match self.operation.shed.shortage(self.open_connections()) {
            None => Ok(()),
            Some(shortage) => Err(self.operation.shed.refuse(shortage, Instant::now())),
        }
    }

    /// Connections of all protocols that are open now.
    pub fn open_connections(&self) -> usize {
        self.config().limits.connections.saturating_sub(self.shared.connections.available_permits())
    }

    /// Asks the kernel what there is left.
    pub(crate) fn look_for_room(&self) {
        self.operation.shed.look(self.config().limits.memory_bytes, self.open_connections());
    }
}

/// Looks until the server stops.
pub(crate) async fn keep(context: Arc<Context>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let context = Arc::clone(&context);
        // Reading /proc of a process with fifty thousand files takes milliseconds on older kernels.
        let _ = tokio::task::spawn_blocking(move || context.look_for_room()).await;
    }
}

fn share(whole: u64, percent: u64) -> u64 {
    (u128::from(whole) * u128::from(percent) / 100).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shed(files: u64, memory: u64) -> Shed {
        let shed = Shed::new();
        for (value, to) in
            [(files, &shed.files), (100, &shed.files_max), (memory, &shed.memory), (1_000, &shed.memory_max)]
        {
            to.store(value, Ordering::Relaxed);
        }
        shed.connections.store(10, Ordering::Relaxed);
        shed
    }

    #[test]
    fn viewers_are_refused_above_nine_tenths_of_the_files_counting_who_came_since() {
        assert_eq!(shed(89, 0).shortage(10), None);
        assert_eq!(shed(90, 0).shortage(10), Some(Shortage::Files));
        assert_eq!(shed(80, 0).shortage(19), None);
        assert_eq!(shed(80, 0).shortage(20), Some(Shortage::Files));
        // Those who left are noticed at the next look, not before: their files may still be open.
        assert_eq!(shed(90, 0).shortage(0), Some(Shortage::Files));
    }

    #[test]
    fn viewers_are_refused_at_the_limit_of_memory() {
        assert_eq!(shed(0, 999).shortage(0), None);
        assert_eq!(shed(0, 1_000).shortage(0), Some(Shortage::Memory));
    }

    #[test]
    fn the_kernel_tells_what_this_process_has() {
        let shed = Shed::new();
        let _file = std::fs::File::open("/proc/self/status").unwrap();
        shed.look(0, 0);
        assert!(shed.files.load(Ordering::Relaxed) >= 4, "standard streams and a file");
        assert!(shed.memory.load(Ordering::Relaxed) > 1 << 20);
        assert!(shed.memory_max().unwrap() < shed.memory_total);
        assert_eq!(shed.shortage(0), None);
        shed.look(1, 0);
        assert_eq!(shed.shortage(0), Some(Shortage::Memory));
    }

    #[test]
    fn a_refusal_is_counted_and_says_what_is_short() {
        let shed = shed(100, 0);
        let now = Instant::now();
        let refused = shed.refuse(Shortage::Files, now);
        assert!(
            refused.why == Why::Unavailable && refused.detail.contains("LimitNOFILE"),
            "{}",
            refused.detail
        );
        shed.refuse(Shortage::Files, now);
        assert_eq!(shed.refused.load(Ordering::Relaxed), 2);
    }
}
