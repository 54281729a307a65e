//! A WebRTC peer built on str0m: publishes by WHIP, watches by WHEP, over a network that a test can make as bad as it
//! likes.

mod driver;
mod forge;
pub mod layers;
mod link;

use std::net::SocketAddr;
use std::time::Duration;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Simulcast, SimulcastLayer};
use str0m::rtp::Extension;
use str0m::{Rtc, RtcConfig};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use wire::sdp_fragment;

pub use driver::{Driver, Event, Loss, Mids, Received, captured};
pub use forge::{Forger, noise};
pub use link::Transport;

use crate::http::{self, Answer};
use crate::recording::{Kind, Unit};
use crate::rtmp::PATIENCE;
use driver::Command;
use link::Link;

/// The body of an offer and an answer.
pub const SDP: (&str, &str) = ("Content-Type", "application/sdp");
/// The body of a change.
pub const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");
/// Events that a test has not looked at; more than any test makes.
const EVENTS_MAX: usize = 65_536;

/// Which way media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server, by WHIP.
    In,
    /// From it, by WHEP.
    Out,
}

/// How a peer connects.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which way media goes.
    pub way: Way,
    /// UDP or TCP.
    pub transport: Transport,
    /// With pictures.
    pub video: bool,
    /// With sound.
    pub audio: bool,
}

impl Options {
    /// A publisher of pictures and sound over UDP.
    pub const PUBLISH: Self = Self { way: Way::In, transport: Transport::Udp, video: true, audio: true };
    /// Its viewer.
    pub const WATCH: Self = Self { way: Way::Out, ..Self::PUBLISH };
}

/// An offer that has not been answered.
pub struct Offer {
    /// What is to be posted.
    pub sdp: String,
    rtc: Rtc,
    pending: SdpPendingOffer,
    mids: Mids,
    link: Link,
}

/// The configuration of a peer that knows H.264 and Opus.
pub fn config() -> RtcConfig {
    RtcConfig::new()
        .set_crypto_provider(std::sync::Arc::new(str0m_aws_lc_rs::default_provider()))
        .clear_codecs()
        .enable_h264(true)
        .enable_opus(true, false)
        .set_rtp_mode(true)
}

/// Of one that tells when things were captured and how long they may wait, as far as the server does.
pub fn marking() -> RtcConfig {
    config().set_extension(5, Extension::AbsoluteCaptureTime)
}

impl Offer {
    /// Opens a way to the server's port of WebRTC and makes an offer.
    pub async fn new(server: SocketAddr, options: Options) -> Self {
        Self::with_config(server, options, config()).await
    }

    /// With a configuration of the test's own.
    pub async fn with_config(server: SocketAddr, options: Options, config: RtcConfig) -> Self {
        let link = Link::open(server, options.transport).await;
        let mut rtc = config.build(std::time::Instant::now());
        rtc.add_local_candidate(link.candidate()).expect("a candidate of ours");
        let direction = match options.way {
            Way::In => Direction::SendOnly,
            Way::Out => Direction::RecvOnly,
        };
        let mut api = rtc.sdp_api();
        let mut add = |kind, wanted: bool| wanted.then(|| api.add_media(kind, direction, None, None, None));
        let mids =
            Mids { audio: add(MediaKind::Audio, options.audio), video: add(MediaKind::Video, options.video) };
        let (offer, pending) = api.apply().expect("there is media");
        Self { sdp: offer.to_sdp_string(), rtc, pending, mids, link }
    }

    /// Of pictures in these layers and sound, with a control channel.
    pub async fn in_layers(server: SocketAddr, rids: &[&str]) -> Self {
        let link = Link::open(server, Transport::Udp).await;
        let mut rtc = config().build(std::time::Instant::now());
        rtc.add_local_candidate(link.candidate()).expect("a candidate of ours");
        let mut api = rtc.sdp_api();
        let audio = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let mut simulcast = Simulcast::new();
        for rid in rids {
            simulcast.add_send_layer(SimulcastLayer::new(rid));
        }
        let video = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, Some(simulcast));
        api.add_channel("openmic".into());
        let (offer, pending) = api.apply().expect("there is media");
        let mids = Mids { audio: Some(audio), video: Some(video) };
        Self { sdp: offer.to_sdp_string(), rtc, pending, mids, link }
    }

    /// Of a viewer with a control channel.
    pub async fn with_channel(server: SocketAddr) -> Self {
        let link = Link::open(server, Transport::Udp).await;
        let mut rtc = config().build(std::time::Instant::now());
        rtc.add_local_candidate(link.candidate()).expect("a candidate of ours");
        let mut api = rtc.sdp_api();
        let audio = api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let video = api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        api.add_channel("openmic".into());
        let (offer, pending) = api.apply().expect("there is media");
        let mids = Mids { audio: Some(audio), video: Some(video) };
        Self { sdp: offer.to_sdp_string(), rtc, pending, mids, link }
    }

    /// Of a member of a room: so many sections of sound and of pictures, whose names come with it, and a control channel.
    pub async fn of_stage(
        server: SocketAddr,
        voices: usize,
        tiles: usize,
    ) -> (Self, Vec<String>, Vec<String>) {
        let link = Link::open(server, Transport::Udp).await;
        let mut rtc = config().build(std::time::Instant::now());
        rtc.add_local_candidate(link.candidate()).expect("a candidate of ours");
        let mut api = rtc.sdp_api();
        let mut add = |kind| api.add_media(kind, Direction::RecvOnly, None, None, None).to_string();
        let voices: Vec<String> = (0..voices).map(|_| add(MediaKind::Audio)).collect();
        let tiles: Vec<String> = (0..tiles).map(|_| add(MediaKind::Video)).collect();
        api.add_channel("openmic".into());
        let (offer, pending) = api.apply().expect("there is media");
        let offer = Self { sdp: offer.to_sdp_string(), rtc, pending, mids: Mids::default(), link };
        (offer, voices, tiles)
    }

    /// Posts the offer and takes a good answer; connecting begins when the client is started.
    pub async fn post(self, http: SocketAddr, target: &str) -> Unstarted {
        let answer = http::send(http, "POST", target, &[SDP], self.sdp.as_bytes()).await;
        assert_eq!(answer.status, 201, "{}: {}", answer.head, answer.text());
        self.answered(http, &answer)
    }

    /// Takes an answer that was had in another way.
    pub fn answered(mut self, http: SocketAddr, answer: &Answer) -> Unstarted {
        let sdp = answer.text().to_owned();
        let parsed = SdpAnswer::from_sdp_string(&sdp).expect("an answer in SDP");
        self.rtc.sdp_api().accept_answer(self.pending, parsed).expect("an answer to the offer");
        let resource = Resource {
            http,
            location: answer.header("location").expect("a session has an address").to_owned(),
            etag: answer.header("etag").expect("and an ICE session").to_owned(),
        };
        Unstarted { driver: (self.rtc, self.mids, self.link), resource, answer: sdp }
    }
}

/// A session as HTTP knows it.
#[derive(Clone, Debug)]
pub struct Resource {
    http: SocketAddr,
    /// Its address.
    pub location: String,
    /// Its ICE session.
    pub etag: String,
}

impl Resource {
    /// Ends the session.
    pub async fn delete(&self) -> Answer {
        http::send(self.http, "DELETE", &self.location, &[], b"").await
    }

    /// Changes it by a fragment of SDP.
    pub async fn patch(&self, headers: &[(&str, &str)], fragment: &str) -> Answer {
        http::send(self.http, "PATCH", &self.location, headers, fragment.as_bytes()).await
    }
}

/// A session whose peer has sent nothing yet.
pub struct Unstarted {
    driver: (Rtc, Mids, Link),
    /// Its resource.
    pub resource: Resource,
    /// The server's answer.
    pub answer: String,
}

impl Unstarted {
    /// Connects, and has connected when this returns.
    pub async fn start(self) -> Client {
        let (commands, orders) = mpsc::channel(EVENTS_MAX);
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (rtc, mids, link) = self.driver;
        let driver = Driver::new(rtc, mids, link, sender);
        let task = tokio::spawn(driver.run(orders));
        let mut client = Client { commands, events, resource: self.resource, answer: self.answer, task };
        client.until_connected().await;
        client
    }
}

/// A connected peer, driven by a task of its own until it is dropped or told to leave.
pub struct Client {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    /// Its HTTP resource.
    pub resource: Resource,
    /// The server's answer to its offer.
    pub answer: String,
    task: JoinHandle<()>,
}

impl Drop for Client {
    /// As a peer vanishes: without a word.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Offers, is answered and connects.
    pub async fn connect(app: &server::App, path: &str, options: Options) -> Self {
        let addresses = app.addresses();
        let suffix = match options.way {
            Way::In => "whip",
            Way::Out => "whep",
        };
        let offer = Offer::new(addresses.rtc, options).await;
        offer.post(addresses.http, &format!("/{path}/{suffix}")).await.start().await
    }

    /// Publishes pictures and sound.
    pub async fn publish(app: &server::App, path: &str) -> Self {
        Self::connect(app, path, Options::PUBLISH).await
    }

    /// Watches.
    pub async fn watch(app: &server::App, path: &str) -> Self {
        Self::connect(app, path, Options::WATCH).await
    }

    /// Does something with the peer's machine and network.
    pub async fn tell(&self, what: impl FnOnce(&mut Driver) + Send + 'static) {
        assert!(self.commands.send(Box::new(what)).await.is_ok(), "the peer's task has ended");
    }

    /// Loses datagrams from now on.
    pub async fn lose(&self, loss: Loss) {
        self.tell(move |driver| driver.loss = loss).await;
    }

    /// Bytes of all datagrams it has sent, and of all that came.
    pub async fn bytes(&self) -> (u64, u64) {
        let (reply, bytes) = oneshot::channel();
        self.tell(move |driver| reply.send(driver.counts.bytes).expect("it is waited for")).await;
        bytes.await.expect("the peer's task runs")
    }

    /// Its session has not ended.
    pub fn is_connected(&self) -> bool {
        !self.task.is_finished()
    }

    /// Sends the packets of a frame now.
    pub async fn send(&self, unit: &Unit) {
        let unit = unit.clone();
        self.tell(move |driver| driver.write(&unit)).await;
    }

    /// Sends frames when they are due, the first at once.
    pub async fn send_live(&self, units: &[Unit]) {
        let Some(first) = units.first() else { return };
        let (start, zero) = (Instant::now(), first.frame.dts);
        for unit in units {
            let after = u64::try_from((unit.frame.dts - zero).micros()).expect("they are in order");
            sleep_until(start + Duration::from_micros(after)).await;
            self.send(unit).await;
        }
    }

    /// What the server says next on the control channel, which it must.
    pub async fn said(&mut self) -> serde_json::Value {
        loop {
            if let Event::Said(text) = self.event().await.expect("the session goes on") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Says something on the control channel, once it is open.
    pub async fn say(&self, text: &str) {
        while !self.ask(|driver| driver.has_channel()).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let text = text.to_owned();
        self.tell(move |driver| driver.say_on_channel(&text)).await;
    }

    /// Something of the peer's.
    pub async fn ask<T: Send + 'static>(&self, what: impl FnOnce(&mut Driver) -> T + Send + 'static) -> T {
        let (reply, answer) = oneshot::channel();
        self.tell(move |driver| drop(reply.send(what(driver)))).await;
        answer.await.expect("the peer's task runs")
    }

    /// Says that it cannot decode.
    pub async fn ask_for_keyframe(&self) {
        self.tell(|driver| driver.request_keyframe(KeyframeRequestKind::Pli)).await;
    }

    /// The next event; `None` when the peer's machine has ended.
    pub async fn event(&mut self) -> Option<Event> {
        timeout(PATIENCE, self.events.recv()).await.expect("something happens")
    }

    /// What has happened and was not looked at.
    pub fn happened(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// The next packet of media; `None` when the session has ended.
    pub async fn packet(&mut self) -> Option<Received> {
        loop {
            match self.event().await? {
                Event::Packet(packet) => return Some(packet),
                Event::Closed => return None,
                Event::Connected | Event::Disconnected | Event::KeyframeWanted(_) | Event::Said(_) => {}
            }
        }
    }

    /// The next packet of one kind, which must come.
    pub async fn packet_of(&mut self, kind: Kind) -> Received {
        loop {
            let packet = self.packet().await.expect("the session goes on");
            if packet.kind == kind {
                return packet;
            }
        }
    }

    /// When the server asks for a keyframe, which it must.
    pub async fn keyframe_wanted(&mut self) -> std::time::Instant {
        loop {
            if let Event::KeyframeWanted(at) = self.event().await.expect("the session goes on") {
                return at;
            }
        }
    }

    /// Begins ICE anew from another port, with the words of RFC 9725 §4.3.3, and returns the server's answer.
    pub async fn restart_ice(&mut self, server: SocketAddr) -> Answer {
        let link = Link::open(server, Transport::Udp).await;
        let (reply, offered) = oneshot::channel();
        self.tell(move |driver| {
            let mut api = driver.rtc.sdp_api();
            api.ice_restart(false);
            let (offer, pending) = api.apply().expect("a restart is a change");
            drop(reply.send((offer.to_sdp_string(), pending)));
        })
        .await;
        let (offer, pending) = offered.await.expect("the peer's task runs");
        let own = sdp_fragment::credentials(&offer).expect("an offer has credentials");
        let fragment = format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", own.ufrag, own.pwd);
        let answer = self.resource.patch(&[FRAGMENT, ("If-Match", "*")], &fragment).await;
        assert_eq!(answer.status, 200, "{}: {}", answer.head, answer.text());
        let theirs = sdp_fragment::credentials(answer.text()).expect("the answer has credentials");
        let candidates = answer.text().lines().filter(|line| line.starts_with("a=candidate:"));
        let candidates: String = candidates.flat_map(|line| [line, "\r\n"]).collect();
        let renew = |line: &str| match line.split_once(':') {
            Some(("a=ice-ufrag", _)) => format!("a=ice-ufrag:{}\r\n", theirs.ufrag),
            Some(("a=ice-pwd", _)) => format!("a=ice-pwd:{}\r\n{candidates}", theirs.pwd),
            Some(("a=candidate", _)) => String::new(),
            _ => format!("{line}\r\n"),
        };
        let renewed: String = self.answer.lines().map(renew).collect();
        self.resource.etag = answer.header("etag").expect("another ICE session").to_owned();
        self.tell(move |driver| {
            let renewed = SdpAnswer::from_sdp_string(&renewed).expect("an answer");
            driver.rtc.sdp_api().accept_answer(pending, renewed).expect("an answer to the restart");
            driver.rtc.add_local_candidate(link.candidate()).expect("a candidate of ours");
            driver.link = link;
        })
        .await;
        answer
    }

    /// Waits until the server has ended the session.
    pub async fn until_closed(&mut self) {
        while self.packet().await.is_some() {}
    }

    async fn until_connected(&mut self) {
        while self.event().await.expect("the machine runs") != Event::Connected {}
    }
}
