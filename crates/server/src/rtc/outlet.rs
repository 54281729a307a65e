//! One RTP stream to a peer: whatever it is fed from, its numbers go on by one and its times rise.

use std::time::{Duration, Instant};

use media::packet::Format;
use media::{Packet, Span, Timestamp};
use str0m::Rtc;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{Mid, Pt};
use str0m::rtp::RtpWrite;
use str0m::stats::MediaEgressStats;

use super::beat::Beat;
use super::jitter::{Jitter, Sent};
use super::lanes::Kind;
use super::line::Line;
use super::marks::Marks;
use super::reading::Reading;
use super::repeat::Repeat;
use super::resend::{self, Report, Resend};

/// What is given to the machine beyond what it has sent: so much time of the way, and at least a few packets. The rest waits
/// in the ring, where it can still be left out.
const AHEAD: Duration = Duration::from_millis(120);
const AHEAD_BYTES_MIN: usize = 12 << 10;
/// What browsers report of one stream comes about once a second.
const REPORTED_EVERY: Duration = Duration::from_millis(900);
/// Sound of another source begins no sooner than this after the last packet of the one before: receivers throw away what
/// overlaps, and most packets last so long.
const SOUND_STEP: Span = Span::from_millis(20);

/// One of a peer's streams.
pub(super) struct Outlet {
    mid: Mid,
    kind: Kind,
    pt: Pt,
    /// What is sent; a source may come to carry another.
    format: Format,
    told: Telling,
    flow: Flow,
    /// How much of it is kept.
    resend: Resend,
    /// Sound that is repeated, where the peer knows how.
    repeat: Option<Repeat>,
}

/// Where a source was joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    /// What is newest of it.
    pub(super) newest: Timestamp,
    /// Packets up to there that go out at once.
    pub(super) packets: usize,
}

/// How far a stream is with what it sends.
struct Flow {
    /// The last packet written was the last of its picture.
    at_boundary: bool,
    /// Bytes that the machine had to send as of then, and was given since.
    queued: (Option<Instant>, usize),
    /// Packets that the machine keeps to send them again.
    kept: usize,
    /// When its way was looked at last.
    reported: Option<Instant>,
    /// The newest packet that had come when the peer told last.
    arrived: u64,
    sent: Sent,
}

/// What its packets say of themselves.
struct Telling {
    /// When its time began.
    zero: Instant,
    /// From the source's time to its own.
    shift: Span,
    line: Line,
    /// The newest time that was told.
    last: Option<Timestamp>,
    /// Of sound.
    beat: Option<Beat>,
    marks: Marks,
    numbers: Numbers,
}

impl Outlet {
    /// A stream for this format, if the peer agreed to that; its time begins at `zero`.
    pub(super) fn new(rtc: &Rtc, mid: Mid, format: Format, zero: Instant) -> Option<Self> {
        let params = params(rtc, mid, format)?;
        let kind = if format.is_video() { Kind::Video } else { Kind::Audio };
        let marks = Marks::of(rtc.media(mid)?, kind);
        Some(Self {
            mid,
            kind,
            pt: params.pt(),
            format,
            told: Telling {
                zero,
                shift: Span::ZERO,
                line: Line::default(),
                last: None,
                beat: (kind == Kind::Audio).then(Beat::default),
                marks,
                numbers: Numbers { base: None, next: first_sequence() },
            },
            flow: Flow {
                at_boundary: true,
                queued: (None, 0),
                kept: 0,
                reported: None,
                arrived: 0,
                sent: Sent::default(),
            },
            resend: Resend::default(),
            repeat: params.red().map(|red| Repeat::new(red, params.pt(), format.clock_rate())),
        })
    }

    pub(super) fn mid(&self) -> Mid {
        self.mid
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// It is fed from a source of this format from now on; `false` where the peer has not agreed to that, or its clock is
    /// another one.
    pub(super) fn set_format(&mut self, rtc: &Rtc, format: Format) -> bool {
        if format == self.format {
            return true;
        }
        let Some(params) = params(rtc, self.mid, format) else { return false };
        let is_alike = format.clock_rate() == self.format.clock_rate();
        if is_alike {
            (self.pt, self.format) = (params.pt(), format);
        }
        is_alike
    }

    /// What was written last was whole.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.flow.at_boundary
    }

    /// What follows is of a source whose time began at `started`, and begins with what is at `first` there.
    pub(super) fn enter(&mut self, started: Instant, first: Timestamp) {
        let natural = since(self.told.zero, started);
        self.told.shift = match (self.kind, self.told.last) {
            (Kind::Audio, Some(last)) => natural.max((last + SOUND_STEP) - first),
            (Kind::Audio, None) | (Kind::Video, _) => natural,
        };
    }

    /// What follows begins anew, where its reader has joined the source.
    pub(super) fn join(&mut self, joined: Joined) {
        self.begin(joined.newest);
        self.resend.handle_join(joined.packets);
    }

    /// What follows begins anew with what is at `newest` by its source.
    pub(super) fn begin(&mut self, newest: Timestamp) {
        self.told.numbers.base = None;
        self.told.line.join(newest + self.told.shift);
        self.resend.handle_join(0);
    }

    /// What was lost of what is left is not sent again: where room is short, it would stand in the way of what comes.
    pub(super) fn forget(&self, rtc: &mut Rtc) {
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            stream.set_rtx_cache(self.flow.kept, resend::AGE_MAX, None);
        }
    }

    /// Bytes that the machine has of it and has not sent.
    pub(super) fn queued(&mut self, rtc: &mut Rtc) -> usize {
        let mut api = rtc.direct_api();
        let Some(info) = api.stream_tx_by_mid(self.mid, None).and_then(|stream| stream.queue_info()) else {
            return 0;
        };
        if self.flow.queued.0 != Some(info.created_at()) {
            self.flow.queued = (Some(info.created_at()), info.byte_size());
        }
        self.flow.queued.1
    }

    /// What is known of its way: how long it is, and what is lost on it. Looked at as often as browsers report it.
    pub(super) fn handle_stats(&mut self, stats: &MediaEgressStats) {
        let since = |at| stats.timestamp.saturating_duration_since(at);
        if self.flow.reported.is_some_and(|at| since(at) < REPORTED_EVERY) {
            return;
        }
        self.flow.reported = Some(stats.timestamp);
        if let (Some(repeat), Some(loss)) = (&mut self.repeat, stats.loss) {
            repeat.handle_loss(loss);
        }
        self.resend.handle_report(Report { at: stats.timestamp, round_trip: stats.rtt, asked: stats.nacks });
    }

    /// By how much its pictures come sooner and later than they were sent, if the peer has told that anew.
    pub(super) fn take_jitter(&mut self, stats: &MediaEgressStats) -> Option<Jitter> {
        let told = stats.remote.as_ref()?;
        let newest = *told.maximum_sequence_number;
        let is_news = std::mem::replace(&mut self.flow.arrived, newest) != newest;
        let clock_rate = u64::from(self.format.clock_rate());
        let long = Duration::from_micros(u64::from(told.jitter) * 1_000_000 / clock_rate);
        is_news.then(|| self.flow.sent.of_way(long))
    }

    /// So much is lost on the whole way, as is known sooner than of each stream.
    pub(super) fn handle_way(&mut self, loss: f32) {
        if let Some(repeat) = &mut self.repeat {
            repeat.handle_way(loss);
        }
    }

    /// Sends the packet that was read last. Tells the RTP time that it has now, if it keeps the source's time
    /// and does not go by faster.
    pub(super) fn write(&mut self, rtc: &mut Rtc, reading: &Reading, packet: Packet) -> Option<u32> {
        let own = packet.at + self.told.shift;
        let told = self.told.line.map(own);
        self.told.last = self.told.last.max(Some(told));
        let sequence = self.told.numbers.of(packet.sequence)?;
        let captured = || reading.lanes().captured(reading.place(), packet.at);
        if self.kind == Kind::Video && self.flow.at_boundary {
            self.flow.sent.handle_picture(Instant::now(), told);
        }
        self.flow.at_boundary = packet.marker;
        self.flow.queued.1 += packet.payload.len();
        let marks = self.told.marks.mark(packet.at, captured);
        let at = self.told.beat.as_mut().map_or(told, |beat| beat.map(told));
        let packet = Packet { at, ..packet };
        let (pt, payload) = match &mut self.repeat {
            Some(repeat) => repeat.wrap(&packet),
            None => (self.pt, packet.payload),
        };
        let time = at.ticks(self.format.clock_rate()) as u32;
        let write = RtpWrite::new(pt, sequence.into(), time, wall(self.told.zero, told), payload);
        let is_video = self.kind == Kind::Video;
        let write = write.marker(packet.marker).nackable(is_video).ext_vals(marks);
        if reading.opens() {
            self.resend.handle_opening();
        }
        let kept = if is_video { self.resend.handle_packet() } else { None };
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            if let Some(kept) = kept {
                self.flow.kept = kept;
                // Without a cap: the default gives up resending at a loss where resending is all there is.
                stream.set_rtx_cache(kept, resend::AGE_MAX, None);
            }
            stream.write_rtp(write);
        }
        (told == own).then_some(time)
    }
}

/// So much may be given to the machine at this rate before it has sent it.
pub(super) fn ahead(bps: u64) -> usize {
    let ahead = usize::try_from(bps / 8 * AHEAD.as_millis() as u64 / 1_000).unwrap_or(usize::MAX);
    ahead.max(AHEAD_BYTES_MIN)
}

/// How much later `at` is than `zero`.
pub(super) fn since(zero: Instant, at: Instant) -> Span {
    match at.checked_duration_since(zero) {
        Some(later) => Span::from(later),
        None => Span::ZERO - Span::from(zero.duration_since(at)),
    }
}

/// A peer's numbers of packets: the lane's, from where the peer stands.
struct Numbers {
    /// What is taken from the lane's numbers.
    base: Option<u64>,
    next: u64,
}

impl Numbers {
    /// A packet from before the peer's joining has none.
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

/// When a point of a stream's time was live, always in the past: what sender reports relate sound and picture by.
/// Media that comes sooner than the first did lies a little ahead of time, and the library's report would be of nothing.
fn wall(zero: Instant, at: Timestamp) -> Instant {
    /// Further ahead than any publisher's jitter.
    const AHEAD_MAX: Duration = Duration::from_secs(2);
    let live = zero + Duration::from_micros(u64::try_from(at.micros()).unwrap_or_default());
    live.checked_sub(AHEAD_MAX).unwrap_or(live)
}

/// RFC 3550 §5.1 wants it random; below 2^15, so that a packet of before cannot wrap.
fn first_sequence() -> u64 {
    u64::from(super::service::random_u16() >> 1) + 1
}

/// The peer agreed to take this format in this section.
pub(super) fn is_agreed(rtc: &Rtc, mid: Mid, format: Format) -> bool {
    params(rtc, mid, format).is_some()
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
    }
}
