//! What is live: broadcasts with their tracks, viewers and publishers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use media::broadcast::{Broadcast, Phase, TrackInfo};
use media::codec::Kind;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead, ToWrite};
use super::ask::{self, Asked};
use super::renditions::{self, Rendition};
use super::{blocking, fresh, history};
use crate::access::now;
use crate::audience::Audience;
use crate::audit::Outcome;
use crate::bans::BAN_S_MAX;
use crate::context::Context;
use crate::derived::{self, Derived};
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::http::{flv, target};
use crate::rtc;
use crate::sessions::Action;
use crate::time::rfc3339;

/// In front of the names of broadcasts.
const BROADCASTS: &str = "/broadcasts";
/// Behind the name of one.
const HISTORY: &str = "/history";
/// Broadcasts of one answer where the request names no number.
pub(super) const LIMIT: usize = 200;
/// And at most: some 1 MB.
const LIMIT_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    let mut router = OpenApiRouter::new().routes(routes!(broadcasts));
    // An app may have several segments, which the document's language has no word for.
    let (mut schemas, mut paths, methods) = routes!(broadcast, end);
    let (more, further, _) = history::routes();
    schemas.extend(more);
    paths.paths.extend(further.paths);
    let document = router.get_openapi_mut();
    document.paths.paths.extend(paths.paths);
    document.components.get_or_insert_default().schemas.extend(schemas);
    router.route("/broadcasts/{*path}", methods)
}

/// `GET /api/v1/broadcasts`
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BroadcastList {
    /// By path.
    broadcasts: Vec<BroadcastInfo>,
    /// For `after`, where there are more.
    next: Option<String>,
    /// How many there are that the request asks for.
    total: usize,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Whose path has this in it, in whichever case.
    search: Option<String>,
    /// At most 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Those behind this path.
    after: Option<String>,
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
    /// Of all protocols.
    viewers_total: u32,
    /// What the publisher sends, by the newest whole groups.
    bitrate_bps: u64,
    tracks: Vec<Track>,
    publisher: Option<PublisherInfo>,
    /// What is computed for viewers that cannot take it as it is, while it runs.
    conversions: Vec<Conversion>,
    /// What can be asked for with `?rendition=`, the best first.
    renditions: Vec<Rendition>,
    /// Of pictures that a WebRTC publisher sends in more than one, in the order that it named them.
    layers: Vec<Layer>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Layer {
    /// As the publisher calls it.
    rid: String,
    /// 0 is the best; none until the first picture has come.
    rank: Option<u8>,
    width: Option<u32>,
    height: Option<u32>,
    /// Of what comes now.
    bitrate_bps: u64,
    /// It comes.
    active: bool,
    /// Nobody watches it, and its publisher was told so.
    paused: bool,
    /// WebRTC viewers that get it or wait for it.
    viewers: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct Conversion {
    /// `Opus from AAC`
    what: String,
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
    get, path = "/broadcasts", tag = "broadcasts", security(("bearer" = [])), params(Filter),
    responses((status = 200, description = "All of them, by path", body = BroadcastList))
)]
async fn broadcasts(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    Asked(filter): Asked<Filter>,
) -> Result<Response, Problem> {
    let limit = ask::limit(filter.limit, LIMIT, LIMIT_MAX)?;
    Ok(fresh(list(&context, filter.search.as_deref(), filter.after.as_deref(), limit)))
}

/// The broadcasts whose path contains `search`, behind `after`.
pub(super) fn list(
    context: &Context,
    search: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> BroadcastList {
    let mut all = context.hub.list();
    if let Some(search) = search.map(str::to_lowercase) {
        all.retain(|broadcast| broadcast.path().as_str().to_lowercase().contains(&search));
    }
    let from = after.map_or(0, |after| all.partition_point(|broadcast| broadcast.path().as_str() <= after));
    let page = &all[from..all.len().min(from + limit)];
    let last = page.last().filter(|_| from + limit < all.len());
    BroadcastList {
        broadcasts: page.iter().map(|broadcast| describe(context, broadcast)).collect(),
        next: last.map(|broadcast| broadcast.path().to_string()),
        total: all.len(),
    }
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
    if let Some(broadcast) = context.hub.get(&path) {
        return Ok(fresh(describe(&context, &broadcast)));
    }
    // A stream may bear this name, too; then its own address is meant.
    let watched = uri.path().strip_suffix(HISTORY).and_then(|path| path.strip_prefix(BROADCASTS));
    let watched =
        watched.and_then(|name| target::path(name, "").ok()).and_then(|path| context.hub.get(&path));
    watched.map(|broadcast| history::answer(&context, &broadcast)).ok_or_else(flv::not_live)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Ending {
    /// Nobody may publish it for so long, at most 30 days.
    #[param(minimum = 1, maximum = 2_592_000)]
    ban_s: Option<u64>,
}

/// Ends a broadcast for everybody. Its publisher may come again, unless the path is banned for a while.
#[utoipa::path(
    delete, path = "/broadcasts/{app}/{stream}", tag = "broadcasts", security(("bearer" = [])),
    params(Ending, ("app" = String, Path, description = "May have several segments"), ("stream" = String, Path)),
    responses(
        (status = 204, description = "It is over"),
        (status = 404, description = "Nobody publishes it", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn end(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    Asked(ending): Asked<Ending>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let path = named(&uri)?;
    if let Some(seconds) = ending.ban_s {
        if !(1..=BAN_S_MAX).contains(&seconds) {
            return Err(Problem::bad_request(format!("ban_s must be between 1 and {BAN_S_MAX}")));
        }
        let lasts = Duration::from_secs(seconds);
        let full = |_| Problem::unavailable("the list of banned streams is full; wait until some end", 60);
        let (bans, banned) = (Arc::clone(&context), path.clone());
        blocking(move || bans.operation.bans.ban(&banned, lasts, now())).await?.map_err(full)?;
        admin.record(&context, "ban", &format!("{path} for {seconds} s"), Outcome::Done);
    }
    // Its publisher hears that it was sent away; viewers see a stream that ends.
    for session in context.access.sessions.list() {
        if session.action == Action::Publish && session.path == path {
            session.kick();
        }
    }
    let was_live = context.hub.end(&path);
    match was_live || ending.ban_s.is_some() {
        true => {
            admin.record(&context, "end", path.as_str(), Outcome::Done);
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(flv::not_live()),
    }
}

/// The broadcast that an address names, which is decoded as those of streams are.
fn named(uri: &Uri) -> Result<media::Path, Problem> {
    target::path(uri.path().strip_prefix(BROADCASTS).unwrap_or_default(), "")
}

fn describe(context: &Context, broadcast: &Broadcast) -> BroadcastInfo {
    let audience = Audience::of(broadcast);
    // The demo is published only; nobody watches by it.
    let viewers = audience.viewers().filter(|(protocol, _)| protocol.has_viewers());
    let tracks: Vec<Track> = broadcast.tracks().iter().map(track).collect();
    let conversions = Derived::of(broadcast).conversions();
    let viewers: BTreeMap<_, _> = viewers.map(|(protocol, count)| (protocol.name(), count)).collect();
    BroadcastInfo {
        path: broadcast.path().to_string(),
        state: if broadcast.phase() == Phase::Live { "live" } else { "waiting" },
        since: rfc3339(context.clock.wall(broadcast.started())),
        viewers_total: viewers.values().sum(),
        viewers,
        bitrate_bps: tracks.iter().filter_map(|track| track.bitrate_bps).sum(),
        tracks,
        publisher: audience.publisher().map(|publisher| PublisherInfo {
            protocol: publisher.protocol.name(),
            address: publisher.address.map(|address| address.to_string()),
            agent: publisher.agent,
        }),
        renditions: renditions::of(context, broadcast, &conversions),
        conversions: conversions.iter().map(conversion).collect(),
        layers: rtc::layers(broadcast).into_iter().map(layer).collect(),
    }
}

fn layer(info: rtc::LayerInfo) -> Layer {
    Layer {
        rid: info.name,
        rank: info.rank,
        width: info.size.map(|(width, _)| width),
        height: info.size.map(|(_, height)| height),
        bitrate_bps: info.bitrate_bps,
        active: info.is_active,
        paused: info.is_resting,
        viewers: info.viewers,
    }
}

fn conversion(running: &derived::Conversion) -> Conversion {
    Conversion {
        what: running.what.to_string(),
        viewers: running.viewers.iter().map(|protocol| protocol.name()).collect(),
        cores: rounded(running.cores),
    }
}

/// A ten-thousandth of a core is less than it varies.
pub(super) fn rounded(cores: f64) -> f64 {
    (cores * 1e4).round() / 1e4
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
        bitrate_bps: stats.bitrate_bps(),
        // Two decimals tell 29.97 from 30.
        fps: (measured && is_video)
            .then(|| (f64::from(stats.group_frames) / seconds * 100.0).round() / 100.0),
        group_ms: (measured && is_video).then(|| (seconds * 1_000.0).round() as u64),
    }
}
