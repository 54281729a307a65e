//! The segments, parts and init segments that can be fetched, and which of them the playlist lists.

use std::collections::VecDeque;

use bytes::Bytes;
use media::Span;

use super::packager::{Mark, UnixMicros};

/// Bytes of all segments of a broadcast, listed or not: half a minute at 16 Mbit/s.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// Bytes of listed segments beyond which the playlist keeps to three target durations: they stay as long again after
/// they have left it, and both together should fit into [`BYTES_MAX`].
const LISTED_BYTES_MAX: usize = 24 << 20;

/// Target durations listed: two more than the skip boundary of six, or a delta update had nothing to leave out.
const TARGETS_LISTED: i64 = 8;

/// Segments kept at most, listed or not, whatever their length.
pub(super) const SEGMENTS_MAX: usize = 512;

/// A part: one CMAF chunk.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) duration: Span,
    /// Contains a keyframe (or only sound).
    pub(super) independent: bool,
    pub(super) bytes: Bytes,
}

/// A segment, complete or growing.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) msn: u64,
    /// When its first picture was taken, where the clock is known.
    pub(super) wall: Option<UnixMicros>,
    /// Something before it does not continue here.
    pub(super) discontinuity: bool,
    /// Which init segment it needs.
    pub(super) init: u32,
    /// Begins with a keyframe.
    pub(super) independent: bool,
    pub(super) parts: Vec<Part>,
}

impl Segment {
    /// The sum of the parts' durations.
    pub(super) fn duration(&self) -> Span {
        self.parts.iter().fold(Span::ZERO, |sum, part| sum + part.duration)
    }

    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }
}

/// How much is listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Complete segments listed at most, as long as they last three target durations (RFC 8216bis §6.2.2).
    pub(super) segments: usize,
    /// The target duration.
    pub(super) target: Span,
}

/// A segment that is complete, and when it left the playlist.
#[derive(Debug)]
struct Kept {
    segment: Segment,
    /// Media time that had passed in all when it left the playlist.
    unlisted: Option<Span>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    window: Window,
    kept: VecDeque<Kept>,
    /// The growing segment; listed once it has a part.
    open: Option<Segment>,
    inits: VecDeque<(u32, Bytes)>,
    next_msn: u64,
    discontinuity_sequence: u64,
    bytes: usize,
    /// Duration of all complete segments ever: the clock by which old ones leave.
    elapsed: Span,
    /// The longest the listed segments ever lasted together.
    longest: Span,
    /// Bits a second of the densest complete segment or part so far.
    peak_bits: u64,
    version: u64,
    ended: bool,
}

impl Store {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            kept: VecDeque::new(),
            open: None,
            inits: VecDeque::new(),
            next_msn: 0,
            discontinuity_sequence: 0,
            bytes: 0,
            elapsed: Span::ZERO,
            longest: Span::ZERO,
            peak_bits: 0,
            version: 0,
            ended: false,
        }
    }

    /// Adds an init segment and returns its number.
    pub(super) fn add_init(&mut self, bytes: Bytes) -> u32 {
        // The newest init segment never leaves before there is a newer one.
        let n = self.inits.back().map_or(0, |(n, _)| n + 1);
        self.inits.push_back((n, bytes));
        n
    }

    /// Begins a segment; there must be no open one. Its number is set here.
    pub(super) fn open(&mut self, mut segment: Segment) {
        segment.msn = self.next_msn;
        self.next_msn += 1;
        self.open = Some(segment);
    }

    /// Numbers what there is anew, so that its first segment has the number of `mark`.
    pub(super) fn renumber(&mut self, mark: Mark) {
        let first = self.kept.front().map(|kept| &kept.segment).or(self.open.as_ref());
        let first = first.map_or(self.next_msn, |segment| segment.msn);
        let renumbered = |msn: u64| (msn - first).saturating_add(mark.msn);
        let all = self.kept.iter_mut().map(|kept| &mut kept.segment).chain(&mut self.open);
        all.for_each(|segment| segment.msn = renumbered(segment.msn));
        self.next_msn = renumbered(self.next_msn);
        self.discontinuity_sequence = self.discontinuity_sequence.saturating_add(mark.discontinuities);
    }

    /// Where listed segments from number `from` on stand that have a part; none where the clock is not known.
    pub(super) fn marks(&self, from: u64) -> impl Iterator<Item = Mark> {
        let mut discontinuities = self.discontinuity_sequence;
        let all = self.listed().chain(self.growing()).filter_map(move |segment| {
            discontinuities += u64::from(segment.discontinuity);
            segment.wall.map(|wall| Mark { wall, msn: segment.msn, discontinuities })
        });
        all.skip_while(move |mark| mark.msn < from)
    }

    /// When the first segment that is here began.
    pub(super) fn first_wall(&self) -> Option<UnixMicros> {
        self.kept.front().map(|kept| &kept.segment).or_else(|| self.growing())?.wall
    }

    /// Adds a part to the open segment.
    pub(super) fn push(&mut self, part: Part) {
        let Some(open) = &mut self.open else { return };
        self.bytes += part.bytes.len();
        open.parts.push(part);
        self.version += 1;
    }

    /// True when there is a segment that parts can be added to.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Bytes of the open segment.
    pub(super) fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, Segment::bytes)
    }

    /// Completes the open segment; one without parts is taken back.
    pub(super) fn close(&mut self) {
        let Some(segment) = self.open.take() else { return };
        if segment.parts.is_empty() {
            self.next_msn = segment.msn;
            return;
        }
        let duration = segment.duration();
        self.elapsed = self.elapsed + duration;
        self.peak_bits = self.peak_bits.max(bits_a_second(segment.bytes(), duration));
        self.kept.push_back(Kept { segment, unlisted: None });
        self.trim();
        self.version += 1;
    }

    /// The broadcast is over.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.version += 1;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Rises with every part, segment and the end.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Complete segments of the playlist, oldest first.
    pub(super) fn listed(&self) -> impl DoubleEndedIterator<Item = &Segment> + Clone {
        self.kept.iter().filter(|kept| kept.unlisted.is_none()).map(|kept| &kept.segment)
    }

    /// The growing segment, once it has a part.
    pub(super) fn growing(&self) -> Option<&Segment> {
        self.open.as_ref().filter(|open| !open.parts.is_empty())
    }

    /// Media sequence number of the first segment of the playlist.
    pub(super) fn first_msn(&self) -> u64 {
        self.listed().next().map_or_else(|| self.growing_msn(), |segment| segment.msn)
    }

    /// Media sequence number of the segment that grows or comes next.
    pub(super) fn growing_msn(&self) -> u64 {
        self.open.as_ref().map_or(self.next_msn, |open| open.msn)
    }

    /// Parts of the segment that grows.
    pub(super) fn growing_parts(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.parts.len() as u64)
    }

    pub(super) fn discontinuity_sequence(&self) -> u64 {
        self.discontinuity_sequence
    }

    /// A segment that can be fetched, listed or not, growing or not.
    pub(super) fn segment(&self, msn: u64) -> Option<&Segment> {
        if let Some(open) = self.open.as_ref().filter(|open| open.msn == msn) {
            return Some(open);
        }
        let first = self.kept.front()?.segment.msn;
        let index = usize::try_from(msn.checked_sub(first)?).ok()?;
        self.kept.get(index).map(|kept| &kept.segment)
    }

    pub(super) fn init(&self, n: u32) -> Option<&Bytes> {
        self.inits.iter().find(|(number, _)| *number == n).map(|(_, bytes)| bytes)
    }

    /// Upper bound of the bit rate so far, in bits a second; `None` before the first part.
    pub(super) fn peak_bits(&self) -> Option<u64> {
        let open = self.open.as_ref().map_or(0, |open| bits_a_second(open.bytes(), open.duration()));
        Some(if self.peak_bits > 0 { self.peak_bits } else { open }).filter(|&bits| bits > 0)
    }

    /// Mean bit rate of the listed segments, in bits a second.
    pub(super) fn mean_bits(&self) -> u64 {
        let segments = self.listed().chain(self.growing());
        let (bytes, duration) =
            segments.fold((0, Span::ZERO), |(bytes, time), s| (bytes + s.bytes(), time + s.duration()));
        bits_a_second(bytes, duration)
    }

    /// Takes segments off the playlist and, later, out of memory.
    fn trim(&mut self) {
        self.unlist();
        while self.must_drop_oldest() {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.segment.bytes();
            if oldest.unlisted.is_none() {
                self.discontinuity_sequence += u64::from(oldest.segment.discontinuity);
            }
        }
        let needed = self.kept.front().map(|kept| kept.segment.init);
        self.inits.retain(|(n, _)| needed.is_none_or(|needed| *n >= needed));
    }

    /// Takes segments off the playlist that are too many, too old or too heavy, but never so many that less than three
    /// target durations are left (RFC 8216bis §6.2.2).
    fn unlist(&mut self) {
        let mut duration = self.listed().fold(Span::ZERO, |sum, segment| sum + segment.duration());
        let mut bytes: usize = self.listed().map(Segment::bytes).sum();
        let mut count = self.listed().count();
        self.longest = self.longest.max(duration);
        let targets = |n: i64| Span::from_micros(self.window.target.micros() * n);
        let (floor, ceiling) = (targets(3), targets(TARGETS_LISTED));
        while count > 1 {
            let Some(first) = self.kept.iter_mut().find(|kept| kept.unlisted.is_none()) else { break };
            let rest = duration - first.segment.duration();
            let is_wanted = count <= self.window.segments && rest < ceiling && bytes <= LISTED_BYTES_MAX;
            if is_wanted || rest < floor {
                break;
            }
            first.unlisted = Some(self.elapsed);
            self.discontinuity_sequence += u64::from(first.segment.discontinuity);
            (duration, count, bytes) = (rest, count - 1, bytes - first.segment.bytes());
        }
    }

    /// A segment stays for its own and the longest playlist's duration after it left (RFC 8216bis §6.2.2),
    /// its parts for three target durations, unless memory is short.
    fn must_drop_oldest(&self) -> bool {
        let Some(oldest) = self.kept.front().filter(|_| self.kept.len() > 1) else { return false };
        let stay = self.longest.max(Span::from_micros(self.window.target.micros() * 3));
        let expired = oldest
            .unlisted
            .is_some_and(|unlisted| self.elapsed - unlisted > stay + oldest.segment.duration());
        expired || self.bytes > BYTES_MAX || self.kept.len() > SEGMENTS_MAX
    }
}

fn bits_a_second(bytes: usize, duration: Span) -> u64 {
    let micros = u64::try_from(duration.micros()).unwrap_or(0).max(1);
    u64::try_from(bytes as u128 * 8_000_000 / u128::from(micros)).unwrap_or(u64::MAX)
}
