//! What a request asks for, read strictly: queries and bodies that are not understood are refused in words.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::http::problem::Problem;

/// The longest body that is read: no document of the interface comes near.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The query of a request. Its type should refuse unknown names: a misspelt filter that is ignored answers another
/// question.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Context>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Context>) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(Problem::bad_request(format!("the query is not understood: {error}"))),
        }
    }
}

/// A body of JSON. An empty one without a type stands for `{}`.
pub(super) struct Told<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Context>> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, context: &Arc<Context>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
        // A page may send forms and plain text anywhere without asking; JSON it may not.
        let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let patience = context.config().http.header;
        let read = tokio::time::timeout(patience, axum::body::to_bytes(body, BODY_BYTES_MAX)).await;
        let bytes = read
            .map_err(|_| {
                problem(StatusCode::REQUEST_TIMEOUT, "the body did not come in time (http.header_ms)")
            })?
            .map_err(|_| {
                problem(StatusCode::PAYLOAD_TOO_LARGE, "the body ends early, or is longer than 64 KB")
            })?;
        let json = match essence {
            None if bytes.is_empty() => &b"{}"[..],
            Some(kind) if kind.eq_ignore_ascii_case("application/json") => &bytes,
            Some(_) | None => {
                let detail = "the body must be application/json, and content-type must say so";
                return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
        };
        serde_json::from_slice(json).map(Self).map_err(|error| {
            Problem::bad_request(format!("the body is not what this address takes: {error}"))
        })
    }
}

/// How many an answer lists: as asked, within `1..=max`.
pub(super) fn limit(asked: Option<usize>, usual: usize, max: usize) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(usual);
    match (1..=max).contains(&limit) {
        true => Ok(limit),
        false => Err(Problem::bad_request(format!("limit must be between 1 and {max}"))),
    }
}

fn problem(status: StatusCode, detail: &str) -> Problem {
    Problem::new(status, detail)
}
