//! `/api/v1`: what is live and how it is run, as JSON. The types of this folder are the interface, one file a group of
//! addresses; nothing else is serialised. The document of it all, `docs/openapi.json`, is made of the same lines that make
//! the router.

mod admin;
mod ask;
mod bans;
mod broadcasts;
mod config;
mod describe;
mod events;
mod history;
mod hooks;
mod keys;
mod node;
mod rate;
mod renditions;
pub(super) mod rooms;
mod server;
mod sessions;
mod usage;
mod words;

use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::problem::Problem;
use crate::context::Context;
pub(crate) use events::EVENT_STREAMS_MAX;
pub(crate) use rate::Rate;

/// In front of every address of the interface.
const PREFIX: &str = "/api/v1";

/// Where the document is.
const DOCUMENT: &str = "/api/v1/openapi.json";

/// All addresses, under their prefix.
pub(super) fn router(context: &Arc<Context>) -> Router<Arc<Context>> {
    let (router, _) = described().split_for_parts();
    router
        .route(DOCUMENT, get(document))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(context), rate::limit))
}

/// The interface as an OpenAPI 3.1 document.
fn openapi() -> OpenApi {
    let (_, mut document) = described().split_for_parts();
    describe::finish(&mut document);
    document
}

fn described() -> OpenApiRouter<Arc<Context>> {
    let groups = OpenApiRouter::new()
        .merge(server::routes())
        .merge(node::routes())
        .merge(events::routes())
        .merge(broadcasts::routes())
        .merge(bans::routes())
        .merge(sessions::routes())
        .merge(usage::routes())
        .merge(config::routes())
        .merge(keys::routes())
        .merge(rooms::routes())
        .merge(hooks::routes());
    OpenApiRouter::with_openapi(describe::Description::openapi()).nest(PREFIX, groups)
}

async fn document() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi().to_json().unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], TEXT.as_str())
        .into_response()
}

async fn wrong_method() -> Problem {
    let detail = "this address does not take that method; the header allow names those it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// Does what writes a file where blocking is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let broken = |_| Problem::unavailable("it broke off; see the server's log", 60);
    tokio::task::spawn_blocking(work).await.map_err(broken)
}

/// What is true now and not later.
fn fresh(body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `./dev openapi` sets this to write the document instead.
    const WRITE: &str = "OPENMIC_WRITE_OPENAPI";

    #[test]
    fn the_committed_document_is_that_of_the_routes() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let made = format!("{}\n", openapi().to_pretty_json().unwrap());
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(file, &made).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap_or_default();
        assert!(committed == made, "docs/openapi.json is of another interface; run ./dev openapi");
    }
}
