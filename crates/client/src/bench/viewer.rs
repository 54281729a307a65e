//! One connection of the load generator: asks for the stream, walks over what comes without keeping it, and tells
//! from the stamps which frames came, which did not and how old they were.

use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use mio::net::TcpStream;
use wire::rtmp::client::{Event, Session};
use wire::rtmp::message::Kind;

use super::load::Tally;
use super::target::{Protocol, Target};
use crate::stamp::{self, Stamp};
use crate::unframe::{Chunked, Flv, HEAD_BYTES, Tag, Unframe, WebSocket};

/// A response head longer than this is refused.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// A viewer that is to stall stops reading after this many bytes, about half a second of stream.
const STALL_AFTER_BYTES: u64 = 64 << 10;
/// FLV's frame type and codec of an AVC keyframe and its NALU packet type (FLV 10.1 §E.4.3.1).
const AVC_KEY: u8 = 0x17;
const AVC_NALU: u8 = 1;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads everything.
    Watch,
    /// Reads a little and then nothing.
    Stall,
    /// Asks for a small answer, keeps the connection and asks nothing more.
    Idle,
}

/// One connection.
pub(super) struct Viewer {
    socket: TcpStream,
    role: Role,
    opened_micros: u64,
    out: Vec<u8>,
    stage: Stage,
    seen: Seen,
}

enum Stage {
    Head(Vec<u8>),
    Flv(Unframe, Flv),
    Rtmp(Box<Session>),
    /// An idle connection that has its answer, or a stalled one that reads no more.
    Quiet,
}

/// What a viewer has seen of the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) bytes: u64,
    pub(super) last: Option<u64>,
    joined: bool,
}

impl Viewer {
    /// `number` makes RTMP handshakes differ.
    pub(super) fn new(socket: TcpStream, role: Role, target: &Target, number: usize) -> Self {
        let (stage, out) = match target.rtmp_options() {
            Some(options) if role != Role::Idle => {
                let mut session = Box::new(Session::new(Instant::now(), options, number as u64));
                let hello = transmit(&mut session);
                (Stage::Rtmp(session), hello)
            }
            Some(_) | None => (Stage::Head(Vec::new()), target.request(role)),
        };
        Self { socket, role, opened_micros: stamp::now_micros(), out, stage, seen: Seen::default() }
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Whether the stream flows, or an idle connection has its answer.
    pub(super) fn settled(&self) -> bool {
        match self.role {
            Role::Watch => self.seen.last.is_some(),
            Role::Stall | Role::Idle => matches!(self.stage, Stage::Quiet),
        }
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The socket took bytes again, or the connection stands.
    pub(super) fn handle_writable(&mut self) -> anyhow::Result<()> {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if is_not_yet(&error) => break,
                Err(error) => return Err(error).context("asking for the stream"),
            }
        }
        Ok(())
    }

    /// Reads all there is through the shared `buffer`.
    pub(super) fn handle_readable(&mut self, buffer: &mut [u8], tally: &mut Tally) -> anyhow::Result<()> {
        while !(self.role == Role::Stall && matches!(self.stage, Stage::Quiet)) {
            let len = match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(len) => len,
                Err(error) if is_not_yet(&error) => return Ok(()),
                Err(error) => return Err(error).context("reading the stream"),
            };
            self.seen.bytes += len as u64;
            tally.bytes(len as u64);
            self.take(&buffer[..len], tally)?;
            // A short read means the socket is drained, so that no second call need find nothing (epoll(7)).
            if len < buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn take(&mut self, data: &[u8], tally: &mut Tally) -> anyhow::Result<()> {
        let Self { stage, seen, opened_micros, .. } = self;
        match stage {
            Stage::Head(_) => {
                if let Some(body) = self.take_head(data)? {
                    self.take(&body, tally)?;
                }
            }
            Stage::Flv(unframe, flv) => {
                let now = stamp::now_micros();
                let mut tag = |tag: Tag<'_>| {
                    if tag.kind == 9 {
                        seen.picture(tag.head, now, *opened_micros, tally);
                    }
                };
                unframe.feed(data, |payload| flv.feed(payload, &mut tag))?;
            }
            Stage::Rtmp(_) => self.take_rtmp(data, tally)?,
            Stage::Quiet => {}
        }
        if self.role == Role::Stall && self.seen.bytes >= STALL_AFTER_BYTES {
            self.stage = Stage::Quiet;
        }
        Ok(())
    }

    /// The body's first bytes once the head is whole.
    fn take_head(&mut self, data: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        let Stage::Head(head) = &mut self.stage else { return Ok(None) };
        head.extend_from_slice(data);
        let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else {
            ensure!(head.len() <= HEAD_BYTES_MAX, "the response head has more than {HEAD_BYTES_MAX} bytes");
            return Ok(None);
        };
        let body = head.split_off(end + 4);
        let unframe = read_head(head)?;
        self.stage = match self.role {
            Role::Watch | Role::Stall => Stage::Flv(unframe, Flv::default()),
            Role::Idle => Stage::Quiet,
        };
        Ok(Some(body))
    }

    fn take_rtmp(&mut self, data: &[u8], tally: &mut Tally) -> anyhow::Result<()> {
        let Stage::Rtmp(session) = &mut self.stage else { return Ok(()) };
        session.handle_input(Instant::now(), data)?;
        let now = stamp::now_micros();
        while let Some(event) = session.poll_event() {
            match event {
                Event::Media(media) if media.kind == Kind::Video => {
                    let head = &media.payload[..media.payload.len().min(HEAD_BYTES)];
                    self.seen.picture(head, now, self.opened_micros, tally);
                }
                Event::Media(_) | Event::Ready | Event::Status(_) | Event::StreamEof => {}
            }
        }
        let out = transmit(session);
        if !out.is_empty() {
            self.out.extend_from_slice(&out);
            self.handle_writable()?;
        }
        Ok(())
    }
}

/// All a session has to say.
pub(super) fn transmit(session: &mut Session) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(bytes) = session.poll_transmit() {
        out.extend_from_slice(&bytes);
    }
    out
}

impl Seen {
    /// A picture has wholly arrived; `body` is the beginning of its FLV tag body.
    pub(super) fn picture(&mut self, body: &[u8], now_micros: u64, opened_micros: u64, tally: &mut Tally) {
        let &[kind, packet, ..] = body else { return };
        if packet != AVC_NALU {
            return;
        }
        if kind == AVC_KEY && !std::mem::replace(&mut self.joined, true) {
            tally.joined(now_micros.saturating_sub(opened_micros));
        }
        let Some(stamp) = Stamp::find(body) else { return };
        let lost = self.last.map_or(0, |last| stamp.sequence.saturating_sub(last + 1));
        self.last = Some(self.last.map_or(stamp.sequence, |last| last.max(stamp.sequence)));
        tally.picture(Some(now_micros.saturating_sub(stamp.sent_micros)), stamp.sequence, lost);
    }
}

fn is_not_yet(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted)
}

/// What is around the body of this response.
fn read_head(head: &[u8]) -> anyhow::Result<Unframe> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(head).context("the response head is not HTTP/1.1")?;
    let chunked = response.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("transfer-encoding") && header.value.eq_ignore_ascii_case(b"chunked")
    });
    match response.code {
        Some(101) => Ok(Unframe::WebSocket(WebSocket::default())),
        Some(200) if chunked => Ok(Unframe::Chunked(Chunked::default())),
        Some(200) => Ok(Unframe::Identity),
        code => bail!("the server answers {} {}", code.unwrap_or(0), response.reason.unwrap_or_default()),
    }
}

impl Target {
    /// What a viewer writes first.
    fn request(&self, role: Role) -> Vec<u8> {
        let path = if role == Role::Idle { "/healthz" } else { &self.path };
        let upgrade = match self.protocol {
            // Any sixteen bytes do as key (RFC 6455 §4.1); these are the RFC's own example.
            Protocol::Ws if role != Role::Idle => {
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            }
            Protocol::Ws | Protocol::Flv | Protocol::Rtmp | Protocol::Whep => "",
        };
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: openmic-bench\r\n{upgrade}\r\n", self.host)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(sequence: u64) -> Vec<u8> {
        let mut body = vec![if sequence.is_multiple_of(3) { AVC_KEY } else { 0x27 }, AVC_NALU, 0, 0, 0];
        body.extend_from_slice(&Stamp { sent_micros: 1_000, sequence }.to_nal());
        body
    }

    #[test]
    fn a_gap_in_the_numbers_is_a_loss_and_what_came_before_joining_is_none() {
        let (mut seen, mut tally) = (Seen::default(), Tally::default());
        tally.open();
        for sequence in [3, 4, 5, 8, 9] {
            seen.picture(&picture(sequence), 3_000, 500, &mut tally);
        }
        assert_eq!((tally.frames, tally.lost, seen.last), (5, 2, Some(9)));
        assert_eq!(tally.latency.percentile(0.5), Some(2_000));
        assert_eq!((tally.joins.count(), tally.joins.percentile(0.5)), (1, Some(2_500)));
    }

    #[test]
    fn parameters_are_no_picture() {
        let (mut seen, mut tally) = (Seen::default(), Tally::default());
        tally.open();
        seen.picture(&[AVC_KEY, 0, 0, 0, 0], 0, 0, &mut tally);
        assert_eq!((tally.frames, tally.joins.count()), (0, 0));
    }

    #[test]
    fn the_response_head_says_what_is_around_the_body() {
        assert!(matches!(read_head(b"HTTP/1.1 200 OK\r\n\r\n"), Ok(Unframe::Identity)));
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n";
        assert!(matches!(read_head(chunked), Ok(Unframe::Chunked(_))));
        let upgraded = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
        assert!(matches!(read_head(upgraded), Ok(Unframe::WebSocket(_))));
        let refused = read_head(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err();
        assert_eq!(refused.to_string(), "the server answers 404 Not Found");
    }
}
