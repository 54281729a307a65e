//! HLS: the addresses of playlists, segments and parts, answered from the broadcast's packager.

mod family;
mod stream;
mod variants;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, SystemTime};

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use media::Path;
use wire::hls::{self, Answer, Directives, Resource};

use super::flv::{WAIT_MS_MAX, no_such, not_live};
use super::problem::Problem;
use super::target;
use crate::access::{self, Caller};
use crate::audience::Protocol;
use crate::bridge;
use crate::config::Permission;
use crate::context::Context;
use crate::ladder::{self, Asked as Wanted, Rendition};
use crate::rtmp::query_value;
use crate::sessions::{self, Action, Session};
use crate::transcode::Picture;
use crate::usage::Sums;
use family::Touched;
pub use stream::Ended;
use stream::{Source, Stream};

/// The end of an address that means HLS.
const SUFFIX: &str = ".m3u8";
/// How long the first request waits for something to play.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);
/// RFC 8216bis §6.2.5.2: a blocked request is given up after this many target durations.
const BLOCKED_TARGETS: u32 = 3;
/// A packager that stops while we ask is asked for again, this often.
const TRIES: u32 = 8;

/// In front of the name of a session that asked for `video=h264`.
const KEEPS_H264: &str = "h264-";
/// A session's names never change their content.
const IMMUTABLE: &str = "public, max-age=60, immutable";

/// What an address names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// `/{app}/{stream}.m3u8`: where a player begins.
    Multivariant { path: &'a str },
    /// `/{app}/{stream}/hls/{session}/{resource}`, and of another rendition `…/{session}/{rendition}/{resource}`.
    Session { path: &'a str, token: &'a str, rendition: Rendition, resource: Resource },
}

/// Reads an address; `None` if it is no HLS.
pub(super) fn name(path: &str) -> Option<Name<'_>> {
    let session = || {
        let (rest, last) = path.rsplit_once('/')?;
        let (rest, name) = rest.rsplit_once('/')?;
        let resource = Resource::parse(last)?;
        let (path, token, rendition) = match rest.strip_suffix("/hls") {
            Some(path) => (path, name, Rendition::Source),
            None => {
                let (rest, token) = rest.rsplit_once('/')?;
                // One name for one thing: the source's stands above.
                let rendition = Rendition::named(name).filter(|named| *named != Rendition::Source)?;
                (rest.strip_suffix("/hls")?, token, rendition)
            }
        };
        hls::is_session(token).then_some(Name::Session { path, token, rendition, resource })
    };
    session().or_else(|| path.ends_with(SUFFIX).then_some(Name::Multivariant { path }))
}

/// Answers what [`name`] has read.
pub(super) async fn serve(context: Arc<Context>, request: Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    let (method, uri) = (parts.method.clone(), &parts.uri);
    let query = uri.query().unwrap_or_default();
    let served = match (name(uri.path()), method) {
        (Some(Name::Multivariant { path }), Method::GET | Method::HEAD) => {
            multivariant(&context, path, &parts).await
        }
        (Some(Name::Session { path, token, rendition, resource }), Method::GET | Method::HEAD) => {
            let wanted = Wanted { picture: asked(token), rendition };
            let asked = Asked { token, wanted, resource, query };
            asked.answer(&context, path).await
        }
        (Some(_), _) => Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "a stream can be read with GET")),
        (None, _) => Err(not_live()),
    };
    match served {
        Ok(served) => served.into_response(context),
        Err(problem) => problem.into_response(),
    }
}

async fn multivariant(context: &Arc<Context>, path: &str, parts: &Parts) -> Result<Served, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let path = target::path(path, SUFFIX)?;
    let wait = target::milliseconds(query, "wait_ms", WAIT_MS_MAX)?.unwrap_or(0);
    let wanted = Wanted::of(query).map_err(no_such)?;
    let names_none = query_value(query, "rendition").is_none();
    if context.draining.is_cancelled() {
        return Err(Problem::draining());
    }
    let caller = &Caller::of_http(&parts.extensions, &parts.headers);
    let protocol = Protocol::Hls;
    let request = access::Request { action: Action::Play, path: &path, protocol, query, caller };
    let ticket = context.admit(&request).await?;
    let token = token(context, &path, wanted.picture);
    let (stream, broadcast) = match context.shared.hls_ended.find(&path, wanted, None) {
        Some(ended) if context.hub.get(&path).is_none() && wait == 0 => (ended, None),
        Some(_) | None => {
            let found = context.find(&path, Duration::from_millis(wait)).await.ok_or_else(not_live)?;
            ladder::settle(&found, wanted).await;
            (running(context, &found, None, wanted).await?, Some(found))
        }
    };
    let mover = Mover::Session(ticket.session());
    if !stream.begin(&token, ticket) && !is_open(context, &path) {
        return Err(Problem::unavailable("too many players watch this stream by HLS", 10));
    }
    // Who names a rendition gets that one.
    let listed = broadcast.filter(|found| names_none && ladder::is_listed(context, found));
    let own = Some(wanted.rendition).filter(|own| *own != Rendition::Source).map(|own| own.to_string());
    let uri = hls::rendition_uri(path.stream(), &token, own.as_deref());
    let answer = stream.answer(FIRST_PATIENCE, |packager| match packager.variant(&uri) {
        Some(variant) => Answer::Ready((variant, packager.is_independent())),
        None if packager.is_ended() => Answer::NotFound,
        None => Answer::NotYet,
    });
    let (source, independent) = answer.await?;
    let others = listed.map(|found| variants::others(context, &found, &source, &token)).unwrap_or_default();
    let all: Vec<_> = [source].into_iter().chain(others).collect();
    let text = hls::multivariant(&all, independent);
    Ok(Served::new(text, Resource::Playlist.content_type(), "no-store", mover))
}

/// A session's name, which nobody guesses: on a server with keys it is what lets its player go on. It keeps what the
/// player asked for, as players do not repeat the query.
fn token(context: &Context, path: &Path, picture: Picture) -> String {
    let kept = match picture {
        Picture::Any => "",
        Picture::H264 => KEEPS_H264,
    };
    format!("{kept}{}", context.access.names.give(path))
}

/// Whether we gave this name.
fn is_ours(context: &Context, path: &Path, token: &str) -> bool {
    context.access.names.knows(path, token.strip_prefix(KEEPS_H264).unwrap_or(token))
}

/// Whether sessions that nobody let in may go on. Then names are only for counting.
fn is_open(context: &Context, path: &Path) -> bool {
    context.access.permission(path, Action::Play) == Permission::Open
}

fn asked(token: &str) -> Picture {
    if token.starts_with(KEEPS_H264) { Picture::H264 } else { Picture::Any }
}

/// The packager of a broadcast, which has noted the request and so goes on for a while.
async fn running(
    context: &Arc<Context>,
    broadcast: &media::broadcast::Broadcast,
    token: Option<&str>,
    wanted: Wanted,
) -> Result<Arc<Stream>, Problem> {
    let open = is_open(context, broadcast.path());
    let source = Source::new(context, broadcast, wanted);
    let broadcast = bridge::for_players(context, broadcast, wanted).map_err(no_such)?;
    for _ in 0..TRIES {
        let stream = Stream::of(context, &broadcast, &source);
        match stream.touch(token, open) {
            Touched::Noted => return Ok(stream),
            Touched::Kicked => return Err(sent_away()),
            Touched::Unknown => return Err(begin_again()),
            Touched::Stopped => drop(stream),
        }
        // Its task is about to let go of it.
        tokio::task::yield_now().await;
    }
    Err(Problem::unavailable("the stream is just being started again", 1))
}

/// A request within a session.
struct Asked<'a> {
    token: &'a str,
    wanted: Wanted,
    resource: Resource,
    query: &'a str,
}

impl Asked<'_> {
    async fn answer(&self, context: &Arc<Context>, path: &str) -> Result<Served, Problem> {
        let directives = Directives::parse(self.query).map_err(|e| Problem::bad_request(e.to_string()))?;
        let path = target::path(path, "")?;
        let stream = self.stream(context, &path).await?;
        let mover = stream.session(self.token).map_or(Mover::Unknown(path), Mover::Session);
        let blocked = context.config().hls.segment_max * BLOCKED_TARGETS;
        let kind = self.resource.content_type();
        match self.resource {
            Resource::Playlist => {
                let patience = if directives.position.is_some() { blocked } else { FIRST_PATIENCE };
                let text = stream.answer(patience, |packager| packager.poll_playlist(&directives)).await?;
                Ok(Served::new(text, kind, "no-store", mover))
            }
            Resource::Part(position) => {
                let part = stream.answer(blocked, |packager| packager.poll_part(position)).await?;
                Ok(Served::new(part, kind, IMMUTABLE, mover))
            }
            Resource::Segment(msn) => {
                let pieces = stream.packager().segment(msn).ok_or_else(gone)?;
                Ok(Served { pieces: pieces.into(), kind, caching: IMMUTABLE, mover })
            }
            Resource::Init(n) => {
                let init = stream.packager().init(n).ok_or_else(gone)?;
                Ok(Served::new(init, kind, IMMUTABLE, mover))
            }
        }
    }

    /// A broadcast that ended is read to its end by those who watched it, even if a new one of its name has begun.
    async fn stream(&self, context: &Arc<Context>, path: &Path) -> Result<Arc<Stream>, Problem> {
        if let Some(ended) = context.shared.hls_ended.find(path, self.wanted, Some(self.token)) {
            return Ok(ended);
        }
        let Some(broadcast) = context.hub.get(path) else {
            let ended =
                context.shared.hls_ended.find(path, self.wanted, None).filter(|_| is_open(context, path));
            return ended.ok_or_else(not_live);
        };
        // Nothing is started for somebody whom nobody let in.
        match is_open(context, path) || is_ours(context, path, self.token) {
            true => running(context, &broadcast, Some(self.token), self.wanted).await,
            false => Err(begin_again()),
        }
    }
}

fn sent_away() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "an operator sent this session away")
}

fn begin_again() -> Problem {
    let detail =
        "this player's session is over or was never let in; begin again at the address that ends in .m3u8";
    Problem::new(StatusCode::FORBIDDEN, detail)
}

fn gone() -> Problem {
    Problem::not_found("this part of the stream is not here any more, or not yet")
}

/// Who is sent something.
enum Mover {
    Session(Arc<Session>),
    /// A player whose session is not known any more: of this broadcast.
    Unknown(Path),
}

/// A whole answer in pieces that are shared with all who ask for them.
struct Served {
    pieces: VecDeque<Bytes>,
    kind: &'static str,
    caching: &'static str,
    mover: Mover,
}

impl Served {
    fn new(bytes: Bytes, kind: &'static str, caching: &'static str, mover: Mover) -> Self {
        Self { pieces: [bytes].into(), kind, caching, mover }
    }

    fn into_response(self, context: Arc<Context>) -> Response {
        let pieces = Pieces { left: self.pieces, mover: self.mover, context };
        let mut response = Body::new(pieces).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.caching));
        response
    }
}

/// A body of known length that copies nothing, and is counted as it goes out.
struct Pieces {
    left: VecDeque<Bytes>,
    mover: Mover,
    context: Arc<Context>,
}

impl Pieces {
    fn count(&self, bytes: u64) {
        self.context.egress.totals().add_bytes(Protocol::Hls, bytes);
        match &self.mover {
            Mover::Session(session) => session.add_bytes(bytes),
            Mover::Unknown(path) => {
                let key = sessions::usage_key(path, Protocol::Hls, Action::Play);
                let moved = Sums { bytes, ..Sums::default() };
                self.context.access.sessions.usage().add(SystemTime::now(), key, moved);
            }
        }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.left.pop_front().map(|piece| {
            self.count(piece.len() as u64);
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.iter().map(|piece| piece.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_session_is_never_taken_for_the_start_of_one() {
        assert_eq!(name("/live/demo.m3u8"), Some(Name::Multivariant { path: "/live/demo.m3u8" }));
        let session = |rendition| {
            Some(Name::Session { path: "/live/demo", token: "ab-1", rendition, resource: Resource::Playlist })
        };
        assert_eq!(name("/live/demo/hls/ab-1/media.m3u8"), session(Rendition::Source));
        assert_eq!(name("/live/demo/hls/ab-1/360p/media.m3u8"), session(Rendition::Height(360)));
        assert_eq!(name("/live/demo/hls/ab-1/audio/media.m3u8"), session(Rendition::Sound));
        for other in ["source", "0360p", "x"] {
            let odd = format!("/live/demo/hls/ab-1/{other}/media.m3u8");
            assert_eq!(name(&odd), Some(Name::Multivariant { path: &odd }), "{other}");
        }
        assert_eq!(name("/live/demo/hls/ab-1/seg-01.m4s"), None, "one name for one thing");
        assert_eq!(name("/live/demo.flv"), None);
        let odd = "/live/demo/hls/a.b/media.m3u8";
        assert_eq!(name(odd), Some(Name::Multivariant { path: odd }), "a dot is no session");
    }
}
