//! The machine: clock, limits, memory, and what the kernel is set to.

use std::process::{Command, Stdio};
use std::time::SystemTime;

use server::Config;

use super::finding::Finding;

/// Beside viewers: listeners, files, the runtime's own, children.
const FILES_BESIDE: u64 = 200;
/// What the server asks the kernel for on its one WebRTC socket; the kernel gives the least of it and of its limit.
const UDP_BYTES: u64 = 4 << 20;
/// Connections that the server lets wait to be accepted.
const BACKLOG: u64 = 4_096;

/// Tokens and certificates have dates, and recordings and sender reports carry the time.
pub(super) fn clock() -> Finding {
    let told = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let built = std::env::current_exe().and_then(std::fs::metadata).and_then(|found| found.modified()).ok();
    judge_clock(told.as_deref(), built, SystemTime::now())
}

fn judge_clock(synchronized: Option<&str>, built: Option<SystemTime>, now: SystemTime) -> Finding {
    if built.is_some_and(|built| now < built) {
        let what = "the clock is behind the date of this very program";
        return Finding::wrong("clock", what, "set it, and install chrony or systemd-timesyncd");
    }
    match synchronized {
        Some("yes") => Finding::good("clock", "synchronized"),
        Some(_) => Finding::doubt(
            "clock",
            "not synchronized",
            "timedatectl set-ntp true, or install chrony: tokens and certificates are judged by it",
        ),
        None => Finding::good("clock", "plausible; nobody here tells whether it is synchronized"),
    }
}

pub(super) fn open_files(config: &Config) -> Finding {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    judge_files(hard, config.limits.connections as u64)
}

fn judge_files(hard: Option<u64>, connections: u64) -> Finding {
    let Some(hard) = hard else { return Finding::good("files", "the number of open files has no limit") };
    // Those over TLS are two each, so that this is the least.
    match hard >= connections + FILES_BESIDE {
        true => Finding::good("files", format!("{hard} may be open, enough for {connections} connections")),
        false => Finding::doubt(
            "files",
            format!(
                "{hard} may be open, fewer than limits.connections = {connections}; viewers are refused at 90 % of them"
            ),
            "raise LimitNOFILE of the service, `ulimit -n` of the shell, or --ulimit nofile of the container",
        ),
    }
}

pub(super) fn memory(config: &Config) -> Finding {
    judge_memory(server::process::memory_total().unwrap_or(u64::MAX), config.limits.ring_bytes as u64)
}

fn judge_memory(total: u64, rings: u64) -> Finding {
    let mebibytes = |bytes: u64| bytes >> 20;
    match rings <= total / 2 {
        true => Finding::good("memory", format!("{} MiB", mebibytes(total))),
        false => Finding::doubt(
            "memory",
            format!("{} MiB, of which limits.ring_bytes may take {}", mebibytes(total), mebibytes(rings)),
            format!("set limits.ring_bytes to {} at most", total / 2),
        ),
    }
}

pub(super) fn kernel(config: &Config) -> Vec<Finding> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok();
    let mut findings: Vec<Finding> = [
        ("net.core.rmem_max", UDP_BYTES, "bursts of WebRTC publishers are lost"),
        ("net.core.wmem_max", UDP_BYTES, "keyframes to many WebRTC viewers are lost"),
        ("net.core.somaxconn", BACKLOG, "a rush of viewers finds the door shut"),
    ]
    .into_iter()
    .filter_map(|(name, wanted, else_what)| {
        at_least(name, read(name)?.trim().parse().ok()?, wanted, else_what).into()
    })
    .collect();
    if let Some(known) = read("net.ipv4.tcp_available_congestion_control") {
        findings.push(congestion(&config.egress.congestion, &known));
    }
    findings
}

fn at_least(name: &str, found: u64, wanted: u64, else_what: &str) -> Finding {
    match found >= wanted {
        true => Finding::good("kernel", format!("{name} = {found}")),
        false => Finding::doubt(
            "kernel",
            format!("{name} = {found}, less than {wanted}: {else_what}"),
            format!("sysctl -w {name}={wanted}, and keep it in /etc/sysctl.d/openmic.conf"),
        ),
    }
}

fn congestion(wanted: &str, known: &str) -> Finding {
    match wanted.is_empty() || known.split_ascii_whitespace().any(|one| one == wanted) {
        true => Finding::good(
            "kernel",
            format!("TCP congestion control {}", if wanted.is_empty() { "as it is set" } else { wanted }),
        ),
        false => Finding::doubt(
            "kernel",
            format!(
                "TCP congestion control {wanted} is not there ({}): viewers on bad networks fall behind sooner",
                known.trim()
            ),
            format!("modprobe tcp_{wanted}, and write tcp_{wanted} into /etc/modules-load.d/openmic.conf"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_clock_before_the_program_was_made_is_wrong_whatever_it_says_of_itself() {
        let now = SystemTime::now();
        let built = now - Duration::from_secs(60);
        assert_eq!(judge_clock(Some("yes"), Some(built), now).level, Level::Good);
        assert_eq!(judge_clock(Some("no"), Some(built), now).level, Level::Doubtful);
        assert_eq!(judge_clock(None, None, now).level, Level::Good);
        assert_eq!(judge_clock(Some("yes"), Some(built), built - Duration::from_secs(1)).level, Level::Wrong);
    }

    #[test]
    fn limits_are_judged_by_what_the_configuration_promises() {
        assert_eq!(judge_files(Some(1_024), 50_000).level, Level::Doubtful);
        assert_eq!(judge_files(Some(1 << 20), 50_000).level, Level::Good);
        assert_eq!(judge_files(None, 50_000).level, Level::Good);
        assert_eq!(judge_memory(4 << 30, 2 << 30).level, Level::Good);
        let small = judge_memory(1 << 30, 2 << 30);
        assert!(small.level == Level::Doubtful && small.remedy.contains("536870912"), "{small}");
    }

    #[test]
    fn what_the_kernel_lacks_comes_with_the_command_that_gives_it() {
        let low = at_least("net.core.rmem_max", 212_992, 4 << 20, "x");
        assert!(
            low.level == Level::Doubtful && low.remedy.contains("sysctl -w net.core.rmem_max=4194304"),
            "{low}"
        );
        assert_eq!(at_least("net.core.rmem_max", 4 << 20, 4 << 20, "x").level, Level::Good);
        assert!(congestion("bbr", "reno cubic\n").remedy.contains("modprobe tcp_bbr"));
        assert_eq!(congestion("bbr", "reno bbr cubic\n").level, Level::Good);
        assert_eq!(congestion("", "reno\n").level, Level::Good);
    }
}
