//! Cuts merged frames into parts and segments.
//!
//! A part ends at a frame's decode time, never more than the part target after it began; where no frame falls
//! into the last 15 % of that span the part becomes the last of its segment, as only such a part may be short
//! (RFC 8216bis §4.4.4.9). A gap longer than the part target becomes a discontinuity. So neither the part
//! target nor the target duration is ever exceeded, whatever the publisher sends.

use std::sync::Arc;

use bytes::Bytes;
use media::{Codec, Span, Timestamp};

use super::merge::{HOLD_MAX, Lane, Merged};
use super::packager::UnixMicros;
use super::store::{Part, Segment, Store};
use crate::fmp4::{self, Run, Sample};

/// Our media timeline begins this much before the broadcast's, so that frames a little older than its zero
/// and negative composition offsets keep positive times.
const ORIGIN: Span = Span::from_millis(10_000);

/// Sound whose stamps are this far from its sample count is put where the stamps say.
const SOUND_TOLERANCE: Span = Span::from_millis(40);

/// How long a picture is taken to last when nothing else is known.
const PICTURE: Span = Span::from_millis(40);

/// A part is cut before it holds more than this, even if that makes it short.
const PART_BYTES_MAX: usize = 8 << 20;

/// A segment ends after a part that brought it to this size, so that the window holds several.
const SEGMENT_BYTES_MAX: usize = 16 << 20;

/// Samples of a part at most, for the same end.
const PART_SAMPLES_MAX: usize = 2_048;

/// Lengths the cutter keeps to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// No segment is longer.
    pub(super) target: Span,
    /// A keyframe this long after a segment's start begins the next one.
    pub(super) segment_min: Span,
    /// No part is longer.
    pub(super) part: Span,
    /// Segments begin where time, cut into lengths of `segment_min` from zero, has gone on to another one: all renditions
    /// of a broadcast are then cut at the same keyframes, whenever each was begun.
    pub(super) aligned: bool,
}

impl Lengths {
    /// Makes the part target fit frames that come `interval` apart: a whole number of them must end in the
    /// last 15 % of a part.
    pub(super) fn fit(&mut self, interval: Span) {
        let (part, interval) = (self.part.micros(), interval.micros());
        if interval <= part * 3 / 25 || interval <= 0 {
            return;
        }
        let frames = (part + interval - 1) / interval;
        let millis = (frames * interval * 26 / 25).div_euclid(1_000) + 1;
        self.part = Span::from_millis(millis.min(self.target.micros() / 2_000));
    }

    /// Which length of `segment_min` a time falls into.
    fn cell(&self, at: Timestamp) -> i64 {
        at.micros().div_euclid(self.segment_min.micros().max(1))
    }
}

/// A sample that waits for its part to be cut.
#[derive(Debug)]
struct Pending {
    lane: Lane,
    /// Decode time, never before the part's start.
    at: Timestamp,
    pts: Timestamp,
    /// Decode time in ticks of the track's clock.
    tick: i64,
    /// What it lasts, in ticks, when nothing follows.
    shortest: u32,
    sample: Sample,
}

/// What the cutter knows about a track.
#[derive(Debug, Default)]
struct Track {
    /// The codec of the init segment in use; `None` while the track is not in it.
    codec: Option<Arc<Codec>>,
    /// The newest codec and decode time that came.
    seen: Option<(Arc<Codec>, Timestamp)>,
    /// The newest sample's decode time and its end, in ticks.
    ticks: Option<(i64, i64)>,
    /// The usual distance of frames.
    typical: Option<Span>,
}

/// How long a sample lasts, in ticks, apart from what its neighbours' stamps say.
#[derive(Clone, Copy, Debug)]
enum Length {
    /// Its own header says so; stamps are believed only when they are `tolerance` away.
    Counted { ticks: i64, tolerance: i64 },
    /// As its predecessors; stamps know better.
    Typical { ticks: i64 },
}

impl Length {
    fn ticks(self) -> i64 {
        match self {
            Self::Counted { ticks, .. } | Self::Typical { ticks } => ticks,
        }
    }
}

impl Track {
    /// Decode time and duration, in ticks, of a sample that is stamped `stamped` and followed by one stamped
    /// `next`. Sound that knows its length is counted while its stamps agree: stamps in
    /// milliseconds would leave gaps and overlaps between access units.
    fn advance(&mut self, stamped: i64, next: Option<i64>, length: Length) -> (i64, u32) {
        let (counted, tolerance) = match length {
            Length::Counted { ticks, tolerance } => (ticks, tolerance),
            Length::Typical { ticks } => (ticks, 0),
        };
        let tick = match self.ticks {
            Some((_, end)) if (stamped - end).abs() <= tolerance => end,
            Some((newest, _)) => stamped.max(newest + 1),
            None => stamped,
        };
        let duration = match next {
            Some(next) if (next - tick - counted).abs() > tolerance => next - tick,
            Some(_) | None => counted,
        };
        let duration = u32::try_from(duration.max(1)).unwrap_or(u32::MAX);
        self.ticks = Some((tick, tick + i64::from(duration)));
        (tick, duration)
    }

    /// What follows does not continue.
    fn forget(&mut self) {
        self.ticks = None;
    }
}

/// A segment whose first sample has come.
#[derive(Clone, Copy, Debug)]
struct Begun {
    start: Timestamp,
    /// Whether its first picture is a keyframe, and when it is shown; `None` before there is one.
    first: Option<First>,
}

/// The picture, or sound where there are no pictures, that a segment begins with.
#[derive(Clone, Copy, Debug)]
struct First {
    sync: bool,
    pts: Timestamp,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cutter {
    lengths: Lengths,
    tracks: [Track; 2],
    init: Option<u32>,
    /// Since when frames wait for a new init segment.
    mismatch: Option<Timestamp>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    part_start: Timestamp,
    segment: Option<Begun>,
    /// The next segment does not continue the last one.
    discontinuity: bool,
    sequence: u32,
    wall: Option<(Timestamp, UnixMicros)>,
    dropped: u64,
}

impl Cutter {
    pub(super) fn new(lengths: Lengths) -> Self {
        Self {
            lengths,
            tracks: Default::default(),
            init: None,
            mismatch: None,
            pending: Vec::new(),
            pending_bytes: 0,
            part_start: Timestamp::ZERO,
            segment: None,
            discontinuity: false,
            sequence: 0,
            wall: None,
            dropped: 0,
        }
    }

    pub(super) fn lengths(&self) -> Lengths {
        self.lengths
    }

    /// Fits the part target to the frames' distance; only before the first part.
    pub(super) fn fit(&mut self, interval: Span) {
        self.lengths.fit(interval);
    }

    pub(super) fn set_wall(&mut self, at: Timestamp, unix: UnixMicros) {
        self.wall = Some((at, unix));
    }

    /// The codec of a track in the init segment in use.
    pub(super) fn codec(&self, lane: Lane) -> Option<&Arc<Codec>> {
        self.tracks[lane.index()].codec.as_ref()
    }

    /// The usual distance of a track's frames.
    pub(super) fn typical(&self, lane: Lane) -> Option<Span> {
        self.tracks[lane.index()].typical
    }

    /// Frames left out because they fitted no init segment.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes the next frame in decode order.
    pub(super) fn handle(&mut self, merged: Merged, store: &mut Store) {
        let (lane, at) = (merged.lane, merged.frame.dts);
        let track = &mut self.tracks[lane.index()];
        if let Some((_, last)) = track.seen.replace((merged.codec.clone(), at)) {
            let distance = at - last;
            if distance > Span::ZERO && distance <= HOLD_MAX {
                track.typical = Some(distance);
            }
        }
        if self.may_switch(&merged) {
            let wanted = self.wanted(&merged);
            if self.init.is_none() || wanted.iter().zip(&self.tracks).any(|(w, track)| *w != track.codec) {
                self.switch(wanted, at, store);
            }
        }
        if self.tracks[lane.index()].codec.as_ref() != Some(&merged.codec) {
            self.mismatch.get_or_insert(at);
            self.dropped += 1;
            return;
        }
        self.make_room(&merged, store);
        self.place(merged);
    }

    /// Closes what is open: the broadcast ends, or what follows does not continue it.
    pub(super) fn finish(&mut self, store: &mut Store) {
        if let Some(last) = self.pending.last() {
            let end = last.at + self.typical_of(last.lane);
            let end = end.min(self.part_start + self.lengths.part);
            for lane in Lane::ALL {
                // What was stretched to a next sample far away ends here.
                if let Some(last) = self.pending.iter_mut().rfind(|p| p.lane == lane) {
                    last.sample.duration = last.sample.duration.min(last.shortest);
                }
            }
            self.cut(self.pending.len(), end, store);
        }
        self.end_segment(store);
    }

    /// What follows does not continue what was: a reader skipped, a publisher came back.
    pub(super) fn handle_discontinuity(&mut self, store: &mut Store) {
        self.finish(store);
        self.discontinuity = true;
        for track in &mut self.tracks {
            track.forget();
            track.seen = None;
        }
    }

    /// True where a new init segment may begin: a decoder starts anew after it, so at a keyframe if there is
    /// any hope of one.
    fn may_switch(&self, merged: &Merged) -> bool {
        let at = merged.frame.dts;
        let patience = self.mismatch.is_some_and(|since| at - since > self.lengths.target);
        let video = &self.tracks[Lane::Video.index()];
        let by_kind = match merged.lane {
            Lane::Video => {
                merged.frame.sync || video.codec.as_ref().is_some_and(|codec| *codec != merged.codec)
            }
            Lane::Audio => !self.is_recent(video, at) && merged.other.is_none(),
        };
        self.init.is_none() || patience || by_kind
    }

    /// The codecs the tracks should have from `merged` on: what comes next of each, or came lately.
    fn wanted(&self, merged: &Merged) -> [Option<Arc<Codec>>; 2] {
        Lane::ALL.map(|lane| {
            if lane == merged.lane {
                return Some(merged.codec.clone());
            }
            let track = &self.tracks[lane.index()];
            let seen = track.seen.as_ref().filter(|_| self.is_recent(track, merged.frame.dts));
            merged.other.clone().or_else(|| seen.map(|(codec, _)| codec.clone()))
        })
    }

    /// A track that has been silent for a target duration is gone.
    fn is_recent(&self, track: &Track, at: Timestamp) -> bool {
        track.seen.as_ref().is_some_and(|(_, last)| at - *last <= self.lengths.target)
    }

    /// Begins a new init segment, and with it a segment.
    fn switch(&mut self, wanted: [Option<Arc<Codec>>; 2], at: Timestamp, store: &mut Store) {
        self.close_before(at, store);
        self.discontinuity |= self.init.is_some();
        let tracks = Lane::ALL
            .into_iter()
            .zip(&wanted)
            .filter_map(|(lane, codec)| Some(fmp4::Track { id: track_id(lane), codec: codec.clone()? }));
        self.init = Some(store.add_init(fmp4::init_segment(&tracks.collect::<Vec<_>>())));
        for (track, codec) in self.tracks.iter_mut().zip(wanted) {
            if track.codec != codec {
                track.forget();
            }
            track.codec = codec;
        }
        self.mismatch = None;
    }

    /// Closes part and segment so that the next begins at `at`.
    fn close_before(&mut self, at: Timestamp, store: &mut Store) {
        let Some(last) = self.pending.last() else { return self.end_segment(store) };
        if at > self.part_start && at - self.part_start <= self.lengths.part && at > last.at {
            self.cut(self.pending.len(), at, store);
        }
        self.finish(store);
    }

    /// Cuts what has to be cut before `merged` may be added.
    fn make_room(&mut self, merged: &Merged, store: &mut Store) {
        while let Some(last) = self.pending.last().map(|last| last.at) {
            let at = merged.frame.dts.max(last);
            let part = at - self.part_start;
            if at - last > self.lengths.part {
                self.finish(store);
                self.discontinuity = true;
            } else if part > self.lengths.part {
                self.cut_late(store);
            } else if part <= Span::ZERO {
                return;
            } else if self.begins_segment(merged) || self.is_full() {
                self.cut(self.pending.len(), at, store);
                self.end_segment(store);
            } else if part >= self.part_min() && self.is_master(merged.lane) {
                self.cut(self.pending.len(), at, store);
                self.end_segment_if_long(store);
            } else {
                return;
            }
        }
    }

    /// The next frame lies beyond the part target: the part ends at the last frame within it.
    fn cut_late(&mut self, store: &mut Store) {
        let limit = self.part_start + self.lengths.part;
        let inside = |p: &&Pending| p.at > self.part_start && p.at <= limit;
        let end = self.pending.iter().filter(inside).map(|p| p.at).max().unwrap_or(limit);
        let count = self.pending.iter().filter(|p| p.at < end).count();
        let short = end - self.part_start < self.part_min();
        self.cut(count, end, store);
        if short {
            self.end_segment(store);
        } else {
            self.end_segment_if_long(store);
        }
    }

    fn part_min(&self) -> Span {
        Span::from_micros((self.lengths.part.micros() * 85 + 99) / 100)
    }

    fn is_full(&self) -> bool {
        self.pending_bytes > PART_BYTES_MAX || self.pending.len() >= PART_SAMPLES_MAX
    }

    /// Parts end with the pictures, or with the sound if there are none.
    fn is_master(&self, lane: Lane) -> bool {
        lane == Lane::Video || self.codec(Lane::Video).is_none()
    }

    /// A keyframe begins a segment once the last one is long enough, or if that began without one.
    fn begins_segment(&self, merged: &Merged) -> bool {
        let Some(Begun { start, first }) = self.segment else { return false };
        let long = match first.filter(|_| self.lengths.aligned) {
            Some(first) => self.lengths.cell(merged.frame.pts()) > self.lengths.cell(first.pts),
            None => merged.frame.dts - start >= self.lengths.segment_min,
        };
        let ill = first.is_some_and(|first| !first.sync);
        self.is_master(merged.lane) && merged.frame.sync && (long || ill)
    }

    /// Ends the segment if another part might not fit into the target duration.
    fn end_segment_if_long(&mut self, store: &mut Store) {
        let long = self
            .segment
            .is_some_and(|begun| self.part_start + self.lengths.part > begun.start + self.lengths.target);
        if long || store.open_bytes() > SEGMENT_BYTES_MAX {
            self.end_segment(store);
        }
    }

    /// Adds the sample of `merged` to the part, beginning part and segment where there is none.
    fn place(&mut self, merged: Merged) {
        let Some(hz) = fmp4::timescale(&merged.codec) else { return };
        if self.pending.is_empty() && self.segment.is_none() {
            self.part_start = merged.frame.dts;
            self.segment = Some(Begun { start: merged.frame.dts, first: None });
        }
        let (lane, frame) = (merged.lane, merged.frame);
        if self.is_master(lane)
            && let Some(begun) = &mut self.segment
        {
            begun.first.get_or_insert(First { sync: frame.sync, pts: frame.pts() });
        }
        let length = match fmp4::unit_ticks(&merged.codec, &frame.payload) {
            Some(unit) => Length::Counted { ticks: unit.into(), tolerance: SOUND_TOLERANCE.ticks(hz) },
            None => Length::Typical { ticks: self.typical_of(lane).ticks(hz).max(1) },
        };
        let next = merged.next.map(|next| ticks(next, hz));
        let track = &mut self.tracks[lane.index()];
        let (tick, duration) = track.advance(ticks(frame.dts, hz), next, length);
        self.pending_bytes += frame.payload.len();
        let sample = Sample {
            duration,
            cts: i32::try_from(frame.cts.ticks(hz)).unwrap_or(0),
            sync: frame.sync,
            payload: frame.payload,
        };
        let at = frame.dts.max(self.pending.last().map_or(self.part_start, |last| last.at));
        let shortest = u32::try_from(length.ticks()).unwrap_or(u32::MAX);
        self.pending.push(Pending { lane, at, pts: frame.dts + frame.cts, tick, shortest, sample });
    }

    /// Makes the first `count` pending samples a part that ends at `end`.
    fn cut(&mut self, count: usize, end: Timestamp, store: &mut Store) {
        let rest = self.pending.split_off(count);
        let taken = std::mem::replace(&mut self.pending, rest);
        self.pending_bytes = self.pending.iter().map(|p| p.sample.payload.len()).sum();
        let start = std::mem::replace(&mut self.part_start, end);
        let Some(first) = taken.first() else { return };
        if !store.is_open() {
            store.open(Segment {
                msn: 0,
                wall: self.wall.map(|(at, unix)| unix + (first.pts - at)),
                discontinuity: std::mem::take(&mut self.discontinuity),
                init: self.init.unwrap_or(0),
                independent: self.first(&taken).is_some_and(|first| first.sync),
                parts: Vec::new(),
            });
        }
        let keyframe = taken.iter().any(|p| p.lane == Lane::Video && p.sample.sync);
        let independent = keyframe || self.codec(Lane::Video).is_none();
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = write_part(self.sequence, taken);
        store.push(Part { duration: end - start, independent, bytes });
    }

    /// Completes the segment; samples that are left begin the next one.
    fn end_segment(&mut self, store: &mut Store) {
        store.close();
        let first = self.first(&self.pending);
        self.segment = (!self.pending.is_empty()).then_some(Begun { start: self.part_start, first });
    }

    /// The first sample that decides where segments begin.
    fn first(&self, samples: &[Pending]) -> Option<First> {
        let first = samples.iter().find(|p| self.is_master(p.lane));
        first.map(|p| First { sync: p.sample.sync, pts: p.pts })
    }

    fn typical_of(&self, lane: Lane) -> Span {
        self.tracks[lane.index()].typical.unwrap_or(PICTURE)
    }
}

fn track_id(lane: Lane) -> u32 {
    lane as u32 + 1
}

/// A decode time on our media timeline.
fn ticks(at: Timestamp, hz: u32) -> i64 {
    (at + ORIGIN).ticks(hz)
}

/// Writes the samples of a part, one run a track.
fn write_part(sequence: u32, taken: Vec<Pending>) -> Bytes {
    let mut lanes = [(0, Vec::new()), (0, Vec::new())];
    let mut ticks = [0, 0];
    for Pending { lane, tick, sample, .. } in taken {
        let (decode_time, samples): &mut (u64, Vec<Sample>) = &mut lanes[lane.index()];
        match samples.last_mut() {
            // A sample whose follower came later than it was known lasts until then.
            Some(last) => last.duration = u32::try_from(tick - ticks[lane.index()]).unwrap_or(u32::MAX),
            None => *decode_time = u64::try_from(tick).unwrap_or(0),
        }
        ticks[lane.index()] = tick;
        samples.push(sample);
    }
    let runs = Lane::ALL.map(|lane| {
        let (decode_time, samples) = &lanes[lane.index()];
        Run { track: track_id(lane), decode_time: *decode_time, samples }
    });
    fmp4::fragment(sequence, &runs)
}
