//! How fast a buffer is emptied: by the least that was left in it of late, which is what it could do without.

use super::{RATE, STEP_SAMPLES};

/// How far back it looks: networks that stall do it again within seconds.
const BUCKETS: usize = 10;
/// Steps of each of them: half a second.
const BUCKET_STEPS: usize = 25;
/// What is to be left at the worst moment: 30 ms. Packets come between steps, so one that was in time for its step by a
/// hair misses it a hair later, which costs a whole step at once.
const SPARE: f64 = 1_440.0;
/// So much more or less, 5 ms, is as good: sound that needs no change is not changed.
const TOLERATED: f64 = 240.0;
/// Too much or too little is made good within this: ten seconds, by which drifting clocks are a few parts in a thousand
/// of a semitone.
const CORRECTED_WITHIN: f64 = 10.0 * RATE as f64;
/// Nobody hears half a percent in pitch.
const OFF_MAX: f64 = 0.005;
/// Beyond this, 150 ms, so much is cut out at once: it would take half a minute.
const CUT_MIN: f64 = 7_200.0;

/// The fill of one buffer.
pub(super) struct Pace {
    /// The least that was left in each, the newest last.
    least: [usize; BUCKETS],
    steps: usize,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    /// Samples out for each one in.
    Ratio(f64),
    /// So many are to be left out.
    Cut(usize),
}

impl Default for Pace {
    fn default() -> Self {
        Self { least: [usize::MAX; BUCKETS], steps: 0 }
    }
}

impl Pace {
    /// After a step so many were left.
    pub(super) fn handle_left(&mut self, left: usize) -> Wanted {
        if self.steps == BUCKET_STEPS {
            self.least.rotate_left(1);
            (self.steps, self.least[BUCKETS - 1]) = (0, usize::MAX);
        }
        self.steps += 1;
        self.least[BUCKETS - 1] = self.least[BUCKETS - 1].min(left);
        let floor = self.least.iter().fold(usize::MAX, |least, bucket| least.min(*bucket)) as f64;
        let over = floor - SPARE;
        // Only what has been too much for all the time that it looks back on is really too much.
        if over > CUT_MIN && self.least[0] != usize::MAX {
            *self = Self::default();
            return Wanted::Cut(over as usize);
        }
        let wrong = over - over.clamp(-TOLERATED, TOLERATED);
        Wanted::Ratio(1.0 - (wrong / CORRECTED_WITHIN).clamp(-OFF_MAX, OFF_MAX))
    }
}

/// The most that is ever kept: a network that gives this at once has failed before, and what is older than that is nobody's
/// conversation.
pub(super) const KEPT_MAX: usize = 2 * RATE as usize;
/// With how much a voice begins: a step, and what is to be left after it.
pub(super) const BEGIN: usize = STEP_SAMPLES + 1_440;

#[cfg(test)]
mod tests {
    use super::*;

    fn last(pace: &mut Pace, lefts: impl IntoIterator<Item = usize>) -> Wanted {
        lefts.into_iter().map(|left| pace.handle_left(left)).last().unwrap()
    }

    #[test]
    fn a_buffer_with_just_enough_is_emptied_at_its_own_rate() {
        for left in [1_220, 1_440, 1_660] {
            assert_eq!(last(&mut Pace::default(), [left; 400]), Wanted::Ratio(1.0));
        }
    }

    #[test]
    fn the_worst_moment_of_the_last_seconds_counts_and_not_the_usual_fill() {
        let jitter = (0..1_000).map(|step| if step % 90 == 0 { 960 } else { 4_000 });
        let Wanted::Ratio(ratio) = last(&mut Pace::default(), jitter) else { panic!("nothing to cut") };
        assert!(ratio > 1.0 && ratio < 1.001, "{ratio}");
    }

    #[test]
    fn far_too_much_is_cut_once_it_has_been_too_much_for_seconds() {
        let mut pace = Pace::default();
        assert_eq!(last(&mut pace, [20_000; 200]), Wanted::Ratio(1.0 - OFF_MAX));
        let cut = std::iter::repeat_with(|| pace.handle_left(20_000)).take(100);
        let cuts: Vec<_> = cut.filter(|wanted| matches!(wanted, Wanted::Cut(_))).collect();
        assert_eq!(cuts, [Wanted::Cut(18_560)]);
    }
}
