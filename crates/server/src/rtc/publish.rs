//! A WHIP publisher: its packets go into the lanes as they arrive, and as whole frames into its broadcast.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Instant, UNIX_EPOCH};

use media::broadcast::{Producer, TrackId, WriteError};
use media::packet::Format;
use media::timeline::Timeline;
use media::{Frame, Packet, Span, Timestamp};
use str0m::Rtc;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{KeyframeRequestKind, Mid};
use str0m::rtp::RtpPacket;
use wire::rtp::{self, Clock, Depacketizer, Event, PayloadKind, red};

use super::keyframes::Keyframes;
use super::lanes::{Forward, Kind, Lanes, Writer};
use super::presence::{Gone, Limits, Presence};
use crate::audience::Audience;

/// Times of frames that packets may still come for.
const STAMPS: usize = 64;

/// A publisher's writing side.
pub(super) struct Publish {
    producer: Producer,
    lanes: Arc<Lanes>,
    _forward: Forward,
    /// Held so that who publishes is known even while nobody watches.
    _audience: Arc<Audience>,
    clock: Clock,
    timeline: Timeline,
    streams: Vec<Stream>,
    keyframes: Keyframes,
    presence: Presence,
}

/// What a publisher writes to, and how long it may be silent.
pub(super) struct Claim {
    pub(super) producer: Producer,
    pub(super) forward: Forward,
    pub(super) audience: Arc<Audience>,
    pub(super) limits: Limits,
}

/// One of its RTP streams.
struct Stream {
    mid: Mid,
    track: TrackId,
    kind: PayloadKind,
    writer: Writer,
    depacketizer: Depacketizer,
    /// Sequence numbers of the newest packets.
    received: VecDeque<u64>,
    /// The places of the newest frames, by RTP time.
    stamps: VecDeque<(u64, Timestamp)>,
    /// From the sender's clock to the broadcast's timeline, as it was for the newest frame.
    offset: Span,
    /// The frame that opened the newest group.
    opened: Option<Timestamp>,
}

impl Publish {
    pub(super) fn new(claim: Claim, now: Instant) -> Self {
        let Claim { producer, forward, audience, limits } = claim;
        Self {
            timeline: producer.timeline(now),
            producer,
            lanes: Arc::clone(forward.lanes()),
            _forward: forward,
            _audience: audience,
            clock: Clock::new(now),
            streams: Vec::new(),
            keyframes: Keyframes::new(now),
            presence: Presence::new(limits),
        }
    }

    /// The peer has connected, the first time or again.
    pub(super) fn handle_connected(&mut self, now: Instant) {
        self.presence.handle_connected(now);
    }

    /// An authentic check of the peer's was answered.
    pub(super) fn handle_check(&mut self, now: Instant) {
        self.presence.handle_check(now);
    }

    /// Why the peer is given up, if it is.
    pub(super) fn gone(&self, now: Instant) -> Option<Gone> {
        self.presence.gone(now)
    }

    /// Ends the broadcast on purpose.
    pub(super) fn end(self) {
        self.producer.end();
    }

    /// Takes one packet.
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        rtc: &mut Rtc,
        packet: RtpPacket,
    ) -> Result<(), WriteError> {
        self.presence.handle_media(now);
        let Some(mid) = packet.header.ext_vals.mid.or_else(|| mid_of(rtc, &packet)) else { return Ok(()) };
        let pt = packet.header.payload_type;
        let is_of = |params: &&PayloadParams| params.pt() == pt || params.red() == Some(pt);
        let params = rtc.codec_config().params().iter().find(is_of);
        let is_red = params.is_some_and(|params| params.red() == Some(pt));
        let Some(format) = params.and_then(|params| format_of(params.spec().codec)) else { return Ok(()) };
        let Some(index) = self.stream(mid, format) else { return Ok(()) };
        self.handle_report(index, &packet);
        let (sequence, time) = (*packet.seq_no, packet.time.numer());
        let told = packet.header.ext_vals.abs_capture_time.as_ref();
        let told = told.and_then(|told| told.capture_time.duration_since(UNIX_EPOCH).ok()).map(Span::from);
        if !is_red {
            let marker = packet.header.marker;
            return self.take(
                now,
                index,
                Arrived { sequence, time, marker, payload: packet.payload, captured: told },
            );
        }
        for block in red::unwrap(&packet.payload) {
            let (sequence, time) =
                (sequence - block.distance.min(sequence), time - u64::from(block.offset).min(time));
            let payload = block.payload.into();
            self.take(now, index, Arrived { sequence, time, marker: false, payload, captured: None })?;
        }
        Ok(())
    }

    /// One packet, however it came.
    fn take(&mut self, now: Instant, index: usize, arrived: Arrived) -> Result<(), WriteError> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        // What was repeated may still come by itself, and the other way round.
        if stream.received.contains(&arrived.sequence) {
            return Ok(());
        }
        if stream.received.len() == STAMPS {
            stream.received.pop_front();
        }
        stream.received.push_back(arrived.sequence);
        let is_new = stream.stamps.back().is_none_or(|(newest, _)| *newest < arrived.time);
        let at = stream.place(now, &mut self.clock, &mut self.timeline, arrived.time);
        let reported = || self.clock.captured(stream.track.0, arrived.time).map(Span::from_micros);
        if let Some(clock) = arrived.captured.or_else(reported).filter(|_| is_new) {
            stream.writer.handle_captured(at, clock);
        }
        let packet = Packet {
            at,
            sequence: arrived.sequence,
            marker: arrived.marker,
            discardable: rtp::is_discardable(stream.kind, &arrived.payload),
            payload: arrived.payload,
        };
        stream.depacketizer.handle_packet(now, &packet);
        let opens = rtp::opens_group(stream.kind, &packet.payload) && stream.opened != Some(at);
        if opens {
            stream.opened = Some(at);
        }
        stream.writer.push(packet, opens);
        self.write_frames(now, index)
    }

    /// A sender report says how this stream stands to the others.
    fn handle_report(&mut self, index: usize, packet: &RtpPacket) {
        let (Some(stream), Some(report)) = (self.streams.get(index), &packet.last_sender_info) else {
            return;
        };
        let wall = report.ntp_time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let rtp_time = near(report.rtp_time.numer(), packet.time.numer());
        self.clock.handle_report(stream.track.0, wall.as_micros() as i64, rtp_time);
    }

    /// The stream of this media section; another codec than before begins it anew.
    fn stream(&mut self, mid: Mid, format: Format) -> Option<usize> {
        let known = self.streams.iter().position(|stream| stream.mid == mid);
        if known.is_some_and(|index| self.streams.get(index).is_some_and(|s| s.writer.format() == format)) {
            return known;
        }
        let kind = if format.is_video() { Kind::Video } else { Kind::Audio };
        // The tracks of any publisher of one picture and one sound, so that viewers go on when another protocol returns.
        let track = if format.is_video() { TrackId(0) } else { TrackId(1) };
        self.streams.retain(|stream| stream.mid != mid);
        if self.streams.iter().any(|stream| stream.track == track) {
            return None;
        }
        let payloads = payload_kind(format);
        self.streams.push(Stream {
            mid,
            track,
            kind: payloads,
            writer: self.lanes.write(kind, format),
            depacketizer: Depacketizer::new(payloads),
            received: VecDeque::with_capacity(STAMPS),
            stamps: VecDeque::with_capacity(STAMPS),
            offset: Span::ZERO,
            opened: None,
        });
        Some(self.streams.len() - 1)
    }

    /// Writes what the packets completed.
    fn write_frames(&mut self, now: Instant, index: usize) -> Result<(), WriteError> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        while let Some(event) = stream.depacketizer.poll_event() {
            match event {
                Event::Codec(codec) => self.producer.set_codec(stream.track, codec, None)?,
                Event::Frame { at, sync, payload } => {
                    if sync && stream.track == TrackId(0) {
                        self.keyframes.handle_keyframe(now);
                    }
                    self.producer.write(stream.track, Frame { dts: at, cts: Span::ZERO, sync, payload })?;
                }
                Event::KeyframeNeeded => self.keyframes.handle_loss(),
            }
        }
        Ok(())
    }

    /// When [`Publish::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.streams.iter().filter_map(|stream| stream.depacketizer.poll_timeout());
        waiting.chain(self.keyframes.poll_timeout()).chain(self.presence.poll_timeout()).min()
    }

    /// Gives up what was waited for, and asks for a keyframe when one is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc) -> Result<(), WriteError> {
        for index in 0..self.streams.len() {
            if let Some(stream) = self.streams.get_mut(index) {
                stream.depacketizer.handle_timeout(now);
            }
            self.write_frames(now, index)?;
        }
        if self.keyframes.take_request(now) {
            for stream in self.streams.iter().filter(|stream| stream.track == TrackId(0)) {
                if let Some(rx) = rtc.direct_api().stream_rx_by_mid(stream.mid, None) {
                    rx.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
        }
        Ok(())
    }

    /// Ready when readers want something else than before, or with `Err` when a newer session took over.
    pub(super) fn poll_demand(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), WriteError>> {
        self.producer.poll_demand(cx).map_ok(|demand| self.keyframes.handle_demand(demand))
    }
}

/// A packet, by itself or repeated in a later one.
struct Arrived {
    sequence: u64,
    time: u64,
    marker: bool,
    payload: Arc<[u8]>,
    /// What the publisher said its clock showed.
    captured: Option<Span>,
}

impl Stream {
    /// Where the packet's frame lies on the broadcast's timeline: the same for all its packets, however late.
    fn place(&mut self, now: Instant, clock: &mut Clock, timeline: &mut Timeline, time: u64) -> Timestamp {
        if let Some((_, at)) = self.stamps.iter().rev().find(|(known, _)| *known == time) {
            return *at;
        }
        let stamp = clock.map(now, self.track.0, self.writer.format().clock_rate(), time);
        if self.stamps.iter().all(|(known, _)| *known < time) {
            self.offset = timeline.map(now, self.track, stamp) - stamp;
        }
        let at = stamp + self.offset;
        if self.stamps.len() == STAMPS {
            self.stamps.pop_front();
        }
        self.stamps.push_back((time, at));
        at
    }
}

/// A report's RTP time has 32 bits; `time` tells the rest.
fn near(report: u64, time: u64) -> u64 {
    time.wrapping_add_signed(i64::from((report as u32).wrapping_sub(time as u32) as i32))
}

/// Packets carry their section's name until the receiver has learnt which stream is which.
fn mid_of(rtc: &mut Rtc, packet: &RtpPacket) -> Option<Mid> {
    rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid())
}

fn payload_kind(format: Format) -> PayloadKind {
    match format {
        Format::H264 => PayloadKind::H264,
        Format::H265 => PayloadKind::H265,
        Format::Vp9 => PayloadKind::Vp9,
        Format::Av1 => PayloadKind::Av1,
        // Browsers send both channels when they have two, and one decoded to two is heard the same.
        Format::Opus => PayloadKind::Opus { channels: 2 },
        Format::Vp8 => PayloadKind::Vp8,
        Format::Pcmu => PayloadKind::Pcmu,
        Format::Pcma => PayloadKind::Pcma,
    }
}

fn format_of(codec: Codec) -> Option<Format> {
    match codec {
        Codec::H264 => Some(Format::H264),
        Codec::H265 => Some(Format::H265),
        Codec::Vp8 => Some(Format::Vp8),
        Codec::Vp9 => Some(Format::Vp9),
        Codec::Av1 => Some(Format::Av1),
        Codec::Opus => Some(Format::Opus),
        Codec::PCMU => Some(Format::Pcmu),
        Codec::PCMA => Some(Format::Pcma),
        _ => None,
    }
}
