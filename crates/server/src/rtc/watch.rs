//! A WHEP viewer: reads the lanes of a broadcast and writes them as its RTP streams.

use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use media::broadcast::Phase;
use media::packet::Format;
use media::track::Consumer;
use media::{Packet, Timestamp};
use str0m::Rtc;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::RtpWrite;

use super::lanes::{Kind, Lanes};
use super::line::Line;
use super::repeat::Repeat;
use crate::audience::Seat;

/// What a viewer may ask for again: 1.5 s at 2.5 Mbit/s, more than a browser waits for.
const RTX_PACKETS_MAX: usize = 400;
const RTX_AGE_MAX: Duration = Duration::from_millis(1_500);
/// Where frames are packetized nobody can be asked for a keyframe; the newest one is sent again, at most this often.
const REJOIN_MIN: Duration = Duration::from_millis(500);
/// Packets written before the socket gets its turn: a joined group goes out in bursts that receivers' buffers hold.
pub(super) const BURST_PACKETS: usize = 48;
/// And the pause between such bursts: about 90 Mbit/s.
pub(super) const BURST_PAUSE: Duration = Duration::from_millis(5);

/// A viewer's reading side.
pub(super) struct Watch {
    lanes: Arc<Lanes>,
    streams: Vec<Stream>,
    seat: Seat,
}

/// One of its RTP streams.
struct Stream {
    kind: Kind,
    mid: Mid,
    pt: Pt,
    /// What was answered; the lane may come to carry another.
    format: Format,
    consumer: Consumer<Packet>,
    line: Line,
    /// What is taken from the lane's sequence numbers.
    base: Option<u64>,
    next: u64,
    /// Nothing is sent until a group opens.
    awaits_group: bool,
    rejoined: Option<Instant>,
    /// Sound that is repeated, where the viewer knows how.
    repeat: Option<Repeat>,
}

/// The broadcast is over, or carries what this viewer has not negotiated.
#[derive(Debug)]
pub(super) enum Over {
    Ended,
    OtherCodec,
}

impl Watch {
    pub(super) fn new(lanes: Arc<Lanes>, seat: Seat) -> Self {
        Self { lanes, streams: Vec::new(), seat }
    }

    /// A stream was negotiated: it begins with the newest group.
    pub(super) fn add(&mut self, rtc: &mut Rtc, mid: Mid, kind: MediaKind) {
        let kind = match kind {
            MediaKind::Audio => Kind::Audio,
            MediaKind::Video => Kind::Video,
        };
        let Some(format) = self.lanes.format(kind) else { return };
        let Some(params) = params(rtc, mid, format) else { return };
        let (pt, red) = (params.pt(), params.red());
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, None) {
            // The default gives up resending at a loss where resending is all there is.
            stream.set_rtx_cache(RTX_PACKETS_MAX, RTX_AGE_MAX, None);
        }
        let mut stream = Stream {
            kind,
            mid,
            pt,
            format,
            consumer: self.lanes.read(kind),
            line: Line::default(),
            base: None,
            next: first_sequence(),
            awaits_group: true,
            rejoined: None,
            repeat: red.map(|red| Repeat::new(red, pt, format.clock_rate())),
        };
        stream.join(&self.lanes);
        if stream.awaits_group && kind == Kind::Video {
            self.lanes.broadcast().want_keyframe();
        }
        self.streams.push(stream);
    }

    /// Goes on with what is newest.
    pub(super) fn rejoin(&mut self) {
        for stream in &mut self.streams {
            stream.join(&self.lanes);
        }
    }

    /// The viewer cannot decode what it got.
    pub(super) fn handle_keyframe_request(&mut self, mid: Mid, now: Instant) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.mid == mid) else { return };
        if self.lanes.is_forwarded() {
            self.lanes.broadcast().want_keyframe();
            return;
        }
        // What the viewer has seen last is no news while nobody publishes: browsers ask because nothing comes.
        let is_live = self.lanes.broadcast().phase() == Phase::Live;
        if is_live && stream.rejoined.is_none_or(|at| now.duration_since(at) >= REJOIN_MIN) {
            stream.rejoined = Some(now);
            stream.join(&self.lanes);
        }
    }

    /// The viewer lost this share of one stream.
    pub(super) fn handle_loss(&mut self, mid: Mid, loss: f32) {
        let stream = self.streams.iter_mut().find(|stream| stream.mid == mid);
        if let Some(repeat) = stream.and_then(|stream| stream.repeat.as_mut()) {
            repeat.handle_loss(loss);
        }
    }

    /// The next packet of any stream, written to `rtc`.
    pub(super) fn poll_write(&mut self, cx: &mut Task<'_>, rtc: &mut Rtc) -> Poll<Result<(), Over>> {
        let mut ended = !self.streams.is_empty();
        for stream in &mut self.streams {
            loop {
                match stream.consumer.poll_next(cx) {
                    Poll::Ready(Some(Ok(read))) => {
                        if read.head.is_some_and(|format| *format != stream.format) {
                            return Poll::Ready(Err(Over::OtherCodec));
                        }
                        if stream.awaits_group && !read.opens_group {
                            continue;
                        }
                        stream.awaits_group = false;
                        stream.write(rtc, self.lanes.broadcast().started(), read.item);
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(Some(Err(_behind))) => {
                        self.seat.audience().skips.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        stream.join(&self.lanes);
                    }
                    Poll::Ready(None) => break,
                    Poll::Pending => {
                        ended = false;
                        break;
                    }
                }
            }
        }
        if ended { Poll::Ready(Err(Over::Ended)) } else { Poll::Pending }
    }
}

impl Stream {
    /// Goes on with the newest group of pictures, or with the newest sound.
    fn join(&mut self, lanes: &Lanes) {
        let newest = lanes.newest(self.kind).unwrap_or_default();
        let sequence = match self.kind {
            Kind::Video => self.consumer.newest_group().map(|group| group.sequence),
            Kind::Audio => Some(self.consumer.end()),
        };
        self.awaits_group = sequence.is_none();
        self.consumer.start_at(sequence.unwrap_or_else(|| self.consumer.end()));
        self.base = None;
        self.line.join(newest);
    }

    fn write(&mut self, rtc: &mut Rtc, started: Instant, packet: Packet) {
        let told = self.line.map(packet.at);
        // Numbers of the lane, from where this viewer stands. A packet from before its joining has none.
        let base = *self.base.get_or_insert_with(|| packet.sequence.wrapping_sub(self.next));
        let sequence = packet.sequence.wrapping_sub(base);
        if sequence > self.next.saturating_add(u64::from(u16::MAX)) {
            return;
        }
        self.next = self.next.max(sequence + 1);
        let (pt, payload) = match &mut self.repeat {
            Some(repeat) => repeat.wrap(&packet),
            None => (self.pt, packet.payload),
        };
        let write = RtpWrite::new(
            pt,
            sequence.into(),
            told.ticks(self.format.clock_rate()) as u32,
            wall(started, told),
            payload,
        );
        let write = write.marker(packet.marker).nackable(self.kind == Kind::Video);
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            stream.write_rtp(write);
        }
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
