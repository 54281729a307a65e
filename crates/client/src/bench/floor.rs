//! The floor: the least a server can do. One thread, one shared buffer, one `send` a viewer a frame, or one for all
//! frames within a merge budget. No protocol on the way in: it makes the synthetic stream itself.
//!
//! What a server costs is told as a multiple of this, measured in the same run.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::source::{Shape, Source, Unit};
use crate::stamp;

const LISTENER: Token = Token(usize::MAX);
/// A request head longer than this is no player's.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// A viewer this far behind is closed; the floor has no other policy.
const BACKLOG_BYTES_MAX: usize = 8 << 20;
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n";

/// The floor, ready to be turned.
pub struct Floor {
    poll: Poll,
    listener: TcpListener,
    viewers: Vec<Option<Viewer>>,
    source: Source,
    started: Instant,
    merge: Duration,
    /// Tags not yet sent, since when the first of them waits, and where the newest keyframe among them begins.
    shared: Vec<u8>,
    waiting_since: Option<Instant>,
    key_at: Option<usize>,
    body: Vec<u8>,
}

struct Viewer {
    socket: TcpStream,
    stage: Stage,
    /// What the kernel did not take.
    backlog: Vec<u8>,
}

enum Stage {
    Request(Vec<u8>),
    WaitsForKeyframe,
    Live,
}

impl Floor {
    /// Listens on loopback, on a port of the kernel's choice.
    pub fn bind(shape: Shape, merge: Duration) -> anyhow::Result<Self> {
        let poll = Poll::new().context("epoll for the floor")?;
        let mut listener =
            TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).context("the floor's listener")?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            viewers: Vec::new(),
            source: Source::new(shape),
            started: Instant::now(),
            merge,
            shared: Vec::new(),
            waiting_since: None,
            key_at: None,
            body: Vec::new(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Runs until the process ends.
    pub fn run(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            self.turn(&mut events)?;
        }
    }

    /// Waits until something is due or a socket is ready, and does it.
    pub fn turn(&mut self, events: &mut Events) -> anyhow::Result<()> {
        let frame_at = self.started + self.source.due();
        let wake = self.waiting_since.map_or(frame_at, |since| frame_at.min(since + self.merge));
        match self.poll.poll(events, Some(wake.saturating_duration_since(Instant::now()))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        for event in events.iter() {
            match event.token() {
                LISTENER => self.accept(),
                Token(at) => self.ready(at, event.is_readable()),
            }
        }
        self.tick(Instant::now());
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        // Late by more than one frame: everything due goes out in one write.
        while self.started + self.source.due() <= now {
            self.take_frame(now);
        }
        if self.waiting_since.is_some_and(|since| now >= since + self.merge) {
            self.flush();
        }
    }

    fn take_frame(&mut self, now: Instant) {
        self.body.clear();
        let unit = self.source.next(stamp::now_micros(), &mut self.body);
        if unit.kind == 9 && unit.key {
            self.key_at = Some(self.shared.len());
        }
        put_tag(unit, &self.body, &mut self.shared);
        self.waiting_since.get_or_insert(now);
    }

    fn flush(&mut self) {
        let opening = self.key_at.map(|at| {
            let mut bytes = RESPONSE.to_vec();
            bytes.extend_from_slice(&file_header(&self.source));
            bytes.extend_from_slice(&self.shared[at..]);
            bytes
        });
        for slot in &mut self.viewers {
            let Some(viewer) = slot else { continue };
            let sent = match (&viewer.stage, &opening) {
                (Stage::Live, _) => viewer.send(&self.shared),
                (Stage::WaitsForKeyframe, Some(opening)) => {
                    viewer.stage = Stage::Live;
                    viewer.send(opening)
                }
                (Stage::WaitsForKeyframe, None) | (Stage::Request(_), _) => Ok(()),
            };
            if sent.is_err() {
                *slot = None;
            }
        }
        self.shared.clear();
        self.waiting_since = None;
        self.key_at = None;
    }

    fn accept(&mut self) {
        while let Ok((mut socket, _)) = self.listener.accept() {
            let at = self.viewers.iter().position(Option::is_none).unwrap_or(self.viewers.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            let ready = socket
                .set_nodelay(true)
                .and_then(|()| self.poll.registry().register(&mut socket, Token(at), interest));
            if ready.is_err() {
                continue;
            }
            let viewer = Viewer { socket, stage: Stage::Request(Vec::new()), backlog: Vec::new() };
            match self.viewers.get_mut(at) {
                Some(slot) => *slot = Some(viewer),
                None => self.viewers.push(Some(viewer)),
            }
        }
    }

    fn ready(&mut self, at: usize, readable: bool) {
        let Some(slot) = self.viewers.get_mut(at) else { return };
        let Some(viewer) = slot else { return };
        let read = if readable { viewer.read() } else { Ok(()) };
        if read.and_then(|()| viewer.send(&[])).is_err() {
            *slot = None;
        }
    }
}

impl Viewer {
    fn read(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; 2_048];
        loop {
            let len = match self.socket.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let Stage::Request(head) = &mut self.stage else { continue };
            head.extend_from_slice(&buffer[..len]);
            if head.len() > REQUEST_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            if head.ends_with(b"\r\n\r\n") {
                self.stage = Stage::WaitsForKeyframe;
            }
        }
    }

    /// What was left over first, then `bytes`; keeps what the kernel does not take.
    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if !self.backlog.is_empty() {
            let written = write(&mut self.socket, &self.backlog)?;
            self.backlog.drain(..written);
        }
        let written =
            if self.backlog.is_empty() && !bytes.is_empty() { write(&mut self.socket, bytes)? } else { 0 };
        self.backlog.extend_from_slice(&bytes[written..]);
        if self.backlog.len() > BACKLOG_BYTES_MAX {
            return Err(ErrorKind::OutOfMemory.into());
        }
        if self.backlog.is_empty() {
            self.backlog = Vec::new();
        }
        Ok(())
    }
}

fn write(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<usize> {
    match socket.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

fn file_header(source: &Source) -> Vec<u8> {
    let mut bytes = vec![b'F', b'L', b'V', 1, if source.audio() { 5 } else { 1 }, 0, 0, 0, 9, 0, 0, 0, 0];
    for (kind, body) in source.parameters() {
        put_tag(Unit { kind, dts_ms: 0, key: true }, &body, &mut bytes);
    }
    bytes
}

/// FLV 10.1 §E.4.1: header, body, size of both. Not `wire`'s writer: the floor must not rest on what is measured.
fn put_tag(unit: Unit, body: &[u8], out: &mut Vec<u8>) {
    let [_, s0, s1, s2] = (body.len() as u32).to_be_bytes();
    let [t3, t0, t1, t2] = unit.dts_ms.to_be_bytes();
    out.extend_from_slice(&[unit.kind, s0, s1, s2, t0, t1, t2, t3, 0, 0, 0]);
    out.extend_from_slice(body);
    out.extend_from_slice(&(body.len() as u32 + 11).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unframe::Flv;

    #[test]
    fn a_tag_is_what_the_walker_reads() {
        let mut bytes = file_header(&Source::new(Shape { audio: true, ..Shape::default() }));
        put_tag(Unit { kind: 9, dts_ms: 0x0123_4567, key: true }, b"picture", &mut bytes);
        let mut found = vec![];
        Flv::default().feed(&bytes, |tag| found.push((tag.kind, tag.timestamp_ms, tag.len))).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].0, found[1].0, found[2]), (9, 8, (9, 0x0123_4567, 7)));
    }

    #[test]
    fn a_viewer_gets_the_parameters_and_then_whole_frames_from_a_keyframe_on() {
        let shape = Shape { group: Duration::from_millis(100), ..Shape::default() };
        for merge_ms in [0, 70] {
            let mut floor = Floor::bind(shape, Duration::from_millis(merge_ms)).unwrap();
            let mut viewer = std::net::TcpStream::connect(floor.address().unwrap()).unwrap();
            viewer.write_all(b"GET /live/x.flv HTTP/1.1\r\n\r\n").unwrap();
            viewer.set_nonblocking(true).unwrap();
            let mut events = Events::with_capacity(8);
            let (mut got, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
            let mut tags = Vec::new();
            while tags.len() < 8 {
                floor.turn(&mut events).unwrap();
                while let Ok(len) = viewer.read(&mut buffer) {
                    got.extend_from_slice(&buffer[..len]);
                }
                let Some(body) = got.strip_prefix(RESPONSE) else { continue };
                tags.clear();
                Flv::default().feed(body, |tag| tags.push(stamp::Stamp::find(tag.head))).unwrap();
            }
            assert_eq!(tags[0], None, "parameters come first");
            let numbers: Vec<u64> = tags[1..].iter().map(|stamp| stamp.unwrap().sequence).collect();
            assert_eq!(numbers[0] % 3, 0, "joins at a keyframe: groups have three pictures");
            assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        }
    }
}
