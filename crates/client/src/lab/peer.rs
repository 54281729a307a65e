//! A WebRTC peer over a UDP socket: offers by WHIP or WHEP, connects, and carries packets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use media::Packet;
use str0m::change::SdpAnswer;
use str0m::channel::ChannelId;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{sleep_until, timeout};

use crate::http::{self, Caller};
use crate::net::local_ip;
use crate::url::Url;

/// From the answer to the end of DTLS.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Beyond what any network carries in one datagram.
const DATAGRAM_BYTES_MAX: usize = 2_048;
/// Viewers begin with all of a group at once.
const BURST_BYTES: usize = 4 << 20;
/// The label of the control channel (docs/control-channel.md).
const CHANNEL: &str = "openmic";
/// Sound louder than this is a voice, in decibels of full scale.
const VOICE_LEVEL: i8 = -50;
/// RTP times of pictures.
pub(super) const VIDEO_HZ: u32 = 90_000;
/// RTP times of Opus.
pub(super) const AUDIO_HZ: u32 = 48_000;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Sound and pictures to the server.
    Publish,
    /// Sound and pictures from it.
    Watch,
    /// A room's stage from it: so many voices and tiles, and the control channel.
    Attend { voices: usize, tiles: usize },
}

impl Way {
    /// Sections of sound and of pictures, and which way they go.
    fn sections(self) -> (Direction, usize, usize) {
        match self {
            Self::Publish => (Direction::SendOnly, 1, 1),
            Self::Watch => (Direction::RecvOnly, 1, 1),
            Self::Attend { voices, tiles } => (Direction::RecvOnly, voices, tiles),
        }
    }
}

/// What happened.
#[derive(Debug)]
pub(super) enum Seen {
    /// Connected.
    Connected,
    /// Media came: a packet of pictures or of sound.
    Packet(Box<RtpPacket>, MediaKind),
    /// The server asks for a keyframe.
    KeyframeWanted,
    /// The control channel is open.
    Opened,
    /// Nothing for the caller: time has passed or the protocol went on.
    Nothing,
}

/// One peer.
pub(super) struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    /// The same socket, to send without waiting: what it does not take is lost, as on any network.
    sender: std::net::UdpSocket,
    address: SocketAddr,
    /// Its sections.
    audio: Vec<Mid>,
    video: Vec<Mid>,
    channel: Option<ChannelId>,
    resource: Option<Url>,
    buffer: Vec<u8>,
    /// What happened while packets were sent.
    pending: VecDeque<Seen>,
}

impl Peer {
    /// Offers to the resource at `url`, is answered and connects.
    pub(super) async fn connect(url: &Url, way: Way, caller: Caller<'_>) -> anyhow::Result<Self> {
        let server = lookup_host((url.host.as_str(), url.port)).await;
        let server = server.with_context(|| format!("looking up {}", url.host))?.next();
        let sender = socket_towards(server.with_context(|| format!("{} has no address", url.host))?)?;
        let (socket, address) = (UdpSocket::from_std(sender.try_clone()?)?, sender.local_addr()?);
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(Arc::new(str0m_aws_lc_rs::default_provider()))
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp)?);
        let (direction, sounds, pictures) = way.sections();
        let mut api = rtc.sdp_api();
        let mut add = |kind, count| -> Vec<Mid> {
            (0..count).map(|_| api.add_media(kind, direction, None, None, None)).collect()
        };
        let (audio, video) = (add(MediaKind::Audio, sounds), add(MediaKind::Video, pictures));
        if matches!(way, Way::Attend { .. }) {
            api.add_channel(CHANNEL.to_owned());
        }
        let (offer, pending) = api.apply().context("an offer without media")?;
        let answer = http::post(url, "application/sdp", offer.to_sdp_string().as_bytes(), caller).await?;
        let sdp = String::from_utf8(answer.body).context("the answer is no text")?;
        let sdp = SdpAnswer::from_sdp_string(&sdp).context("the answer is no SDP")?;
        rtc.sdp_api().accept_answer(pending, sdp).context("the answer does not fit the offer")?;
        // Or ICE waits for whatever else makes time pass.
        rtc.handle_input(Input::Timeout(Instant::now()))?;
        let resource = answer.location.map(|location| url.join(&location)).transpose()?;
        let mut peer = Self {
            rtc,
            socket,
            sender,
            address,
            audio,
            video,
            channel: None,
            resource,
            buffer: vec![0; DATAGRAM_BYTES_MAX],
            pending: VecDeque::new(),
        };
        let connected = timeout(CONNECT_MAX, peer.until_connected()).await;
        connected.with_context(|| format!("{url}: no connection within {} s", CONNECT_MAX.as_secs()))??;
        Ok(peer)
    }

    async fn until_connected(&mut self) -> anyhow::Result<()> {
        while !matches!(self.step().await?, Seen::Connected) {}
        Ok(())
    }

    /// Waits for the next thing that happens. Cancel safe.
    pub(super) async fn step(&mut self) -> anyhow::Result<Seen> {
        if let Some(seen) = self.pending.pop_front() {
            return Ok(seen);
        }
        let due = loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => break due,
                Output::Transmit(transmit) => {
                    drop(self.sender.send_to(&transmit.contents, transmit.destination));
                }
                Output::Event(event) => match self.event(event)? {
                    Seen::Nothing => {}
                    seen => return Ok(seen),
                },
            }
        };
        let input = tokio::select! {
            received = self.socket.recv_from(&mut self.buffer) => {
                // An error tells of a port that was closed; ICE finds out by itself.
                let Ok((length, from)) = received else { return Ok(Seen::Nothing) };
                match Receive::new(Protocol::Udp, from, self.address, &self.buffer[..length]) {
                    Ok(receive) => Input::Receive(Instant::now(), receive),
                    Err(_) => return Ok(Seen::Nothing),
                }
            }
            () = sleep_until(due.into()) => Input::Timeout(Instant::now()),
        };
        self.rtc.handle_input(input)?;
        Ok(Seen::Nothing)
    }

    fn event(&mut self, event: Event) -> anyhow::Result<Seen> {
        Ok(match event {
            Event::Connected => Seen::Connected,
            Event::KeyframeRequest(_) => Seen::KeyframeWanted,
            Event::RtpPacket(packet) => match self.kind(packet.header.payload_type) {
                Some(kind) => Seen::Packet(Box::new(packet), kind),
                None => Seen::Nothing,
            },
            Event::ChannelOpen(channel, _) => {
                self.channel = Some(channel);
                Seen::Opened
            }
            Event::Closed => bail!("the server ended the session"),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                bail!("the server no longer answers")
            }
            _ => Seen::Nothing,
        })
    }

    fn kind(&self, pt: Pt) -> Option<MediaKind> {
        let found = self.rtc.codec_config().params().iter().find(|params| params.pt() == pt)?;
        Some(if found.spec().codec == Codec::Opus { MediaKind::Audio } else { MediaKind::Video })
    }

    /// Which section a packet came in.
    pub(super) fn section(&mut self, packet: &RtpPacket) -> Option<Mid> {
        self.rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid())
    }

    /// Its sections of pictures.
    pub(super) fn tiles(&self) -> &[Mid] {
        &self.video
    }

    /// Says something on the control channel; `false` while that is not open.
    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<bool> {
        let channel = self.channel.and_then(|id| self.rtc.channel(id));
        let Some(mut channel) = channel else { return Ok(false) };
        channel.write(false, text.as_bytes())?;
        self.flush()?;
        Ok(true)
    }

    /// Sends the packets of one frame; `wall` is when it was taken, and `level` how loud sound is, in decibels of full scale.
    pub(super) fn send(
        &mut self,
        kind: MediaKind,
        packets: &[Packet],
        wall: Instant,
        level: Option<i8>,
    ) -> anyhow::Result<()> {
        let hz = if kind == MediaKind::Video { VIDEO_HZ } else { AUDIO_HZ };
        let mid = self.sending(kind).context("a session that sends nothing")?;
        let marks = ExtensionValues {
            audio_level: level,
            voice_activity: level.map(|level| level > VOICE_LEVEL),
            ..ExtensionValues::default()
        };
        let pt = self.agreed(kind).with_context(|| format!("the server takes no {kind:?} of ours"))?;
        for packet in packets {
            let time = packet.at.ticks(hz) as u32;
            let write = RtpWrite::new(pt, packet.sequence.into(), time, wall, Arc::clone(&packet.payload));
            let write = write.marker(packet.marker).nackable(kind == MediaKind::Video);
            let write = write.ext_vals(marks.clone());
            let mut api = self.rtc.direct_api();
            api.stream_tx_by_mid(mid, None).context("a stream that was not negotiated")?.write_rtp(write);
        }
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.flush()
    }

    /// Sends what is ready now.
    fn flush(&mut self) -> anyhow::Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(_) => return Ok(()),
                Output::Transmit(transmit) => {
                    drop(self.sender.send_to(&transmit.contents, transmit.destination));
                }
                Output::Event(event) => {
                    let seen = self.event(event)?;
                    self.pending.push_back(seen);
                }
            }
        }
    }

    fn sending(&self, kind: MediaKind) -> Option<Mid> {
        let sections = if kind == MediaKind::Video { &self.video } else { &self.audio };
        sections.first().copied()
    }

    fn agreed(&self, kind: MediaKind) -> Option<Pt> {
        let mid = self.sending(kind)?;
        let agreed = self.rtc.media(mid)?.remote_pts();
        let params = self.rtc.codec_config().params().iter();
        let wanted = if kind == MediaKind::Video { Codec::H264 } else { Codec::Opus };
        let fitting = params.filter(|params| params.spec().codec == wanted && agreed.contains(&params.pt()));
        // Mode 1 lets pictures be larger than a packet (RFC 6184 §6.3).
        fitting
            .max_by_key(|params| params.spec().format.packetization_mode.unwrap_or(0))
            .map(|params| params.pt())
    }

    /// Asks for a keyframe of the first pictures.
    pub(super) fn request_keyframe(&mut self) {
        let Some(mid) = self.sending(MediaKind::Video) else { return };
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_rx_by_mid(mid, None) {
            stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
        }
    }

    /// Ends the session by its resource, where the server named one.
    pub(super) async fn close(self, caller: Caller<'_>) {
        if let Some(resource) = &self.resource
            && let Err(why) = http::delete(resource, caller).await
        {
            tracing::debug!("ending a session: {why:#}");
        }
    }
}

fn socket_towards(server: SocketAddr) -> anyhow::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind((local_ip(server)?, 0))?;
    // Less is granted where the kernel's limit is lower.
    drop(socket2::SockRef::from(&socket).set_recv_buffer_size(BURST_BYTES));
    socket.set_nonblocking(true)?;
    Ok(socket)
}
