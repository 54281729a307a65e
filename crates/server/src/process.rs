//! What the kernel says of this process and of what it may use.

use rustix::process::{Resource, getrlimit};

/// One look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) rss_bytes: u64,
    /// User and system, since the start.
    pub(crate) cpu_seconds: f64,
    pub(crate) open_files: usize,
}

/// `USER_HZ`, in which Linux writes CPU times on every architecture we build for (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// `None` where there is no `/proc`. It reads files: call it where blocking is allowed.
    pub(crate) fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let rss_kb: u64 = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may hold anything; fields count behind it, utime being the 14th of all.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        let cpu_seconds = (ticks()? + ticks()?) / TICKS_PER_SECOND;
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count();
        Some(Self { rss_bytes: rss_kb << 10, cpu_seconds, open_files })
    }
}

/// What it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) cores: usize,
}

impl Bounds {
    /// It reads files: call it where blocking is allowed.
    pub(crate) fn read() -> Self {
        let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
        let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
        // Of a container: cgroup v2, then v1, whose "no limit" is a number beyond any machine's memory.
        let container = number("/sys/fs/cgroup/memory.max")
            .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
        Self {
            memory_bytes: machine.into_iter().chain(container).min(),
            open_files: getrlimit(Resource::Nofile).current,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_some_of_what_it_may() {
        let (process, bounds) = (Process::read().unwrap(), Bounds::read());
        assert!(process.rss_bytes > 0 && process.rss_bytes < bounds.memory_bytes.unwrap());
        assert!(
            process.open_files > 2 && (process.open_files as u64) < bounds.open_files.unwrap_or(u64::MAX)
        );
        assert_eq!(total_bytes("MemTotal:       16303428 kB\nMemFree: 1 kB\n"), Some(16_303_428 << 10));
    }
}
