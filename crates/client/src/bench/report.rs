//! What a bench says: one row a run, as a table for people and as JSON for programs.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::target::Protocol;
use crate::stats::Percentiles;

/// Above this share of its core the load generator may itself be what delays frames.
const LOAD_BUSY_MAX: f64 = 0.85;

/// What a run was made with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// How viewers watched.
    pub protocol: Protocol,
    /// How many.
    pub viewers: usize,
    /// Over how many streams.
    pub streams: usize,
    /// Merge budget in milliseconds.
    pub merge_ms: u32,
    /// Bits a second of each stream.
    pub bitrate: u32,
    /// Seconds measured.
    pub seconds: f64,
}

/// What the server spent in the window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cpu {
    /// CPU seconds of the process.
    pub seconds: f64,
    /// CPU seconds of the process for each delivered gigabyte (10^9 bytes).
    pub per_gb: f64,
    /// Busy seconds of its whole core for each delivered gigabyte: kernel work outside of the process included.
    pub core_per_gb: f64,
    /// `per_gb` as a multiple of the comparison's in the same run.
    pub ratio: Option<f64>,
    /// `core_per_gb` as a multiple of the comparison's in the same run.
    pub core_ratio: Option<f64>,
}

/// Pictures, over all viewers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Frames {
    /// What the window's length and the frame rate give.
    pub expected: u64,
    /// Pictures that arrived within the window.
    pub got: u64,
    /// Pictures that never arrived, or not within five seconds after the window.
    pub lost: u64,
    /// Viewers that the server disconnected.
    pub viewers_closed: u64,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Which question it answers.
    pub scenario: String,
    /// What was measured.
    pub subject: String,
    /// With what.
    pub setting: Setting,
    /// Gigabytes (10^9) that viewers read.
    pub delivered_gb: f64,
    /// What the server spent.
    pub cpu: Cpu,
    /// Pictures.
    pub frames: Frames,
    /// Age of pictures on arrival, from the publisher's socket.
    pub latency: Option<Percentiles>,
    /// From `connect` to the end of the first keyframe.
    pub join: Option<Percentiles>,
    /// Growth of the server's resident memory for each viewer.
    pub rss_per_viewer_bytes: i64,
    /// Share of its core that this program used, publishers included.
    pub load_busy: f64,
    /// What else is to be known.
    pub note: Option<String>,
}

impl Cpu {
    /// `bytes` were delivered.
    pub fn new(process: Duration, core: Duration, bytes: u64) -> Self {
        let gigabytes = (bytes as f64 / 1e9).max(f64::MIN_POSITIVE);
        let per_gb = |time: Duration| if bytes == 0 { 0.0 } else { time.as_secs_f64() / gigabytes };
        Self {
            seconds: process.as_secs_f64(),
            per_gb: per_gb(process),
            core_per_gb: per_gb(core),
            ratio: None,
            core_ratio: None,
        }
    }

    /// Fills the ratios to a comparison of the same run.
    pub fn compare(&mut self, to: &Self) {
        self.ratio = ratio(self.per_gb, to.per_gb);
        self.core_ratio = ratio(self.core_per_gb, to.core_per_gb);
    }
}

fn ratio(this: f64, other: f64) -> Option<f64> {
    (other > 0.0).then(|| this / other)
}

const HEAD: [&str; 14] = [
    "scenario",
    "subject",
    "proto",
    "viewers",
    "merge",
    "GB",
    "CPU s/GB",
    "ratio",
    "core ratio",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "lost",
    "RSS/viewer",
];

/// The runs as a Markdown table, so that it can be pasted into the documentation as it is.
pub fn table(runs: &[Run]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(runs.iter().map(cells));
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let line: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let _ = writeln!(text, "| {} |", line.join(" | "));
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width - 1) + ":").collect();
            let _ = writeln!(text, "| {} |", rule.join(" | "));
        }
    }
    for run in runs {
        for note in notes(run) {
            let setting = &run.setting;
            let (name, viewers, merge) = (setting.protocol.name(), setting.viewers, setting.merge_ms);
            let _ = writeln!(
                text,
                "{} {} ({name}, {viewers} viewers, {merge} ms): {note}",
                run.scenario, run.subject
            );
        }
    }
    text
}

fn cells(run: &Run) -> [String; 14] {
    let time = run.join.or(run.latency);
    let ms = |pick: fn(&Percentiles) -> f64| time.as_ref().map_or_else(dash, |p| format!("{:.2}", pick(p)));
    let times = |ratio: Option<f64>| ratio.map_or_else(dash, |ratio| format!("{ratio:.2}"));
    [
        run.scenario.clone(),
        run.subject.clone(),
        run.setting.protocol.name().to_owned(),
        run.setting.viewers.to_string(),
        run.setting.merge_ms.to_string(),
        format!("{:.2}", run.delivered_gb),
        format!("{:.2}", run.cpu.per_gb),
        times(run.cpu.ratio),
        times(run.cpu.core_ratio),
        ms(|p| p.p50_ms),
        ms(|p| p.p95_ms),
        ms(|p| p.p99_ms),
        run.frames.lost.to_string(),
        format!("{:.1} KB", run.rss_per_viewer_bytes as f64 / 1_000.0),
    ]
}

fn dash() -> String {
    "–".to_owned()
}

fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> = run.note.iter().cloned().collect();
    if run.load_busy > LOAD_BUSY_MAX {
        notes.push(format!(
            "the load generator used {:.0} % of its core, times may be its own",
            run.load_busy * 100.0
        ));
    }
    if run.frames.viewers_closed > 0 {
        notes.push(format!("{} viewers were disconnected", run.frames.viewers_closed));
    }
    let short = run.frames.expected.saturating_sub(run.frames.got);
    if short * 100 > run.frames.expected {
        notes.push(format!("{} of {} expected pictures came in time", run.frames.got, run.frames.expected));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(subject: &str, cpu: Duration) -> Run {
        Run {
            scenario: "fanout".into(),
            subject: subject.into(),
            setting: Setting {
                protocol: Protocol::Flv,
                viewers: 500,
                streams: 1,
                merge_ms: 0,
                bitrate: 2_000_000,
                seconds: 10.0,
            },
            delivered_gb: 2.0,
            cpu: Cpu::new(cpu, cpu * 2, 2_000_000_000),
            frames: Frames { expected: 150_000, got: 149_900, lost: 0, viewers_closed: 0 },
            latency: None,
            join: None,
            rss_per_viewer_bytes: 700,
            load_busy: 0.4,
            note: None,
        }
    }

    #[test]
    fn the_ratio_is_that_of_cpu_per_gigabyte() {
        let floor = run("floor", Duration::from_secs(4));
        let mut ours = run("openmic", Duration::from_secs(5));
        ours.cpu.compare(&floor.cpu);
        assert_eq!((floor.cpu.per_gb, floor.cpu.core_per_gb), (2.0, 4.0));
        assert_eq!((ours.cpu.ratio, ours.cpu.core_ratio), (Some(1.25), Some(1.25)));
        ours.cpu.compare(&Cpu::new(Duration::ZERO, Duration::ZERO, 0));
        assert_eq!(ours.cpu.ratio, None);
    }

    #[test]
    fn the_table_has_a_row_a_run_and_its_columns_align() {
        let text = table(&[run("floor", Duration::from_secs(4)), run("openmic", Duration::from_secs(5))]);
        let lines: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }

    #[test]
    fn doubts_about_a_run_are_said() {
        let mut doubtful = run("openmic", Duration::from_secs(5));
        doubtful.load_busy = 0.97;
        doubtful.frames = Frames { expected: 1_000, got: 900, lost: 90, viewers_closed: 2 };
        let text = table(&[doubtful]);
        assert!(text.contains("97 % of its core"), "{text}");
        assert!(text.contains("2 viewers were disconnected") && text.contains("900 of 1000"), "{text}");
    }
}
