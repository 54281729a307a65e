//! Refusing new viewers before the server runs out of file descriptors or memory: those who watch go on, and publishers
//! are still taken, for whom room is kept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::access::{Refused, Why};
use crate::context::Context;

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
            memory_total: memory_total(),
            refused: AtomicU64::new(0),
            told: Mutex::new(None),
        }
    }

    /// Asks the kernel. `limit` is `limits.memory_bytes`, 0 for our own choice; `connections` are those open now.
    fn look(&self, limit: u64, connections: usize) {
        // What cannot be read is taken for plenty: refusing everybody on a strange kernel helps nobody.
        self.files.store(open_files().unwrap_or(0), Ordering::Relaxed);
        self.files_max.store(files_max(), Ordering::Relaxed);
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
        self.config().limits.connections.saturating_sub(self.connections.available_permits())
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

/// The soft limit of this process.
fn files_max() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Linux 6.2 tells the number as the size of the directory; before, entries are counted.
pub(crate) fn open_files() -> Option<u64> {
    let folder = Path::new("/proc/self/fd");
    match std::fs::metadata(folder).ok()?.len() {
        0 => Some(std::fs::read_dir(folder).ok()?.count() as u64),
        files => Some(files),
    }
}

fn resident_bytes() -> Option<u64> {
    // Pages: all, then those in memory (proc(5)).
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

/// The least of the machine's memory and of what its control groups leave this process.
pub fn memory_total() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_total(&text));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|file| {
        // "max" of version 2 is no number; "none" of version 1 is one beyond every machine.
        std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()
    });
    limits.chain(machine).min().unwrap_or(u64::MAX)
}

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// Where the limits of the groups stand that `/proc/self/cgroup` names, and of those above them: each holds.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(root).join(group.trim_start_matches('/'));
        let within = group.ancestors().take_while(|folder| folder.starts_with(root));
        files.extend(within.map(|folder| folder.join(name)));
    }
    files
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
    fn limits_of_both_kinds_of_control_groups_are_found_with_those_above_them() {
        let names =
            |groups| limit_files(groups).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            names("0::/system.slice/openmic.service\n"),
            [
                "/sys/fs/cgroup/system.slice/openmic.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            names("5:cpu,cpuacct:/a\n4:memory:/a\n1:name=systemd:/a:b\n"),
            ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
        assert_eq!(mem_total("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16 << 20));
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
