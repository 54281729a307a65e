//! An RTMP client whose every step a test decides, and a viewer of HTTP-FLV.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wire::flv::TagKind;
use wire::flv::file::{Reader, Tag};
use wire::rtmp::client::{Error, Event, Options, Purpose, Session};
use wire::rtmp::message::Kind;

use crate::tls::{BoxedStream, Stream};

/// Tests wait for events, never for time; this is when they give up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The tags of a recording.
pub fn tags(recording: &[u8]) -> Vec<Tag> {
    let mut reader = Reader::new();
    reader.handle_input(recording);
    std::iter::from_fn(|| reader.poll_tag().expect("a well-formed recording")).collect()
}

/// A coded frame as against parameters and script data.
pub fn is_frame(tag: &Tag) -> bool {
    let enhanced = tag.kind == TagKind::Video && tag.body.first().is_some_and(|byte| byte & 0x80 != 0)
        || tag.kind == TagKind::Audio && tag.body.first().is_some_and(|byte| byte >> 4 == 9);
    match tag.kind {
        TagKind::Script => false,
        // PacketTypeCodedFrames and CodedFramesX (E-RTMP v2).
        _ if enhanced => matches!(tag.body[0] & 0x0F, 1 | 3),
        // G.711 has no parameters.
        TagKind::Audio if tag.body.first().is_some_and(|byte| matches!(byte >> 4, 7 | 8)) => true,
        TagKind::Audio | TagKind::Video => tag.body.get(1) == Some(&1),
    }
}

/// One RTMP connection.
pub struct Peer {
    stream: BoxedStream,
    session: Session,
}

impl Peer {
    /// Connects and asks to publish or play `path`, without waiting for the answer.
    pub async fn ask(server: SocketAddr, purpose: Purpose, path: &str) -> Self {
        let options = Options::for_url(purpose, &format!("rtmp://{server}/{path}")).expect("app and stream");
        Self::with_options(server, options).await
    }

    /// Connects with options of the test's own.
    pub async fn with_options(server: SocketAddr, options: Options) -> Self {
        let stream = TcpStream::connect(server).await.expect("the server listens");
        Self::over(stream, options).await
    }

    /// Over a stream that stands already, TLS for one.
    pub async fn over(stream: impl Stream + 'static, options: Options) -> Self {
        let session = Session::new(Instant::now(), options, 1);
        let mut peer = Self { stream: Box::new(stream), session };
        peer.flush().await;
        peer
    }

    /// Publishes `path`; the server must agree.
    pub async fn publish(server: SocketAddr, path: &str) -> Self {
        let mut peer = Self::ask(server, Purpose::Publish, path).await;
        assert_eq!(peer.event().await, Some(Event::Ready));
        peer
    }

    /// The next event, a refusal among them, or `None` when the server closed the connection or broke the protocol.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Some(event);
            }
            let mut buffer = [0; 16 << 10];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("the server answers");
            match read {
                Ok(read) if read > 0 => match self.session.handle_input(Instant::now(), &buffer[..read]) {
                    Ok(()) => {}
                    Err(Error::Refused(status)) => return Some(Event::Status(status)),
                    Err(_) => return None,
                },
                Ok(_) | Err(_) => return None,
            }
            self.flush().await;
        }
    }

    /// Sends a tag of a recording.
    pub async fn send(&mut self, tag: &Tag) {
        let kind = match tag.kind {
            TagKind::Audio => Kind::Audio,
            TagKind::Video => Kind::Video,
            TagKind::Script => Kind::Data,
        };
        self.session.send_media(kind, tag.timestamp_ms, &tag.body).expect("a tag fits a message");
        self.flush().await;
    }

    /// Ends the broadcast on purpose.
    pub async fn finish(mut self) {
        self.session.finish();
        self.flush().await;
    }

    async fn flush(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            // A server that has closed is seen by the next read.
            let _ = self.stream.write_all(&bytes).await;
            let _ = self.stream.flush().await;
        }
    }
}

/// An HTTP-FLV viewer.
pub struct Viewer {
    stream: BoxedStream,
    reader: Reader,
    /// The head of the response, without the empty line.
    pub head: String,
}

impl Viewer {
    /// Asks for `/{path}.flv` and reads the head of the response.
    pub async fn watch(server: SocketAddr, path: &str) -> Self {
        Self::watch_target(server, &format!("/{path}.flv")).await
    }

    /// Asks for an address with a query of the test's own.
    pub async fn watch_target(server: SocketAddr, target: &str) -> Self {
        let stream = TcpStream::connect(server).await.expect("the server listens");
        Self::over(stream, &server.to_string(), target).await
    }

    /// Over a stream that stands already, TLS for one.
    pub async fn over(stream: impl Stream + 'static, host: &str, target: &str) -> Self {
        let mut stream: BoxedStream = Box::new(stream);
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request goes out");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, stream.read_u8()).await.expect("the server answers");
            head.push(byte.expect("a whole head"));
        }
        Self { stream, reader: Reader::new(), head: String::from_utf8(head).expect("a head is text") }
    }

    /// The next tag, or `None` at the end.
    pub async fn tag(&mut self) -> Option<Tag> {
        loop {
            if let Some(tag) = self.reader.poll_tag().expect("well-formed FLV") {
                return Some(tag);
            }
            let mut buffer = vec![0; 64 << 10];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("something comes");
            match read {
                Ok(read) if read > 0 => self.reader.handle_input(&buffer[..read]),
                Ok(_) | Err(_) => return None,
            }
        }
    }

    /// The next coded frame, or `None` at the end.
    pub async fn frame(&mut self) -> Option<Tag> {
        loop {
            let tag = self.tag().await?;
            if is_frame(&tag) {
                return Some(tag);
            }
        }
    }
}
