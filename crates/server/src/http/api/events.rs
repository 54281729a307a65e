//! `/events`: what changes, by server-sent events (HTML Living Standard §9.2). An event is made when the peer can take it,
//! so nothing is ever queued: who reads slowly gets the newest state and no older one.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use media::Path;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::WaitForCancellationFutureOwned;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead};
use super::ask::{self, Asked};
use super::{broadcasts, node};
use crate::access::{Caller, Right};
use crate::context::Context;
use crate::history::{Meter, median};
use crate::http::problem::Problem;

/// Between two looks at what has changed.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two of how the server does, which is measured no oftener.
const NODE_EVERY: u32 = 5;
/// Looks between two pings, at which the right to look is looked at again, too.
const PING_EVERY: u32 = 15;
/// Streams of events at a time: each makes a list a second. Consoles are few.
pub(crate) const EVENT_STREAMS_MAX: usize = 64;
/// Broadcasts in a list at most.
const LIMIT_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(events))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The broadcast whose `stats` are wanted, each second.
    path: Option<String>,
    /// Of the list: broadcasts whose path has this in it.
    search: Option<String>,
    /// Of the list: so many, at most 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The data of an event `stats`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatsInfo<'a> {
    path: &'a str,
    bitrate_bps: u32,
    fps: Option<f32>,
    group_ms: Option<u32>,
    viewers: u32,
    /// How far the median viewer is behind, of those of whom it is known (FLV, RTMP).
    delay_ms: Option<u32>,
}

/// What changes, as it does. Events: `broadcasts` (as `GET /broadcasts`, when it has changed, at most once a second), `stats`
/// (each second, of the broadcast that `path` names) and `node` (as `GET /node`, each five seconds).
#[utoipa::path(
    get, path = "/events", tag = "events", security(("bearer" = [])), params(Wanted),
    responses((status = 200, description = "Events, until the server stops", body = String,
        content_type = "text/event-stream"))
)]
async fn events(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    Asked(wanted): Asked<Wanted>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = ask::limit(wanted.limit, broadcasts::LIMIT, LIMIT_MAX)?;
    let path = wanted.path.map(|path| Path::new(&path)).transpose();
    let path =
        path.map_err(|error| Problem::bad_request(format!("path is not the name of a stream: {error}")))?;
    if context.draining.is_cancelled() {
        return Err(Problem::draining());
    }
    let full = "as many consoles are open as the server serves; close one";
    let permit = Arc::clone(&context.operation.event_streams).try_acquire_owned();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = Events {
        draining: Box::pin(context.draining.clone().cancelled_owned()),
        caller: Caller::of_http(&extensions, &headers),
        looks,
        looked: 0,
        search: wanted.search,
        limit,
        listed: String::new(),
        watched: path.map(|path| Watched { path, meter: None }),
        _permit: permit.map_err(|_| Problem::unavailable(full, 10))?,
        context,
    };
    let mut response = Body::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Watched {
    path: Path,
    meter: Option<Meter>,
}

/// The body of an answer.
struct Events {
    context: Arc<Context>,
    draining: Pin<Box<WaitForCancellationFutureOwned>>,
    caller: Caller,
    looks: Interval,
    looked: u32,
    search: Option<String>,
    limit: usize,
    /// The list as it was sent last.
    listed: String,
    watched: Option<Watched>,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        // A server that stops waits for no console.
        if this.draining.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        loop {
            ready!(this.looks.poll_tick(cx));
            match this.look() {
                None => return Poll::Ready(None),
                Some(text) if text.is_empty() => {}
                Some(text) => return Poll::Ready(Some(Ok(Frame::data(text.into())))),
            }
        }
    }
}

impl Events {
    /// What is to be told now; `None` when the right to hear it was taken back.
    fn look(&mut self) -> Option<String> {
        let (context, look) = (&self.context, self.looked);
        self.looked = look.wrapping_add(1);
        let mut text = String::new();
        if look > 0 && look.is_multiple_of(PING_EVERY) {
            context.access.authorize(&self.caller, Right::Read).ok()?;
            text.push_str(": ping\n\n");
        }
        let list = json(&broadcasts::list(context, self.search.as_deref(), None, self.limit));
        if list != self.listed {
            tell(&mut text, "broadcasts", &list);
            self.listed = list;
        }
        if let Some(stats) = self.watched.as_mut().and_then(|watched| watched.look(context)) {
            tell(&mut text, "stats", &stats);
        }
        if look.is_multiple_of(NODE_EVERY) {
            tell(&mut text, "node", &json(&node::describe(context)));
        }
        Some(text)
    }
}

impl Watched {
    fn look(&mut self, context: &Context) -> Option<String> {
        let broadcast = context.hub.get(&self.path)?;
        let now = Instant::now();
        let Some(meter) = &mut self.meter else {
            self.meter = Some(Meter::new(&broadcast, now));
            return None;
        };
        let delay = median(context.access.sessions.lags(&self.path));
        let sample = meter.measure(&broadcast, delay, now);
        Some(json(&StatsInfo {
            path: self.path.as_str(),
            bitrate_bps: sample.bitrate_bps,
            fps: sample.fps,
            group_ms: sample.group_ms,
            viewers: sample.viewers,
            delay_ms: sample.delay_ms,
        }))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own types have text keys and no odd numbers")
}

/// JSON has no line break of its own, so one line of data holds it.
fn tell(text: &mut String, event: &str, data: &str) {
    text.push_str("event: ");
    text.push_str(event);
    text.push_str("\ndata: ");
    text.push_str(data);
    text.push_str("\n\n");
}
