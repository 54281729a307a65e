//! Refusals that say what to do: problem documents (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::access::{Refused, Why};

/// A refusal, in whichever way the connection is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    retry_after_s: Option<u32>,
}

/// The document itself (RFC 9457 §3.1).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    /// What to do.
    detail: &'a str,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused.why {
            Why::Unauthorized => Self::new(StatusCode::UNAUTHORIZED, refused.detail),
            Why::Forbidden => Self::new(StatusCode::FORBIDDEN, refused.detail),
            Why::Unavailable => Self::unavailable(refused.detail, 5),
            Why::TooMany { wait } => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                detail: refused.detail,
                retry_after_s: Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
            },
        }
    }
}

/// The media type of RFC 9457 §3.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";
/// RFC 9110 §15.5.2 wants it beside each 401.
const CHALLENGE: &str = "Bearer realm=\"openmic\"";

impl Problem {
    /// `detail` tells the caller what to do.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after_s: None }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// What works again after `retry_after_s` seconds.
    pub(crate) fn unavailable(detail: impl Into<String>, retry_after_s: u32) -> Self {
        Self::later(StatusCode::SERVICE_UNAVAILABLE, detail, retry_after_s)
    }

    /// The same with another status.
    pub(crate) fn later(status: StatusCode, detail: impl Into<String>, retry_after_s: u32) -> Self {
        let mut problem = Self::new(status, detail);
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    /// The server is about to stop.
    pub(crate) fn draining() -> Self {
        Self::unavailable("the server is stopping; connect again in a moment", 5)
    }

    fn body(&self) -> String {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let document =
            Document { r#type: "about:blank", title, status: self.status.as_u16(), detail: &self.detail };
        serde_json::to_string(&document).expect("a struct of strings is always JSON")
    }

    /// A whole HTTP/1.1 answer after which the connection is closed.
    pub(crate) fn to_http1(&self) -> String {
        let body = self.body();
        let retry = self.retry_after_s.map(|s| format!("retry-after: {s}\r\n")).unwrap_or_default();
        let challenge = match self.status {
            StatusCode::UNAUTHORIZED => format!("www-authenticate: {CHALLENGE}\r\n"),
            _ => String::new(),
        };
        format!(
            "HTTP/1.1 {}\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
             access-control-allow-origin: *\r\nx-content-type-options: nosniff\r\n{challenge}{retry}connection: close\r\n\r\n{body}",
            self.status,
            body.len(),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_on_a_raw_connection_has_its_true_length_and_closes() {
        let raw = Problem::unavailable("say \"later\"\r\n", 3).to_http1();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(head.contains("retry-after: 3\r\n") && head.ends_with("connection: close"));
        assert!(!body.contains('\r'), "what a peer sent stays inside its JSON string");
    }
}
