//! Brings one picture and one sound track into decode order and finds out how long each frame lasts.
//!
//! A frame is held until the next one of its track is there (its duration is then known) and the other track
//! has caught up; a track that is [`HOLD_MAX`] late is not waited for.

use std::collections::VecDeque;
use std::sync::Arc;

use media::{Codec, Frame, Span, Timestamp};

/// A track that is this much late holds the other one up no longer.
pub(super) const HOLD_MAX: Span = Span::from_millis(1_000);

/// How long the first frames wait for the other track's codec (a track may be announced and never come).
const START_WAIT: Span = Span::from_millis(1_000);

/// The same where both tracks are known to be there: a browser's sound begins seconds after its first picture on a busy
/// machine, and players that began with pictures alone never take sound in.
const START_WAIT_BOTH: Span = Span::from_millis(4_000);

/// Frames of both tracks held at most: a second of sound in its shortest packets (2.5 ms) and of pictures.
const HELD_FRAMES_MAX: usize = 1_024;

/// Bytes held at most: a second of pictures at 128 Mbit/s.
const HELD_BYTES_MAX: usize = 16 << 20;

/// The two tracks of a muxed playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl Lane {
    /// Both, pictures first.
    pub(super) const ALL: [Self; 2] = [Self::Video, Self::Audio];

    /// The other one.
    fn other(self) -> Self {
        match self {
            Self::Video => Self::Audio,
            Self::Audio => Self::Video,
        }
    }

    /// Its place in a pair.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// A frame in its place among those of both tracks.
#[derive(Clone, Debug)]
pub(super) struct Merged {
    pub(super) lane: Lane,
    pub(super) codec: Arc<Codec>,
    pub(super) frame: Frame,
    /// When the track's next frame is decoded; `None` when it was not waited for.
    pub(super) next: Option<Timestamp>,
    /// The codec of the other track's next frame, where there is one.
    pub(super) other: Option<Arc<Codec>>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<(Arc<Codec>, Frame)>,
    /// Decode time of the newest frame taken.
    last: Option<Timestamp>,
    /// Waited for by the other track.
    live: bool,
    /// Its frames are further apart than anyone waits for: they leave without a known duration.
    sparse: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Merger {
    queues: [Queue; 2],
    bytes: usize,
    started: bool,
    /// Both tracks are known to be there.
    both: bool,
}

impl Merger {
    /// For a broadcast that is known to have `both` tracks, or not.
    pub(super) fn new(both: bool) -> Self {
        Self { both, ..Self::default() }
    }

    /// Takes a frame. Returns false, and drops it, when its decode time does not rise.
    pub(super) fn push(&mut self, lane: Lane, codec: Arc<Codec>, frame: Frame) -> bool {
        let queue = &mut self.queues[lane.index()];
        if let Some(last) = queue.last {
            if frame.dts <= last {
                return false;
            }
            queue.sparse &= frame.dts - last > HOLD_MAX;
        }
        queue.last = Some(frame.dts);
        queue.live = true;
        self.bytes += frame.payload.len();
        queue.frames.push_back((codec, frame));
        true
    }

    /// The next frame in decode order; with `flush`, whether or not its duration is known.
    pub(super) fn pop(&mut self, flush: bool) -> Option<Merged> {
        if !self.started && !self.start(flush) {
            return None;
        }
        let lane = self.earliest()?;
        let front = self.queues[lane.index()].frames.front().map(|(_, frame)| frame.dts)?;
        let queue = &self.queues[lane.index()];
        let other = &self.queues[lane.other().index()];
        let known = queue.frames.len() > 1 || queue.sparse;
        let caught_up = !other.live || !other.frames.is_empty();
        let overdue = self.newest()? - front > HOLD_MAX || self.is_full();
        if !(flush || overdue || known && caught_up) {
            return None;
        }
        if overdue && !caught_up {
            self.queues[lane.other().index()].live = false;
        }
        let other = self.queues[lane.other().index()].frames.front().map(|(codec, _)| codec.clone());
        let queue = &mut self.queues[lane.index()];
        let (codec, frame) = queue.frames.pop_front()?;
        self.bytes -= frame.payload.len();
        let next = queue.frames.front().map(|(_, frame)| frame.dts);
        queue.sparse |= next.is_none() && !flush;
        Some(Merged { lane, codec, frame, next, other })
    }

    /// Average distance of the frames held of a track, when there are two.
    pub(super) fn interval(&self, lane: Lane) -> Option<Span> {
        let frames = &self.queues[lane.index()].frames;
        let (first, last) = (&frames.front()?.1, &frames.back()?.1);
        let count = i64::try_from(frames.len()).ok()? - 1;
        (count > 0).then(|| Span::from_micros((last.dts - first.dts).micros() / count))
    }

    /// The first held frame of a track, with its codec.
    pub(super) fn front(&self, lane: Lane) -> Option<&(Arc<Codec>, Frame)> {
        self.queues[lane.index()].frames.front()
    }

    /// True from the first frame that left.
    pub(super) fn is_started(&self) -> bool {
        self.started
    }

    /// True when frames may begin to leave: both codecs are known and a keyframe is there, or the wait is over.
    pub(super) fn can_start(&self, flush: bool) -> bool {
        let [video, audio] = &self.queues;
        let both = video.frames.iter().any(|(_, frame)| frame.sync) && !audio.frames.is_empty();
        let wait = if self.both { START_WAIT_BOTH } else { START_WAIT };
        let waited = match (self.newest(), self.earliest().and_then(|lane| self.front(lane))) {
            (Some(newest), Some((_, first))) => newest - first.dts >= wait,
            _ => false,
        };
        both || waited || self.is_full() || flush
    }

    /// Drops what comes before the first keyframe, of both tracks: sound without its picture is of no use.
    fn start(&mut self, flush: bool) -> bool {
        if !self.can_start(flush) {
            return false;
        }
        self.started = true;
        let keyframe = self.queues[0].frames.iter().find(|(_, frame)| frame.sync).map(|(_, f)| f.dts);
        if let Some(keyframe) = keyframe {
            for queue in &mut self.queues {
                queue.frames.retain(|(_, frame)| frame.dts >= keyframe);
            }
            let held = self.queues.iter().flat_map(|queue| &queue.frames);
            self.bytes = held.map(|(_, frame)| frame.payload.len()).sum();
        }
        true
    }

    fn is_full(&self) -> bool {
        self.bytes > HELD_BYTES_MAX
            || self.queues.iter().map(|queue| queue.frames.len()).sum::<usize>() > HELD_FRAMES_MAX
    }

    /// The track whose first held frame comes first; of two at the same time the pictures.
    fn earliest(&self) -> Option<Lane> {
        let front = |lane: &Lane| self.front(*lane).map(|(_, frame)| frame.dts);
        Lane::ALL.into_iter().filter(|lane| front(lane).is_some()).min_by_key(|lane| front(lane))
    }

    fn newest(&self) -> Option<Timestamp> {
        self.queues.iter().filter_map(|queue| queue.frames.back()).map(|(_, frame)| frame.dts).max()
    }
}
