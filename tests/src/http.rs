//! An HTTP/1.1 client whose every byte a test decides: nothing is followed, repaired or retried.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rtmp::PATIENCE;
use crate::tls::{BoxedStream, Stream};

/// What the server said to one request.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and header lines, without the empty line.
    pub head: String,
    /// The body with its chunks joined; empty for HEAD.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, which must not stand there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} stands twice in {}", self.head);
        value
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// A problem document's advice (RFC 9457 §3.1.4).
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let document = self.json();
        assert_eq!(document["status"], self.status, "{document}");
        document["detail"].as_str().expect("a problem says what to do").to_owned()
    }
}

/// One connection.
pub struct Connection {
    stream: BoxedStream,
    /// What the `Host` header says.
    host: String,
    read: Vec<u8>,
}

impl Connection {
    /// Connects and says nothing.
    pub async fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.expect("the server listens");
        Self::over(stream, &server.to_string())
    }

    /// Over a stream that stands already, TLS for one.
    pub fn over(stream: impl Stream + 'static, host: &str) -> Self {
        Self { stream: Box::new(stream), host: host.to_owned(), read: Vec::new() }
    }

    /// Sends; `false` once the server has closed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the server reads or closes").is_ok()
    }

    /// Asks on this connection, which goes on afterwards.
    pub async fn request(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head).await;
        self.answer(method == "HEAD").await.unwrap_or_else(|| panic!("{method} {target} got no answer"))
    }

    /// The next answer, whole; `None` if the server closed instead.
    pub async fn answer(&mut self, to_head: bool) -> Option<Answer> {
        let mut answer = self.head().await?;
        if to_head || matches!(answer.status, 101 | 204 | 304) {
            return Some(answer);
        }
        let length = answer.header("content-length").map(|length| length.parse().expect("a length"));
        if let Some(length) = length {
            answer.body = self.exactly(length).await.expect("a whole body");
        } else if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        } else {
            answer.body = self.rest().await;
        }
        Some(answer)
    }

    /// The head of the next answer; the body is still to be read.
    pub async fn head(&mut self) -> Option<Answer> {
        let end = loop {
            match self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None if self.fill().await => {}
                None if self.read.is_empty() => return None,
                None => panic!("half a head: {:?}", String::from_utf8_lossy(&self.read)),
            }
        };
        let head: Vec<u8> = self.read.drain(..end + 4).take(end).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Some(Answer { status, head, body: Vec::new() })
    }

    /// The next chunk of a chunked body (RFC 9112 §7.1), or `None` at its end.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            match self.read.windows(2).position(|two| two == b"\r\n") {
                Some(end) => break end,
                None => assert!(self.fill().await, "a chunk's length is cut off"),
            }
        };
        let line = self.exactly(end + 2).await?;
        let line = std::str::from_utf8(&line).expect("a length is text");
        let length = usize::from_str_radix(line.trim(), 16).expect("a length is hexadecimal");
        let mut chunk = self.exactly(length + 2).await.expect("a whole chunk");
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// The next `count` bytes, or `None` if the server closes before.
    pub async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.read.drain(..count).collect())
    }

    /// Everything until the server closes, which it must within the test's patience.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    /// Reads once; `false` when the server has closed.
    async fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let Ok(read @ 1..) = read.expect("the server sends or closes") else { return false };
        self.read.extend(&buffer[..read]);
        true
    }
}

/// Asks once, on a connection of its own.
pub async fn request(server: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    Connection::open(server).await.request(method, target, headers).await
}

/// Sends a body, on a connection of its own.
pub async fn send(
    server: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let length = body.len().to_string();
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    let own = [("Host", server.to_string()), ("Content-Length", length)];
    for (name, value) in own.iter().filter(|(own, _)| !headers.iter().any(|(name, _)| name == own)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut connection = Connection::open(server).await;
    connection.send(head).await;
    connection.send(body).await;
    connection.answer(false).await.unwrap_or_else(|| panic!("{method} {target} got no answer"))
}

/// GET without anything special.
pub async fn get(server: SocketAddr, target: &str) -> Answer {
    request(server, "GET", target, &[]).await
}
