//! How the server as a whole does, and what an operator should look at.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::Response;
use media::broadcast::Phase;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead};
use super::fresh;
use crate::audience::Audience;
use crate::context::Context;
use crate::node::Load;
use crate::shed::Shortage;
use crate::time::rfc3339;

/// Of a limit, in percent: beyond this there is a warning.
const NEAR: u64 = 90;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(node))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeInfo {
    uptime_s: u64,
    #[serde(flatten)]
    used: Used,
    #[serde(flatten)]
    traffic: Traffic,
    /// Tasks that ended in a panic: bugs of the server's.
    panics: u64,
    tls: TlsInfo,
    /// What an operator should look at, in English.
    warnings: Vec<String>,
}

/// Of the machine, and of the limits.
#[derive(Debug, Serialize, ToSchema)]
struct Used {
    /// Cores kept busy during the last seconds.
    cpu_cores: f64,
    cpu_cores_max: usize,
    memory_bytes: Option<u64>,
    /// Of the machine or of the container.
    memory_bytes_max: Option<u64>,
    file_descriptors: Option<usize>,
    file_descriptors_max: Option<u64>,
    connections: usize,
    connections_max: usize,
    ring_bytes: usize,
    ring_bytes_max: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct Traffic {
    /// Publishers and viewers.
    sessions: usize,
    broadcasts: usize,
    publishers: usize,
    viewers: u64,
    /// From publishers, during the last seconds.
    received_bps: u64,
    /// To viewers.
    sent_bps: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct TlsInfo {
    /// RFC 3339; null where there is no certificate, or ACME renews it.
    expires: Option<String>,
}

/// How the server does.
#[utoipa::path(
    get, path = "/node", tag = "server", security(("bearer" = [])),
    responses((status = 200, description = "So", body = NodeInfo))
)]
async fn node(_: Admin<ToRead>, State(context): State<Arc<Context>>) -> Response {
    fresh(describe(&context))
}

pub(super) fn describe(context: &Context) -> NodeInfo {
    let load = context.operation.node.load();
    let used = used(context, load);
    let panics = context.shared.counters.panics.load(Ordering::Relaxed);
    NodeInfo {
        uptime_s: context.clock.uptime().as_secs(),
        traffic: traffic(context, load),
        tls: TlsInfo {
            expires: context.operation.certificates.as_ref().and_then(|shown| shown.expires()).map(rfc3339),
        },
        warnings: warnings(&used, panics).into_iter().chain(shortage(context)).collect(),
        used,
        panics,
    }
}

fn used(context: &Context, load: Option<Load>) -> Used {
    let limits = &context.config().limits;
    let process = load.and_then(|load| load.process);
    Used {
        // Two decimals: less than it varies.
        cpu_cores: load.map_or(0.0, |load| (load.cores * 100.0).round() / 100.0),
        cpu_cores_max: load.map_or(0, |load| load.bounds.cores),
        memory_bytes: process.map(|process| process.rss_bytes),
        memory_bytes_max: load.and_then(|load| load.bounds.memory_bytes),
        file_descriptors: process.map(|process| process.open_files),
        file_descriptors_max: load.and_then(|load| load.bounds.open_files),
        connections: context.open_connections(),
        connections_max: limits.connections,
        ring_bytes: context.hub.ring_bytes(),
        ring_bytes_max: limits.ring_bytes,
    }
}

fn traffic(context: &Context, load: Option<Load>) -> Traffic {
    let broadcasts = context.hub.list();
    let viewers =
        |broadcast| Audience::of(broadcast).viewers().map(|(_, count)| u64::from(count)).sum::<u64>();
    Traffic {
        sessions: context.access.sessions.count(),
        publishers: broadcasts.iter().filter(|broadcast| broadcast.phase() == Phase::Live).count(),
        viewers: broadcasts.iter().map(viewers).sum(),
        broadcasts: broadcasts.len(),
        received_bps: load.map_or(0, |load| load.received_bps),
        sent_bps: load.map_or(0, |load| load.sent_bps),
    }
}

fn warnings(used: &Used, panics: u64) -> Vec<String> {
    let near = |what: &str, remedy: &str, used: Option<u64>, max: Option<u64>| {
        let (used, max) = (used?, max.filter(|max| *max > 0)?);
        let percent = u64::try_from(u128::from(used) * 100 / u128::from(max)).unwrap_or(u64::MAX);
        (percent >= NEAR).then(|| format!("{what}: {percent} % of what there may be; {remedy}"))
    };
    let count = |value: usize| u64::try_from(value).ok();
    let all = [
        near("memory", "give it more, or lower limits.ring_bytes", used.memory_bytes, used.memory_bytes_max),
        near(
            "file descriptors",
            "raise the limit (LimitNOFILE= of systemd, ulimit -n)",
            used.file_descriptors.and_then(count),
            used.file_descriptors_max,
        ),
        near("connections", "raise limits.connections", count(used.connections), count(used.connections_max)),
        near("rings", "raise limits.ring_bytes", count(used.ring_bytes), count(used.ring_bytes_max)),
        (panics > 0)
            .then(|| format!("{panics} sessions ended by a bug of the server; see the log, and report it")),
    ];
    all.into_iter().flatten().collect()
}

fn shortage(context: &Context) -> Option<String> {
    let what = match context.operation.shed.shortage(context.open_connections())? {
        Shortage::Files => "file descriptors",
        Shortage::Memory => "memory",
    };
    Some(format!("new viewers are refused for want of {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_warned_before_a_limit_is_reached_and_told_what_to_do() {
        let mut used = Used {
            cpu_cores: 0.0,
            cpu_cores_max: 2,
            memory_bytes: Some(89),
            memory_bytes_max: Some(100),
            file_descriptors: Some(3),
            file_descriptors_max: None,
            connections: 1,
            connections_max: 10,
            ring_bytes: 0,
            ring_bytes_max: 0,
        };
        assert_eq!(warnings(&used, 0), Vec::<String>::new());
        used.connections = 9;
        assert_eq!(warnings(&used, 0), ["connections: 90 % of what there may be; raise limits.connections"]);
        assert_eq!(warnings(&used, 2).len(), 2);
    }
}
