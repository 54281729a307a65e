//! Whether there is no room on a way: a queue or loss tells that, and a way that only varies has neither. Time is an argument.

use std::time::{Duration, Instant};

/// Loss beyond this, or a queue, about when room was found short says that it was: estimates also fall when packets come
/// unevenly, and then a layer is gone up to again at once.
const LOSS_SHORT: f32 = 0.02;
/// About when: two reports have come by then.
pub(super) const ABOUT: Duration = Duration::from_millis(600);
/// Loss beyond this while the way is no longer than ever is not for want of room.
const LOSS_HIGH: f32 = 0.08;
/// A way this much longer than its least has a queue.
const QUEUE_MIN: Duration = Duration::from_millis(40);
/// A way of which nothing else is known has no queue when it is this short.
const SHORT_MAX: Duration = Duration::from_millis(300);
/// One that is longer is so by itself when nothing was lost for so long: what is measured first may be measured in a queue.
const CALM: Duration = Duration::from_secs(5);
/// A way that goes up and down by this much from one measurement to the next varies by itself; it does until it goes up and down by
/// less than half of that. A queue fills and empties by and by.
const UNEVEN: Duration = Duration::from_millis(16);
/// What it varies by is evened out over so many measurements, which mostly come four times a second; one of them counts as this at most,
/// for packets come late one after the other behind a keyframe, too.
const SWINGS_OVER: u32 = 8;
const SWING_MAX: Duration = Duration::from_millis(64);
/// How long it is, where it varies, is evened out over so many, and known after so many.
const MEAN_OVER: u32 = 16;
const MEAN_AFTER: u32 = 6;
/// Until then a queue is what makes it longer by so many times what it varies by.
const SWINGS_MAX: u32 = 4;
/// And where not one of so many is shorter than such a way has to be, there is a queue.
const LATEST: usize = 6;
/// How much longer a way may have become between two questions.
const LONGER: Duration = Duration::from_micros(100);

/// Whether there was no room, as far as loss and queues tell.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// When there was a queue or loss last.
    crowded: Option<Instant>,
    /// Of what is measured, and of that evened out.
    least: Least,
    least_mean: Least,
    swings: Swings,
    /// Since when hardly anything was lost.
    calm: Option<Instant>,
    /// It is longer than it has to be.
    has_queue: bool,
}

impl Crowd {
    /// There was a queue or loss about then, or since.
    pub(super) fn is_about(&self, at: Instant) -> bool {
        self.crowded.is_some_and(|crowded| crowded + ABOUT >= at)
    }

    /// There is a queue now.
    pub(super) fn has_queue(&self) -> bool {
        self.has_queue
    }

    /// Packets come so unevenly, without a queue, that what is estimated by when they come is too low.
    pub(super) fn is_uneven(&self) -> bool {
        self.swings.mean().is_some() && !self.has_queue
    }

    /// Takes what is known now; `true` when much is lost for another reason than want of room.
    pub(super) fn handle_report(&mut self, now: Instant, loss: f32, round_trip: Option<Duration>) -> bool {
        if loss >= LOSS_SHORT {
            (self.crowded, self.calm) = (Some(now), Some(now));
        }
        let is_calm = now.saturating_duration_since(*self.calm.get_or_insert(now)) >= CALM;
        let Some(round_trip) = round_trip else {
            (self.swings, self.has_queue) = (Swings::default(), false);
            return false;
        };
        self.least.handle_trip(round_trip, loss, is_calm);
        self.swings.handle_trip(round_trip);
        self.has_queue = match (self.swings.count, self.swings.mean()) {
            (0, _) => round_trip > self.least.longest(),
            (_, None) => {
                // What it is on the whole is learnt anew each time that it begins to vary.
                self.least_mean = Least::default();
                round_trip > self.least.longest() + self.swings.swing * SWINGS_MAX
            }
            (_, Some(mean)) => {
                self.least_mean.handle_trip(mean, loss, true);
                let longest = self.least_mean.longest();
                mean > longest || self.swings.latest.iter().all(|latest| *latest > longest)
            }
        };
        if self.has_queue {
            self.crowded = Some(now);
        }
        // Where a queue swings, too, what it drops is not lost by chance: only a way that is short at that moment says so.
        loss >= LOSS_HIGH && !self.has_queue && round_trip <= self.least.longest()
    }
}

/// The least round trip lately.
#[derive(Debug, Default)]
struct Least(Option<Duration>);

impl Least {
    /// Learnt in calm alone, or a way that was crowded from the start would pass for a long one. Two percent and a millisecond longer
    /// a second, at ten questions a second: ways change, as when a phone leaves its Wi-Fi.
    fn handle_trip(&mut self, round_trip: Duration, loss: f32, is_calm: bool) {
        if loss < LOSS_HIGH {
            self.0 = match self.0 {
                Some(least) => Some(round_trip.min(least + least / 500 + LONGER)),
                None => Some(round_trip).filter(|way| *way <= SHORT_MAX || is_calm),
            };
        } else if round_trip <= SHORT_MAX {
            self.0 = Some(self.0.map_or(round_trip, |least| least.min(round_trip)));
        }
    }

    /// A way longer than this has a queue.
    fn longest(&self) -> Duration {
        self.0.map_or(SHORT_MAX, |least| least + least / 4 + QUEUE_MIN)
    }
}

/// How much a way varies.
#[derive(Debug, Default)]
struct Swings {
    /// The last measurements, the newest first.
    latest: [Duration; LATEST],
    swing: Duration,
    /// Evened out, and over how many since it varies: 0 where it does not.
    mean: Duration,
    count: u32,
}

impl Swings {
    /// How long the way is on the whole; `None` where it does not vary, or until that is known.
    fn mean(&self) -> Option<Duration> {
        (self.count >= MEAN_AFTER).then_some(self.mean)
    }

    /// Takes a measurement, or the same once more.
    fn handle_trip(&mut self, round_trip: Duration) {
        let [last, before, ..] = self.latest;
        if round_trip == last {
            return;
        }
        let turns = !before.is_zero() && (last > before) == (last > round_trip);
        let swing = before.abs_diff(last).min(last.abs_diff(round_trip)).min(SWING_MAX);
        let swing = if turns { swing } else { Duration::ZERO };
        self.swing = (self.swing * (SWINGS_OVER - 1) + swing) / SWINGS_OVER;
        let enough = if self.count > 0 { UNEVEN / 2 } else { UNEVEN };
        self.latest.rotate_right(1);
        self.latest[0] = round_trip;
        self.count = if self.swing >= enough { self.count + 1 } else { 0 };
        let over = self.count.clamp(1, MEAN_OVER);
        self.mean = (self.mean * (over - 1) + round_trip) / over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten questions a second for so long, at this loss and round trip; whether loss had another reason at the end.
    fn ask(crowd: &mut Crowd, now: &mut Instant, seconds: u64, loss: f32, round_trip_ms: u64) -> bool {
        let mut is_lossy = false;
        for _ in 0..seconds * 10 {
            *now += Duration::from_millis(100);
            is_lossy = crowd.handle_report(*now, loss, Some(Duration::from_millis(round_trip_ms)));
        }
        is_lossy
    }

    #[test]
    fn a_way_that_is_first_measured_in_a_queue_is_not_taken_for_a_long_one() {
        let (mut crowd, mut now) = (Crowd::default(), Instant::now());
        ask(&mut crowd, &mut now, 1, 0.0, 770);
        assert!(!ask(&mut crowd, &mut now, 30, 0.3, 830), "there is no room");
        ask(&mut crowd, &mut now, 1, 0.0, 40);
        assert!(ask(&mut crowd, &mut now, 5, 0.3, 50), "now there is");
        assert!(!ask(&mut crowd, &mut now, 1, 0.3, 200), "and this is a queue");
    }

    #[test]
    fn a_way_that_is_long_by_itself_is_known_when_nothing_was_lost_on_it_for_a_while() {
        let (mut crowd, mut now) = (Crowd::default(), Instant::now());
        ask(&mut crowd, &mut now, 6, 0.0, 600);
        assert!(ask(&mut crowd, &mut now, 5, 0.1, 600));
        assert!(!ask(&mut crowd, &mut now, 1, 0.1, 900));
    }

    #[test]
    fn a_way_that_varies_has_no_queue_for_that_and_one_that_becomes_longer_as_well_has() {
        let (mut crowd, mut now) = (Crowd::default(), Instant::now());
        let varied = [310, 420, 350, 280, 470, 400, 330, 520, 260, 390, 240, 450];
        let mut play = |crowd: &mut Crowd, more: u64, times: usize| {
            let mut queues = 0;
            for round_trip in varied.into_iter().cycle().take(times) {
                now += Duration::from_millis(250);
                crowd.handle_report(now, 0.0, Some(Duration::from_millis(round_trip + more)));
                queues += usize::from(crowd.has_queue());
            }
            queues
        };
        play(&mut crowd, 0, 24);
        assert_eq!(play(&mut crowd, 0, 120), 0);
        assert!(crowd.is_uneven());
        assert!(play(&mut crowd, 300, 24) >= 12, "it is longer on the whole");
        assert!(!crowd.is_uneven());
    }

    #[test]
    fn a_queue_that_fills_and_empties_is_one() {
        let (mut crowd, mut now) = (Crowd::default(), Instant::now());
        ask(&mut crowd, &mut now, 5, 0.0, 50);
        for round_trip in [70, 85, 130, 160, 190, 170, 150, 130, 150, 180] {
            ask(&mut crowd, &mut now, 1, 0.0, round_trip);
            assert_eq!(crowd.has_queue(), round_trip > 100, "{round_trip}");
            assert!(!crowd.is_uneven());
        }
    }
}
