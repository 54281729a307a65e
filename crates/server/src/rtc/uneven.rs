//! What a way is taken to carry on which packets come so unevenly that estimates, which go by when they come, fall to nothing: what it
//! carried, and bit by bit more until a queue or loss shows that it is too much. Pure, and time is an argument.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::doubt::Doubt;

/// Each time that it has held, to so many percent of the last.
const GROWS_PERCENT: u64 = 125;
/// So much more may be lost than at first: what comes very late is told to be lost, too, and is at all rates.
const LOSS_MORE: f32 = 0.10;
/// Loss is evened out over so many looks, ten a second.
const LOSS_OVER: f32 = 15.0;
/// What turned out too much is left alone; less than so many percent of it is not doubted.
const DOUBTED: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(160);
const SAFE_PERCENT: u64 = 85;
/// It takes some seconds to know that a way is uneven, and the estimate has fallen by then. What was carried so long before holds.
const LATELY: Duration = Duration::from_secs(5);
/// So much is lost, and not only late.
const LOSS_CLEAR: f32 = 0.22;

/// One way's.
#[derive(Debug, Default)]
pub(super) struct Uneven {
    /// Nothing while packets come evenly.
    held: Option<Held>,
    varies: bool,
    /// What is missing, and what the way itself loses, evened out.
    missing: f32,
    loss: f32,
    /// What was carried at most lately, and when.
    best: Option<(Instant, u64)>,
    /// What was not too much, and that more was.
    ceiling: Option<(u64, Doubt)>,
}

#[derive(Debug)]
struct Held {
    bps: u64,
    /// That was put in the place of the last estimate.
    is_applied: bool,
    /// What was missing when this began.
    missing_before: f32,
}

impl Uneven {
    /// Whether the way varies, to be said several times a second; `true` when it begins to.
    pub(super) fn handle_varies(&mut self, varies: bool) -> bool {
        !std::mem::replace(&mut self.varies, varies) && varies
    }

    /// Takes how much came of what was sent lately, without a queue.
    pub(super) fn handle_carried(&mut self, now: Instant, bps: Option<u64>) {
        self.best.take_if(|(at, _)| now.saturating_duration_since(*at) >= LATELY);
        if let Some(bps) = bps.filter(|bps| self.best.is_none_or(|(_, most)| *bps >= most)) {
            self.best = Some((now, bps));
        }
    }

    /// So much is lost that it is not only late.
    pub(super) fn is_lossy(&self) -> bool {
        self.loss >= LOSS_CLEAR
    }

    /// Takes what is known now, several times a second.
    pub(super) fn handle_way(
        &mut self,
        now: Instant,
        (is_uneven, has_queue): (bool, bool),
        (missing, loss): (f32, f32),
    ) {
        self.missing += (missing - self.missing) / LOSS_OVER;
        self.loss += (loss - self.loss) / LOSS_OVER;
        let Some(held) = &self.held else { return };
        let is_too_much = has_queue || is_uneven && self.missing > held.missing_before + LOSS_MORE;
        if is_too_much {
            let doubt = Doubt::again(self.ceiling.map(|(_, last)| last), now, &DOUBTED);
            (self.ceiling, self.best) = (Some((held.bps * SAFE_PERCENT / 100, doubt)), None);
        }
        if is_too_much || !is_uneven {
            self.held = None;
        }
    }

    /// No more than what was not too much, while more is doubted.
    pub(super) fn bounded(&mut self, now: Instant, bps: Option<u64>) -> Option<u64> {
        self.ceiling.take_if(|(_, doubt)| !doubt.is_recent(now));
        let ceiling = self.ceiling.filter(|(_, doubt)| doubt.holds(now)).map_or(u64::MAX, |(bps, _)| bps);
        bps.map(|bps| bps.min(ceiling))
    }

    /// What is to be put in the place of the estimate, if it has fallen below that; no more than what is wanted.
    /// Where no pictures are sent none is wanted: nothing begins then, and what was held does not grow.
    pub(super) fn floor(&mut self, now: Instant, estimate: u64, wanted: Option<u64>) -> Option<u64> {
        let wanted = wanted.or_else(|| Some(self.held.as_ref()?.bps))?;
        let highest = self.bounded(now, Some(wanted))?;
        let before = self.best.map_or(0, |(_, bps)| bps);
        let begun =
            Held { bps: estimate.max(before).min(highest), is_applied: false, missing_before: self.missing };
        let held = self.held.get_or_insert(begun);
        if estimate > held.bps {
            // It rises by itself.
            (held.bps, held.is_applied) = (estimate.min(highest), false);
            return None;
        }
        if held.is_applied {
            held.bps = (held.bps * GROWS_PERCENT / 100).min(highest);
        }
        held.is_applied = true;
        Some(held.bps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is held is asked for no more often.
    const EVERY: Duration = Duration::from_millis(600);

    /// A way on which each estimate falls to a tenth of what is held, looked at every 100 ms.
    struct Asked {
        uneven: Uneven,
        now: Instant,
        floored: Instant,
        floors: Vec<u64>,
    }

    impl Asked {
        fn new() -> Self {
            let now = Instant::now();
            Self { uneven: Uneven::default(), now, floored: now, floors: vec![300_000] }
        }

        fn run(&mut self, ms: u64, (is_uneven, has_queue): (bool, bool), loss: f32) -> u64 {
            for _ in 0..ms / 100 {
                self.now += Duration::from_millis(100);
                self.uneven.handle_way(self.now, (is_uneven, has_queue), (loss, loss));
                if !is_uneven || self.now < self.floored + EVERY {
                    continue;
                }
                let held = self.floors.last().copied().unwrap_or_default();
                let estimate = if self.floors.len() == 1 { held } else { held / 10 };
                self.floors.push(self.uneven.floor(self.now, estimate, Some(2_000_000)).unwrap_or(held));
                self.floored = self.now;
            }
            self.floors.last().copied().unwrap_or_default()
        }
    }

    #[test]
    fn what_was_carried_is_held_and_grows_to_what_is_wanted_and_not_beyond() {
        let mut asked = Asked::new();
        assert_eq!(asked.run(8_000, (true, false), 0.15), 2_000_000);
        assert!(asked.floors.is_sorted() && asked.floors.len() > 10, "{:?}", asked.floors);
        assert!(asked.floors.windows(2).all(|pair| pair[1] <= pair[0] * 5 / 4), "{:?}", asked.floors);
    }

    #[test]
    fn loss_that_rises_with_it_ends_it_and_it_stays_below_for_a_while() {
        let mut asked = Asked::new();
        asked.run(4_000, (true, false), 0.05);
        let before = asked.floors.last().copied().unwrap_or_default();
        asked.run(3_000, (true, false), 0.4);
        let after = asked.run(5_000, (true, false), 0.05);
        let highest = asked.floors.iter().max().copied().unwrap_or_default();
        assert!(before > 600_000 && highest < 2_000_000 && after < highest, "{:?}", asked.floors);
        assert_eq!(asked.run(30_000, (true, false), 0.05), 2_000_000, "it was a moment");
    }

    #[test]
    fn a_queue_ends_it() {
        let mut asked = Asked::new();
        let before = asked.run(3_000, (true, false), 0.0);
        asked.run(1_000, (false, true), 0.0);
        let after = asked.run(9_000, (true, false), 0.0);
        assert!(after < before, "{:?}", asked.floors);
    }

    #[test]
    fn an_estimate_that_rises_is_taken_as_it_is() {
        let (mut uneven, now) = (Uneven::default(), Instant::now());
        uneven.floor(now, 500_000, Some(2_000_000));
        for bps in [600_000, 700_000, 800_000] {
            uneven.handle_way(now, (true, false), (0.0, 0.0));
            assert_eq!(uneven.floor(now, bps, Some(2_000_000)), None);
        }
        assert_eq!(uneven.floor(now, 100_000, Some(2_000_000)), Some(800_000));
        assert_eq!(uneven.floor(now, 100_000, Some(2_000_000)), Some(1_000_000));
    }

    #[test]
    fn what_was_carried_before_it_fell_is_held_from_the_beginning_unless_that_is_long_ago() {
        for (fell_ms, held) in [(2_000, 1_500_000), (6_000, 200_000)] {
            let (mut uneven, mut now) = (Uneven::default(), Instant::now());
            uneven.handle_carried(now, Some(1_500_000));
            for _ in 0..fell_ms / 100 {
                now += Duration::from_millis(100);
                uneven.handle_carried(now, Some(200_000));
            }
            assert_eq!(uneven.floor(now, 200_000, Some(2_000_000)), Some(held));
            uneven.handle_way(now, (false, true), (0.0, 0.0));
            let after = uneven.floor(now, 200_000, Some(2_000_000));
            assert!(after.is_none_or(|bps| bps <= 200_000), "there was a queue: {after:?}");
        }
    }

    #[test]
    fn what_is_lost_for_a_moment_was_late() {
        let (mut uneven, now) = (Uneven::default(), Instant::now());
        for _ in 0..60 {
            uneven.handle_way(now, (true, false), (0.28, 0.28));
            uneven.handle_way(now, (true, false), (0.08, 0.08));
            assert!(!uneven.is_lossy());
        }
        (0..30).for_each(|_| uneven.handle_way(now, (true, false), (0.3, 0.3)));
        assert!(uneven.is_lossy());
    }

    #[test]
    fn where_no_pictures_are_sent_nothing_begins() {
        let (mut uneven, now) = (Uneven::default(), Instant::now());
        uneven.handle_way(now, (true, false), (0.0, 0.0));
        assert_eq!(uneven.floor(now, 100_000, None), None);
        assert_eq!(uneven.floor(now, 400_000, Some(1_000_000)), Some(400_000));
        for _ in 0..5 {
            assert_eq!(uneven.floor(now, 100_000, None), Some(400_000), "what was held stays");
        }
    }
}
