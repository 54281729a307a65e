//! `/api/v1`: what is live, as JSON. The types here are the interface; nothing else is serialised.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use media::broadcast::{Broadcast, Phase, TrackInfo};
use media::codec::Kind;
use serde::Serialize;

use super::{flv, target};
use crate::audience::Audience;
use crate::context::Context;
use crate::derived::{self, Derived};
use crate::time::rfc3339;

/// `GET /api/v1/server`
#[derive(Debug, Serialize)]
struct ServerInfo {
    version: &'static str,
    rtmp_port: Option<u16>,
    rtmps_port: Option<u16>,
    uptime_s: u64,
}

/// `GET /api/v1/broadcasts`
#[derive(Debug, Serialize)]
struct BroadcastList {
    broadcasts: Vec<BroadcastInfo>,
}

/// `GET /api/v1/broadcasts/{path}`
#[derive(Debug, Serialize)]
struct BroadcastInfo {
    path: String,
    state: &'static str,
    /// RFC 3339 in UTC.
    since: String,
    /// By protocol.
    viewers: BTreeMap<&'static str, u32>,
    tracks: Vec<Track>,
    publisher: Option<PublisherInfo>,
    /// What is computed for viewers that cannot take it as it is, while it runs.
    conversions: Vec<Conversion>,
}

#[derive(Debug, Serialize)]
struct Conversion {
    /// `Opus from AAC`
    what: &'static str,
    /// Whose viewers get it.
    viewers: Vec<&'static str>,
    /// The share of one core that it takes.
    cores: f64,
}

#[derive(Debug, Serialize)]
struct Track {
    id: u8,
    kind: &'static str,
    /// RFC 6381.
    codec: Option<String>,
    name: &'static str,
    width: Option<u32>,
    height: Option<u32>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
    /// Of the newest whole group, as are the next two.
    bitrate_bps: Option<u64>,
    fps: Option<f64>,
    group_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct PublisherInfo {
    protocol: &'static str,
    address: Option<String>,
    agent: String,
}

pub(super) async fn server(State(context): State<Arc<Context>>) -> Response {
    fresh(ServerInfo {
        version: env!("CARGO_PKG_VERSION"),
        rtmp_port: Some(context.addresses.rtmp.port()),
        rtmps_port: context.addresses.rtmps.map(|address| address.port()),
        uptime_s: context.clock.uptime().as_secs(),
    })
}

pub(super) async fn broadcasts(State(context): State<Arc<Context>>) -> Response {
    let broadcasts = context.hub.list().iter().map(|broadcast| describe(&context, broadcast)).collect();
    fresh(BroadcastList { broadcasts })
}

pub(super) async fn broadcast(State(context): State<Arc<Context>>, uri: Uri) -> Response {
    let name = uri.path().strip_prefix("/api/v1/broadcasts").unwrap_or_default();
    let found = target::path(name, "").map(|path| context.hub.get(&path));
    match found {
        Ok(Some(broadcast)) => fresh(describe(&context, &broadcast)),
        Ok(None) => flv::not_live().into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// What is true now and not later.
fn fresh(body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn describe(context: &Context, broadcast: &Broadcast) -> BroadcastInfo {
    let audience = Audience::of(broadcast);
    // The demo is published only; nobody watches by it.
    let viewers = audience.viewers().filter(|(protocol, _)| protocol.has_viewers());
    BroadcastInfo {
        path: broadcast.path().to_string(),
        state: if broadcast.phase() == Phase::Live { "live" } else { "waiting" },
        since: rfc3339(context.clock.wall(broadcast.started())),
        viewers: viewers.map(|(protocol, count)| (protocol.name(), count)).collect(),
        tracks: broadcast.tracks().iter().map(track).collect(),
        publisher: audience.publisher().map(|publisher| PublisherInfo {
            protocol: publisher.protocol.name(),
            address: publisher.address.map(|address| address.to_string()),
            agent: publisher.agent,
        }),
        conversions: Derived::of(broadcast).conversions().iter().map(conversion).collect(),
    }
}

fn conversion(running: &derived::Conversion) -> Conversion {
    Conversion {
        what: running.what,
        viewers: running.viewers.iter().map(|protocol| protocol.name()).collect(),
        // A ten-thousandth of a core is less than it varies.
        cores: (running.cores * 1e4).round() / 1e4,
    }
}

fn track(info: &TrackInfo) -> Track {
    let (stats, codec) = (&info.stats, &info.codec);
    let seconds = stats.group_span.to_duration().as_secs_f64();
    let measured = seconds > 0.0;
    let is_video = info.kind == Kind::Video;
    let (resolution, sound) = (codec.resolution(), codec.sound());
    Track {
        id: info.id.0,
        kind: match info.kind {
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Data => "data",
        },
        codec: codec.rfc6381().map(String::from),
        name: codec.name(),
        width: resolution.map(|(width, _)| width),
        height: resolution.map(|(_, height)| height),
        sample_rate: sound.map(|(rate, _)| rate),
        channels: sound.map(|(_, channels)| channels),
        bitrate_bps: measured.then(|| (stats.group_bytes as f64 * 8.0 / seconds) as u64),
        // Two decimals tell 29.97 from 30.
        fps: (measured && is_video)
            .then(|| (f64::from(stats.group_frames) / seconds * 100.0).round() / 100.0),
        group_ms: (measured && is_video).then(|| (seconds * 1_000.0).round() as u64),
    }
}
