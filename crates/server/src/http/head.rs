//! The head of a connection's first request, read before hyper sees it: `.flv` is recognised here, so that a
//! viewer costs a socket and no HTTP machinery.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::problem::Problem;

/// A request line with cookies and tokens of every kind fits; what is longer is an attack or a mistake.
pub(crate) const HEAD_BYTES_MAX: usize = 16 << 10;
/// Browsers send about twenty.
const HEADERS_MAX: usize = 64;
/// Most heads fit, and an idle connection holds no more.
const HEAD_BYTES_FIRST: usize = 1 << 10;
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
}

/// What the first request is.
#[derive(Debug)]
pub(crate) enum First {
    /// GET of `.flv`, plain or WebSocket.
    Flv(Flv),
    /// Anything else; the bytes read so far belong to it.
    Other(Bytes),
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

/// Reads the first head from `stream` within `patience`.
pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S, patience: Duration) -> Result<First, Closed> {
    let mut buffer = BytesMut::new();
    match tokio::time::timeout(patience, fill(stream, &mut buffer)).await {
        Ok(first) => first,
        Err(_) if buffer.is_empty() => Err(Closed::Silently),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request's head took too long").into()),
    }
}

async fn fill<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut BytesMut) -> Result<First, Closed> {
    loop {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(HEAD_BYTES_FIRST);
        }
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return Err(Closed::Silently),
            Ok(_) => {}
        }
        match parse(buffer)? {
            Some(Kind::Flv(flv)) => return Ok(First::Flv(flv)),
            Some(Kind::Other) => return Ok(First::Other(std::mem::take(buffer).freeze())),
            None if buffer.len() >= HEAD_BYTES_MAX => return Err(too_large()),
            None => {}
        }
    }
}

fn too_large() -> Closed {
    let detail = format!("the request's head is longer than {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} lines");
    Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).into()
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Flv(Flv),
    Other,
}

/// What a head is, once it is whole; `None` until then.
fn parse(bytes: &[u8]) -> Result<Option<Kind>, Closed> {
    if bytes.starts_with(H2_PREFACE) {
        return Ok(Some(Kind::Other));
    }
    if H2_PREFACE.starts_with(bytes) {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(too_large()),
        Err(_) => return Err(Problem::bad_request("this is no HTTP request").into()),
    }
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_flv = request.method == Some("GET") && path.starts_with('/') && path.ends_with(".flv");
    if !is_flv {
        return Ok(Some(Kind::Other));
    }
    let wants_upgrade = request.headers.iter().any(|header| header.name.eq_ignore_ascii_case("upgrade"));
    let upgrade = wants_upgrade.then(|| {
        wire::ws::upgrade(
            request.headers.iter().map(|header| (header.name, header.value)),
            super::flv::WS_HEADERS,
        )
    });
    let upgrade = upgrade.transpose().map_err(Closed::Upgrade)?;
    Ok(Some(Kind::Flv(Flv { path: path.to_owned(), query: query.to_owned(), upgrade })))
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
    fn everything_else_goes_to_the_http_machinery() {
        for other in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"HEAD /live/demo.flv HTTP/1.1\r\n\r\n",
            b"GET http://x/live/demo.flv HTTP/1.1\r\n\r\n",
            b"GET /live/demo.flv/x HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            assert_eq!(kind(other), Some(Kind::Other));
        }
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
            let (first, sent) = tokio::join!(read(&mut ours, Duration::from_secs(5)), send);
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
            let refused = read(&mut head.as_bytes(), Duration::from_secs(5)).await;
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
