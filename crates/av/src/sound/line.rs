//! Where the source's sound stands: samples are counted, and stamps that stray are judged.

use media::{Span, Timestamp};

/// A gap of this length is a pause: the track goes on after it, instead of carrying silence.
pub(super) const PAUSE_MIN: Span = Span::from_millis(1_000);

/// The source's position in samples since the stamp counting began with.
#[derive(Debug)]
pub(super) struct Line {
    anchor: Timestamp,
    samples: i64,
    rate: u32,
}

/// What a packet's stamp means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It follows the last packet.
    Continue,
    /// So many samples are missing before it.
    Fill(usize),
    /// It begins so many samples before the end of the last one: the source sends more samples than time passes.
    Trim(usize),
    /// It has nothing to do with what was before.
    Anew,
}

impl Line {
    pub(super) fn new(anchor: Timestamp, rate: u32) -> Self {
        Self { anchor, samples: 0, rate }
    }

    /// Judges a stamp; within `tolerance` the count is believed.
    pub(super) fn step(&self, stamp: Timestamp, tolerance: Span) -> Step {
        let off = stamp - (self.anchor + Span::from_ticks(self.samples, self.rate));
        if off.abs() <= tolerance {
            return Step::Continue;
        }
        if off.abs() > PAUSE_MIN {
            return Step::Anew;
        }
        let samples = off.abs().ticks(self.rate) as usize;
        if off > Span::ZERO { Step::Fill(samples) } else { Step::Trim(samples) }
    }

    pub(super) fn advance(&mut self, samples: usize) {
        self.samples += samples as i64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_believed_to_continue_to_miss_something_to_overlap_or_to_begin_anew() {
        let mut line = Line::new(Timestamp::from_millis(5_000), 48_000);
        line.advance(4_800);
        for (stamp, step) in [
            (5_100, Step::Continue),
            (5_140, Step::Continue),
            (5_060, Step::Continue),
            (5_141, Step::Fill(1_968)),
            (6_100, Step::Fill(48_000)),
            (5_050, Step::Trim(2_400)),
            (6_101, Step::Anew),
            (4_000, Step::Anew),
        ] {
            assert_eq!(
                line.step(Timestamp::from_millis(stamp), Span::from_millis(40)),
                step,
                "at {stamp} ms"
            );
        }
    }
}
