//! `openmic play`: what a stream is like, second by second.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use client::play::meter::{Report, Second, TrackReport};
use client::play::{self, Options};
use client::url::Url;

#[derive(Debug, clap::Args)]
pub(crate) struct PlayArgs {
    /// http(s)://….flv, ws(s)://….flv, rtmp(s)://… or http(s)://….m3u8.
    url: Url,
    /// Stop after this many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// Fail when no frame comes for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Write what was received to this file: FLV, or fMP4 for HLS.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Accept any TLS certificate.
    #[arg(long)]
    insecure: bool,
    /// Print one JSON object a second and the whole at the end.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: PlayArgs) -> anyhow::Result<()> {
    let json = args.json;
    let options = Options {
        url: args.url,
        duration: args.duration,
        timeout: args.timeout,
        out: args.out,
        insecure: args.insecure,
    };
    let tell = |second: &Second| {
        if json {
            serde_json::to_string(second).into_iter().for_each(|line| println!("{line}"));
        } else {
            println!("{}", second_line(second));
        }
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime")?;
    let report = runtime.block_on(play::run(&options, tell))?;
    if json {
        println!("{}", serde_json::to_string(&report).context("writing the report")?);
    } else {
        print!("{}", report_text(&report));
    }
    Ok(())
}

fn second_line(second: &Second) -> String {
    let latency = second.latency_ms.map_or_else(String::new, |ms| format!("  latency {ms:.1} ms"));
    let group = second.group_s.map_or_else(String::new, |s| format!("  group {s:.2} s"));
    format!(
        "{:6.1} s  {:8.1} kbit/s  {:5.1} fps  {:3} sounds{group}  gaps {}  jitter {:.1} ms{latency}",
        second.at_s, second.kbps, second.fps, second.sounds, second.gaps, second.jitter_ms,
    )
}

fn report_text(report: &Report) -> String {
    let track = |name: &str, track: &TrackReport| match track.frames {
        0 => String::new(),
        _ => format!(
            "{name}: {} frames over {:.2} s, one each {:.2} ms, {} gaps (longest {:.0} ms), {} steps backwards\n",
            track.frames, track.seconds, track.interval_ms, track.gaps, track.gap_max_ms, track.backwards,
        ),
    };
    let first = report.first_frame_ms.map_or_else(|| "none".to_owned(), |ms| format!("after {ms:.0} ms"));
    let latency = report.latency.map_or_else(String::new, |latency| {
        let (p50, p95, p99) = (latency.p50_ms, latency.p95_ms, latency.p99_ms);
        format!("latency: p50 {p50:.1}, p95 {p95:.1}, p99 {p99:.1} ms; {} pictures lost\n", report.lost)
    });
    format!(
        "{}; {:.2} MB in {:.1} s, first frame {first}\n{}{}{} groups, the longest {:.2} s\n{latency}",
        report.codecs.join(" + "),
        report.bytes as f64 / 1e6,
        report.seconds,
        track("pictures", &report.video),
        track("sound", &report.audio),
        report.groups,
        report.group_max_s,
    )
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    Duration::try_from_secs_f64(number).map_err(|_| format!("{text:?} is out of range"))
}
