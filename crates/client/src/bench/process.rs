//! The machine around a run: children pinned to a core, what a process and a core used (proc(5)), open files.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::CpuSet;

/// How long a child may take from SIGTERM to its end before it is killed.
const END_MAX: Duration = Duration::from_secs(3);

/// Where the two sides of a run are pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The core of the server under test, or of the floor.
    pub server: usize,
    /// The core of the load and the publisher.
    pub load: usize,
}

/// What a process has used so far and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub rss: u64,
}

impl Cores {
    /// The first two cores this process may use.
    pub fn choose() -> anyhow::Result<Self> {
        let set = rustix::thread::sched_getaffinity(None).context("asking which cores may be used")?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core));
        match (allowed.next(), allowed.next()) {
            (Some(server), Some(load)) => Ok(Self { server, load }),
            _ => bail!("a bench needs two cores: one for the server, one for the load"),
        }
    }
}

/// Binds this thread, and threads and processes it starts from now on, to one core.
pub fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).with_context(|| format!("binding to core {core}"))
}

/// Allows as many open files as the hard limit says; returns that number.
pub fn raise_open_files() -> anyhow::Result<u64> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("raising the number of open files")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Ends this process when the one that started it does, so that no floor outlives its bench.
pub fn end_with_parent() -> anyhow::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).context("binding to the parent")
}

/// A child process that ends with this value.
pub struct Child {
    process: std::process::Child,
}

impl Child {
    /// Starts `command` on `core`; this thread is on `own_core` afterwards.
    pub fn spawn(command: &mut Command, core: usize, own_core: usize) -> anyhow::Result<Self> {
        // A child inherits the affinity of the thread that starts it; setting it from outside would miss threads
        // that the child has already started.
        pin(core)?;
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        pin(own_core)?;
        let process =
            spawned.with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
        Ok(Self { process })
    }

    /// The first line it prints, which says where it listens. What it prints later is thrown away.
    pub fn ready_line(&mut self, wait_max: Duration) -> anyhow::Result<String> {
        let stdout = self.process.stdout.take().context("the ready line was read before")?;
        let (sender, receiver) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let _ = sender.send(lines.next());
            lines.for_each(drop);
        });
        match receiver.recv_timeout(wait_max) {
            Ok(Some(line)) => Ok(line?),
            Ok(None) => bail!("it ended before it was ready: {:?}", self.process.wait()?),
            Err(_) => bail!("it was not ready within {} s", wait_max.as_secs()),
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.process.id() as i32);
        let asked = pid.is_some_and(|pid| rustix::process::kill_process(pid, Signal::TERM).is_ok());
        let end = Instant::now() + END_MAX;
        while asked && Instant::now() < end && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What process `pid` has used and holds.
pub fn usage(pid: u32) -> anyhow::Result<Usage> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    let status = read(&format!("/proc/{pid}/status"))?;
    let cpu = parse_cpu(&stat, rustix::param::clock_ticks_per_second()).context("reading utime and stime")?;
    let rss = parse_rss(&status).context("reading VmRSS")?;
    Ok(Usage { cpu, rss })
}

/// How long `core` was not idle since boot, interrupts included: kernel work done for a process outside of it
/// (pacing timers, softirqs) shows here only.
pub fn core_busy(core: usize) -> anyhow::Result<Duration> {
    let stat = read("/proc/stat")?;
    parse_core(&stat, core, rustix::param::clock_ticks_per_second()).context("reading the core's times")
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {path}"))
}

/// Fields 14 and 15 of proc_pid_stat(5); the name in field 2 may hold spaces and parentheses.
fn parse_cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(ticks(user + system, ticks_per_second))
}

fn parse_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

/// proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal; the rest is contained in these.
fn parse_core(stat: &str, core: usize, ticks_per_second: u64) -> Option<Duration> {
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let times: Vec<u64> = line.split_ascii_whitespace().take(7).map_while(|time| time.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq] = times[..] else { return None };
    Some(ticks(user + nice + system + irq + softirq, ticks_per_second))
}

fn ticks(count: u64, per_second: u64) -> Duration {
    Duration::from_millis(count * 1_000 / per_second.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(parse_cpu(stat, 100), Some(Duration::from_secs(2)));
        assert_eq!(parse_cpu("7 (cut) S 1 7", 100), None);
    }

    #[test]
    fn resident_memory_and_the_busy_time_of_one_core_are_found() {
        assert_eq!(parse_rss("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2 << 20));
        let stat = "cpu  9 9 9 9 9 9 9\ncpu1 9 9 9 9 9 9 9\ncpu10 10 20 30 999 999 40 100 0 0 0\n";
        assert_eq!(parse_core(stat, 10, 100), Some(Duration::from_secs(2)));
        assert_eq!(parse_core(stat, 2, 100), None);
    }

    #[test]
    fn our_own_process_can_be_measured() {
        assert!(usage(std::process::id()).unwrap().rss > 0);
        assert!(usage(u32::MAX).is_err());
    }
}
