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
use str0m::stats::MediaEgressStats;

use super::lanes::{Kind, Lanes};
use super::line::Line;
use super::marks::Marks;
use super::repeat::Repeat;
use super::resend::{self, Report, Resend};
use crate::audience::Seat;

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
    marks: Marks,
    numbers: Numbers,
    /// Nothing is sent until a group opens.
    awaits_group: bool,
    rejoined: Option<Instant>,
    /// How much of it is kept.
    resend: Resend,
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
        let Some(marks) = rtc.media(mid).map(|media| Marks::of(media, kind)) else { return };
        let mut stream = Stream {
            kind,
            mid,
            pt,
            format,
            consumer: self.lanes.read(kind),
            line: Line::default(),
            marks,
            numbers: Numbers { base: None, next: first_sequence() },
            awaits_group: true,
            rejoined: None,
            resend: Resend::default(),
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

    /// What is known of one stream's way: how long it is, and what is lost on it.
    pub(super) fn handle_stats(&mut self, stats: &MediaEgressStats) {
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
                        stream.write(rtc, &self.lanes, read.item);
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
        self.numbers.base = None;
        self.line.join(newest);
        let waiting = sequence.map_or(0, |first| self.consumer.end().saturating_sub(first));
        self.resend.handle_join(usize::try_from(waiting).unwrap_or(usize::MAX));
    }

    fn write(&mut self, rtc: &mut Rtc, lanes: &Lanes, packet: Packet) {
        let told = self.line.map(packet.at);
        let Some(sequence) = self.numbers.of(packet.sequence) else { return };
        let captured = || lanes.captured(self.kind, packet.at);
        let marks = self.marks.mark(packet.at, captured);
        let (pt, payload) = match &mut self.repeat {
            Some(repeat) => repeat.wrap(&packet),
            None => (self.pt, packet.payload),
        };
        let write = RtpWrite::new(
            pt,
            sequence.into(),
            told.ticks(self.format.clock_rate()) as u32,
            wall(lanes.broadcast().started(), told),
            payload,
        );
        let write = write.marker(packet.marker).nackable(self.kind == Kind::Video).ext_vals(marks);
        let kept = if self.kind == Kind::Video { self.resend.handle_packet() } else { None };
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            if let Some(kept) = kept {
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
