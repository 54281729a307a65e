//! Estimates that do not rise though nothing speaks against it: after loss of little that was sent the library's loss controller may hold
//! one for ever, and has no room looked for, until it is reckoned anew. Time is an argument.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::doubt::Doubt;

/// One that does not rise for so long is reckoned anew,
const AFTER: Duration = Duration::from_secs(3);
/// and not again for so long, twice as long each time.
const LEFT_ALONE: RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_secs(60);

/// Of one way.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    /// Since when it is about this.
    still: Option<(Instant, u64)>,
    tried: Option<Doubt>,
}

impl Stuck {
    /// Takes what is estimated and sent now; `true` when it is to be reckoned anew. What is filled up does not rise because it cannot.
    pub(super) fn handle_estimate(
        &mut self,
        now: Instant,
        (estimate, sent_bps): (u64, Option<u64>),
        may_rise: bool,
    ) -> bool {
        let (since, from) = *self.still.get_or_insert((now, estimate));
        let is_still = (from..=from + from / 20).contains(&estimate);
        let is_idle = sent_bps.is_some_and(|sent| sent + sent / 4 < estimate);
        if !is_still || !is_idle || !may_rise {
            self.still = Some((now, estimate));
            return false;
        }
        let is_left_alone = self.tried.is_some_and(|doubt| doubt.holds(now));
        if is_left_alone || now.saturating_duration_since(since) < AFTER {
            return false;
        }
        let lately = self.tried.filter(|doubt| doubt.is_recent(now));
        (self.tried, self.still) = (Some(Doubt::again(lately, now, &LEFT_ALONE)), Some((now, estimate)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds, of so many, at which it is to be reckoned anew.
    fn tried(seconds: u64, sent_bps: u64, may_rise: bool) -> Vec<u64> {
        let (start, mut stuck) = (Instant::now(), Stuck::default());
        let looks = (0..seconds * 10).map(|look| start + Duration::from_millis(look * 100));
        let is_tried = |now: &Instant| stuck.handle_estimate(*now, (120_000, Some(sent_bps)), may_rise);
        looks.filter(is_tried).map(|now| (now - start).as_secs()).collect()
    }

    #[test]
    fn what_stays_where_it_is_is_reckoned_anew_ever_later() {
        assert_eq!(tried(60, 80_000, true), [3, 6, 12, 24, 48]);
    }

    #[test]
    fn what_is_filled_up_or_has_no_room_or_is_enough_stays_where_it_is() {
        assert!(tried(60, 110_000, true).is_empty());
        assert!(tried(60, 80_000, false).is_empty());
    }
}
