//! The client's end: connects to a server and publishes or plays one stream.
//!
//! Used by `openmic push` and `play`, by the load generator and for pushes to other servers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::chunk::{self, TooLong};
use super::command::{Command, Status, code};
use super::handshake::{self, Progress};
use super::limits::{ACK_WINDOW, CHUNK_BYTES_OUT};
use super::link::{Incoming, Link};
use super::message::{Control, Kind, MEDIA_STREAM, Media};
use crate::amf0::Value;

pub use super::link::Error;

/// What to do at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Send media.
    Publish,
    /// Receive media.
    Play,
}

/// Where to and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Publish or play.
    pub purpose: Purpose,
    /// `app` of `connect`.
    pub app: String,
    /// Stream name, with its query.
    pub stream: String,
    /// `tcUrl`: the address up to the app.
    pub tc_url: String,
    /// The software's name as servers log it.
    pub flash_ver: String,
    /// Sign the handshake, which some CDNs want for H.264.
    pub digest: bool,
    /// The chunk size of what we send.
    pub chunk_size: u32,
    /// E-RTMP codecs; none are mentioned if empty.
    pub fourccs: Vec<String>,
    /// The buffer a player announces.
    pub buffer_ms: u32,
    /// From the start to the server's consent.
    pub set_up_max: Duration,
    /// Silence of the server after which it counts as gone, while playing.
    pub idle_max: Duration,
}

impl Options {
    /// For an address `rtmp[s]://host[:port]/app/stream[?query]`, where the app may have slashes: the last segment is
    /// the stream. `None` if there are not two segments.
    pub fn for_url(purpose: Purpose, url: &str) -> Option<Options> {
        let (address, query) =
            url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
        let (scheme, rest) = address.split_once("://")?;
        if !matches!(scheme, "rtmp" | "rtmps") {
            return None;
        }
        let (host, path) = rest.split_once('/')?;
        let (app, stream) = path.trim_matches('/').rsplit_once('/')?;
        if host.is_empty() || app.is_empty() || stream.is_empty() {
            return None;
        }
        Some(Options {
            purpose,
            app: app.to_owned(),
            stream: query.map_or_else(|| stream.to_owned(), |query| format!("{stream}?{query}")),
            tc_url: format!("{scheme}://{host}/{app}"),
            flash_ver: "FMLE/3.0 (compatible; openmic)".to_owned(),
            digest: true,
            chunk_size: CHUNK_BYTES_OUT,
            fourccs: Vec::new(),
            buffer_ms: 1_000,
            set_up_max: Duration::from_secs(15),
            idle_max: Duration::from_secs(60),
        })
    }
}

/// What the server did.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The server agreed: send media, or expect it.
    Ready,
    /// While playing.
    Media(Media),
    /// Any later `onStatus`, such as `NetStream.Play.UnpublishNotify`.
    Status(Status),
    /// The server says that the stream has no more data. It may begin again.
    StreamEof,
}

/// A connection to a server.
#[derive(Debug)]
pub struct Session {
    options: Options,
    handshake: Option<Box<handshake::Client>>,
    link: Link,
    events: VecDeque<Event>,
    state: State,
    started: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    CreatingStream,
    Asked,
    Ready,
}

const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 4.0;
const ASK: f64 = 5.0;

/// Silence after which we ping.
const PING_AFTER: Duration = Duration::from_secs(10);

impl Session {
    /// The first bytes wait in [`Session::poll_transmit`]. `seed` fills the handshake.
    pub fn new(now: Instant, options: Options, seed: u64) -> Self {
        let mut handshake = Box::new(handshake::Client::new(seed, options.digest));
        let mut link = Link::new(now);
        link.output_mut().extend_from_slice(&handshake.hello());
        Self {
            options,
            handshake: Some(handshake),
            link,
            events: VecDeque::new(),
            state: State::Connecting,
            started: now,
        }
    }

    /// Bytes from the server.
    pub fn handle_input(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        self.link.touch(now);
        let mut input = data;
        if let Some(handshake) = &mut self.handshake {
            if handshake.handle_input(&mut input, self.link.output_mut())? == Progress::More {
                return Ok(());
            }
            self.handshake = None;
            self.send_connect();
        }
        while let Some(incoming) = self.link.read(&mut input)? {
            match incoming {
                Incoming::Media(media) => self.handle_media(media),
                Incoming::Aggregate(media) => media.into_iter().for_each(|media| self.handle_media(media)),
                Incoming::Command(command) => self.handle_command(&command)?,
                Incoming::Control(Control::StreamEof(_)) => self.events.push_back(Event::StreamEof),
                Incoming::Control(_) => {}
            }
        }
        Ok(())
    }

    /// The clock reached [`Session::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        match self.state {
            State::Ready => self.link.handle_timeout(now, PING_AFTER, self.options.idle_max),
            _ if now >= self.poll_timeout() => Err(Error::SetUpTimeout(self.options.set_up_max)),
            _ => Ok(()),
        }
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.link.poll_transmit()
    }

    /// When [`Session::handle_timeout`] is due. It moves with input, so ask again after each.
    pub fn poll_timeout(&self) -> Instant {
        match self.state {
            State::Ready => self.link.poll_timeout(PING_AFTER, self.options.idle_max),
            State::Connecting | State::CreatingStream | State::Asked => {
                self.started + self.options.set_up_max
            }
        }
    }

    /// Whether media may be sent, or is coming.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Queues a media message; before [`Event::Ready`] nothing is sent. A caller with many connections rather writes
    /// the message once by [`chunk::message_into`], with [`Session::chunk_size`], and sends the same bytes on each.
    pub fn send_media(&mut self, kind: Kind, timestamp_ms: u32, payload: &[u8]) -> Result<(), TooLong> {
        if self.state != State::Ready {
            return Ok(());
        }
        let chunk_size = self.chunk_size();
        chunk::message_into(self.link.output_mut(), &kind.header(timestamp_ms), &[payload], chunk_size)
    }

    /// The chunk size of what we send, once ready.
    pub const fn chunk_size(&self) -> u32 {
        self.link.chunk_size_out()
    }

    /// Ends on purpose: the server learns that no reconnection follows. Then send what waits and close.
    pub fn finish(&mut self) {
        if self.state == State::Ready && self.options.purpose == Purpose::Publish {
            let stream = self.options.stream.as_str().into();
            self.link.send_command(0, &["FCUnpublish".into(), 6.0.into(), Value::Null, stream]);
        }
        let stream = f64::from(MEDIA_STREAM).into();
        self.link.send_command(0, &["deleteStream".into(), 0.0.into(), Value::Null, stream]);
    }

    fn handle_media(&mut self, media: Media) {
        if self.options.purpose == Purpose::Play {
            self.events.push_back(Event::Media(media));
        }
    }

    fn handle_command(&mut self, command: &Command) -> Result<(), Error> {
        let information = || command.arguments.first().map_or_else(empty, Status::of);
        match (command.name.as_str(), self.state) {
            ("_result", State::Connecting) if command.transaction == CONNECT => self.send_create_stream(),
            ("_result", State::CreatingStream) if command.transaction == CREATE_STREAM => {
                self.send_ask(command.number(0).unwrap_or(f64::from(MEDIA_STREAM)) as u32);
            }
            ("_error", State::Connecting) if command.transaction == CONNECT => {
                return Err(Error::Refused(information()));
            }
            ("_error", State::CreatingStream) if command.transaction == CREATE_STREAM => {
                return Err(Error::Refused(information()));
            }
            ("onStatus", _) => return self.handle_status(information()),
            _ => {}
        }
        Ok(())
    }

    fn handle_status(&mut self, status: Status) -> Result<(), Error> {
        if status.level == "error" {
            return Err(Error::Refused(status));
        }
        let consent = match self.options.purpose {
            Purpose::Publish => code::PUBLISH_START,
            Purpose::Play => code::PLAY_START,
        };
        if self.state == State::Asked && status.code == consent {
            self.state = State::Ready;
            self.events.push_back(Event::Ready);
        } else {
            self.events.push_back(Event::Status(status));
        }
        Ok(())
    }

    /// As Adobe's FMLE, which every server knows, plus E-RTMP's list.
    fn send_connect(&mut self) {
        let options = &self.options;
        let mut object = Value::object([
            ("app", options.app.as_str().into()),
            ("type", "nonprivate".into()),
            ("flashVer", options.flash_ver.as_str().into()),
            ("tcUrl", options.tc_url.as_str().into()),
            ("objectEncoding", 0.0.into()),
        ]);
        if let (Value::Object(members), false) = (&mut object, options.fourccs.is_empty()) {
            let fourccs = options.fourccs.iter().map(|fourcc| fourcc.as_str().into()).collect();
            members.push(("fourCcList".to_owned(), Value::StrictArray(fourccs)));
        }
        self.link.send_command(0, &["connect".into(), CONNECT.into(), object]);
    }

    /// Chunk size and window go first, so that both hold before media; a publisher also announces its name the way
    /// FMLE does, which some CDNs insist on.
    fn send_create_stream(&mut self) {
        self.link.send_control(Control::WindowAckSize(ACK_WINDOW));
        self.link.set_chunk_size_out(self.options.chunk_size);
        if self.options.purpose == Purpose::Publish {
            for (name, transaction) in [("releaseStream", 2.0), ("FCPublish", 3.0)] {
                let stream = self.options.stream.as_str().into();
                self.link.send_command(0, &[name.into(), transaction.into(), Value::Null, stream]);
            }
        }
        self.link.send_command(0, &["createStream".into(), CREATE_STREAM.into(), Value::Null]);
        self.state = State::CreatingStream;
    }

    fn send_ask(&mut self, stream_id: u32) {
        let stream = Value::from(self.options.stream.as_str());
        match self.options.purpose {
            Purpose::Publish => {
                let values = ["publish".into(), ASK.into(), Value::Null, stream, "live".into()];
                self.link.send_command(stream_id, &values);
            }
            Purpose::Play => {
                let values = ["play".into(), ASK.into(), Value::Null, stream, (-2.0).into()];
                self.link.send_command(stream_id, &values);
                self.link.send_control(Control::BufferLength { stream_id, ms: self.options.buffer_ms });
            }
        }
        self.state = State::Asked;
    }
}

fn empty() -> Status {
    Status::error("", "the server gave no reason")
}
