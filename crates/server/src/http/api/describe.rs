//! What the OpenAPI document says beside its operations: who may ask, and how refusals look.

use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::events::StatsInfo;
use crate::http::problem::{CONTENT_TYPE, Document};

/// The head of the document.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "openmic",
        description = "What is live on this server, who watches, and how it is run. Refusals are problem documents \
            (RFC 9457) that say what to do. Times are RFC 3339 in UTC, sizes are in bytes.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Document, StatsInfo))
)]
pub(super) struct Description;

/// The name of the one way to prove a right.
const SCHEME: &str = "bearer";

/// Refusals that every address may answer with.
const REFUSALS: &[(u16, &str)] = &[
    (400, "The request is not understood; `detail` names what."),
    (421, "The server does not know itself by the name in Host (`http.hosts`)."),
    (429, "Too many requests of this peer; `retry-after` tells when to ask again."),
    (503, "The server is stopping, or cannot answer now; `retry-after` tells when to ask again."),
];
/// Of those that need a right.
const GUARDED: &[(u16, &str)] = &[
    (401, "No token, or a wrong or old one."),
    (403, "The token gives no right to this, or a page of another origin asks."),
];
/// Of those that take a body.
const WITH_BODY: &[(u16, &str)] = &[
    (408, "The body did not come in time."),
    (413, "The body is too long."),
    (415, "The body is not application/json."),
];

/// Adds what is common to the operations.
pub(super) fn finish(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(bearer));
    for item in document.paths.paths.values_mut() {
        let operations = [
            (&mut item.get, HttpMethod::Get),
            (&mut item.put, HttpMethod::Put),
            (&mut item.post, HttpMethod::Post),
            (&mut item.delete, HttpMethod::Delete),
            (&mut item.patch, HttpMethod::Patch),
        ];
        for (operation, method) in operations {
            if let Some(operation) = operation {
                refusals(operation, &method);
            }
        }
    }
}

fn refusals(operation: &mut Operation, method: &HttpMethod) {
    let mut add = |all: &[(u16, &str)]| {
        for (status, description) in all {
            let answers = &mut operation.responses.responses;
            answers.entry(status.to_string()).or_insert_with(|| RefOr::T(refusal(description)));
        }
    };
    add(REFUSALS);
    if matches!(method, HttpMethod::Post | HttpMethod::Put | HttpMethod::Patch) {
        add(WITH_BODY);
    }
    if operation.security.is_some() {
        add(GUARDED);
    }
}

fn refusal(description: &str) -> Response {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(CONTENT_TYPE, problem).build()
}
