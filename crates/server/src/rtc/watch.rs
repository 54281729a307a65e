//! A WHEP viewer: reads the lanes of a broadcast and writes them as its RTP streams. Of pictures in layers it reads the one
//! that [`Choice`] says, and changes to another at a keyframe of that one.

use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use media::broadcast::Phase;
use media::packet::Format;
use media::track::Consumer;
use media::{Packet, Span, Timestamp};
use str0m::Rtc;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::RtpWrite;
use str0m::stats::MediaEgressStats;

use super::beat::Beat;
use super::choice::Choice;
use super::choose::{Pictures, View};
use super::control::Told;
use super::lanes::{Kind, Lanes, Place};
use super::line::Line;
use super::marks::Marks;
use super::repeat::Repeat;
use super::resend::{self, Report, Resend};
use crate::audience::Seat;
use crate::sessions::Session;

/// Where frames are packetized nobody can be asked for a keyframe; the newest one is sent again, at most this often.
const REJOIN_MIN: Duration = Duration::from_millis(500);
/// Packets written before the socket gets its turn: a joined group goes out in bursts that receivers' buffers hold.
pub(super) const BURST_PACKETS: usize = 48;
/// And the pause between such bursts: about 90 Mbit/s.
pub(super) const BURST_PAUSE: Duration = Duration::from_millis(5);

/// A keyframe this young is changed to at once; one that is older would have to be caught up with, by more than is there.
const FRESH: Span = Span::from_millis(300);
/// A change waits for the end of the picture that is being sent, but no longer.
const BOUNDARY_MAX: Duration = Duration::from_millis(60);
/// A viewer that is this far behind in the layer it has goes on with the next keyframe of that.
const LAG_MAX: Duration = Duration::from_millis(1_500);
/// And one that changes because of it is sent nothing more of what it has.
const LAG_CHANGING: Duration = Duration::from_millis(300);
/// What is given to the machine beyond what it has sent: so much time of the way, and at least a few packets. The rest waits
/// in the ring, where it can still be left out.
const AHEAD: Duration = Duration::from_millis(120);
const AHEAD_BYTES_MIN: usize = 12 << 10;

/// A viewer's reading side.
pub(super) struct Watch {
    lanes: Arc<Lanes>,
    streams: Vec<Stream>,
    seat: Seat,
    /// Where the pictures come in layers. In a box, for most do not.
    choice: Option<Box<Choice>>,
    /// The machine reckons what the way carries.
    is_reckoned: bool,
    /// How long the viewer was told to hold what comes.
    held: Duration,
    session: Arc<Session>,
}

/// One of its RTP streams.
struct Stream {
    /// What it reads.
    place: Place,
    /// The layer that it is going to read.
    next: Option<Next>,
    flow: Flow,
    mid: Mid,
    pt: Pt,
    /// What was answered; the lane may come to carry another.
    format: Format,
    consumer: Consumer<Packet>,
    told: Telling,
    /// Nothing is sent until a group opens.
    awaits_group: bool,
    rejoined: Option<Instant>,
    /// How much of it is kept.
    resend: Resend,
    /// Sound that is repeated, where the viewer knows how.
    repeat: Option<Repeat>,
}

/// How far a stream is with what it sends.
struct Flow {
    /// The last packet written was the last of its picture.
    at_boundary: bool,
    /// Nothing of it is read now.
    is_withheld: bool,
    /// Bytes that the machine had to send as of then, and was given since.
    queued: (Option<Instant>, usize),
    /// Packets that the machine keeps to send them again.
    kept: usize,
}

/// What its packets say of themselves.
struct Telling {
    line: Line,
    /// Of sound.
    beat: Option<Beat>,
    marks: Marks,
    numbers: Numbers,
}

/// A layer that a stream changes to once a group of it opens.
struct Next {
    layer: u8,
    consumer: Consumer<Packet>,
    /// The packet that opens it, and since when it is there.
    opening: Option<(Packet, Instant)>,
}

/// The broadcast is over, or carries what this viewer has not negotiated.
#[derive(Debug)]
pub(super) enum Over {
    Ended,
    OtherCodec,
}

impl Watch {
    /// Of a viewer whose way is reckoned or not.
    pub(super) fn new(lanes: Arc<Lanes>, seat: Seat, is_reckoned: bool, session: Arc<Session>) -> Self {
        Self { lanes, streams: Vec::new(), seat, choice: None, is_reckoned, held: Duration::ZERO, session }
    }

    /// A stream was negotiated: it begins with the newest group.
    pub(super) fn add(&mut self, rtc: &mut Rtc, mid: Mid, kind: MediaKind, now: Instant) {
        let kind = match kind {
            MediaKind::Audio => Kind::Audio,
            MediaKind::Video => Kind::Video,
        };
        let Some(format) = self.lanes.format(kind) else { return };
        let Some(params) = params(rtc, mid, format) else { return };
        let (pt, red) = (params.pt(), params.red());
        let Some(marks) = rtc.media(mid).map(|media| Marks::of(media, kind)) else { return };
        self.follow_layers(now);
        let layer = self.choice.as_ref().filter(|_| kind == Kind::Video).and_then(|choice| choice.at_hand());
        let place = layer.map_or(kind.into(), Place::of_layer);
        let mut stream = Stream {
            place,
            next: None,
            flow: Flow { at_boundary: true, is_withheld: false, queued: (None, 0), kept: 0 },
            mid,
            pt,
            format,
            consumer: self.lanes.read(place),
            told: Telling {
                line: Line::default(),
                beat: (kind == Kind::Audio).then(Beat::default),
                marks,
                numbers: Numbers { base: None, next: first_sequence() },
            },
            awaits_group: true,
            rejoined: None,
            resend: Resend::default(),
            repeat: red.map(|red| Repeat::new(red, pt, format.clock_rate())),
        };
        stream.join(&self.lanes);
        if stream.awaits_group && kind == Kind::Video {
            self.lanes.layers().want_keyframe(stream.place.layer());
        }
        // Sound goes first, whichever order the viewer asked in: it never waits for a picture's packets.
        match kind {
            Kind::Audio => self.streams.insert(0, stream),
            Kind::Video => self.streams.push(stream),
        }
        if let (Some(choice), Some(layer)) = (&mut self.choice, layer) {
            choice.handle_lane(layer);
        }
    }

    /// There is a choice once there is something to choose from.
    fn follow_layers(&mut self, now: Instant) {
        if self.choice.is_none() && self.lanes.layers().is_many() {
            let session = Some(Arc::clone(&self.session));
            self.choice = Some(Box::new(Choice::new(self.lanes.layers(), self.is_reckoned, session, now)));
        }
    }

    /// Goes on with what is newest.
    pub(super) fn rejoin(&mut self) {
        for stream in &mut self.streams {
            stream.next = None;
            stream.join(&self.lanes);
        }
    }

    /// When [`Watch::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.choice.as_ref().map(|choice| choice.poll_timeout())
    }

    /// Chooses a layer anew, when it is time.
    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        let Some(choice) = self.choice.as_mut().filter(|choice| choice.poll_timeout() <= now) else { return };
        let pictures = self.streams.iter_mut().find(|stream| stream.place.kind() == Kind::Video);
        let Some(stream) = pictures else { return };
        let before = choice.pictures();
        choice.handle_timeout(now, rtc, stream.behind());
        if choice.pictures() != before && choice.is_by_room() {
            stream.forget(rtc);
        }
        match choice.pictures() {
            Pictures::Lane(layer) => stream.change(layer, &self.lanes),
            Pictures::Withheld => stream.next = None,
        }
    }

    /// What the viewer says of itself.
    pub(super) fn handle_view(&mut self, view: View, now: Instant) {
        if let Some(choice) = &mut self.choice {
            choice.handle_view(view, now);
        }
    }

    /// What the way is reckoned to carry.
    pub(super) fn handle_estimate(&mut self, bps: u64) {
        if let Some(choice) = &mut self.choice {
            choice.handle_estimate(bps);
        }
    }

    /// What is to be said on the control channel, where one is open.
    pub(super) fn take_told(&mut self, is_open: bool) -> Option<Told> {
        if !is_open {
            if let Some(choice) = &mut self.choice {
                choice.forget_told();
            }
            return None;
        }
        let hold = self.lanes.hold();
        if hold != self.held {
            self.held = hold;
            return Some(Told::Hold { ms: hold.as_millis() as u64 });
        }
        self.choice.as_mut()?.take_told()
    }

    /// The viewer cannot decode what it got.
    pub(super) fn handle_keyframe_request(&mut self, mid: Mid, now: Instant) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.mid == mid) else { return };
        if self.lanes.is_forwarded() {
            self.lanes.layers().want_keyframe(stream.place.layer());
            return;
        }
        // What the viewer has seen last is no news while nobody publishes: browsers ask because nothing comes.
        let is_live = self.lanes.broadcast().phase() == Phase::Live;
        if is_live && stream.rejoined.is_none_or(|at| now.duration_since(at) >= REJOIN_MIN) {
            stream.rejoined = Some(now);
            stream.join(&self.lanes);
        }
    }

    /// What is known of one stream's way: how long it is, and what is lost on it.
    pub(super) fn handle_stats(&mut self, stats: &MediaEgressStats) {
        // A publisher of layers may have taken over from one of a single rendering.
        self.follow_layers(stats.timestamp);
        if let Some(choice) = &mut self.choice {
            choice.handle_way(stats.timestamp, stats.loss, stats.rtt);
        }
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.mid == stats.mid) else { return };
        if let (Some(repeat), Some(loss)) = (&mut stream.repeat, stats.loss) {
            repeat.handle_loss(loss);
        }
        stream.resend.handle_report(Report {
            at: stats.timestamp,
            round_trip: stats.rtt,
            asked: stats.nacks,
        });
    }

    /// The next packet of any stream, written to `rtc`.
    pub(super) fn poll_write(&mut self, cx: &mut Task<'_>, rtc: &mut Rtc) -> Poll<Result<(), Over>> {
        let mut ended = !self.streams.is_empty();
        let choice = self.choice.as_deref_mut();
        let is_withheld = choice.as_ref().is_some_and(|choice| choice.pictures() == Pictures::Withheld);
        let estimate = choice.as_ref().and_then(|choice| choice.estimate_bps());
        for stream in &mut self.streams {
            let is_video = stream.place.kind() == Kind::Video;
            // Whatever the machine has to send: the sooner it is the smaller one, the better.
            if let Some(opening) = stream.poll_change(cx).filter(|_| !is_withheld) {
                stream.forget(rtc);
                stream.write(rtc, &self.lanes, opening);
                self.choice.iter_mut().for_each(|choice| choice.handle_lane(stream.place.layer()));
                return Poll::Ready(Ok(()));
            }
            let has_room = estimate.is_none_or(|bps| stream.has_room(rtc, bps) && !stream.is_left());
            if is_video && (is_withheld || !has_room) {
                // The machine's own clock, or the next choice, comes back to it.
                stream.flow.is_withheld |= is_withheld;
                ended &= stream.consumer.ended();
                continue;
            }
            if is_video && std::mem::take(&mut stream.flow.is_withheld) {
                stream.join(&self.lanes);
            }
            match stream.poll_read(cx, &self.lanes, &self.seat) {
                Poll::Ready(Ok(Some(packet))) => {
                    stream.write(rtc, &self.lanes, packet);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(over)) => return Poll::Ready(Err(over)),
                Poll::Pending => ended = false,
            }
        }
        if ended { Poll::Ready(Err(Over::Ended)) } else { Poll::Pending }
    }
}

impl Stream {
    /// The next packet of what it reads; `None` at its end.
    fn poll_read(
        &mut self,
        cx: &mut Task<'_>,
        lanes: &Lanes,
        seat: &Seat,
    ) -> Poll<Result<Option<Packet>, Over>> {
        loop {
            match std::task::ready!(self.consumer.poll_next(cx)) {
                Some(Ok(read)) => {
                    if read.head.is_some_and(|format| *format != self.format) {
                        return Poll::Ready(Err(Over::OtherCodec));
                    }
                    if self.awaits_group && !read.opens_group {
                        continue;
                    }
                    self.awaits_group = false;
                    return Poll::Ready(Ok(Some(read.item)));
                }
                Some(Err(_behind)) => {
                    seat.audience().skips.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    self.join(lanes);
                }
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Goes over to another layer as soon as a group of that opens; until then what is read now is read on.
    fn change(&mut self, layer: u8, lanes: &Lanes) {
        if self.next.as_ref().is_some_and(|next| next.layer == layer) {
            return;
        }
        self.next = None;
        if self.place == Place::of_layer(layer) && self.behind() <= LAG_MAX {
            return;
        }
        let mut consumer = lanes.read(Place::of_layer(layer));
        let newest = lanes.newest(Place::of_layer(layer)).unwrap_or_default();
        let group = consumer.newest_group().map(|group| group.sequence);
        let is_fresh = |first: &u64| consumer.dts(*first).is_some_and(|(_, opened)| newest - opened <= FRESH);
        let fresh = group.filter(is_fresh);
        consumer.start_at(fresh.unwrap_or_else(|| consumer.end()));
        if fresh.is_none() {
            lanes.layers().want_keyframe(layer);
        }
        self.next = Some(Next { layer, consumer, opening: None });
    }

    /// The packet that opens the layer that is changed to, once it is there and what is being sent is whole.
    fn poll_change(&mut self, cx: &mut Task<'_>) -> Option<Packet> {
        let next = self.next.as_mut()?;
        while next.opening.is_none() {
            match next.consumer.poll_next(cx) {
                Poll::Ready(Some(Ok(read))) if read.opens_group => {
                    next.opening = Some((read.item, Instant::now()));
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_behind))) => next.consumer.start_at(next.consumer.end()),
                Poll::Ready(None) | Poll::Pending => return None,
            }
        }
        let is_late = next.opening.as_ref().is_some_and(|(_, at)| at.elapsed() >= BOUNDARY_MAX);
        if !self.flow.at_boundary && !is_late {
            return None;
        }
        let Next { layer, consumer, opening } = self.next.take()?;
        let (packet, _) = opening?;
        (self.place, self.consumer, self.awaits_group) = (Place::of_layer(layer), consumer, false);
        self.told.numbers.base = None;
        self.told.line.join(packet.at);
        Some(packet)
    }

    /// It is far behind in a layer that it is about to leave.
    fn is_left(&self) -> bool {
        self.next.is_some() && self.behind() > LAG_CHANGING
    }

    /// What was lost of a layer that is left is not sent again: where room is short, it would stand in the way of the next.
    fn forget(&self, rtc: &mut Rtc) {
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            stream.set_rtx_cache(self.flow.kept, resend::AGE_MAX, None);
        }
    }

    /// How long what is read next has waited.
    fn behind(&self) -> Duration {
        let waits = self.consumer.dts(self.consumer.position());
        waits.map_or(Duration::ZERO, |(newest, next)| (newest - next).to_duration())
    }

    /// The machine has not much more than it sends in a moment at this rate.
    fn has_room(&mut self, rtc: &mut Rtc, bps: u64) -> bool {
        let mut api = rtc.direct_api();
        let Some(info) = api.stream_tx_by_mid(self.mid, None).and_then(|stream| stream.queue_info()) else {
            return true;
        };
        if self.flow.queued.0 != Some(info.created_at()) {
            self.flow.queued = (Some(info.created_at()), info.byte_size());
        }
        let ahead = usize::try_from(bps / 8 * AHEAD.as_millis() as u64 / 1_000).unwrap_or(usize::MAX);
        self.flow.queued.1 <= ahead.max(AHEAD_BYTES_MIN)
    }

    /// Goes on with the newest group of pictures, or with the newest sound.
    fn join(&mut self, lanes: &Lanes) {
        let newest = lanes.newest(self.place).unwrap_or_default();
        let sequence = match self.place.kind() {
            Kind::Video => self.consumer.newest_group().map(|group| group.sequence),
            Kind::Audio => Some(self.consumer.end()),
        };
        self.awaits_group = sequence.is_none();
        self.consumer.start_at(sequence.unwrap_or_else(|| self.consumer.end()));
        self.told.numbers.base = None;
        self.told.line.join(newest);
        let waiting = sequence.map_or(0, |first| self.consumer.end().saturating_sub(first));
        self.resend.handle_join(usize::try_from(waiting).unwrap_or(usize::MAX));
    }

    fn write(&mut self, rtc: &mut Rtc, lanes: &Lanes, packet: Packet) {
        let told = self.told.line.map(packet.at);
        let Some(sequence) = self.told.numbers.of(packet.sequence) else { return };
        let place = self.place;
        let captured = || lanes.captured(place, packet.at);
        self.flow.at_boundary = packet.marker;
        self.flow.queued.1 += packet.payload.len();
        let marks = self.told.marks.mark(packet.at, captured);
        let at = self.told.beat.as_mut().map_or(told, |beat| beat.map(told));
        let packet = Packet { at, ..packet };
        let (pt, payload) = match &mut self.repeat {
            Some(repeat) => repeat.wrap(&packet),
            None => (self.pt, packet.payload),
        };
        let write = RtpWrite::new(
            pt,
            sequence.into(),
            at.ticks(self.format.clock_rate()) as u32,
            wall(lanes.broadcast().started(), told),
            payload,
        );
        let write = write.marker(packet.marker).nackable(self.place.kind() == Kind::Video).ext_vals(marks);
        let kept = if self.place.kind() == Kind::Video { self.resend.handle_packet() } else { None };
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            if let Some(kept) = kept {
                self.flow.kept = kept;
                // Without a cap: the default gives up resending at a loss where resending is all there is.
                stream.set_rtx_cache(kept, resend::AGE_MAX, None);
            }
            stream.write_rtp(write);
        }
    }
}

/// A viewer's numbers of packets: the lane's, from where the viewer stands.
struct Numbers {
    /// What is taken from the lane's numbers.
    base: Option<u64>,
    next: u64,
}

impl Numbers {
    /// A packet from before the viewer's joining has none.
    fn of(&mut self, sequence: u64) -> Option<u64> {
        let base = *self.base.get_or_insert_with(|| sequence.wrapping_sub(self.next));
        let own = sequence.wrapping_sub(base);
        let is_known = own <= self.next.saturating_add(u64::from(u16::MAX));
        if is_known {
            self.next = self.next.max(own + 1);
        }
        is_known.then_some(own)
    }
}

/// When a point of the broadcast's timeline was live, always in the past: what sender reports relate sound and picture by.
/// Media that comes sooner than the first did lies a little ahead of time, and the library's report would be of nothing.
fn wall(started: Instant, at: Timestamp) -> Instant {
    /// Further ahead than any publisher's jitter.
    const AHEAD_MAX: Duration = Duration::from_secs(2);
    let live = started + Duration::from_micros(u64::try_from(at.micros()).unwrap_or_default());
    live.checked_sub(AHEAD_MAX).unwrap_or(live)
}

/// RFC 3550 §5.1 wants it random; below 2^15, so that a packet of before cannot wrap.
fn first_sequence() -> u64 {
    u64::from(super::service::random_u16() >> 1) + 1
}

/// The parameters that were negotiated for this format: of H.264 one whose packets may be fragmented.
fn params(rtc: &Rtc, mid: Mid, format: Format) -> Option<PayloadParams> {
    let media = rtc.media(mid)?;
    let agreed = media.remote_pts();
    let codec = codec_of(format);
    rtc.codec_config()
        .params()
        .iter()
        .filter(|params| params.spec().codec == codec && agreed.contains(&params.pt()))
        .max_by_key(|params| params.spec().format.packetization_mode.unwrap_or(0))
        .cloned()
}

/// The name that str0m has for a format.
pub(super) fn codec_of(format: Format) -> Codec {
    match format {
        Format::H264 => Codec::H264,
        Format::H265 => Codec::H265,
        Format::Vp8 => Codec::Vp8,
        Format::Vp9 => Codec::Vp9,
        Format::Av1 => Codec::Av1,
        Format::Opus => Codec::Opus,
        Format::Pcmu => Codec::PCMU,
        Format::Pcma => Codec::PCMA,
    }
}
