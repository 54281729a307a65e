//! HTTP-FLV and WS-FLV: from a request to a viewer of the egress, on a plain connection or inside hyper.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use media::broadcast::Broadcast;
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;

use super::problem::Problem;
use super::target;
use crate::access::{Caller, Request};
use crate::audience::{Audience, Protocol};
use crate::bridge;
use crate::context::Context;
use crate::egress::{Format, Join, Wish};
use crate::ladder::{self, Asked as Wanted, Refusal};
use crate::rtmp::query_value;
use crate::sessions::{Action, Ticket};
use crate::socket::Socket;
use crate::transcode;

/// The end of an address that means FLV.
pub(crate) const SUFFIX: &str = ".flv";
/// The longest that `wait_ms` waits for a stream to begin.
pub(crate) const WAIT_MS_MAX: u64 = 10_000;
/// Header lines of the answer to a WebSocket request beside RFC 6455's own.
pub(crate) const WS_HEADERS: &str = "cache-control: no-store\r\n";

/// HTTP/1.0 clients are answered by the same: no chunks, the end is the end of the connection.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: video/x-flv\r\ncache-control: no-store\r\n\
    access-control-allow-origin: *\r\nx-accel-buffering: no\r\nx-content-type-options: nosniff\r\n\
    connection: close\r\n\r\n";
/// Read from a viewer's pair at a time and handed to hyper as one piece.
const PIECE_BYTES: usize = 32 << 10;

/// A viewer that was found what it asked for.
pub(crate) struct Viewer {
    broadcast: Broadcast,
    wish: Wish,
    protocol: Protocol,
    ticket: Ticket,
}

/// What a request for FLV asks for, and who asks.
pub(crate) struct Asked<'a> {
    /// As sent, with its suffix.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) protocol: Protocol,
    pub(crate) caller: Caller,
}

impl Viewer {
    /// Finds the broadcast that a request names, waiting as long as it allows.
    pub(crate) async fn find(context: &Arc<Context>, asked: &Asked<'_>) -> Result<Self, Problem> {
        let Asked { path, query, protocol, caller } = asked;
        let protocol = *protocol;
        if context.draining.is_cancelled() {
            return Err(Problem::draining());
        }
        let path = target::path(path, SUFFIX)?;
        let latency_ms = target::milliseconds(query, "latency_ms", u64::MAX)?;
        let wish = context.egress.wish(latency_ms, query_value(query, "tracks"));
        let wait = target::milliseconds(query, "wait_ms", WAIT_MS_MAX)?.unwrap_or(0);
        let wanted = Wanted::of(query).map_err(no_such)?;
        let request = Request { action: Action::Play, path: &path, protocol, query, caller };
        let ticket = context.admit(&request).await?;
        let broadcast = context.find(&path, Duration::from_millis(wait)).await;
        let broadcast = broadcast.ok_or_else(not_live)?;
        ladder::settle(&broadcast, wanted).await;
        let broadcast = bridge::for_players(context, &broadcast, wanted).map_err(no_such)?;
        Ok(Self { broadcast, wish, protocol, ticket })
    }

    /// Hands it over to the egress, which first sends `preface`.
    pub(crate) async fn join(
        self,
        context: &Context,
        socket: Socket,
        preface: Bytes,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let seat = Audience::of(&self.broadcast).sit(self.protocol).with_ticket(self.ticket);
        let seat = match permit {
            Some(permit) => seat.with_connection(permit),
            None => seat,
        };
        let format = if self.protocol == Protocol::WsFlv { Format::WsFlv } else { Format::Flv };
        let Self { broadcast, wish, .. } = self;
        let socket = Arc::new(socket);
        context.egress.join(Join { broadcast, format, wish, socket, preface, seat, session: None }).await;
    }
}

/// The answer to a name that nobody publishes now.
pub(crate) fn not_live() -> Problem {
    Problem::not_found(
        "nobody publishes this stream now; check its name, or add ?wait_ms=10000 to wait until it begins",
    )
}

/// The answer to who asks for a rendition, or H.264, that cannot be had.
pub(crate) fn no_such(refusal: Refusal) -> Problem {
    let text = refusal.to_string();
    match refusal {
        Refusal::Unreadable => Problem::bad_request(text),
        Refusal::Unknown { .. } => Problem::not_found(text),
        Refusal::NotAllowed => Problem::new(StatusCode::FORBIDDEN, text),
        Refusal::Transcode(transcode::Refusal::Missing { .. }) => {
            Problem::new(StatusCode::NOT_ACCEPTABLE, text)
        }
        Refusal::TooMany { .. }
        | Refusal::Transcode(transcode::Refusal::NoRoom { .. } | transcode::Refusal::Failed) => {
            Problem::unavailable(text, 30)
        }
    }
}

/// What is sent before the stream on a plain connection.
pub(crate) fn preface(upgrade: Option<String>) -> Bytes {
    upgrade.map_or(Bytes::from_static(HEAD.as_bytes()), Bytes::from)
}

/// FLV asked for by a request that hyper serves: one of HTTP/2, or HEAD.
pub(crate) async fn in_hyper(context: Arc<Context>, request: axum::http::Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    let served = match parts.method {
        Method::GET | Method::HEAD => plain(&context, &parts).await,
        _ => Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "a stream can be read with GET")),
    };
    served.unwrap_or_else(IntoResponse::into_response)
}

fn named(uri: &Uri) -> (&str, &str) {
    (uri.path(), uri.query().unwrap_or_default())
}

async fn plain(context: &Arc<Context>, request: &Parts) -> Result<Response, Problem> {
    let (path, query) = named(&request.uri);
    let caller = Caller::of_http(&request.extensions, &request.headers);
    let asked = Asked { path, query, protocol: Protocol::Flv, caller };
    let viewer = Viewer::find(context, &asked).await?;
    let body = if request.method == Method::HEAD {
        Body::new(Unknown)
    } else {
        let (theirs, ours) = UnixStream::pair().map_err(no_socket)?;
        viewer.join(context, Socket::Pair(ours), Bytes::new(), None).await;
        Body::new(Streamed(theirs))
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("video/x-flv"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn no_socket(error: io::Error) -> Problem {
    tracing::error!(%error, "no socket for a viewer");
    Problem::unavailable("the server has no socket left; try again in a moment", 5)
}

/// The body of a HEAD answer: none, where GET's has a length that nobody knows (RFC 9110 §8.6).
struct Unknown;

impl HttpBody for Unknown {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// A body that is what comes out of a viewer's socket.
struct Streamed(UnixStream);

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self(from) = &mut *self;
        loop {
            // A viewer that waits holds no buffer.
            ready!(from.poll_read_ready(cx))?;
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            match from.try_read_buf(&mut piece) {
                Ok(0) => return Poll::Ready(None),
                Ok(_) => return Poll::Ready(Some(Ok(Frame::data(piece.freeze())))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}
