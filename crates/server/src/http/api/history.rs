//! A broadcast's last ten minutes, as columns that a chart takes as they are.

use std::sync::Arc;
use std::time::SystemTime;

use axum::response::Response;
use media::broadcast::Broadcast;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::fresh;
use crate::context::Context;
use crate::history::STEP;
use crate::http::flv;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::time::rfc3339;

/// Only for its document: names of broadcasts have several segments, so one address answers for all that is behind them.
pub(super) fn routes() -> UtoipaMethodRouter<Arc<Context>> {
    routes!(history)
}

#[derive(Debug, Serialize, ToSchema)]
struct HistoryInfo {
    path: String,
    /// About the time of the last value, RFC 3339 in UTC.
    until: String,
    /// Between two values.
    step_ms: u64,
    /// Oldest first, as are the others, which are as long.
    bitrate_bps: Vec<u32>,
    fps: Vec<Option<f32>>,
    group_ms: Vec<Option<u32>>,
    viewers: Vec<u32>,
    /// How far the median viewer was behind, of those of whom it is known (FLV, RTMP).
    delay_ms: Vec<Option<u32>>,
}

/// The last ten minutes of a broadcast, for charts.
#[utoipa::path(
    get, path = "/broadcasts/{app}/{stream}/history", tag = "broadcasts", security(("bearer" = [])),
    params(("app" = String, Path, description = "May have several segments"), ("stream" = String, Path)),
    responses(
        (status = 200, description = "It", body = HistoryInfo),
        (status = 404, description = "Nobody publishes it", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn history() -> Problem {
    flv::not_live()
}

pub(super) fn answer(context: &Context, broadcast: &Broadcast) -> Response {
    let samples = context.operation.node.history.of(broadcast.path());
    fresh(HistoryInfo {
        path: broadcast.path().to_string(),
        until: rfc3339(SystemTime::now()),
        step_ms: u64::try_from(STEP.as_millis()).unwrap_or(u64::MAX),
        bitrate_bps: samples.iter().map(|sample| sample.bitrate_bps).collect(),
        fps: samples.iter().map(|sample| sample.fps).collect(),
        group_ms: samples.iter().map(|sample| sample.group_ms).collect(),
        viewers: samples.iter().map(|sample| sample.viewers).collect(),
        delay_ms: samples.iter().map(|sample| sample.delay_ms).collect(),
    })
}
