//! Who may ask: every address but one of the interface takes an [`Admin`], which is made of a request with the right.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};

use crate::access::{Caller, Principal, Right};
use crate::audit::{Act, Outcome};
use crate::context::Context;
use crate::http::problem::Problem;
use crate::http::router;

/// A right that an address needs, as a type.
pub(super) trait Needs {
    const RIGHT: Right;
}

/// To look.
pub(super) struct ToRead;
/// To change something.
pub(super) struct ToWrite;

impl Needs for ToRead {
    const RIGHT: Right = Right::Read;
}

impl Needs for ToWrite {
    const RIGHT: Right = Right::Write;
}

/// Somebody who has the right `R`, and by what.
pub(super) struct Admin<R> {
    pub(super) principal: Principal,
    pub(super) peer: Option<SocketAddr>,
    right: PhantomData<R>,
}

impl<R: Needs + Send> FromRequestParts<Arc<Context>> for Admin<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, Problem> {
        let caller = Caller::of_http(&parts.extensions, &parts.headers);
        if R::RIGHT == Right::Write && caller.bearer.is_none() {
            check_site(&parts.uri, &parts.headers)?;
        }
        let principal = context.access.authorize(&caller, R::RIGHT)?;
        Ok(Self { principal, peer: caller.peer, right: PhantomData })
    }
}

impl Admin<ToWrite> {
    /// Writes down what was done, or tried.
    pub(super) fn record(&self, context: &Context, what: &'static str, target: &str, outcome: Outcome<'_>) {
        let who = &self.principal.name;
        context.operation.audit.record(&Act { who, what, target, outcome, peer: self.peer });
    }
}

/// A server that asks for no token must not do for a page of somebody else's, in the browser of somebody who may reach
/// the server, what that page's author could not. Browsers say whose page asks (`Sec-Fetch-Site`, the older ones
/// `Origin`); what says neither is no browser. With a token there is no need: no browser adds it by itself.
fn check_site(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_own = match (headers.get("sec-fetch-site"), text(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let theirs = origin.split_once("://").map(|(_, authority)| authority);
            theirs.is_some() && theirs == router::authority(uri, headers)
        }
        (None, None) => true,
    };
    match is_own {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another origin may change nothing here; use the console of this server, or send a token",
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn may(lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        check_site(&"/api/v1/config/reload".parse().unwrap(), &headers).is_ok()
    }

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        let host = ("host", "localhost:8080");
        assert!(may(&[host]) && may(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(may(&[host, ("origin", "http://localhost:8080")]));
        for theirs in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "http://localhost:9090"),
            ("origin", "http://localhost:8080.evil.example"),
            ("origin", "null"),
        ] {
            assert!(!may(&[host, theirs]), "{theirs:?}");
        }
        assert!(!may(&[("origin", "http://localhost:8080")]), "no Host names us");
    }
}
