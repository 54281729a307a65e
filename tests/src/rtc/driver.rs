//! The task of one peer: carries datagrams between str0m's machine and the network, and loses those it is told to.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::link::Link as Narrow;
use media::{Packet, Timestamp};
use str0m::channel::ChannelId;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{KeyframeRequestKind, Mid, Pt, Rid};
use str0m::net::Receive;
use str0m::rtp::{AbsCaptureTime, Extension, ExtensionValues, RtpWrite};
use str0m::{Event as RtcEvent, IceConnectionState, Input, Output, Rtc};
use tokio::sync::mpsc;
use wire::rtp::red;

use super::forge::Forger;
use super::layers::Sending;
use super::link::Link;
use crate::recording::{Kind, Unit};

/// What a test does with a driver.
pub(super) type Command = Box<dyn FnOnce(&mut Driver) + Send>;

/// What a peer saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// ICE and DTLS are done.
    Connected,
    /// ICE lost the server.
    Disconnected,
    /// Media came.
    Packet(Received),
    /// The server asks for a keyframe.
    KeyframeWanted(Instant),
    /// The server says something on the control channel.
    Said(String),
    /// The server ended the session.
    Closed,
}

/// A packet of media as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The section it came in, as far as its stream is known.
    pub mid: String,
    /// Pictures or sound.
    pub kind: Kind,
    /// Its number, rollovers counted.
    pub sequence: u64,
    /// Its RTP time, rollovers counted.
    pub time: u64,
    /// The last of its frame.
    pub marker: bool,
    /// The payload.
    pub payload: Arc<[u8]>,
    /// When it came.
    pub at: Instant,
    /// When it was captured.
    pub captured: Option<SystemTime>,
}

/// Which datagrams the network loses: a share of them, chosen by a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    /// Where the choice begins.
    pub seed: u64,
    /// Of what the peer sends, so many of a hundred.
    pub outgoing: u64,
    /// Of what it is sent.
    pub incoming: u64,
}

impl Loss {
    /// One draw (the multiplier of Knuth's MMIX).
    fn hits(&mut self, percent: u64) -> bool {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % 100 < percent
    }
}

/// The media sections of an offer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mids {
    /// Of pictures.
    pub video: Option<Mid>,
    /// Of sound.
    pub audio: Option<Mid>,
}

impl Mids {
    fn of(self, kind: Kind) -> Option<Mid> {
        match kind {
            Kind::Video => self.video,
            Kind::Audio => self.audio,
        }
    }
}

/// What the clock of a publisher shows that tells it: one that is not set, and runs well.
pub fn captured(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000) + Duration::from_micros(at.micros() as u64)
}

/// What went out and came in, in this order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Datagrams that the network lost.
    pub lost: (usize, usize),
    /// Bytes of all datagrams that it did not.
    pub bytes: (u64, u64),
}

/// A machine, its way to the server, and how bad that is.
pub struct Driver {
    /// The machine.
    pub rtc: Rtc,
    /// Its way to the server.
    pub link: Link,
    /// What the network loses.
    pub loss: Loss,
    /// What went out and came in.
    pub counts: Counts,
    /// Where the server was last heard.
    pub server: Option<std::net::SocketAddr>,
    /// Payload type and number of every RTP datagram that came.
    pub heard: Vec<(u8, u16)>,
    /// Datagrams sent beside the machine's own.
    pub extra: Vec<Vec<u8>>,
    /// What it forges beside.
    pub forger: Option<&'static Forger>,
    /// What it sends, where that is pictures in layers.
    pub sending: Sending,
    /// What becomes of datagrams that come, beside loss.
    pub narrow: Option<Narrow>,
    mids: Mids,
    run: Run,
}

/// Since when, and whether it is over.
struct Run {
    began: Instant,
    closed: bool,
    channel: Option<ChannelId>,
    events: mpsc::Sender<Event>,
}

impl Driver {
    pub(super) fn new(rtc: Rtc, mids: Mids, link: Link, events: mpsc::Sender<Event>) -> Self {
        Self {
            rtc,
            link,
            loss: Loss::default(),
            counts: Counts::default(),
            server: None,
            heard: Vec::new(),
            extra: Vec::new(),
            forger: None,
            sending: Sending::default(),
            narrow: None,
            mids,
            run: Run { began: Instant::now(), closed: false, channel: None, events },
        }
    }

    /// Until the test has dropped the client, or the server has ended the session.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        // Or ICE waits for whatever else makes time pass.
        self.rtc.handle_input(Input::Timeout(Instant::now())).expect("time passes");
        loop {
            let due = self.drain().await;
            let due = self.narrow.as_ref().and_then(Narrow::poll_timeout).map_or(due, |own| own.min(due));
            if self.run.closed {
                return;
            }
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => command(&mut self),
                    None => return,
                },
                datagram = self.link.receive() => match datagram {
                    Some((peer, bytes)) => match &mut self.narrow {
                        Some(narrow) => {
                            self.server = Some(peer);
                            narrow.handle_packet(Instant::now(), bytes.into());
                        }
                        None => self.handle_datagram(peer, &bytes),
                    },
                    None => return self.say(Event::Closed),
                },
                () = tokio::time::sleep_until(due.into()) => {
                    while let Some(bytes) = self.narrow.as_mut().and_then(|narrow| narrow.poll_packet(Instant::now())) {
                        let server = self.server.expect("the server was heard");
                        self.handle_datagram(server, &bytes);
                        self.drain().await;
                    }
                    self.rtc.handle_input(Input::Timeout(Instant::now())).expect("time passes");
                }
            }
        }
    }

    fn handle_datagram(&mut self, peer: std::net::SocketAddr, bytes: &[u8]) {
        self.server = Some(peer);
        let percent = self.loss.incoming;
        if self.loss.hits(percent) {
            self.counts.lost.1 += 1;
            return;
        }
        self.counts.bytes.1 += bytes.len() as u64;
        if let [128..192, kind, high, low, ..] = *bytes
            && !(192..224).contains(&kind)
        {
            self.heard.push((kind & 0x7F, u16::from_be_bytes([high, low])));
        }
        let address = self.link.address();
        let Ok(receive) = Receive::new(self.link.protocol(), peer, address, bytes) else { return };
        self.rtc
            .handle_input(Input::Receive(Instant::now(), receive))
            .expect("the server keeps to the protocol");
    }

    async fn send_extra(&mut self) {
        for datagram in std::mem::take(&mut self.extra) {
            let server = self.server.expect("the server was heard");
            self.link.send(server, &datagram).await;
        }
    }

    async fn drain(&mut self) -> Instant {
        self.send_extra().await;
        loop {
            match self.rtc.poll_output().expect("the machine runs") {
                Output::Timeout(due) => {
                    self.extra.extend(self.forger.iter().flat_map(|forger| forger.take()));
                    self.send_extra().await;
                    return due.min(Instant::now() + Duration::from_secs(1));
                }
                Output::Transmit(transmit) => {
                    let percent = self.loss.outgoing;
                    match self.loss.hits(percent) {
                        true => self.counts.lost.0 += 1,
                        false => {
                            self.counts.bytes.0 += transmit.contents.len() as u64;
                            self.link.send(transmit.destination, &transmit.contents).await;
                        }
                    }
                }
                Output::Event(event) => self.handle_event(event),
            }
        }
    }

    fn handle_event(&mut self, event: RtcEvent) {
        match event {
            RtcEvent::Connected => self.say(Event::Connected),
            RtcEvent::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.say(Event::Disconnected);
            }
            RtcEvent::KeyframeRequest(request) => {
                self.sending.handle_request(request.rid);
                self.say(Event::KeyframeWanted(Instant::now()));
            }
            RtcEvent::ChannelOpen(id, _) => self.run.channel = Some(id),
            RtcEvent::ChannelData(data) => {
                let text = String::from_utf8(data.data).expect("JSON");
                self.sending.handle_said(&text);
                self.say(Event::Said(text));
            }
            RtcEvent::RtpPacket(packet) => {
                let stream = self.rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid());
                let (pt, values) = (packet.header.payload_type, &packet.header.ext_vals);
                let params = self.rtc.codec_config().params().iter().find(|params| params.pt() == pt);
                let kind = match params.expect("what was negotiated").spec().codec {
                    Codec::Opus => Kind::Audio,
                    _ => Kind::Video,
                };
                self.say(Event::Packet(Received {
                    mid: stream.map(|mid| mid.to_string()).unwrap_or_default(),
                    kind,
                    sequence: *packet.seq_no,
                    time: packet.time.numer(),
                    marker: packet.header.marker,
                    payload: packet.payload,
                    at: packet.timestamp,
                    captured: values.abs_capture_time.as_ref().map(|at| at.capture_time),
                }));
            }
            RtcEvent::Closed => {
                self.run.closed = true;
                self.say(Event::Closed);
            }
            _ => {}
        }
    }

    fn say(&mut self, event: Event) {
        // A test that no longer looks has dropped the receiver.
        drop(self.run.events.try_send(event));
    }

    /// What was agreed on for this kind.
    fn params(&self, kind: Kind) -> PayloadParams {
        let mid = self.mids.of(kind).expect("media of this kind was negotiated");
        let agreed = self.rtc.media(mid).expect("its section").remote_pts();
        let is_wanted = |codec| (codec == Codec::Opus) == (kind == Kind::Audio) && codec != Codec::Rtx;
        let params = self.rtc.codec_config().params().iter();
        let params = params
            .filter(|params| is_wanted(params.spec().codec) && agreed.contains(&params.pt()))
            .max_by_key(|params| params.spec().format.packetization_mode.unwrap_or(0));
        *params.expect("a codec of this kind was negotiated")
    }

    /// Gives the packets of a frame to the machine.
    pub fn write(&mut self, unit: &Unit) {
        let pt = self.params(unit.kind).pt();
        for packet in &unit.packets {
            self.put(unit.kind, pt, packet, Arc::clone(&packet.payload));
        }
    }

    /// Gives a packet of sound to the machine that repeats an earlier one (RFC 2198).
    pub fn write_repeating(&mut self, unit: &Unit, earlier: &Unit) {
        let params = self.params(Kind::Audio);
        let red = params.red().expect("repeating was negotiated");
        let (packet, earlier) = (&unit.packets[0], &earlier.packets[0]);
        let payload = red::wrap(*params.pt(), 48_000, packet, std::iter::once(earlier));
        self.put(Kind::Audio, red, packet, payload.into());
    }

    /// Gives the packets of the next picture of each layer to the machine, and the sound beside it.
    pub fn write_layers(&mut self) {
        let (pictures, sound) = self.sending.next();
        let pt = self.params(Kind::Video).pt();
        for (rid, packet) in pictures {
            let payload = Arc::clone(&packet.payload);
            self.put_in((Kind::Video, Some(rid)), pt, &packet, payload);
        }
        if self.mids.audio.is_some() {
            let pt = self.params(Kind::Audio).pt();
            for packet in sound {
                let payload = Arc::clone(&packet.payload);
                self.put(Kind::Audio, pt, &packet, payload);
            }
        }
    }

    /// Says something on the control channel, which is open.
    pub fn say_on_channel(&mut self, text: &str) {
        let id = self.run.channel.expect("the channel is open");
        let mut channel = self.rtc.channel(id).expect("it is known");
        assert!(channel.write(false, text.as_bytes()).expect("a channel of ours"), "it takes so much");
    }

    /// The control channel is open.
    pub fn has_channel(&self) -> bool {
        self.run.channel.is_some()
    }

    fn put(&mut self, kind: Kind, pt: Pt, packet: &Packet, payload: Arc<[u8]>) {
        self.put_in((kind, None), pt, packet, payload);
    }

    fn put_in(&mut self, (kind, rid): (Kind, Option<Rid>), pt: Pt, packet: &Packet, payload: Arc<[u8]>) {
        let mid = self.mids.of(kind).expect("media of this kind was negotiated");
        let hz = match kind {
            Kind::Video => 90_000,
            Kind::Audio => 48_000,
        };
        let wall = self.run.began + Duration::from_micros(packet.at.micros() as u64);
        // Numbers of a sender begin anywhere, but below 2^15 (RFC 3711 §3.3.1).
        let sequence = packet.sequence + 7_000;
        let write = RtpWrite::new(pt, sequence.into(), packet.at.ticks(hz) as u32, wall, payload);
        let mut marks = ExtensionValues::default();
        let media = self.rtc.media(mid).expect("its section");
        if media.remote_extmap().id_of(Extension::AbsoluteCaptureTime).is_some() {
            let capture_time = captured(packet.at);
            marks.abs_capture_time = Some(AbsCaptureTime { capture_time, clock_offset: None });
        }
        if let (Kind::Audio, Some(level)) = (kind, self.sending.level) {
            (marks.audio_level, marks.voice_activity) = (Some(level), Some(level > -50));
        }
        let write = write.marker(packet.marker).nackable(kind == Kind::Video).ext_vals(marks);
        let mut api = self.rtc.direct_api();
        api.stream_tx_by_mid(mid, rid).expect("a stream that we send").write_rtp(write);
    }

    /// When packets of this time were captured, by the wall clock that sender reports tell.
    pub fn wall(&self, at: Timestamp) -> SystemTime {
        SystemTime::now() - self.run.began.elapsed() + Duration::from_micros(at.micros() as u64)
    }

    /// Asks the server for a keyframe.
    pub fn request_keyframe(&mut self, kind: KeyframeRequestKind) {
        let mid = self.mids.of(Kind::Video).expect("pictures were negotiated");
        let mut api = self.rtc.direct_api();
        api.stream_rx_by_mid(mid, None).expect("a stream that we receive").request_keyframe(kind);
    }
}
