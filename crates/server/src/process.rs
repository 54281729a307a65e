//! What the kernel says of this process and of what it may use.

use std::path::{Path, PathBuf};

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
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may hold anything; fields count behind it, utime being the 14th of all.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        let cpu_seconds = (ticks()? + ticks()?) / TICKS_PER_SECOND;
        Some(Self { rss_bytes: resident_bytes()?, cpu_seconds, open_files: open_files()? as usize })
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
        Self {
            memory_bytes: memory_total(),
            open_files: files_max(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The soft limit of open files of this process; `None` where there is none.
pub(crate) fn files_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Linux 6.2 tells the number as the size of the directory; before, entries are counted.
pub(crate) fn open_files() -> Option<u64> {
    let folder = Path::new("/proc/self/fd");
    match std::fs::metadata(folder).ok()?.len() {
        0 => Some(std::fs::read_dir(folder).ok()?.count() as u64),
        files => Some(files),
    }
}

/// Memory of this process that is in use.
pub(crate) fn resident_bytes() -> Option<u64> {
    // Pages: all, then those in memory (proc(5)).
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

/// The least of the machine's memory and of what its control groups leave this process; `None` where neither tells.
pub fn memory_total() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_total(&text));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|file| {
        // "max" of version 2 is no number; "none" of version 1 is one beyond every machine.
        std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()
    });
    limits.chain(machine).min()
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

    #[test]
    fn this_process_uses_some_of_what_it_may() {
        let (process, bounds) = (Process::read().unwrap(), Bounds::read());
        assert!(process.rss_bytes > 0 && process.rss_bytes < bounds.memory_bytes.unwrap());
        assert!(
            process.open_files > 2 && (process.open_files as u64) < bounds.open_files.unwrap_or(u64::MAX)
        );
        assert_eq!(mem_total("MemTotal:       16303428 kB\nMemFree: 1 kB\n"), Some(16_303_428 << 10));
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
}
