//! Which request goes where, what every answer carries, and whom pages and API answer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use super::problem::Problem;
use super::{api, flv, hls, metrics, pages, stage, trust, webrtc};
use crate::config::Http;
use crate::context::Context;

/// Scripts, pictures and connections come from us alone; `blob:` is what players feed to the browser.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; \
    img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; \
    frame-ancestors 'self'; base-uri 'none'; form-action 'self'";

/// Hosts by which a server on loopback is always reached.
const LOOPBACK_HOSTS: &[&str] = &["localhost", "127.0.0.1", "[::1]"];

/// All routes.
pub(super) fn router(context: Arc<Context>) -> Router {
    let own = Router::new()
        .route("/", get(pages::console))
        .route("/play/{*path}", get(pages::player))
        .route("/publish/{*path}", get(pages::publisher))
        .route("/demo", get(pages::demo))
        .route("/demo/{room}", get(pages::demo))
        .route("/trust", get(pages::trust))
        .route("/trust/openmic-ca.crt", get(trust::certificate))
        .route("/trust/openmic-ca.mobileconfig", get(trust::profile))
        .route("/trust/about.json", get(trust::about))
        .route("/trust/qr.svg", get(trust::qr))
        .route("/metrics", get(metrics::metrics))
        .route("/rooms/{room}/ws", get(room_socket))
        .merge(api::rooms::demo::routes())
        .merge(api::router(&context))
        .layer(middleware::from_fn_with_state(Arc::clone(&context), check_host));
    Router::new()
        .merge(own)
        .route("/assets/{*path}", get(pages::asset))
        .route("/rooms/{room}/stage", any(stage::serve))
        .route("/rooms/{room}/stage/{session}", any(stage::serve_session))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .fallback(media)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::map_response(common_headers))
        .with_state(context)
}

async fn health() -> &'static str {
    "ok\n"
}

async fn ready(State(context): State<Arc<Context>>) -> Response {
    match context.draining.is_cancelled() {
        true => Problem::draining().into_response(),
        false => "ready\n".into_response(),
    }
}

/// WebSockets do not get here: their heads are read before.
async fn room_socket() -> Problem {
    Problem::new(
        StatusCode::UPGRADE_REQUIRED,
        "this address is a WebSocket's (docs/signalling.md), on HTTP/1.1",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address can only be read, with GET or HEAD")
}

/// Streams have the addresses that nothing else has.
async fn media(State(context): State<Arc<Context>>, request: Request) -> Response {
    let path = request.uri().path();
    if webrtc::name(path).is_some() {
        return webrtc::serve(context, request).await;
    }
    let is_flv = path.ends_with(flv::SUFFIX);
    if !is_flv && hls::name(path).is_none() {
        return Problem::not_found("there is nothing at this address; / lists what is live").into_response();
    }
    let mut response = match request.method() {
        &Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ if is_flv => flv::in_hyper(context, request).await,
        _ => hls::serve(context, request).await,
    };
    let is_refused = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let headers = response.headers_mut();
    if is_refused {
        // RFC 9110 §15.5.6 wants it; elsewhere the router adds it.
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    allow_every_origin(headers);
    response
}

/// Streams may be watched from any page, without its cookies: the answer is the same for everybody.
pub(super) fn allow_every_origin(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("range"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}

async fn common_headers(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    response
}

/// A page of another name that resolves to this machine (DNS rebinding) would be of the same origin as ours to its
/// browser. While we listen on loopback, no such name is ours unless `http.hosts` says so.
async fn check_host(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let config = context.config();
    let http = &config.http;
    let local = http.listen.ip().is_loopback();
    let host = host(request.uri(), request.headers());
    let known = host.is_some_and(|host| is_known_host(http, host));
    if local && !known {
        let detail = "this server listens on loopback and does not know itself by this name; open it by localhost, \
            or add the name to http.hosts";
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response();
    }
    next.run(request).await
}

/// A name by which this server is opened while it listens on loopback.
pub(super) fn is_known_host(http: &Http, host: &str) -> bool {
    let same = |known: &str| known.eq_ignore_ascii_case(host);
    LOOPBACK_HOSTS.iter().any(|known| same(known)) || http.hosts.iter().any(|known| same(known))
}

/// The host of a request without its port.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    authority(uri, headers).map(without_port)
}

/// The host of a request: `:authority` of HTTP/2, the Host header of HTTP/1. Two of the latter name none.
pub(super) fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut lines = headers.get_all(header::HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => Some(line.to_str().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    uri.authority().map(|authority| authority.as_str()).or(line)
}

pub(super) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_of(uri: &str, lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::HOST, HeaderValue::from_str(line).unwrap());
        }
        host(&uri.parse().unwrap(), &headers).map(str::to_owned)
    }

    #[test]
    fn the_host_is_read_without_its_port_and_never_from_two_lines() {
        assert_eq!(host_of("/", &["localhost:8080"]).as_deref(), Some("localhost"));
        assert_eq!(host_of("/", &["[::1]:8080"]).as_deref(), Some("[::1]"));
        assert_eq!(host_of("/", &["[::1]"]).as_deref(), Some("[::1]"));
        assert_eq!(host_of("https://a.example/", &[]).as_deref(), Some("a.example"));
        assert_eq!(host_of("/", &["localhost", "evil.example"]), None);
        assert_eq!(host_of("/", &[]), None);
    }
}
