//! The server's end: a peer connects, then publishes one stream or plays one.
//!
//! The session decides nothing about access: it asks by [`Event::PublishRequested`] or [`Event::PlayRequested`] and
//! holds everything behind the question back until the caller has answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::command::{Command, Status, code};
use super::handshake::{self, Progress};
use super::limits::{ACK_WINDOW, CHUNK_BYTES_OUT, UNDECIDED_BYTES_MAX};
use super::link::{Incoming, Link};
use super::message::{Control, MEDIA_STREAM, Media};
use super::name::Name;
use crate::amf0::Value;

pub use super::link::Error;

mod connect;

pub use connect::PeerInfo;

/// What is the same for all sessions of a listener.
#[derive(Debug, Clone)]
pub struct Config {
    /// The chunk size we announce, which [`super::chunk::message_into`] must be given for viewers' bytes.
    pub chunk_size: u32,
    /// From the first byte to a `publish` or `play`, however slowly bytes drip in.
    pub set_up_max: Duration,
    /// Silence after which a publisher counts as gone.
    pub publish_idle_max: Duration,
    /// Silence after which a viewer counts as gone. Players answer pings and acknowledge bytes, some seldom; a dead
    /// connection is found by writing to it long before.
    pub play_idle_max: Duration,
    /// Silence after which we ping.
    pub ping_after: Duration,
    /// Video codecs that we forward, for E-RTMP peers.
    pub video_fourccs: Vec<String>,
    /// Audio codecs that we forward, for E-RTMP peers.
    pub audio_fourccs: Vec<String>,
    /// E-RTMP `capsEx`: 1 reconnect, 2 multitrack, 4 ModEx, 8 nanosecond offsets.
    pub caps_ex: u32,
}

impl Default for Config {
    fn default() -> Self {
        let owned = |codecs: &[&str]| codecs.iter().map(|&codec| codec.to_owned()).collect();
        Self {
            chunk_size: CHUNK_BYTES_OUT,
            set_up_max: Duration::from_secs(15),
            publish_idle_max: Duration::from_secs(30),
            play_idle_max: Duration::from_secs(120),
            ping_after: Duration::from_secs(10),
            video_fourccs: owned(&["avc1", "hvc1", "av01", "vp09"]),
            audio_fourccs: owned(&["mp4a", "Opus"]),
            caps_ex: 0x07,
        }
    }
}

/// What the peer wants or did.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// To be answered by [`Session::accept_publish`] or [`Session::reject`]. No media follows before that.
    PublishRequested {
        /// Of the broadcast.
        name: Name,
    },
    /// To be answered by [`Session::accept_play`] or [`Session::reject`]. No event follows before that.
    PlayRequested {
        /// Of the broadcast.
        name: Name,
        /// Seconds, -1 for live only, -2 for live or recorded (§7.2.2.1); live servers take all for live.
        start: f64,
    },
    /// From an accepted publisher.
    Media(Media),
    /// The publisher ended on purpose (`FCUnpublish`, `closeStream`, `deleteStream`), as against vanishing. Another
    /// request may follow.
    Unpublished,
    /// The viewer stopped on purpose. Another request may follow.
    PlayStopped,
    /// A viewer paused or goes on; live goes on regardless, so the caller may stop writing or not.
    Paused(bool),
    /// A viewer's buffer, in milliseconds.
    BufferLength(u32),
}

/// A connection that a client opened.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    /// Boxed away and gone once done.
    handshake: Option<Box<handshake::Server>>,
    link: Link,
    events: VecDeque<Event>,
    state: State,
    peer: Option<Box<connect::Peer>>,
    set_up_since: Instant,
    undecided_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before `connect`.
    New,
    /// After `connect`, with no stream in use.
    Connected,
    /// `publish` waits for its verdict.
    PublishAsked,
    Publishing,
    /// `play` waits for its verdict.
    PlayAsked,
    Playing,
    /// The peer gave its stream up before the verdict. Until that is given nothing else may be asked, so that a verdict
    /// never falls on another request than it was meant for.
    Withdrawn,
}

impl Session {
    /// `seed` fills the handshake; any number that differs between connections.
    pub fn new(now: Instant, config: Arc<Config>, seed: u64) -> Self {
        Self {
            config,
            handshake: Some(Box::new(handshake::Server::new(seed))),
            link: Link::new(now),
            events: VecDeque::new(),
            state: State::New,
            peer: None,
            set_up_since: now,
            undecided_bytes: 0,
        }
    }

    /// Bytes from the peer. While a request waits for its verdict the caller should stop reading; what was read with
    /// it is held back within a bound.
    pub fn handle_input(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        self.link.touch(now);
        let mut input = data;
        if let Some(handshake) = &mut self.handshake {
            if handshake.handle_input(&mut input, self.link.output_mut())? == Progress::More {
                return Ok(());
            }
            self.handshake = None;
        }
        while let Some(incoming) = self.link.read(&mut input)? {
            match incoming {
                Incoming::Media(media) => self.handle_media(media)?,
                Incoming::Aggregate(media) => {
                    media.into_iter().try_for_each(|media| self.handle_media(media))?
                }
                Incoming::Command(command) => self.handle_command(now, &command)?,
                Incoming::Control(Control::BufferLength { ms, .. }) => {
                    self.events.push_back(Event::BufferLength(ms));
                }
                Incoming::Control(_) => {}
            }
        }
        Ok(())
    }

    /// The clock reached [`Session::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        match self.idle_max() {
            Some(idle_max) => self.link.handle_timeout(now, self.config.ping_after, idle_max),
            None if now >= self.poll_timeout() => Err(Error::SetUpTimeout(self.config.set_up_max)),
            None => Ok(()),
        }
    }

    /// What happened, in order. While a request waits for its verdict, nothing behind it comes out.
    pub fn poll_event(&mut self) -> Option<Event> {
        let asked = matches!(self.state, State::PublishAsked | State::PlayAsked);
        let request =
            |event: &Event| matches!(event, Event::PublishRequested { .. } | Event::PlayRequested { .. });
        let first_request = self.events.iter().position(request);
        if asked && first_request.is_none() {
            return None;
        }
        let event = self.events.pop_front();
        self.shrink();
        event
    }

    /// Bytes to send, between whole messages of shared media.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.link.poll_transmit()
    }

    /// When [`Session::handle_timeout`] is due. It moves with input, so ask again after each.
    pub fn poll_timeout(&self) -> Instant {
        match self.idle_max() {
            Some(idle_max) => self.link.poll_timeout(self.config.ping_after, idle_max),
            None => self.set_up_since + self.config.set_up_max,
        }
    }

    /// The publisher may send. False if it has gone back on its request meanwhile.
    pub fn accept_publish(&mut self, now: Instant) -> bool {
        self.forget_withdrawn(now);
        if self.state != State::PublishAsked {
            return false;
        }
        self.enter(State::Publishing, now);
        self.link.send_control(Control::StreamBegin(MEDIA_STREAM));
        self.send_status(&Status::ok(code::PUBLISH_START, "publishing"));
        true
    }

    /// The viewer gets media from now on. False if it has gone back on its request meanwhile.
    pub fn accept_play(&mut self, now: Instant) -> bool {
        self.forget_withdrawn(now);
        if self.state != State::PlayAsked {
            return false;
        }
        self.enter(State::Playing, now);
        self.link.send_control(Control::StreamBegin(MEDIA_STREAM));
        self.send_status(&Status::ok(code::PLAY_RESET, "playing and resetting"));
        self.send_status(&Status::ok(code::PLAY_START, "playing"));
        // Flash shows nothing and hides its microphone level without it; the others skip it.
        self.link.send_data(&["|RtmpSampleAccess".into(), true.into(), true.into()]);
        true
    }

    /// Refuses the request that waits, such as with [`code::PUBLISH_BAD_NAME`]. The peer may ask again within the time
    /// for setting up; most hang up.
    pub fn reject(&mut self, now: Instant, code: &str, description: &str) {
        self.forget_withdrawn(now);
        if matches!(self.state, State::PublishAsked | State::PlayAsked) {
            self.drop_undecided();
            self.send_status(&Status::error(code, description));
            self.enter(State::Connected, now);
        }
    }

    /// `onStatus` on the media stream.
    pub fn send_status(&mut self, status: &Status) {
        self.link
            .send_command(MEDIA_STREAM, &["onStatus".into(), 0.0.into(), Value::Null, status.to_value()]);
    }

    /// Tells a viewer that the broadcast is over: stock players then end instead of waiting.
    pub fn end_play(&mut self) {
        self.link.send_control(Control::StreamEof(MEDIA_STREAM));
        self.send_status(&Status::ok(code::PLAY_UNPUBLISH_NOTIFY, "the broadcast has ended"));
        self.send_status(&Status::ok(code::PLAY_STOP, "the broadcast has ended"));
    }

    /// Asks an E-RTMP peer to connect again, to `tc_url` if given. False if the peer knows no such request.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>) -> bool {
        if self.peer_info().is_none_or(|info| info.caps_ex & 1 == 0) {
            return false;
        }
        let mut information = Status::ok(code::CONNECT_RECONNECT, "the server restarts").to_value();
        if let (Value::Object(members), Some(tc_url)) = (&mut information, tc_url) {
            members.push(("tcUrl".to_owned(), tc_url.into()));
        }
        self.link.send_command(0, &["onStatus".into(), 0.0.into(), Value::Null, information]);
        true
    }

    /// What the peer said about itself in `connect`.
    pub fn peer_info(&self) -> Option<&PeerInfo> {
        self.peer.as_ref().map(|peer| &peer.info)
    }

    /// Bytes the peer says it has received, modulo 2^32.
    pub const fn peer_acknowledged(&self) -> u32 {
        self.link.peer_acknowledged()
    }

    /// Heap held by this session, in bytes, its own struct not counted.
    pub fn heap_bytes(&self) -> usize {
        let handshake =
            self.handshake.as_ref().map_or(0, |_| size_of::<handshake::Server>() + handshake::PACKET_BYTES);
        let peer = self.peer.as_ref().map_or(0, |peer| peer.heap_bytes());
        handshake + peer + self.events.capacity() * size_of::<Event>() + self.link.heap_bytes()
    }

    /// `None` while setting up.
    fn idle_max(&self) -> Option<Duration> {
        match self.state {
            State::New | State::Connected | State::Withdrawn => None,
            State::PublishAsked | State::Publishing => Some(self.config.publish_idle_max),
            State::PlayAsked | State::Playing => Some(self.config.play_idle_max),
        }
    }

    /// A verdict may have taken long without reading, so silence counts from here.
    fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.link.touch(now);
        self.set_up_since = now;
        self.undecided_bytes = 0;
        self.shrink();
    }

    /// All but publishers have few events, and there are many of them: an empty queue holds no memory.
    fn shrink(&mut self) {
        if self.events.is_empty() && self.state != State::Publishing {
            self.events = VecDeque::new();
        }
    }

    /// Media counts only from a publisher; from others it is dropped, as all servers do.
    fn handle_media(&mut self, media: Media) -> Result<(), Error> {
        match self.state {
            State::Publishing => {}
            State::PublishAsked => {
                self.undecided_bytes += media.payload.len();
                if self.undecided_bytes > UNDECIDED_BYTES_MAX {
                    return Err(Error::UndecidedTooLarge { len: self.undecided_bytes });
                }
            }
            State::New | State::Connected | State::PlayAsked | State::Playing | State::Withdrawn => {
                return Ok(());
            }
        }
        self.events.push_back(Event::Media(media));
        Ok(())
    }

    fn handle_command(&mut self, now: Instant, command: &Command) -> Result<(), Error> {
        match command.name.as_str() {
            "connect" => return self.handle_connect(command),
            _ if self.state == State::New => {
                return Err(Error::OutOfOrder { command: "a command", state: "before connect" });
            }
            "createStream" => self.result(command, &[Value::Null, f64::from(MEDIA_STREAM).into()]),
            "publish" => return self.handle_publish(now, command),
            "play" => return self.handle_play(now, command),
            "FCPublish" => self.fc_status(command, "onFCPublish", code::PUBLISH_START),
            "FCUnpublish" => {
                self.fc_status(command, "onFCUnpublish", code::UNPUBLISH_SUCCESS);
                self.stop(now);
            }
            "FCSubscribe" => self.fc_status(command, "onFCSubscribe", code::PLAY_START),
            "deleteStream" | "closeStream" => self.stop(now),
            "pause" => self.handle_pause(command),
            "seek" => self.send_status(&Status::error(code::SEEK_FAILED, "live streams cannot seek")),
            // A length of 0 is how live streams have always answered.
            "getStreamLength" => self.result(command, &[Value::Null, 0.0.into()]),
            "releaseStream" | "_checkbw" => self.result(command, &[Value::Null, Value::Undefined]),
            // Answers of the peer, and what players tell without wanting an answer.
            "_result" | "_error" | "onStatus" | "receiveAudio" | "receiveVideo" => {}
            _ => self.unknown(command),
        }
        Ok(())
    }

    fn handle_connect(&mut self, command: &Command) -> Result<(), Error> {
        if self.state != State::New {
            return Err(Error::OutOfOrder { command: "connect", state: "after connect" });
        }
        let peer = connect::Peer::parse(&command.object);
        if let Err(error) = Name::check_app(&peer.app) {
            let status = Status::error(code::CONNECT_INVALID_APP, "this app is not acceptable");
            self.link.send_command(
                0,
                &["_error".into(), command.transaction.into(), Value::Null, status.to_value()],
            );
            return Err(Error::Name(error));
        }
        self.link.send_control(Control::WindowAckSize(ACK_WINDOW));
        self.link.send_control(Control::SetPeerBandwidth(ACK_WINDOW));
        self.link.set_chunk_size_out(self.config.chunk_size);
        let [properties, information] = connect::answer(&self.config, &peer);
        self.result(command, &[properties, information]);
        self.peer = Some(Box::new(peer));
        self.state = State::Connected;
        Ok(())
    }

    fn handle_publish(&mut self, now: Instant, command: &Command) -> Result<(), Error> {
        self.check_unused("publish")?;
        let name = self.name(command, code::PUBLISH_BAD_NAME)?;
        self.enter(State::PublishAsked, now);
        self.events.push_back(Event::PublishRequested { name });
        Ok(())
    }

    fn handle_play(&mut self, now: Instant, command: &Command) -> Result<(), Error> {
        self.check_unused("play")?;
        let name = self.name(command, code::PLAY_STREAM_NOT_FOUND)?;
        let start = command.number(1).unwrap_or(-2.0);
        self.enter(State::PlayAsked, now);
        self.events.push_back(Event::PlayRequested { name, start });
        Ok(())
    }

    /// One media stream a connection: a second use is an error, not a silent replacement.
    fn check_unused(&mut self, command: &'static str) -> Result<(), Error> {
        let state = match self.state {
            State::New | State::Connected => return Ok(()),
            State::Withdrawn => "before the last request is answered",
            State::PublishAsked | State::Publishing => "while publishing",
            State::PlayAsked | State::Playing => "while playing",
        };
        let code = if command == "play" { code::PLAY_STREAM_NOT_FOUND } else { code::PUBLISH_BAD_NAME };
        self.send_status(&Status::error(code, "one stream a connection"));
        Err(Error::OutOfOrder { command, state })
    }

    fn name(&mut self, command: &Command, refusal: &str) -> Result<Name, Error> {
        let app = self.peer.as_ref().map_or("", |peer| peer.app.as_str());
        Name::join(app, command.text(0).unwrap_or_default()).map_err(|error| {
            self.send_status(&Status::error(refusal, "this stream name is not acceptable"));
            Error::Name(error)
        })
    }

    /// The peer gives its stream up.
    fn stop(&mut self, now: Instant) {
        let event = match self.state {
            State::New | State::Connected | State::Withdrawn => return,
            State::PublishAsked | State::Publishing => Event::Unpublished,
            State::PlayAsked | State::Playing => Event::PlayStopped,
        };
        let asked = matches!(self.state, State::PublishAsked | State::PlayAsked);
        if asked {
            self.drop_undecided();
        }
        self.enter(if asked { State::Withdrawn } else { State::Connected }, now);
        self.events.push_back(event);
    }

    fn forget_withdrawn(&mut self, now: Instant) {
        if self.state == State::Withdrawn {
            self.enter(State::Connected, now);
        }
    }

    fn drop_undecided(&mut self) {
        self.events.retain(|event| !matches!(event, Event::Media(_)));
    }

    fn handle_pause(&mut self, command: &Command) {
        if self.state == State::Playing {
            let paused = command.arguments.first().and_then(Value::as_bool).unwrap_or(true);
            let code = if paused { code::PAUSE_NOTIFY } else { code::UNPAUSE_NOTIFY };
            self.send_status(&Status::ok(code, "live goes on meanwhile"));
            self.events.push_back(Event::Paused(paused));
        }
    }

    /// FMLE and its descendants wait for such a call, not for a `_result`; others want that one.
    fn fc_status(&mut self, command: &Command, call: &str, code: &str) {
        let status = Status::ok(code, command.text(0).unwrap_or_default());
        self.link.send_command(0, &[call.into(), 0.0.into(), Value::Null, status.to_value()]);
        self.result(command, &[Value::Null, Value::Undefined]);
    }

    fn result(&mut self, command: &Command, values: &[Value]) {
        if command.transaction != 0.0 {
            let head = ["_result".into(), command.transaction.into()];
            self.link.send_command(0, &[&head, values].concat());
        }
    }

    fn unknown(&mut self, command: &Command) {
        if command.transaction != 0.0 {
            let status = Status::error(code::CALL_FAILED, "no such command");
            self.link.send_command(
                0,
                &["_error".into(), command.transaction.into(), Value::Null, status.to_value()],
            );
        }
    }
}
