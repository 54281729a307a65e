//! One broadcast's HLS: frames in, answers out.

use std::ops::Add;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use media::codec::Kind;
use media::{Codec, Frame, Span, Timestamp};

use super::cut::{Cutter, Lengths};
use super::merge::{Lane, Merger};
use super::multivariant::Variant;
use super::playlist;
use super::request::{Directives, Position};
use super::store::{Store, Window};

/// Decode times a year from zero are a publisher's mistake; our tick arithmetic is exact far beyond.
const DTS_MAX: Timestamp = Timestamp::from_millis(366 * 86_400_000);

/// Ten seconds before zero is where our media timeline begins.
const DTS_MIN: Timestamp = Timestamp::from_millis(-10_000);

/// Composition offsets beyond this are a publisher's mistake.
const CTS_MAX: Span = Span::from_millis(10_000);

/// A track of the broadcast, by whatever number its owner gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrackKey(pub u32);

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMicros(pub i64);

impl Add<Span> for UnixMicros {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.micros()))
    }
}

/// How a broadcast is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// EXT-X-TARGETDURATION in whole seconds, 1 to 60: no segment is longer, and it never changes.
    pub target_seconds: u32,
    /// The first keyframe this long after a segment's start begins the next one.
    pub segment_min: Span,
    /// Longest part, 100 ms to half the target duration. Sources whose frames come too seldom to end a part
    /// in its last 15 % get a longer one, decided before the first part.
    pub part_target: Span,
    /// Complete segments in the playlist at most; fewer when they last eight target durations or weigh too much, and
    /// more as long as they last less than three. Delta updates have something to skip beyond six.
    pub segments_listed: usize,
    /// The broadcast is known to have pictures and sound: its start waits longer for whichever of them comes late.
    pub both: bool,
    /// It is one of several renditions, which are all cut alike: segments begin at the first keyframe of each length of
    /// `segment_min` since the broadcast's zero.
    pub aligned: bool,
}

/// Where a segment stands among all of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When it begins.
    pub wall: UnixMicros,
    /// Its media sequence number.
    pub msn: u64,
    /// Discontinuities up to its start.
    pub discontinuities: u64,
}

/// How far another rendition is (EXT-X-RENDITION-REPORT).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its playlist's address, relative to this one's.
    pub uri: String,
    /// Its newest part.
    pub last: Position,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target_seconds: 6,
            segment_min: Span::from_millis(2_000),
            part_target: Span::from_millis(500),
            segments_listed: 24,
            both: false,
            aligned: false,
        }
    }
}

/// An answer that may have to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// Here it is.
    Ready(T),
    /// Soon: ask again when [`Packager::version`] has changed, for three target durations at most
    /// (then 503, RFC 8216bis §6.2.5.2).
    NotYet,
    /// Not here, and not soon: 404.
    NotFound,
    /// So far ahead that the request makes no sense: 400 (RFC 8216bis §6.2.5.2).
    TooFarAhead,
}

/// Packages one broadcast: at most one picture and one sound track, muxed into one playlist.
#[derive(Debug)]
pub struct Packager {
    /// Which track feeds each lane, and when it last did.
    sources: [Option<(TrackKey, Timestamp)>; 2],
    merger: Merger,
    both: bool,
    cutter: Cutter,
    store: Store,
    full: OnceLock<Bytes>,
    delta: OnceLock<Bytes>,
    /// Stands before the names of segments and parts.
    directory: String,
    /// How far other renditions are.
    reports: Vec<Report>,
    refused: u64,
}

impl Packager {
    /// A packager without frames. Options outside their limits are brought inside.
    pub fn new(mut options: Options) -> Self {
        options.target_seconds = options.target_seconds.clamp(1, 60);
        let target = Span::from_millis(i64::from(options.target_seconds) * 1_000);
        let half = Span::from_micros(target.micros() / 2);
        options.part_target = options.part_target.clamp(Span::from_millis(100), half);
        options.segment_min = options.segment_min.clamp(Span::ZERO, target);
        let Options { segment_min, part_target: part, aligned, .. } = options;
        let lengths = Lengths { target, segment_min, part, aligned };
        Self {
            sources: [None, None],
            merger: Merger::new(options.both),
            both: options.both,
            cutter: Cutter::new(lengths),
            store: Store::new(Window { segments: options.segments_listed, target }),
            full: OnceLock::new(),
            delta: OnceLock::new(),
            directory: String::new(),
            reports: Vec::new(),
            refused: 0,
        }
    }

    /// Lets playlists name segments and parts in another session's place: `../{session}/seg-1.m4s`. Where all playlists
    /// name the same, a cache has one of each for every player.
    pub fn share_segments(&mut self, session: &str) {
        self.directory = format!("../{session}/");
        self.forget_texts();
    }

    /// Says how far other renditions are. Playlists tell it from their next version on.
    pub fn set_reports(&mut self, reports: Vec<Report>) {
        self.reports = reports;
    }

    /// When its first segment began; `None` before there is one, and where the clock is not known.
    pub fn first_wall(&self) -> Option<UnixMicros> {
        self.store.first_wall()
    }

    /// Where its listed segments from number `from` on stand, oldest first; none where the clock is not known.
    pub fn marks(&self, from: u64) -> impl Iterator<Item = Mark> {
        self.store.marks(from)
    }

    /// Gives its first segment the number that another rendition's of the same time has. To be done before anybody has
    /// read a playlist.
    pub fn renumber(&mut self, mark: Mark) {
        self.store.renumber(mark);
        self.forget_texts();
    }

    /// Its newest part; `None` before there is one.
    pub fn last(&self) -> Option<Position> {
        if let Some(growing) = self.store.growing() {
            return Some(Position { msn: growing.msn, part: (growing.parts.len() as u64).saturating_sub(1) });
        }
        let last = self.store.listed().next_back()?;
        Some(Position { msn: last.msn, part: (last.parts.len() as u64).saturating_sub(1) })
    }

    /// Takes a frame of a track, in order of arrival among all tracks; `codec` is what the frame's group is
    /// coded with. Data tracks, a second track of a kind and frames whose decode time does not rise are
    /// left out.
    pub fn handle_frame(&mut self, track: TrackKey, codec: &Arc<Codec>, frame: &Frame) {
        let lane = match codec.kind() {
            Kind::Video => Lane::Video,
            Kind::Audio => Lane::Audio,
            Kind::Data => return,
        };
        let sane = (DTS_MIN..=DTS_MAX).contains(&frame.dts) && frame.cts.abs() <= CTS_MAX;
        if self.store.is_ended() || !sane || !self.claims(lane, track, frame.dts) {
            self.refused += 1;
            return;
        }
        if !self.merger.push(lane, codec.clone(), frame.clone()) {
            self.refused += 1;
            return;
        }
        self.work(false);
    }

    /// Says that what the broadcast's clock calls `at` happened at `unix`: the source of
    /// EXT-X-PROGRAM-DATE-TIME. Segments that have begun keep their time.
    pub fn handle_wall_clock(&mut self, at: Timestamp, unix: UnixMicros) {
        self.cutter.set_wall(at, unix);
    }

    /// What follows does not continue what was: the reader skipped, or the publisher is another one. The next
    /// segment begins at the next keyframe, behind EXT-X-DISCONTINUITY.
    pub fn handle_discontinuity(&mut self) {
        self.work(true);
        self.cutter.handle_discontinuity(&mut self.store);
        self.merger = Merger::new(self.both);
        self.sources = [None, None];
        self.forget_texts();
    }

    /// The broadcast is over: what is held leaves and the playlist ends (EXT-X-ENDLIST).
    pub fn handle_end(&mut self) {
        if self.store.is_ended() {
            return;
        }
        self.work(true);
        self.cutter.finish(&mut self.store);
        self.store.end();
        self.forget_texts();
    }

    /// Changes whenever an answer may: with every part, segment and the end.
    pub fn version(&self) -> u64 {
        self.store.version()
    }

    /// True once the playlist has something to play.
    pub fn is_ready(&self) -> bool {
        self.store.growing().is_some() || self.store.listed().next().is_some()
    }

    /// True after [`Packager::handle_end`].
    pub fn is_ended(&self) -> bool {
        self.store.is_ended()
    }

    /// Frames that came but went into no segment.
    pub fn dropped(&self) -> u64 {
        self.refused + self.cutter.dropped()
    }

    /// The media playlist, rendered once a version and shared.
    ///
    /// [`Answer::NotYet`] while the playlist lacks the part that is asked for, or has no segment and none is asked for;
    /// [`Answer::TooFarAhead`] by the rules of RFC 8216bis §6.2.5.2.
    pub fn poll_playlist(&self, directives: &Directives) -> Answer<Bytes> {
        if self.is_ended() {
            return Answer::Ready(self.text(false));
        }
        if let Some(position) = directives.position {
            if self.is_too_far(position) {
                return Answer::TooFarAhead;
            }
            if !self.has(position) {
                return Answer::NotYet;
            }
        }
        // A player that does not know parts gives up on a list without a segment (FFmpeg, GStreamer, WebKitGTK), and
        // the first request of one that does looks the same. Only whoever names a position is answered by parts alone.
        let is_ready = match directives.position {
            Some(_) => self.is_ready(),
            None => self.store.listed().next().is_some(),
        };
        if !is_ready {
            return Answer::NotYet;
        }
        Answer::Ready(self.text(directives.skip))
    }

    /// A part: [`Answer::NotYet`] for the one that EXT-X-PRELOAD-HINT names.
    pub fn poll_part(&self, position: Position) -> Answer<Bytes> {
        let part = self.store.segment(position.msn).and_then(|segment| {
            segment.parts.get(usize::try_from(position.part).ok()?).map(|part| part.bytes.clone())
        });
        match part {
            Some(bytes) => Answer::Ready(bytes),
            None if !self.is_ended() && position == self.hinted() => Answer::NotYet,
            None => Answer::NotFound,
        }
    }

    /// The bytes of a complete segment, in pieces to be sent one after the other.
    pub fn segment(&self, msn: u64) -> Option<Vec<Bytes>> {
        let segment = self.store.segment(msn).filter(|_| msn < self.store.growing_msn())?;
        Some(segment.parts.iter().map(|part| part.bytes.clone()).collect())
    }

    /// An init segment.
    pub fn init(&self, n: u32) -> Option<Bytes> {
        self.store.init(n).cloned()
    }

    /// It as a variant of a multivariant playlist, at `uri`; `None` until the codecs and a first bit rate are known.
    pub fn variant(&self, uri: &str) -> Option<Variant> {
        Variant::of(&self.cutter, &self.store, uri)
    }

    /// Whether all segments that it lists begin with a keyframe.
    pub fn is_independent(&self) -> bool {
        self.store.listed().chain(self.store.growing()).all(|segment| segment.independent)
    }

    /// The part that comes next.
    fn hinted(&self) -> Position {
        Position { msn: self.store.growing_msn(), part: self.store.growing_parts() }
    }

    /// True when the playlist has the part at `position` or a later one. A part index beyond the last of a
    /// complete segment means the first of the next (RFC 8216bis §6.2.5.2).
    fn has(&self, position: Position) -> bool {
        let hinted = self.hinted();
        if position.msn >= hinted.msn {
            return position < hinted;
        }
        let complete =
            self.store.segment(position.msn).is_none_or(|segment| position.part < segment.parts.len() as u64);
        complete || position.msn + 1 < hinted.msn || hinted.part > 0
    }

    /// More than two segments after the last complete one, or more parts ahead than three seconds hold.
    fn is_too_far(&self, position: Position) -> bool {
        let hinted = self.hinted();
        let micros = self.cutter.lengths().part.micros().max(1);
        let advance = if micros < 1_000_000 { 3_000_000_u64.div_ceil(micros.unsigned_abs()) } else { 3 };
        let ready = if position.msn == hinted.msn { hinted.part } else { 0 };
        position.msn > hinted.msn + 1
            || position.msn >= hinted.msn && position.part >= ready.saturating_add(advance)
    }

    /// True when `track` feeds `lane`: the first of its kind does, until it is silent for a target duration.
    fn claims(&mut self, lane: Lane, track: TrackKey, dts: Timestamp) -> bool {
        let source = &mut self.sources[lane.index()];
        match source {
            Some((owner, last)) if *owner != track && dts - *last <= self.cutter.lengths().target => false,
            Some(_) | None => {
                *source = Some((track, dts));
                true
            }
        }
    }

    /// Cuts all that can be cut.
    fn work(&mut self, flush: bool) {
        let version = self.version();
        if !self.merger.is_started() && self.merger.can_start(flush) && version == 0 {
            self.fit();
        }
        while let Some(merged) = self.merger.pop(flush) {
            self.cutter.handle(merged, &mut self.store);
        }
        if self.version() != version {
            self.forget_texts();
        }
    }

    /// Fits the part target to the densest track.
    fn fit(&mut self) {
        let intervals = Lane::ALL.into_iter().filter_map(|lane| {
            let (codec, frame) = self.merger.front(lane)?;
            let unit = crate::fmp4::unit_ticks(codec, &frame.payload).zip(crate::fmp4::timescale(codec));
            unit.map(|(ticks, hz)| Span::from_ticks(ticks.into(), hz)).or_else(|| self.merger.interval(lane))
        });
        if let Some(interval) = intervals.min() {
            self.cutter.fit(interval);
        }
    }

    fn text(&self, skip: bool) -> Bytes {
        let render = || self.render(skip);
        if skip { &self.delta } else { &self.full }.get_or_init(render).clone()
    }

    fn render(&self, skip: bool) -> Bytes {
        let names = playlist::Names { directory: &self.directory, reports: &self.reports };
        playlist::render(&self.store, self.cutter.lengths(), skip, names)
    }

    fn forget_texts(&mut self) {
        self.full = OnceLock::new();
        self.delta = OnceLock::new();
    }
}
