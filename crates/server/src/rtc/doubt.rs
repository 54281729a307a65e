//! What was tried in vain is left alone for a while, and for twice as long each time. Time is an argument.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// It was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    until: Instant,
    long: Duration,
}

impl Doubt {
    /// In vain once more, after `last` where that still counts: at first for the shortest of `range`, never beyond the longest.
    pub(super) fn again(last: Option<Self>, now: Instant, range: &RangeInclusive<Duration>) -> Self {
        let long = last.map_or(*range.start(), |last| (last.long * 2).min(*range.end()));
        Self { until: now + long, long }
    }

    /// It is still to be left alone.
    pub(super) fn holds(&self, now: Instant) -> bool {
        now < self.until
    }

    /// It ended less long ago than this.
    pub(super) fn is_within(&self, now: Instant, long: Duration) -> bool {
        now < self.until + long
    }

    /// It holds, or ended less long ago than it lasted.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        self.is_within(now, self.long)
    }
}
