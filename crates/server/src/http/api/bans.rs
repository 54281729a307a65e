//! Streams that nobody may publish for a while, and how one is let back in. `DELETE /broadcasts/…?ban_s=` bans.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead, ToWrite};
use super::{blocking, fresh};
use crate::access::now;
use crate::audit::Outcome;
use crate::context::Context;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::http::target;
use crate::time::rfc3339;

/// Within the interface, whose prefix is gone here.
const BANS: &str = "/bans";

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    let mut router = OpenApiRouter::new().routes(routes!(bans));
    // An app may have several segments, which the document's language has no word for.
    let (_, paths, methods) = routes!(lift);
    router.get_openapi_mut().paths.paths.extend(paths.paths);
    router.route("/bans/{*path}", methods)
}

#[derive(Debug, Serialize, ToSchema)]
struct BanList {
    /// By name.
    bans: Vec<BanInfo>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BanInfo {
    path: String,
    /// RFC 3339 in UTC.
    until: String,
}

/// What is banned.
#[utoipa::path(
    get, path = "/bans", tag = "broadcasts", security(("bearer" = [])),
    responses((status = 200, description = "They", body = BanList))
)]
async fn bans(_: Admin<ToRead>, State(context): State<Arc<Context>>) -> Response {
    let banned = context.operation.bans.list(now());
    let describe = |(path, until): (media::Path, u64)| BanInfo {
        path: path.to_string(),
        until: rfc3339(UNIX_EPOCH + Duration::from_secs(until)),
    };
    fresh(BanList { bans: banned.into_iter().map(describe).collect() })
}

/// Lets publishers of a stream come again.
#[utoipa::path(
    delete, path = "/bans/{app}/{stream}", tag = "broadcasts", security(("bearer" = [])),
    params(("app" = String, Path, description = "May have several segments"), ("stream" = String, Path)),
    responses(
        (status = 204, description = "They may"),
        (status = 404, description = "It is not banned", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn lift(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let path = target::path(uri.path().strip_prefix(BANS).unwrap_or_default(), "")?;
    let (bans, lifted) = (Arc::clone(&context), path.clone());
    if !blocking(move || bans.operation.bans.lift(&lifted, now())).await? {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "this stream is not banned; GET /api/v1/bans lists those that are",
        ));
    }
    admin.record(&context, "unban", path.as_str(), Outcome::Done);
    Ok(StatusCode::NO_CONTENT)
}
