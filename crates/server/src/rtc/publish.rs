//! A WHIP publisher: its packets go into the lanes as they arrive, each layer's into one of its own, and as whole frames into
//! its broadcast.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Instant, UNIX_EPOCH};

use media::broadcast::{Demand, Producer, TrackId, WriteError};
use media::codec::Codec as Params;
use media::packet::Format;
use media::timeline::Timeline;
use media::{Frame, Packet, Span, Timestamp};
use str0m::Rtc;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{KeyframeRequestKind, Mid, Rid};
use str0m::rtp::RtpPacket;
use str0m::stats::MediaIngressStats;
use wire::rtp::{self, Clock, Depacketizer, Event, PayloadKind, red};

use super::control::Told;
use super::keyframes::Keyframes;
use super::lanes::{Forward, Kind, Lanes, Place, Writer};
use super::layered::Layered;
use super::loudness::Meter;
use super::mending::{Came, Mending, Uplink};
use super::presence::{Gone, Limits, Presence};
use super::queue::Sent;
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
    /// Its pictures come in layers.
    layered: Option<Layered>,
    demand: Demand,
    presence: Presence,
    /// The way here.
    uplink: Uplink,
    /// Of its sound.
    meter: Meter,
}

/// What a publisher writes to, in which layers, and how long it may be silent.
pub(super) struct Claim {
    pub(super) producer: Producer,
    pub(super) forward: Forward,
    pub(super) audience: Arc<Audience>,
    pub(super) limits: Limits,
    pub(super) rids: Vec<String>,
}

/// One of its RTP streams.
struct Stream {
    source: Source,
    /// Its name for the clock; also that of its track, but for layers, whose tracks are by rank.
    track: TrackId,
    /// The layer it is, of pictures that come in several.
    layer: Option<u8>,
    codec: Option<Params>,
    keyframes: Keyframes,
    kind: PayloadKind,
    writer: Writer,
    depacketizer: Depacketizer,
    mending: Mending,
    /// The places of the newest frames, by RTP time.
    stamps: VecDeque<(u64, Timestamp)>,
    /// From the sender's clock to the broadcast's timeline, as it was for the newest frame.
    offset: Span,
    /// The frame that opened the newest group.
    opened: Option<Timestamp>,
}

/// Where packets come from: a media section, and which layer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    mid: Mid,
    rid: Option<Rid>,
}

/// Names of layers for the clock, beyond those of tracks.
const LAYER_NAMES: u8 = 64;

impl Publish {
    pub(super) fn new(claim: Claim, now: Instant) -> Self {
        let Claim { producer, forward, audience, limits, rids } = claim;
        let layers = forward.lanes().layers();
        Self {
            layered: (rids.len() > 1).then(|| Layered::new(rids, Arc::clone(layers), now)),
            timeline: producer.timeline(now),
            producer,
            lanes: Arc::clone(forward.lanes()),
            _forward: forward,
            _audience: audience,
            clock: Clock::new(now),
            streams: Vec::new(),
            demand: Demand::default(),
            presence: Presence::new(limits),
            uplink: Uplink::default(),
            meter: Meter::default(),
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
        let sent = self.uplink.handle_packet(now, &packet);
        let is_crowded = self.uplink.is_crowded(now);
        self.streams.iter_mut().for_each(|stream| stream.mending.handle_queue(now, is_crowded));
        let Some(source) = self.source(rtc, &packet) else { return Ok(()) };
        let pt = packet.header.payload_type;
        let is_of = |params: &&PayloadParams| params.pt() == pt || params.red() == Some(pt);
        let params = rtc.codec_config().params().iter().find(is_of);
        let is_red = params.is_some_and(|params| params.red() == Some(pt));
        let may_ask = params.is_some_and(PayloadParams::fb_nack);
        let Some(format) = params.and_then(|params| format_of(params.spec().codec)) else { return Ok(()) };
        let Some(index) = self.stream(now, source, format) else { return Ok(()) };
        let asked = may_ask.then_some(packet.header.ssrc);
        if self.streams.get_mut(index).is_some_and(|stream| stream.mending.begin(asked))
            && let Some(stream) = rtc.direct_api().stream_rx(&packet.header.ssrc)
        {
            // The machine would ask beside us.
            stream.suppress_nack(true);
        }
        self.handle_report(index, &packet);
        if let (Some(level), false) = (packet.header.ext_vals.audio_level, format.is_video()) {
            self.lanes.loudness().handle_told(now, level);
        }
        let (sequence, time) = (*packet.seq_no, packet.time.numer());
        let told = packet.header.ext_vals.abs_capture_time.as_ref();
        let told = told.and_then(|told| told.capture_time.duration_since(UNIX_EPOCH).ok()).map(Span::from);
        if !is_red {
            let marker = packet.header.marker;
            return self.take(
                now,
                index,
                Arrived { sequence, time, marker, payload: packet.payload, captured: told, sent },
            );
        }
        for block in red::unwrap(&packet.payload) {
            let (sequence, time) =
                (sequence - block.distance.min(sequence), time - u64::from(block.offset).min(time));
            let payload = block.payload.into();
            let sent = sent.filter(|_| block.distance == 0);
            self.take(now, index, Arrived { sequence, time, marker: false, payload, captured: None, sent })?;
        }
        Ok(())
    }

    /// One packet, however it came.
    fn take(&mut self, now: Instant, index: usize, arrived: Arrived) -> Result<(), WriteError> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        // What was repeated may still come by itself, and the other way round.
        match stream.mending.handle_packet(now, arrived.sequence, arrived.sent) {
            None => return Ok(()),
            Some(Came::InTurn) => {}
            Some(Came::AfterOutage) => stream.keyframes.handle_loss(),
        }
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
        stream.mending.handle_place(now, packet.sequence, at);
        stream.depacketizer.set_patience(stream.mending.patience());
        stream.depacketizer.handle_packet(now, &packet);
        let opens = rtp::opens_group(stream.kind, &packet.payload) && stream.opened != Some(at);
        if opens {
            stream.opened = Some(at);
            stream.keyframes.handle_opening(now + stream.mending.patience());
        }
        if let (Some(layered), Some(layer)) = (&self.layered, stream.layer) {
            layered.handle_packet(now, layer, packet.payload.len());
        }
        stream.writer.push(packet, opens);
        self.lanes.set_hold(
            self.streams.iter_mut().map(|stream| stream.mending.hold(now)).max().unwrap_or_default(),
        );
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

    /// Where a packet comes from. Packets carry the names of their section and layer until the receiver has learnt which
    /// stream is which.
    fn source(&self, rtc: &mut Rtc, packet: &RtpPacket) -> Option<Source> {
        let values = &packet.header.ext_vals;
        if self.layered.is_none()
            && let Some(mid) = values.mid
        {
            return Some(Source { mid, rid: None });
        }
        let mut api = rtc.direct_api();
        let known = api.stream_rx(&packet.header.ssrc)?;
        Some(Source { mid: known.mid(), rid: known.rid() })
    }

    /// The stream of this source; another codec than before begins it anew.
    fn stream(&mut self, now: Instant, source: Source, format: Format) -> Option<usize> {
        let known = self.streams.iter().position(|stream| stream.source == source);
        if known.is_some_and(|index| self.streams.get(index).is_some_and(|s| s.writer.format() == format)) {
            return known;
        }
        let layer = match self.layered.as_ref().filter(|_| format.is_video()) {
            Some(layered) => Some(layered.layer(&source.rid?)?),
            None => None,
        };
        // The tracks of any publisher of one picture and one sound, so that viewers go on when another protocol returns.
        let (track, place) = match (layer, format.is_video()) {
            (Some(layer), _) => (TrackId(LAYER_NAMES + layer), Place::of_layer(layer)),
            (None, true) => (TrackId(0), Kind::Video.into()),
            (None, false) => (TrackId(1), Kind::Audio.into()),
        };
        self.streams.retain(|stream| stream.source != source);
        if self.streams.iter().any(|stream| stream.track == track) {
            return None;
        }
        let payloads = payload_kind(format);
        let mut keyframes = Keyframes::new(now);
        keyframes.handle_demand(self.demand);
        self.streams.push(Stream {
            source,
            track,
            layer,
            codec: None,
            keyframes,
            kind: payloads,
            writer: self.lanes.write(place, format),
            depacketizer: Depacketizer::new(payloads),
            mending: Mending::new(None),
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
            match (event, stream.layer.zip(self.layered.as_mut())) {
                (Event::Codec(codec), Some((layer, layered))) => {
                    layered.handle_codec(layer, &codec);
                    stream.codec = Some(codec);
                }
                (Event::Codec(codec), None) => self.producer.set_codec(stream.track, codec, None)?,
                (Event::Frame { at, sync, payload }, layer) => {
                    let frame = Frame { dts: at, cts: Span::ZERO, sync, payload };
                    match stream.writer.format().is_video() {
                        true if sync => stream.keyframes.handle_keyframe(now),
                        true => {}
                        false => self.lanes.handle_sound(now, &mut self.meter, &frame),
                    }
                    match (layer, &stream.codec) {
                        (Some((layer, layered)), Some(codec)) => {
                            layered.write(now, &self.producer, (layer, codec), frame)?;
                        }
                        // Nothing can be decoded of it yet.
                        (Some(_), None) => {}
                        (None, _) => self.producer.write(stream.track, frame)?,
                    }
                }
                (Event::KeyframeNeeded, _) => stream.keyframes.handle_loss(),
            }
        }
        Ok(())
    }

    /// How long the way to the peer and back is.
    pub(super) fn handle_stats(&mut self, stats: &MediaIngressStats) {
        let of_it = |stream: &&mut Stream| stream.source.mid == stats.mid;
        for stream in self.streams.iter_mut().filter(of_it) {
            stream.mending.handle_trip(stats.rtt);
        }
    }

    /// When [`Publish::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.streams.iter().filter_map(|stream| stream.depacketizer.poll_timeout());
        let keyframes = self.pictures().filter_map(|stream| stream.keyframes.poll_timeout());
        let layered = self.layered.as_ref().map(Layered::poll_timeout);
        let asking = self.streams.iter().filter_map(|stream| stream.mending.poll_timeout());
        waiting.chain(keyframes).chain(asking).chain(layered).chain(self.presence.poll_timeout()).min()
    }

    fn pictures(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(|stream| stream.writer.format().is_video())
    }

    /// Gives up what was waited for, and asks for a keyframe when one is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc) -> Result<(), WriteError> {
        let asker = self.uplink.asker(rtc);
        for stream in &mut self.streams {
            stream.mending.handle_timeout(now, rtc, asker);
        }
        for index in 0..self.streams.len() {
            if let Some(stream) = self.streams.get_mut(index) {
                stream.depacketizer.handle_timeout(now);
            }
            self.write_frames(now, index)?;
        }
        let wanted = self.layered.as_mut().and_then(|layered| layered.handle_timeout(now, self.demand));
        for stream in self.streams.iter_mut().filter(|stream| stream.writer.format().is_video()) {
            if wanted.is_some() && wanted == stream.layer {
                stream.keyframes.handle_change();
            }
            let Source { mid, rid } = stream.source;
            if stream.keyframes.take_request(now)
                && let Some(rx) = rtc.direct_api().stream_rx_by_mid(mid, rid)
            {
                rx.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
        Ok(())
    }

    /// Ready when readers want something else than before, or with `Err` when a newer session took over.
    pub(super) fn poll_demand(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), WriteError>> {
        self.producer.poll_demand(cx).map_ok(|demand| self.handle_demand(demand))
    }

    fn handle_demand(&mut self, demand: Demand) {
        self.demand = demand;
        let wishes = self.layered.as_mut().map(Layered::take_wishes).unwrap_or_default();
        let best = self.layered.as_ref().and_then(Layered::best);
        for stream in &mut self.streams {
            match stream.layer {
                // Whoever asks without saying of which layer means the best.
                Some(layer) if Some(layer) != best => {
                    stream.keyframes.handle_demand(Demand { keyframes_wanted: 0, ..demand });
                }
                Some(_) | None => stream.keyframes.handle_demand(demand),
            }
            if stream.layer.is_some_and(|layer| wishes.contains(&layer)) {
                stream.keyframes.handle_change();
            }
        }
    }

    /// The peer's control channel is there.
    pub(super) fn handle_listening(&mut self) {
        if let Some(layered) = &mut self.layered {
            layered.handle_listening();
        }
    }

    /// What is to be said on it.
    pub(super) fn take_told(&mut self) -> Option<Told> {
        let lost = self.pictures().map(|stream| stream.mending.lost()).fold(0.0, f32::max);
        self.uplink.take_told(lost).or_else(|| self.layered.as_mut().and_then(Layered::take_told))
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
    /// When it was sent, by itself.
    sent: Option<Sent>,
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

fn payload_kind(format: Format) -> PayloadKind {
    match format {
        Format::H264 => PayloadKind::H264,
        Format::H265 => PayloadKind::H265,
        Format::Vp9 => PayloadKind::Vp9,
        Format::Av1 => PayloadKind::Av1,
        // Browsers send both channels when they have two, and one decoded to two is heard the same.
        Format::Opus => PayloadKind::Opus { channels: 2 },
        Format::Vp8 => PayloadKind::Vp8,
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
        _ => None,
    }
}
