//! Reads by WHEP: packets to frames, and both kinds onto the publisher's clock by the sender reports.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use media::codec::{Kind, opus};
use media::{Codec, Frame, Packet, Span, Timestamp};
use str0m::media::MediaKind;
use str0m::rtp::RtpPacket;
use wire::rtp::{Depacketizer, Event, PayloadKind};

use super::eye::Unit;
use super::peer::{AUDIO_HZ, Peer, Seen, VIDEO_HZ, Way};
use super::read::{Sink, Viewing};
use super::wall_micros;
use crate::http::Caller;

/// Pictures whose first packet has come and that are not whole yet.
const BEGUN_MAX: usize = 1_024;

/// Reads until it is told to stop, and ends the session; that the server ends it is an error.
pub(super) async fn read(viewing: &Viewing) -> anyhow::Result<()> {
    let Viewing { url, insecure, sink, .. } = viewing;
    let caller = Caller { bearer: None, insecure: *insecure };
    let mut peer = Peer::connect(url, Way::Watch, caller).await?;
    let mut frames = Frames::default();
    let ended = tokio::select! {
        ended = frames.run(&mut peer, sink) => ended,
        () = viewing.stopped() => Ok(()),
    };
    peer.close(caller).await;
    ended.with_context(|| format!("watching {url}"))
}

struct Frames {
    depacketizer: Depacketizer,
    /// When the first packet of a picture came, by its RTP time.
    begun: VecDeque<(Timestamp, u64)>,
    /// By how much pictures' RTP time is behind the publisher's clock, in microseconds, once a report has said so.
    shift: Option<i64>,
    codec: Option<Codec>,
    heard: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            depacketizer: Depacketizer::new(PayloadKind::H264),
            begun: VecDeque::new(),
            shift: None,
            codec: None,
            heard: false,
        }
    }
}

impl Frames {
    async fn run(&mut self, peer: &mut Peer, sink: &Sink) -> anyhow::Result<()> {
        loop {
            let seen = peer.step().await?;
            self.depacketizer.handle_timeout(Instant::now());
            let sound = match seen {
                Seen::Packet(packet, MediaKind::Video) => {
                    self.picture(&packet);
                    None
                }
                Seen::Packet(packet, MediaKind::Audio) => Some(self.sound(&packet)),
                Seen::Connected | Seen::KeyframeWanted | Seen::Opened | Seen::Nothing => None,
            };
            for unit in sound.into_iter().chain(self.whole(peer)) {
                sink.send(unit).await.context("nobody looks")?;
            }
        }
    }

    fn picture(&mut self, packet: &RtpPacket) {
        let at = Timestamp::ZERO + Span::from_ticks(packet.time.numer() as i64, VIDEO_HZ);
        if !self.begun.iter().any(|(begun, _)| *begun == at) {
            self.begun.push_back((at, wall_micros()));
            let more = self.begun.len().saturating_sub(BEGUN_MAX);
            self.begun.drain(..more);
        }
        self.shift = shift(packet, VIDEO_HZ).or(self.shift);
        let packet = Packet {
            at,
            sequence: *packet.seq_no,
            marker: packet.header.marker,
            discardable: false,
            payload: packet.payload.clone(),
        };
        self.depacketizer.handle_packet(Instant::now(), &packet);
    }

    /// The pictures that have become whole.
    fn whole(&mut self, peer: &mut Peer) -> Vec<Unit> {
        let mut units = Vec::new();
        while let Some(event) = self.depacketizer.poll_event() {
            match event {
                Event::Codec(codec) => self.codec = Some(codec),
                Event::KeyframeNeeded => peer.request_keyframe(),
                Event::Frame { at, sync, payload } => {
                    let begun = self.begun.iter().find(|(begun, _)| *begun == at);
                    let arrived = begun.map_or_else(wall_micros, |(_, arrived)| *arrived);
                    let frame = Frame { dts: at, cts: Span::ZERO, sync, payload };
                    let at = self.shift.map(|shift| at.micros() + shift);
                    units.push(Unit { kind: Kind::Video, codec: self.codec.take(), frame, at, arrived });
                }
            }
        }
        units
    }

    fn sound(&mut self, packet: &RtpPacket) -> Unit {
        let dts = Timestamp::ZERO + Span::from_ticks(packet.time.numer() as i64, AUDIO_HZ);
        // Two channels whatever comes: a decoder of Opus makes them of one (RFC 7587 §4.1).
        let codec = (!self.heard).then(|| Codec::Opus(opus::Params::simple(2)));
        self.heard = true;
        let frame = Frame { dts, cts: Span::ZERO, sync: true, payload: packet.payload.to_vec().into() };
        let at = shift(packet, AUDIO_HZ).map(|shift| dts.micros() + shift);
        Unit { kind: Kind::Audio, codec, frame, at, arrived: wall_micros() }
    }
}

/// What is to be added to the microseconds of a stream's RTP time for its publisher's clock (RFC 3550 §6.4.1).
fn shift(packet: &RtpPacket, hz: u32) -> Option<i64> {
    let report = packet.last_sender_info.as_ref()?;
    let wall = micros(report.ntp_time)?;
    // A report's time has 32 bits, a packet's more: only their distance is sure.
    let since = (packet.time.numer() as u32).wrapping_sub(report.rtp_time.numer() as u32) as i32;
    let own = Span::from_ticks(packet.time.numer() as i64, hz).micros();
    Some(wall + Span::from_ticks(since.into(), hz).micros() - own)
}

fn micros(time: SystemTime) -> Option<i64> {
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}
