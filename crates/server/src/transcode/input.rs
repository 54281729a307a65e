//! What FFmpeg reads: the pictures as fragmented MP4, a fragment each, on a clock that begins with the child.

use std::sync::Arc;

use bytes::Bytes;
use media::codec::Codec;
use media::{Frame, Span, Timestamp};
use wire::fmp4::{Run, Sample, Track, VIDEO_HZ, fragment, init_segment};

/// The child's clock is this much ahead of its first picture, so that no time is negative.
const LEAD: Span = Span::from_millis(1_000);
/// How long a picture lasts before another one has shown it; nothing is decided by it.
const DURATION: u32 = VIDEO_HZ / 25;
const TRACK: u32 = 1;

/// Writes one child's input.
pub(super) struct Input {
    zero: Timestamp,
    sequence: u32,
}

impl Input {
    /// For a child whose first picture is decoded at `first`.
    pub(super) fn new(first: Timestamp) -> Self {
        Self { zero: first - LEAD, sequence: 0 }
    }

    /// The source's time at the child's zero.
    pub(super) fn zero(&self) -> Timestamp {
        self.zero
    }

    /// What comes first.
    pub(super) fn header(codec: &Arc<Codec>) -> Bytes {
        init_segment(&[Track { id: TRACK, codec: Arc::clone(codec) }])
    }

    /// One picture.
    pub(super) fn picture(&mut self, frame: &Frame) -> Bytes {
        self.sequence = self.sequence.wrapping_add(1);
        let sample = Sample {
            duration: DURATION,
            cts: i32::try_from(frame.cts.ticks(VIDEO_HZ)).unwrap_or_default(),
            sync: frame.sync,
            payload: frame.payload.clone(),
        };
        let decode_time = u64::try_from((frame.dts - self.zero).ticks(VIDEO_HZ)).unwrap_or_default();
        fragment(self.sequence, &[Run { track: TRACK, decode_time, samples: &[sample] }])
    }
}
