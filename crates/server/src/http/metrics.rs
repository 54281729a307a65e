//! `/metrics` in the Prometheus text format 0.0.4, written by hand: every label value is one of our own names, or of the
//! few broadcasts that `metrics.per_stream_max` allows, so the number of series is fixed.

use std::fmt::{self, Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, header};
use axum::response::{IntoResponse, Response};
use media::broadcast::{Broadcast, Phase};

use super::problem::Problem;
use crate::access::{Caller, Right};
use crate::audience::{Audience, Protocol};
use crate::context::Context;
use crate::process::Process;
use crate::sessions::Action;
use crate::shed::Shortage;

/// For whoever may read the API, and for everybody where `metrics.open` says so.
pub(super) async fn metrics(
    State(context): State<Arc<Context>>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !context.config().metrics.open {
        context.access.authorize(&Caller::of_http(&extensions, &headers), Right::Read)?;
    }
    let process = tokio::task::spawn_blocking(Process::read).await.ok().flatten();
    let text = render(&context, process.as_ref()).unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
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

fn render(context: &Context, known: Option<&Process>) -> Result<String, fmt::Error> {
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
    let (rooms, members) = (context.rooms.count(), context.rooms.connections());
    text.one(Gauge, "openmic_rooms", "Rooms now.", rooms)?;
    text.one(Gauge, "openmic_room_connections", "WebSockets of members of rooms now.", members)?;
    text.one(Gauge, "openmic_uptime_seconds", "Since the start.", context.clock.uptime().as_secs())?;
    counters(&mut text, context)?;
    sessions(&mut text, context)?;
    api(&mut text, context)?;
    streams(&mut text, broadcasts, context.config().metrics.per_stream_max)?;
    if let Some(known) = known {
        process(&mut text, known)?;
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

fn sessions(text: &mut Text, context: &Context) -> fmt::Result {
    let (sessions, moved) = (&context.access.sessions, context.access.sessions.moved());
    let mut now = [[0_u64; Protocol::ALL.len()]; 2];
    for session in sessions.list() {
        now[session.action as usize][session.protocol as usize] += 1;
    }
    let mut table = |kind, name, help, value: &dyn Fn(Action, Protocol) -> u64| {
        text.head(kind, name, help)?;
        for action in [Action::Publish, Action::Play] {
            for protocol in Protocol::ALL {
                let (act, how, value) = (action.name(), protocol.name(), value(action, protocol));
                writeln!(text.0, "{name}{{action=\"{act}\",protocol=\"{how}\"}} {value}")?;
            }
        }
        Ok(())
    };
    let count = |action, protocol| now[action as usize][protocol as usize];
    table(Kind::Gauge, "openmic_sessions", "Publishers and viewers now.", &count)?;
    let bytes = |action, protocol| moved.bytes(action, protocol);
    table(Kind::Counter, "openmic_session_bytes_total", "Media from publishers and to viewers.", &bytes)
}

fn api(text: &mut Text, context: &Context) -> fmt::Result {
    let requests = &context.operation.api_requests;
    let name = "openmic_api_requests_total";
    text.head(Kind::Counter, name, "Answers of /api/v1 by class.")?;
    for (class, count) in requests.by_class() {
        writeln!(text.0, "{name}{{class=\"{class}\"}} {count}")?;
    }
    let limited = requests.limited().load(Ordering::Relaxed);
    text.one(Kind::Counter, "openmic_api_limited_total", "Those that were told to ask later.", limited)
}

/// The only series whose labels come from publishers, as many as the configuration allows: those with most viewers.
fn streams(text: &mut Text, broadcasts: Vec<Broadcast>, max: usize) -> fmt::Result {
    if max == 0 {
        return Ok(());
    }
    let viewers =
        |broadcast: &Broadcast| Audience::of(broadcast).viewers().map(|(_, count)| count).sum::<u32>();
    let mut all: Vec<_> = broadcasts.iter().map(|broadcast| (viewers(broadcast), broadcast)).collect();
    all.sort_by_key(|(viewers, _)| std::cmp::Reverse(*viewers));
    all.truncate(max);
    let name = "openmic_stream_viewers";
    text.head(Kind::Gauge, name, "Viewers now of the broadcasts that have most.")?;
    for (viewers, broadcast) in &all {
        writeln!(text.0, "{name}{{path=\"{}\"}} {viewers}", escaped(broadcast.path().as_str()))?;
    }
    let name = "openmic_stream_bytes_total";
    text.head(Kind::Counter, name, "What the publishers of these have sent.")?;
    for (_, broadcast) in &all {
        let bytes: u64 = broadcast.tracks().iter().map(|track| track.stats.bytes).sum();
        writeln!(text.0, "{name}{{path=\"{}\"}} {bytes}", escaped(broadcast.path().as_str()))?;
    }
    Ok(())
}

/// A label's value in the text format: paths have no line breaks, but may have quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

fn process(text: &mut Text, process: &Process) -> fmt::Result {
    text.one(Kind::Gauge, "process_resident_memory_bytes", "Resident memory.", process.rss_bytes)?;
    text.one(Kind::Counter, "process_cpu_seconds_total", "CPU time, user and system.", process.cpu_seconds)?;
    text.one(Kind::Gauge, "process_open_fds", "Open file descriptors.", process.open_files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_stream_never_ends_its_label() {
        assert_eq!(escaped(r#"live/a"} 1"#), r#"live/a\"} 1"#);
        assert_eq!(escaped("live/数学"), "live/数学");
    }
}
