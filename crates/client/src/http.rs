//! As much HTTP/1.1 client as reading streams and playlists and opening sessions needs: one request a connection
//! (RFC 9112), and the upgrade to WebSocket (RFC 6455 §4.1).

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::ws;

use crate::net::{self, Stream};
use crate::unframe::{self, Chunked, Unframe, WebSocket};
use crate::url::{Scheme, Url};

/// A response head longer than this is refused.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// A body that is read whole is at most this long: a long HLS segment at a high rate.
const BODY_BYTES_MAX: usize = 256 << 20;
/// An answer to what was posted: a session's description is a few kilobytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
const READ_BYTES: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
/// An empty, masked pong (RFC 6455 §5.5.3); the mask of nothing may be zero.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// A response whose body has still to come.
pub struct Response {
    stream: Box<dyn Stream>,
    unframe: Unframe,
    /// Bytes of the body that came with the head.
    first: Vec<u8>,
    /// Body bytes still to come where the server says how many.
    left: Option<u64>,
    buffer: Vec<u8>,
    /// Where the server sends us instead.
    location: Option<String>,
}

/// Asks for `url` and reads the head. Answers other than 200, 101 or one redirect are errors.
pub async fn get(url: &Url, insecure: bool) -> anyhow::Result<Response> {
    let response = get_once(url, insecure).await?;
    match &response.location {
        None => Ok(response),
        Some(location) => {
            let next = get_once(&url.join(location)?, insecure).await?;
            ensure!(next.location.is_none(), "{url} is redirected more than once");
            Ok(next)
        }
    }
}

/// What a server answers to a request with a body.
#[derive(Debug)]
pub struct Answer {
    /// The body.
    pub body: Vec<u8>,
    /// Where it put what was made.
    pub location: Option<String>,
}

/// How the server is to be met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The token that lets us in.
    pub bearer: Option<&'a str>,
    /// Accept any TLS certificate.
    pub insecure: bool,
}

impl Caller<'_> {
    fn line(&self) -> String {
        self.bearer.map_or_else(String::new, |bearer| format!("Authorization: Bearer {bearer}\r\n"))
    }
}

/// Posts `body`. Answers other than 200 and 201 are errors that quote what the server says.
pub async fn post(url: &Url, content_type: &str, body: &[u8], caller: Caller<'_>) -> anyhow::Result<Answer> {
    let (method, length) = ("POST", body.len());
    let line = caller.line();
    let more = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n{line}");
    let (head, body) = exchange(url, Request { method, more, body }, caller.insecure).await?;
    let said = String::from_utf8_lossy(&body);
    ensure!(
        matches!(head.status, 200 | 201),
        "{url}: the server answers {} {} {}",
        head.status,
        head.reason,
        said.trim()
    );
    Ok(Answer { body, location: head.location })
}

/// Deletes what is there.
pub async fn delete(url: &Url, caller: Caller<'_>) -> anyhow::Result<()> {
    let request = Request { method: "DELETE", more: caller.line(), body: b"" };
    let (head, _) = exchange(url, request, caller.insecure).await?;
    ensure!((200..300).contains(&head.status), "{url}: the server answers {} {}", head.status, head.reason);
    Ok(())
}

/// A request other than GET.
struct Request<'a> {
    method: &'static str,
    /// Header lines of its own.
    more: String,
    body: &'a [u8],
}

/// Sends a request and reads the whole answer.
async fn exchange(url: &Url, request: Request<'_>, insecure: bool) -> anyhow::Result<(Head, Vec<u8>)> {
    let Request { method, more, body } = request;
    let mut stream = net::connect(url, insecure).await?;
    let (target, host) = (url.target(), url.authority());
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: openmic\r\n{more}Connection: close\r\n\r\n"
    );
    stream.write_all(&[request.as_bytes(), body].concat()).await?;
    stream.flush().await?;
    let (head, first) = read_head(&mut stream).await.with_context(|| format!("the answer of {url}"))?;
    let head = Head::parse(&head).with_context(|| format!("the answer of {url}"))?;
    let unframe = if head.chunked { Unframe::Chunked(Chunked::default()) } else { Unframe::Identity };
    let left = if head.chunked { None } else { head.length };
    let buffer = vec![0; READ_BYTES];
    let mut response = Response { stream, unframe, first, left, buffer, location: None };
    let mut whole = Vec::new();
    while response.read(|bytes| whole.extend_from_slice(bytes)).await? {
        ensure!(whole.len() <= ANSWER_BYTES_MAX, "{url} answers more than {ANSWER_BYTES_MAX} bytes");
    }
    Ok((head, whole))
}

/// The whole body.
pub async fn get_all(url: &Url, insecure: bool) -> anyhow::Result<Vec<u8>> {
    let mut response = get(url, insecure).await?;
    let mut body = Vec::new();
    while response.read(|bytes| body.extend_from_slice(bytes)).await? {
        ensure!(body.len() <= BODY_BYTES_MAX, "{url} has more than {BODY_BYTES_MAX} bytes");
    }
    ensure!(response.left.is_none_or(|left| left == 0), "{url} ends before its length");
    Ok(body)
}

async fn get_once(url: &Url, insecure: bool) -> anyhow::Result<Response> {
    let mut stream = net::connect(url, insecure).await?;
    let websocket = matches!(url.scheme, Scheme::Ws | Scheme::Wss);
    let key = ws::request_key(u128::from(crate::stamp::now_micros()) << 64 | u128::from(std::process::id()));
    let more = match websocket {
        true => format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        ),
        false => "Connection: close\r\n".to_owned(),
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: openmic\r\nAccept: */*\r\n{more}\r\n",
        url.target(),
        url.authority()
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let (head, first) = read_head(&mut stream).await.with_context(|| format!("the answer of {url}"))?;
    let head = Head::parse(&head).with_context(|| format!("the answer of {url}"))?;
    let unframe = match head.status {
        101 if websocket => {
            let wanted = ws::accept_key(key.as_bytes());
            ensure!(
                head.accept.as_deref() == Some(&*wanted),
                "{url}: the WebSocket answer is for another key"
            );
            Unframe::WebSocket(WebSocket::default())
        }
        200 if !websocket && head.chunked => Unframe::Chunked(Chunked::default()),
        200 if !websocket => Unframe::Identity,
        301 | 302 | 307 | 308 if head.location.is_some() => Unframe::Identity,
        status => bail!("{url}: the server answers {status} {}", head.reason),
    };
    let left = if head.chunked || websocket { None } else { head.length };
    let location = head.location.filter(|_| head.status >= 300);
    Ok(Response { stream, unframe, first, left, buffer: vec![0; READ_BYTES], location })
}

async fn read_head(stream: &mut Box<dyn Stream>) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let len = stream.read_buf(&mut head).await?;
        ensure!(len > 0, "the connection ends within the response head");
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            let first = head.split_off(end + 4);
            return Ok((head, first));
        }
        ensure!(head.len() <= HEAD_BYTES_MAX, "the response head has more than {HEAD_BYTES_MAX} bytes");
    }
}

impl Response {
    /// Gives `sink` the next bytes of the body; `false` at its end.
    pub async fn read(&mut self, mut sink: impl FnMut(&[u8])) -> anyhow::Result<bool> {
        if self.ended() {
            return Ok(false);
        }
        let first = std::mem::take(&mut self.first);
        let data = if first.is_empty() {
            let len = self.stream.read(&mut self.buffer).await.context("reading the body")?;
            &self.buffer[..len]
        } else {
            &first[..]
        };
        if data.is_empty() {
            return Ok(false);
        }
        let data = &data[..data.len().min(self.left.map_or(usize::MAX, |left| left as usize))];
        self.left = self.left.map(|left| left - data.len() as u64);
        self.unframe.feed(data, |bytes| {
            sink(bytes);
            Ok::<(), unframe::Error>(())
        })?;
        if let Unframe::WebSocket(websocket) = &mut self.unframe
            && websocket.take_pings() > 0
        {
            self.stream.write_all(&PONG).await?;
            self.stream.flush().await?;
        }
        Ok(true)
    }

    fn ended(&self) -> bool {
        match &self.unframe {
            Unframe::Identity => self.left == Some(0),
            Unframe::Chunked(chunked) => chunked.ended(),
            Unframe::WebSocket(websocket) => websocket.closed(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Head {
    status: u16,
    reason: String,
    chunked: bool,
    length: Option<u64>,
    location: Option<String>,
    accept: Option<String>,
}

impl Head {
    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(bytes).context("it is not HTTP/1.1")?;
        let mut head = Self {
            status: response.code.unwrap_or(0),
            reason: response.reason.unwrap_or_default().to_owned(),
            ..Self::default()
        };
        for header in response.headers.iter() {
            let value = String::from_utf8_lossy(header.value).trim().to_owned();
            match header.name.to_ascii_lowercase().as_str() {
                "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
                "content-length" => {
                    head.length = Some(value.parse().context("its Content-Length is no number")?)
                }
                "location" => head.location = Some(value),
                "sec-websocket-accept" => head.accept = Some(value),
                _ => {}
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn body_of(answer: &'static [u8]) -> anyhow::Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            let len = socket.read(&mut request).await.unwrap();
            assert!(request[..len].starts_with(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:"));
            socket.write_all(answer).await.unwrap();
        };
        tokio::join!(serve, get_all(&url, false)).1
    }

    #[tokio::test]
    async fn a_body_ends_by_its_length_by_its_last_chunk_or_with_the_connection() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            assert_eq!(body_of(answer).await.unwrap(), b"hello");
        }
    }

    #[tokio::test]
    async fn a_refusal_and_a_cut_body_are_errors_that_say_so() {
        let refused = body_of(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap_err();
        assert!(refused.to_string().ends_with("/x: the server answers 404 Not Found"), "{refused}");
        let cut = body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello").await.unwrap_err();
        assert!(cut.to_string().ends_with("ends before its length"), "{cut}");
    }
}
