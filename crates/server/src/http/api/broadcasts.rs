//! What is live: broadcasts with their tracks, viewers and publishers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use media::broadcast::{Broadcast, Phase, TrackInfo};
use media::codec::Kind;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead};
use super::fresh;
use crate::audience::Audience;
use crate::context::Context;
use crate::derived::{self, Derived};
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::http::{flv, target};
use crate::time::rfc3339;

/// In front of the names of broadcasts.
const BROADCASTS: &str = "/broadcasts";

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    let mut router = OpenApiRouter::new().routes(routes!(broadcasts));
    // An app may have several segments, which the document's language has no word for.
    let (schemas, paths, methods) = routes!(broadcast);
    let document = router.get_openapi_mut();
    document.paths.paths.extend(paths.paths);
    document.components.get_or_insert_default().schemas.extend(schemas);
    router.route("/broadcasts/{*path}", methods)
}

/// `GET /api/v1/broadcasts`
#[derive(Debug, Serialize, ToSchema)]
struct BroadcastList {
    broadcasts: Vec<BroadcastInfo>,
}

/// `GET /api/v1/broadcasts/{path}`
#[derive(Debug, Serialize, ToSchema)]
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

#[derive(Debug, Serialize, ToSchema)]
struct Conversion {
    /// `Opus from AAC`
    what: &'static str,
    /// Whose viewers get it.
    viewers: Vec<&'static str>,
    /// The share of one core that it takes.
    cores: f64,
}

#[derive(Debug, Serialize, ToSchema)]
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

#[derive(Debug, Serialize, ToSchema)]
struct PublisherInfo {
    protocol: &'static str,
    address: Option<String>,
    agent: String,
}

/// Everything that is live, or waits for its publisher.
#[utoipa::path(
    get, path = "/broadcasts", tag = "broadcasts", security(("bearer" = [])),
    responses((status = 200, description = "All of them, by path", body = BroadcastList))
)]
async fn broadcasts(_: Admin<ToRead>, State(context): State<Arc<Context>>) -> Response {
    let broadcasts = context.hub.list().iter().map(|broadcast| describe(&context, broadcast)).collect();
    fresh(BroadcastList { broadcasts })
}

/// One broadcast.
#[utoipa::path(
    get, path = "/broadcasts/{app}/{stream}", tag = "broadcasts", security(("bearer" = [])),
    params(("app" = String, Path, description = "May have several segments"), ("stream" = String, Path)),
    responses(
        (status = 200, description = "It", body = BroadcastInfo),
        (status = 404, description = "Nobody publishes it", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn broadcast(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let path = named(&uri)?;
    let broadcast = context.hub.get(&path).ok_or_else(flv::not_live)?;
    Ok(fresh(describe(&context, &broadcast)))
}

/// The broadcast that an address names, which is decoded as those of streams are.
fn named(uri: &Uri) -> Result<media::Path, Problem> {
    target::path(uri.path().strip_prefix(BROADCASTS).unwrap_or_default(), "")
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
