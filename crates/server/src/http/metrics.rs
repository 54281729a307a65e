//! `/metrics` in the Prometheus text format 0.0.4, written by hand: every label value is one of our own names, so the
//! number of series is fixed.

use std::fmt::{self, Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use media::broadcast::Phase;

use crate::audience::{Audience, Protocol};
use crate::context::Context;
use crate::shed::{self, Shortage};

pub(super) async fn metrics(State(context): State<Arc<Context>>) -> Response {
    let process = tokio::task::spawn_blocking(Process::read).await.ok().flatten();
    let text = render(&context, process.as_ref()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

struct Text(String);

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

impl Text {
    fn head(&mut self, kind: Kind, name: &str, help: &str) -> fmt::Result {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}")
    }

    fn one(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) -> fmt::Result {
        self.head(kind, name, help)?;
        writeln!(self.0, "{name} {value}")
    }

    fn by_protocol<V: Display>(
        &mut self,
        (kind, name, help): (Kind, &str, &str),
        values: impl Iterator<Item = (Protocol, V)>,
    ) -> fmt::Result {
        self.head(kind, name, help)?;
        for (protocol, value) in values {
            writeln!(self.0, "{name}{{protocol=\"{}\"}} {value}", protocol.name())?;
        }
        Ok(())
    }
}

fn render(context: &Context, process: Option<&Process>) -> Result<String, fmt::Error> {
    use Kind::Gauge;
    let mut text = Text(String::with_capacity(4 << 10));
    let broadcasts = context.hub.list();
    let live = broadcasts.iter().filter(|broadcast| broadcast.phase() == Phase::Live).count();
    let mut viewers = Protocol::ALL.map(|protocol| (protocol, 0_u64));
    for broadcast in &broadcasts {
        for ((_, sum), (_, count)) in viewers.iter_mut().zip(Audience::of(broadcast).viewers()) {
            *sum += u64::from(count);
        }
    }
    text.one(Gauge, "openmic_broadcasts", "Broadcasts, live or waiting.", broadcasts.len())?;
    text.one(Gauge, "openmic_publishers", "Broadcasts with a publisher.", live)?;
    text.by_protocol((Gauge, "openmic_viewers", "Viewers now."), viewers.into_iter())?;
    text.one(Gauge, "openmic_ring_bytes", "Bytes of all rings.", context.hub.ring_bytes())?;
    text.one(Gauge, "openmic_connections", "Connections now.", context.open_connections())?;
    room(&mut text, context)?;
    text.one(Gauge, "openmic_uptime_seconds", "Since the start.", context.clock.uptime().as_secs())?;
    counters(&mut text, context)?;
    if let Some(process) = process {
        process.write(&mut text)?;
    }
    Ok(text.0)
}

/// The limits at which new viewers are refused, and whether they are.
fn room(text: &mut Text, context: &Context) -> fmt::Result {
    let shed = &context.operation.shed;
    let shortage = shed.shortage(context.open_connections());
    text.head(Kind::Gauge, "openmic_shedding", "Whether new viewers are refused for want of this.")?;
    for (what, name) in [(Shortage::Files, "files"), (Shortage::Memory, "memory")] {
        let is_short = u8::from(shortage == Some(what));
        writeln!(text.0, "openmic_shedding{{resource=\"{name}\"}} {is_short}")?;
    }
    if let Some(max) = shed.files_max() {
        text.one(Kind::Gauge, "process_max_fds", "The limit of open file descriptors.", max)?;
    }
    if let Some(max) = shed.memory_max() {
        text.one(Kind::Gauge, "openmic_memory_limit_bytes", "Memory at which new viewers are refused.", max)?;
    }
    Ok(())
}

fn counters(text: &mut Text, context: &Context) -> fmt::Result {
    let (counters, totals) = (&context.shared.counters, context.egress.totals());
    let bytes = (Kind::Counter, "openmic_egress_bytes_total", "Bytes written to viewers.");
    text.by_protocol(bytes, Protocol::ALL.into_iter().map(|protocol| (protocol, totals.bytes(protocol))))?;
    let all: [(&str, &str, &AtomicU64); 7] = [
        ("openmic_connections_total", "Connections taken.", &counters.connections),
        ("openmic_connections_refused_total", "Connections beyond the limit.", &counters.connections_refused),
        ("openmic_accept_errors_total", "Connections lost at the door.", &counters.accept_errors),
        ("openmic_viewers_shed_total", "Viewers refused for want of room.", &context.operation.shed.refused),
        ("openmic_viewer_skips_total", "Slow viewers set to a newer keyframe.", &totals.skips),
        ("openmic_viewers_stalled_total", "Viewers closed for taking nothing.", &totals.stalled),
        ("openmic_panics_total", "Tasks that ended in a panic.", &counters.panics),
    ];
    for (name, help, counter) in all {
        text.one(Kind::Counter, name, help, counter.load(Ordering::Relaxed))?;
    }
    let name = "openmic_hook_calls_total";
    text.head(Kind::Counter, name, "Webhooks called, and what came of it.")?;
    for (outcome, count) in context.operation.hooks.counts().all() {
        writeln!(text.0, "{name}{{outcome=\"{outcome}\"}} {count}")?;
    }
    Ok(())
}

/// What the kernel says of this process.
struct Process {
    rss_bytes: u64,
    cpu_seconds: f64,
    open_files: u64,
}

/// `USER_HZ`, in which Linux writes CPU times on every architecture we build for (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// `None` where there is no `/proc`.
    fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let rss_kb: u64 = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may hold anything; fields count behind it, utime being the 14th of all.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        let cpu_seconds = (ticks()? + ticks()?) / TICKS_PER_SECOND;
        let open_files = shed::open_files()?;
        Some(Self { rss_bytes: rss_kb << 10, cpu_seconds, open_files })
    }

    fn write(&self, text: &mut Text) -> fmt::Result {
        text.one(Kind::Gauge, "process_resident_memory_bytes", "Resident memory.", self.rss_bytes)?;
        text.one(Kind::Counter, "process_cpu_seconds_total", "CPU time, user and system.", self.cpu_seconds)?;
        text.one(Kind::Gauge, "process_open_fds", "Open file descriptors.", self.open_files)
    }
}
