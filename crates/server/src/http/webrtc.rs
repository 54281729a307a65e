//! WHIP (RFC 9725) and WHEP: publishing and watching by WebRTC begin with one HTTP request, and each session is a
//! resource that is changed by PATCH and ended by DELETE.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use media::Path;
use wire::sdp_fragment;

use super::problem::Problem;
use super::{flv, router, sdp_body, target};
use crate::access::{self, Caller};
use crate::audience::Protocol;
use crate::config::Permission;
use crate::context::Context;
use crate::ladder;
use crate::rtc::{self, BeginError, Begun, ONE_STREAM, OfferKey, Refusal};
use crate::sessions::Action;

pub(super) const SDP: &str = "application/sdp";
/// RFC 8840 §9.
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const METHODS: &str = "POST, PATCH, DELETE, OPTIONS";

/// Which way media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// WHIP.
    In,
    /// WHEP.
    Out,
}

impl Way {
    fn suffix(self) -> &'static str {
        match self {
            Self::In => "/whip",
            Self::Out => "/whep",
        }
    }
}

/// What an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    way: Way,
    /// The broadcast, still encoded, with its leading slash.
    broadcast: &'a str,
    session: Option<&'a str>,
}

/// Reads `/{app}/{stream}/whip` and `/{app}/{stream}/whip/{session}`; `None` for any other address.
pub(super) fn name(path: &str) -> Option<Named<'_>> {
    // A stream may be called whip, a session may not: its name is random.
    for way in [Way::In, Way::Out] {
        if let Some(broadcast) = path.strip_suffix(way.suffix()) {
            return Some(Named { way, broadcast, session: None });
        }
    }
    let (front, session) = path.rsplit_once('/').filter(|(_, session)| !session.is_empty())?;
    for way in [Way::In, Way::Out] {
        if let Some(broadcast) = front.strip_suffix(way.suffix()) {
            return Some(Named { way, broadcast, session: Some(session) });
        }
    }
    None
}

/// Answers a request to such an address.
pub(super) async fn serve(context: Arc<Context>, request: Request<Body>) -> Response {
    let path = request.uri().path().to_owned();
    let Some(named) = name(&path) else { return Problem::not_found("no such resource").into_response() };
    let method = request.method().clone();
    let answer = match (&method, named.session) {
        (&Method::OPTIONS, _) => Ok(options()),
        (&Method::POST, None) => begin(&context, named, request).await,
        (&Method::DELETE, Some(session)) => end(&context, session).await,
        (&Method::PATCH, Some(session)) => change(&context, session, request).await,
        (_, None) => Err(wrong_method("an SDP offer is sent here with POST")),
        (_, Some(_)) => Err(wrong_method("a session is changed with PATCH and ended with DELETE")),
    };
    finished(answer)
}

/// An answer with what all of them carry.
pub(super) fn finished(answer: Result<Response, Problem>) -> Response {
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    let is_refused = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let headers = response.headers_mut();
    if is_refused {
        headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    }
    allow_origins(headers);
    response
}

pub(super) fn wrong_method(detail: &str) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// RFC 9725 §4.2: what may be posted.
pub(super) fn options() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert("accept-post", HeaderValue::from_static(SDP));
    response.headers_mut().insert("accept-patch", HeaderValue::from_static(FRAGMENT));
    response
}

/// The answers are the same for everybody; who may publish from a page is decided in [`check_publisher`].
fn allow_origins(headers: &mut HeaderMap) {
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    set(header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match");
    set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "location, etag, link, accept-patch");
    set(header::ACCESS_CONTROL_MAX_AGE, "86400");
}

async fn begin(
    context: &Arc<Context>,
    named: Named<'_>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    if context.draining.is_cancelled() {
        return Err(Problem::draining());
    }
    let path = target::path(named.broadcast, "")?;
    check_type(request.headers(), SDP)?;
    let (parts, body) = request.into_parts();
    let (query, caller) =
        (parts.uri.query().unwrap_or_default(), Caller::of_http(&parts.extensions, &parts.headers));
    let admit = async |action, protocol| {
        context.admit(&access::Request { action, path: &path, protocol, query, caller: &caller }).await
    };
    // With keys a page of anybody's can do no more than whoever gave it one.
    if named.way == Way::In && context.access.permission(&path, Action::Publish) == Permission::Open {
        check_publisher(context, &parts.uri, &parts.headers)?;
    }
    let offer = sdp_body::text(context, &parts.headers, body, ONE_STREAM).await?;
    let begin = async {
        let begun = match named.way {
            Way::In => rtc::publish(context, &path, &offer, admit(Action::Publish, Protocol::Whip).await?),
            Way::Out => {
                let wait = target::milliseconds(query, "wait_ms", flv::WAIT_MS_MAX)?.unwrap_or(0);
                let wanted = ladder::Asked::of(query).map_err(flv::no_such)?;
                let ticket = admit(Action::Play, Protocol::Whep).await?;
                let found =
                    context.find(&path, Duration::from_millis(wait)).await.ok_or_else(flv::not_live)?;
                let broadcast = ladder::for_browsers(context, &found, wanted).await.map_err(flv::no_such)?;
                rtc::watch(context, broadcast, &offer, ticket).await
            }
        };
        begun.map_err(|error| refused(&path, error))
    };
    let place = format!("{}{}", named.broadcast, named.way.suffix());
    created_once(context, (&parts, &offer), &place, begin).await
}

/// Begins the session of an offer, below `place`, unless the same request has come before.
pub(super) async fn created_once(
    context: &Context,
    (parts, offer): (&Parts, &str),
    place: &str,
    begin: impl Future<Output = Result<Begun, Problem>>,
) -> Result<Response, Problem> {
    let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = OfferKey::of([target, bearer.unwrap_or_default(), offer]);
    let begun = context.rtc.once(key, begin).await?;
    Ok(created(&parts.headers, &format!("{place}/{}", begun.id), begun))
}

pub(super) fn refused(path: &Path, error: BeginError) -> Problem {
    tracing::debug!(%path, %error, "WebRTC session refused");
    match error {
        BeginError::Offer(Refusal::Malformed(_)) => Problem::bad_request(error.to_string()),
        BeginError::Offer(Refusal::NoCodec(_)) => Problem::new(StatusCode::NOT_ACCEPTABLE, error.to_string()),
        BeginError::Transcode(refusal) => Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            format!(
                "the offer lacks the stream's pictures: {refusal}; HTTP-FLV and HLS have them as they are"
            ),
        ),
        BeginError::Claim(_) => Problem::new(StatusCode::CONFLICT, error.to_string()),
        BeginError::Full => Problem::unavailable(error.to_string(), 10),
        BeginError::Busy => Problem::unavailable(error.to_string(), 2),
        BeginError::NotLive => flv::not_live(),
    }
}

/// The answer to an offer whose session is at this address.
fn created(asked: &HeaderMap, location: &str, begun: Begun) -> Response {
    let mut response = sdp_body::answer(asked, begun.answer);
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("accept-patch", HeaderValue::from_static(FRAGMENT));
    // Both are of characters that headers may have: the path was one of a request, the rest is ours.
    if let (Ok(location), Ok(etag)) =
        (HeaderValue::try_from(location), HeaderValue::try_from(format!("\"{}\"", begun.etag)))
    {
        headers.insert(header::LOCATION, location);
        headers.insert(header::ETAG, etag);
    }
    response
}

pub(super) async fn end(context: &Arc<Context>, session: &str) -> Result<Response, Problem> {
    match context.rtc.end(session).await {
        true => Ok(StatusCode::OK.into_response()),
        false => Err(no_session()),
    }
}

fn no_session() -> Problem {
    Problem::not_found("there is no such session; it has ended, or never was")
}

/// Trickled candidates are welcome and not needed: the peer is found by where it comes from. New credentials restart ICE
/// (RFC 9725 §4.3.3).
pub(super) async fn change(
    context: &Arc<Context>,
    session: &str,
    request: Request<Body>,
) -> Result<Response, Problem> {
    check_type(request.headers(), FRAGMENT)?;
    let etag = context.rtc.etag(session).ok_or_else(no_session)?;
    check_etag(request.headers(), &etag)?;
    let (parts, body) = request.into_parts();
    let fragment = sdp_body::text(context, &parts.headers, body, ONE_STREAM).await?;
    let Some(credentials) = sdp_fragment::credentials(&fragment) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    match context.rtc.restart(session, credentials.ufrag, credentials.pwd).await {
        None => Err(no_session()),
        Some(Err(error)) => Err(Problem::bad_request(error.to_string())),
        Some(Ok(None)) => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(Ok(Some(answer))) => {
            let mut response = sdp_fragment::of_answer(&answer).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT));
            let etag = sdp_fragment::credentials(&answer).map(|own| format!("\"{}\"", own.ufrag));
            if let Some(Ok(etag)) = etag.map(HeaderValue::try_from) {
                headers.insert(header::ETAG, etag);
            }
            Ok(response)
        }
    }
}

/// A change of another ICE session than there is now comes too late (RFC 9725 §4.3.1). Peers that do not say which they
/// mean are believed.
fn check_etag(headers: &HeaderMap, etag: &str) -> Result<(), Problem> {
    let mut given =
        headers.get_all(header::IF_MATCH).iter().flat_map(|line| line.to_str().map(|line| line.split(',')));
    let is_it = |tag: &str| tag.trim() == "*" || tag.trim().trim_matches('"') == etag;
    let matches = !headers.contains_key(header::IF_MATCH) || given.any(|mut tags| tags.any(is_it));
    match matches {
        true => Ok(()),
        false => {
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, "this is not the session's newest ICE session"))
        }
    }
}

pub(super) fn check_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case(wanted) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the body must be {wanted}, and content-type must say so"),
        )),
    }
}

/// While anybody may publish, a page of somebody else's in a user's browser must not: it could from there what its
/// author could not.
fn check_publisher(context: &Context, uri: &axum::http::Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let from = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    // On loopback a name that we do not know may be anybody's that resolves here (DNS rebinding).
    let own = router::host(uri, headers).filter(|_| !context.config().http.listen.ip().is_loopback());
    let known =
        from.is_some_and(|from| router::is_known_host(&context.config().http, router::without_port(from)));
    match known || (own.is_some() && own == from.map(router::without_port)) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another origin may not publish here; add its host to http.hosts",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_way_a_broadcast_and_perhaps_a_session() {
        let named = |path| name(path).map(|named| (named.way, named.broadcast, named.session));
        assert_eq!(named("/live/a/whip"), Some((Way::In, "/live/a", None)));
        assert_eq!(named("/live/a/b/whep"), Some((Way::Out, "/live/a/b", None)));
        assert_eq!(named("/live/a/whep/0123"), Some((Way::Out, "/live/a", Some("0123"))));
        assert_eq!(named("/live/whip/whip"), Some((Way::In, "/live/whip", None)));
        assert_eq!(named("/live/whip/whep"), Some((Way::Out, "/live/whip", None)));
        assert_eq!(named("/live/a.flv"), None);
        assert_eq!(named("/whip/"), None);
    }
}
