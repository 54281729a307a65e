//! The head of a request, read before hyper sees it: `.flv` is recognised here, so that a viewer costs a socket and no
//! HTTP machinery, and a connection between two requests costs no more than one that waits for its first.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use super::problem::Problem;
use crate::access::{self, Caller, Way};
use crate::rooms;

/// A request line with cookies and tokens of every kind fits; what is longer is an attack or a mistake.
pub(crate) const HEAD_BYTES_MAX: usize = 16 << 10;
/// Browsers send about twenty.
const HEADERS_MAX: usize = 64;
/// Read at a time, from the stack: an idle connection holds nothing. Most heads fit.
const PIECE_BYTES: usize = 1 << 10;
/// RFC 9113 §3.4: what an HTTP/2 client says first, up to where it stops looking like HTTP/1.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// A request for FLV.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flv {
    /// The path as sent, with the suffix.
    pub(crate) path: String,
    /// The query without the question mark; empty without one.
    pub(crate) query: String,
    /// The 101 answer where it asked for WebSocket.
    pub(crate) upgrade: Option<String>,
    /// Who asks, as far as the head tells.
    pub(crate) caller: Caller,
    /// Through which proxies, as far as it is true.
    pub(crate) way: Way,
}

/// A request for the WebSocket of a room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Its name as sent.
    pub(crate) room: String,
    /// The 101 answer.
    pub(crate) upgrade: String,
    /// Who asks, as far as the head tells.
    pub(crate) caller: Caller,
    /// Through which proxies, as far as it is true.
    pub(crate) way: Way,
}

/// What a request is.
#[derive(Debug)]
pub(crate) enum First {
    /// The WebSocket of a room, with what was read after its head.
    Room(Room, BytesMut),
    /// GET of `.flv`, plain or WebSocket.
    Flv(Flv),
    /// The first bytes of HTTP/2.
    Http2(Bytes),
    /// Anything else.
    Other(Other),
}

/// A request for hyper.
#[derive(Debug)]
pub(crate) struct Other {
    /// Its head, whole, and nothing after it.
    pub(crate) head: Bytes,
    /// What was read after it.
    pub(crate) rest: BytesMut,
    /// It is HTTP/1.1, has no body and does not ask to close: the connection may have another request after it.
    pub(crate) keeps: bool,
}

/// Why the connection is closed instead.
#[derive(Debug)]
pub(crate) enum Closed {
    /// The peer sent nothing, or has gone.
    Silently,
    /// It is told.
    With(Box<Problem>),
    /// It is told in the words of RFC 6455 §4.4.
    Upgrade(wire::ws::UpgradeError),
}

impl From<Problem> for Closed {
    fn from(problem: Problem) -> Self {
        Self::With(Box::new(problem))
    }
}

/// Reads a head from `stream` within `patience`, after what was `read` of it already.
pub(crate) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    read: BytesMut,
    patience: Duration,
) -> Result<First, Closed> {
    let mut buffer = read;
    match tokio::time::timeout(patience, fill(stream, &mut buffer)).await {
        Ok(first) => first,
        Err(_) if buffer.is_empty() => Err(Closed::Silently),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request's head took too long").into()),
    }
}

async fn fill<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut BytesMut) -> Result<First, Closed> {
    loop {
        // What came with the request before this one may be all of it.
        match if buffer.is_empty() { None } else { parse(buffer)? } {
            Some(Kind::Flv(flv)) => return Ok(First::Flv(flv)),
            Some(Kind::Room { room, head_bytes }) => {
                let _head = buffer.split_to(head_bytes);
                return Ok(First::Room(room, std::mem::take(buffer)));
            }
            Some(Kind::Http2) => return Ok(First::Http2(std::mem::take(buffer).freeze())),
            Some(Kind::Other { head_bytes, keeps }) => {
                let head = buffer.split_to(head_bytes).freeze();
                return Ok(First::Other(Other { head, rest: std::mem::take(buffer), keeps }));
            }
            None if buffer.len() >= HEAD_BYTES_MAX => return Err(too_large()),
            None => {}
        }
        match poll_fn(|cx| poll_piece(stream, buffer, cx)).await {
            Ok(0) | Err(_) => return Err(Closed::Silently),
            Ok(_) => {}
        }
    }
}

/// Reads once onto the end of `buffer`, which holds nothing more while there is nothing to read.
pub(super) fn poll_piece<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    cx: &mut std::task::Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut piece = [0; PIECE_BYTES];
    let mut piece = ReadBuf::new(&mut piece);
    ready!(Pin::new(stream).poll_read(cx, &mut piece))?;
    buffer.extend_from_slice(piece.filled());
    Poll::Ready(Ok(piece.filled().len()))
}

fn too_large() -> Closed {
    let detail = format!("the request's head is longer than {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} lines");
    Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).into()
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Flv(Flv),
    Room { room: Room, head_bytes: usize },
    Http2,
    Other { head_bytes: usize, keeps: bool },
}

/// What a head is, once it is whole; `None` until then.
fn parse(bytes: &[u8]) -> Result<Option<Kind>, Closed> {
    if bytes.starts_with(H2_PREFACE) {
        return Ok(Some(Kind::Http2));
    }
    if H2_PREFACE.starts_with(bytes) {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head_bytes = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(too_large()),
        Err(_) => return Err(Problem::bad_request("this is no HTTP request").into()),
    };
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_get = request.method == Some("GET");
    let is_flv = is_get && path.starts_with('/') && path.ends_with(".flv");
    let wants_upgrade = request.headers.iter().any(|header| header.name.eq_ignore_ascii_case("upgrade"));
    let room = rooms::socket::named(path).filter(|_| is_get && wants_upgrade);
    if !is_flv && room.is_none() {
        return Ok(Some(Kind::Other { head_bytes, keeps: keeps(&request) }));
    }
    let upgrade = wants_upgrade.then(|| {
        wire::ws::upgrade(
            request.headers.iter().map(|header| (header.name, header.value)),
            super::flv::WS_HEADERS,
        )
    });
    let upgrade = upgrade.transpose().map_err(Closed::Upgrade)?;
    let (caller, way) =
        (caller(&request), Way::of(request.headers.iter().map(|line| (line.name, line.value))));
    if let (Some(room), Some(upgrade)) = (room, &upgrade) {
        let room = Room { room: room.to_owned(), upgrade: upgrade.clone(), caller, way };
        return Ok(Some(Kind::Room { room, head_bytes }));
    }
    Ok(Some(Kind::Flv(Flv { path: path.to_owned(), query: query.to_owned(), upgrade, caller, way })))
}

fn caller(request: &httparse::Request<'_, '_>) -> Caller {
    let text = |name: &str| {
        let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    Caller {
        peer: None,
        agent: access::shortened(text("user-agent").unwrap_or_default()),
        bearer: text("authorization").and_then(access::bearer).map(str::to_owned),
    }
}

/// Whether another request may follow where this head ends (RFC 9112 §6.3, §9.3). Whoever sends a body, or asks for
/// anything about the connection, does not keep it: where the body ends would be a second reader's opinion, and two
/// opinions on that are how requests are smuggled.
fn keeps(request: &httparse::Request<'_, '_>) -> bool {
    let about_the_connection = |header: &httparse::Header<'_>| {
        ["content-length", "transfer-encoding", "expect", "upgrade", "te"]
            .iter()
            .any(|name| header.name.eq_ignore_ascii_case(name))
            || header.name.eq_ignore_ascii_case("connection")
                && !header.value.eq_ignore_ascii_case(b"keep-alive")
    };
    request.version == Some(1) && !request.headers.iter().any(about_the_connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"GET /live/demo.flv?latency_ms=100 HTTP/1.1\r\nHost: x\r\n\r\n";
    const SOCKET: &[u8] = b"GET /live/demo.flv HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn kind(bytes: &[u8]) -> Option<Kind> {
        parse(bytes).unwrap()
    }

    #[test]
    fn flv_is_recognised_plain_and_as_websocket() {
        let Some(Kind::Flv(plain)) = kind(PLAIN) else { panic!("not FLV") };
        assert_eq!((plain.path.as_str(), plain.query.as_str()), ("/live/demo.flv", "latency_ms=100"));
        assert!(plain.upgrade.is_none());
        let Some(Kind::Flv(socket)) = kind(SOCKET) else { panic!("not FLV") };
        assert!(socket.upgrade.unwrap().contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "RFC 6455 §1.3");
    }

    #[test]
    fn the_socket_of_a_room_is_recognised_and_nothing_that_only_looks_like_it() {
        let socket = |path: &str| {
            let text = String::from_utf8(SOCKET.to_vec()).unwrap().replace("/live/demo.flv", path);
            kind(text.as_bytes())
        };
        let Some(Kind::Room { room, .. }) = socket("/rooms/abcd-efgh/ws") else { panic!("no room") };
        assert_eq!(room.room, "abcd-efgh");
        assert!(room.upgrade.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        for other in ["/rooms//ws", "/rooms/a/b/ws", "/rooms/a/ws/", "/x/rooms/a/ws"] {
            assert!(matches!(socket(other), Some(Kind::Other { .. })), "{other}");
        }
        let plain = kind(b"GET /rooms/a/ws HTTP/1.1\r\n\r\n");
        assert!(matches!(plain, Some(Kind::Other { .. })), "a page, which is told what this address is for");
    }

    #[test]
    fn everything_else_goes_to_the_http_machinery() {
        for other in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"HEAD /live/demo.flv HTTP/1.1\r\n\r\n",
            b"GET http://x/live/demo.flv HTTP/1.1\r\n\r\n",
            b"GET /live/demo.flv/x HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(kind(other), Some(Kind::Other { head_bytes: other.len(), keeps: true }));
        }
        assert_eq!(kind(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(Kind::Http2));
    }

    #[test]
    fn a_connection_is_kept_only_where_the_request_surely_ends_with_its_head() {
        let keeps = |lines: &str| match kind(format!("GET / {lines}\r\n\r\nmore").as_bytes()) {
            Some(Kind::Other { keeps, .. }) => keeps,
            kind => panic!("{kind:?}"),
        };
        assert!(keeps("HTTP/1.1") && keeps("HTTP/1.1\r\nConnection: Keep-Alive"));
        for lines in [
            "HTTP/1.0",
            "HTTP/1.0\r\nConnection: keep-alive",
            "HTTP/1.1\r\nConnection: close",
            "HTTP/1.1\r\nConnection: keep-alive, close",
            "HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c",
            "HTTP/1.1\r\nContent-Length: 0",
            "HTTP/1.1\r\nTransfer-Encoding: chunked",
            "HTTP/1.1\r\nExpect: 100-continue",
        ] {
            assert!(!keeps(lines), "{lines}");
        }
    }

    #[tokio::test]
    async fn requests_that_come_together_are_read_one_by_one() {
        let patience = Duration::from_secs(5);
        let two = [&b"GET /healthz HTTP/1.1\r\n\r\n"[..], PLAIN].concat();
        let mut stream = &two[..];
        let Ok(First::Other(first)) = read(&mut stream, BytesMut::new(), patience).await else { panic!() };
        assert_eq!((&first.head[..], first.keeps), (&b"GET /healthz HTTP/1.1\r\n\r\n"[..], true));
        let second = read(&mut stream, first.rest, patience).await;
        assert!(matches!(second, Ok(First::Flv(flv)) if flv.query == "latency_ms=100"));
    }

    #[test]
    fn every_cut_of_a_head_waits_for_the_rest() {
        for head in [PLAIN, SOCKET, H2_PREFACE] {
            for cut in 1..head.len() {
                assert_eq!(kind(&head[..cut]), None, "cut at {cut}");
            }
            assert!(kind(head).is_some());
        }
    }

    #[tokio::test]
    async fn a_head_in_single_bytes_is_the_same_as_in_one_piece() {
        for size in [1, 2, 7, 4_096] {
            let (mut ours, mut theirs) = tokio::io::duplex(size);
            let send = async { tokio::io::AsyncWriteExt::write_all(&mut theirs, PLAIN).await };
            let (first, sent) = tokio::join!(read(&mut ours, BytesMut::new(), Duration::from_secs(5)), send);
            sent.unwrap();
            assert!(
                matches!(first, Ok(First::Flv(flv)) if flv.query == "latency_ms=100"),
                "pieces of {size}"
            );
        }
    }

    #[tokio::test]
    async fn an_endless_head_and_endless_lines_are_refused() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(2 * HEAD_BYTES_MAX));
        let many = format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(HEADERS_MAX + 2));
        for head in [long, many] {
            let refused = read(&mut head.as_bytes(), BytesMut::new(), Duration::from_secs(5)).await;
            let Err(Closed::With(problem)) = refused else { panic!("taken") };
            assert!(problem.to_http1().starts_with("HTTP/1.1 431 "));
        }
    }

    #[test]
    fn an_upgrade_without_what_it_needs_is_refused() {
        let missing_key = String::from_utf8(SOCKET.to_vec()).unwrap().replace("Sec-WebSocket-Key", "X-Key");
        assert!(matches!(parse(missing_key.as_bytes()), Err(Closed::Upgrade(wire::ws::UpgradeError::Key))));
        let old = String::from_utf8(SOCKET.to_vec()).unwrap().replace("Version: 13", "Version: 8");
        assert!(matches!(parse(old.as_bytes()), Err(Closed::Upgrade(wire::ws::UpgradeError::Version))));
    }
}
