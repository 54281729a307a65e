//! Who publishes and watches now, and how one of them is sent away.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead, ToWrite};
use super::ask::Asked;
use super::fresh;
use super::words::{ActionName, ProtocolName};
use crate::audit::Outcome;
use crate::context::Context;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::sessions::{self, Session, SessionId};
use crate::time::rfc3339;

/// Sessions of one answer where the request names no number.
const LIMIT: usize = 200;
/// And at most: some 300 KB.
const LIMIT_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(sessions)).routes(routes!(kick))
}

#[derive(Debug, Serialize, ToSchema)]
struct SessionList {
    /// In the order they began.
    sessions: Vec<SessionInfo>,
    /// How many there are that the request asks for.
    total: usize,
    /// For `after`, where there are more.
    next: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SessionInfo {
    id: u64,
    action: ActionName,
    path: String,
    protocol: ProtocolName,
    address: Option<String>,
    agent: String,
    /// RFC 3339 in UTC.
    since: String,
    /// Media that it has sent, or was sent.
    bytes: u64,
    /// How far a viewer is behind the newest frame, where that is known.
    lag_ms: Option<u64>,
    /// What a WebRTC viewer gets of pictures that come in layers.
    view: Option<View>,
}

#[derive(Debug, Serialize, ToSchema)]
struct View {
    /// The layer, as its publisher calls it; none where there is no room for any, or sound alone is asked for.
    rid: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    /// What the way to the viewer is reckoned to carry; none where the viewer does not tell what arrives.
    estimate_bps: Option<u64>,
}

impl From<sessions::View> for View {
    fn from(view: sessions::View) -> Self {
        let (rid, size) = view.layer.unzip();
        let (width, height) = size.unzip();
        Self { rid, width, height, estimate_bps: view.estimate_bps }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Of this broadcast alone.
    path: Option<String>,
    action: Option<ActionName>,
    protocol: Option<ProtocolName>,
    /// At most 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Those that began after this one.
    after: Option<u64>,
}

impl Filter {
    fn takes(&self, session: &Session) -> bool {
        self.path.as_ref().is_none_or(|path| path == session.path.as_str())
            && self.action.is_none_or(|action| action == session.action.into())
            && self.protocol.is_none_or(|protocol| protocol == session.protocol.into())
    }
}

/// Everybody who publishes or watches.
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", security(("bearer" = [])), params(Filter),
    responses((status = 200, description = "They", body = SessionList))
)]
async fn sessions(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    Asked(filter): Asked<Filter>,
) -> Result<Response, Problem> {
    let limit = super::ask::limit(filter.limit, LIMIT, LIMIT_MAX)?;
    let mut all = context.access.sessions.list();
    all.retain(|session| filter.takes(session));
    let total = all.len();
    let from = filter.after.map_or(0, |after| all.partition_point(|session| session.id.0 <= after));
    let page = &all[from..all.len().min(from + limit)];
    let next = (from + limit < all.len()).then(|| page.last().map(|last| last.id.0)).flatten();
    let sessions = page.iter().map(|session| describe(&context, session)).collect();
    Ok(fresh(SessionList { sessions, total, next }))
}

/// Sends a publisher or viewer away. It may come again: ban a path with `DELETE /broadcasts`, or take its key back.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", security(("bearer" = [])), params(("id" = u64, Path)),
    responses(
        (status = 204, description = "It goes"),
        (status = 404, description = "It has gone already", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn kick(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let id = uri.path().rsplit('/').next().unwrap_or_default();
    let id = id.parse().map_err(|_| Problem::bad_request("a session's id is a whole number"))?;
    let session = context.access.sessions.get(SessionId(id));
    let session = session.ok_or_else(|| Problem::not_found("there is no such session; it may have ended"))?;
    session.kick();
    let target = format!("{} {} {}", session.id.0, session.action.name(), session.path);
    admin.record(&context, "kick", &target, Outcome::Done);
    Ok(StatusCode::NO_CONTENT)
}

fn describe(context: &Context, session: &Session) -> SessionInfo {
    SessionInfo {
        id: session.id.0,
        action: session.action.into(),
        path: session.path.to_string(),
        protocol: session.protocol.into(),
        address: session.peer.map(|peer| peer.to_string()),
        agent: session.agent.clone(),
        since: rfc3339(context.clock.wall(session.began)),
        bytes: session.bytes(),
        lag_ms: session.lag().map(|lag: Duration| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)),
        view: session.view().map(View::from),
    }
}
