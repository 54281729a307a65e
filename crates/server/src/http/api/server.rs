//! What the server is: asked by pages before they know anything.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fresh;
use crate::context::Context;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(server))
}

#[derive(Debug, Serialize, ToSchema)]
struct ServerInfo {
    version: &'static str,
    rtmp_port: Option<u16>,
    rtmps_port: Option<u16>,
    http_port: u16,
    https_port: Option<u16>,
    uptime_s: u64,
    /// The rest of this interface wants a token.
    guarded: bool,
}

/// What the server is. The one address that is open to everybody.
#[utoipa::path(get, path = "/server", tag = "server", responses((status = 200, description = "It", body = ServerInfo)))]
async fn server(State(context): State<Arc<Context>>) -> Response {
    let addresses = &context.addresses;
    fresh(ServerInfo {
        version: env!("CARGO_PKG_VERSION"),
        rtmp_port: Some(addresses.rtmp.port()),
        rtmps_port: addresses.rtmps.map(|address| address.port()),
        http_port: addresses.http.port(),
        https_port: addresses.https.map(|address| address.port()),
        uptime_s: context.clock.uptime().as_secs(),
        guarded: context.access.is_guarded(),
    })
}
