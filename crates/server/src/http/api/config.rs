//! The configuration in effect, and reading it again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToWrite};
use super::ask::Told;
use super::fresh;
use crate::audit::Outcome;
use crate::context::Context;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::reload::{Error, Reloaded};

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(reload))
}

/// Nothing is asked for yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What a reload did.
#[derive(Debug, Serialize, ToSchema)]
struct ReloadInfo {
    /// Keys (`section.key`) that have another value now.
    changed: Vec<String>,
    /// Keys whose new value waits for a restart.
    needs_restart: Vec<&'static str>,
}

/// Reads the configuration again. No session ends; a broken file changes nothing.
#[utoipa::path(
    post, path = "/config/reload", tag = "config", security(("bearer" = [])), request_body = Nothing,
    responses(
        (status = 200, description = "It is in effect", body = ReloadInfo),
        (status = 409, description = "The old configuration stays, and why", body = Document,
            content_type = CONTENT_TYPE)
    )
)]
async fn reload(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Response, Problem> {
    let reloading = Arc::clone(&context);
    // It reads files.
    let reloaded = tokio::task::spawn_blocking(move || reloading.reload()).await;
    let reloaded =
        reloaded.map_err(|_| Problem::new(StatusCode::CONFLICT, "the reload broke off; see the log"))?;
    match reloaded {
        Ok(Reloaded { changed, needs_restart }) => {
            admin.record(&context, "reload", &changed.join(" "), Outcome::Done);
            Ok(fresh(ReloadInfo { changed, needs_restart }))
        }
        Err(
            error @ (Error::NoSource | Error::Load(_) | Error::Invalid(_) | Error::Tls(_) | Error::Access(_)),
        ) => {
            let why = error.to_string();
            admin.record(&context, "reload", "", Outcome::Failed(&why));
            Err(Problem::new(StatusCode::CONFLICT, format!("the old configuration stays: {why}")))
        }
    }
}
