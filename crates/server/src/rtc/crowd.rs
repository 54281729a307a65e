//! Whether there is no room on a way: a queue or loss tells that, and a way that only varies has neither. Time is an argument.

use std::time::{Duration, Instant};

use str0m::media::Mid;

use super::jitter::{Jitter, Jitters};

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
/// A way by which pictures come so much sooner and later than they were sent varies by itself; until that is less than half.
const JITTER: Duration = Duration::from_millis(35);
/// And by more than the time of so many pictures in percent: one takes up to that of one to come.
const JITTER_PERCENT: u32 = 150;
/// A queue makes a way vary as well, and longer by more than so many percent of that and a little, or than this.
const EXPLAINED_PERCENT: u32 = 150;
const EXPLAINED_MIN: Duration = Duration::from_millis(80);
const EXPLAINED_MAX: Duration = Duration::from_millis(400);
/// So long after such a queue, what is told is of the queue.
const QUEUED_MAX: Duration = Duration::from_secs(3);
/// A round trip that turns by this much from one measurement to the next, evened out over so many, is not longer for a queue when it is
/// longer by so many times that. A queue fills and empties by and by.
const SWING_MIN: Duration = Duration::from_millis(16);
const SWING_MAX: Duration = Duration::from_millis(64);
const SWINGS_OVER: u32 = 8;
const SWINGS_MAX: u32 = 4;
/// How long it is, where it varies, is evened out over so many measurements, which mostly come four times a second.
const MEAN_OVER: u32 = 16;
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
    jitters: Jitters,
    swings: Swings,
    /// Since when hardly anything was lost.
    calm: Option<Instant>,
    /// It is longer than it has to be.
    has_queue: bool,
    /// Much is lost for another reason than want of room.
    is_lossy: bool,
    /// How long it is, as far as that is believed.
    round_trip: Option<Duration>,
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

    /// How long it is now, without a single report that came late.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// It varies by itself, with or without a queue.
    pub(super) fn varies(&self) -> bool {
        self.swings.mean().is_some()
    }

    /// Packets come so unevenly, without a queue, that what is estimated by when they come is too low.
    pub(super) fn is_uneven(&self) -> bool {
        self.varies() && !self.has_queue
    }

    /// By how much the pictures of a stream come sooner and later than they were sent was told anew.
    pub(super) fn handle_jitter(&mut self, now: Instant, stream: Mid, jitter: Jitter) {
        self.jitters.handle_told(now, stream, jitter);
    }

    /// Takes what is known now; `true` when much is lost for another reason than want of room. Once that is known, a single report that
    /// came late does not end it.
    pub(super) fn handle_report(&mut self, now: Instant, loss: f32, round_trip: Option<Duration>) -> bool {
        if loss >= LOSS_SHORT {
            (self.crowded, self.calm) = (Some(now), Some(now));
        }
        let is_calm = now.saturating_duration_since(*self.calm.get_or_insert(now)) >= CALM;
        let Some(round_trip) = round_trip else {
            (self.swings, self.has_queue, self.is_lossy, self.round_trip) =
                (Swings::default(), false, false, None);
            return false;
        };
        self.least.handle_trip(round_trip, loss, is_calm);
        self.swings.handle_trip(round_trip);
        self.swings.handle_jitter(now, self.jitters.least(now).unwrap_or_default(), self.least.0);
        let is_known = self.is_lossy && !self.varies();
        let round_trip = if is_known { self.swings.shorter() } else { round_trip };
        self.round_trip = Some(round_trip);
        self.has_queue = match self.swings.mean() {
            None => {
                // What it is on the whole is learnt anew each time that it begins to vary.
                self.least_mean = Least::default();
                round_trip > self.least.longest() + self.swings.margin()
            }
            Some(mean) => {
                self.least_mean.handle_trip(mean, loss, true);
                // When it began, what was measured last was of before in part.
                let longest = self.least_mean.longest() + self.swings.jitter / 2;
                mean > longest || self.swings.latest.iter().all(|latest| *latest > longest)
            }
        };
        if self.has_queue {
            self.crowded = Some(now);
        }
        // Where a queue swings, too, what it drops is not lost by chance: only a way that is short at that moment says so.
        self.is_lossy = loss >= LOSS_HIGH && !self.has_queue && round_trip <= self.least.longest();
        self.is_lossy
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

/// Whether a way varies by itself, and how long it is on the whole then.
#[derive(Debug, Default)]
struct Swings {
    /// The last measurements, the newest first.
    latest: [Duration; LATEST],
    /// What is measured, evened out.
    mean: Duration,
    /// By how much it turns, evened out, and by how much pictures come sooner and later.
    swing: Duration,
    jitter: Duration,
    /// When it was longer than that explains.
    queued: Option<Instant>,
    varies: bool,
}

impl Swings {
    /// How long the way is on the whole; `None` where it does not vary.
    fn mean(&self) -> Option<Duration> {
        self.varies.then_some(self.mean)
    }

    /// So much longer it is without a queue.
    fn margin(&self) -> Duration {
        if self.swing >= SWING_MIN { self.swing * SWINGS_MAX } else { Duration::ZERO }
    }

    /// Of the last two measurements.
    fn shorter(&self) -> Duration {
        match self.latest {
            [last, before, ..] if !before.is_zero() => last.min(before),
            [last, ..] => last,
        }
    }

    /// Of the last measurements.
    fn lately(&self) -> Duration {
        let known = self.latest.iter().filter(|latest| !latest.is_zero());
        known.clone().sum::<Duration>() / known.count().max(1) as u32
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
        self.latest.rotate_right(1);
        self.latest[0] = round_trip;
        self.mean =
            if self.varies { (self.mean * (MEAN_OVER - 1) + round_trip) / MEAN_OVER } else { self.lately() };
    }

    /// Decides anew, on a way that may be as short as this.
    fn handle_jitter(&mut self, now: Instant, jitter: Jitter, least: Option<Duration>) {
        self.jitter = jitter.long;
        self.queued.take_if(|at| now.saturating_duration_since(*at) >= QUEUED_MAX);
        let enough = JITTER.max(jitter.interval * JITTER_PERCENT / 100);
        let is_enough = self.jitter >= if self.varies { enough / 2 } else { enough };
        let longer = self.lately().saturating_sub(least.unwrap_or_default());
        let explained = (self.jitter * EXPLAINED_PERCENT / 100 + EXPLAINED_MIN).min(EXPLAINED_MAX);
        if is_enough && longer > explained {
            self.queued = Some(now);
        }
        self.varies = is_enough && self.queued.is_none();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten questions a second for so long, at this loss and round trip; whether loss had another reason at the end.
    fn ask(crowd: &mut Crowd, now: &mut Instant, seconds: u64, loss: f32, round_trip_ms: u64) -> bool {
        let mut is_lossy = false;
        for asked in 0..seconds * 10 {
            *now += Duration::from_millis(100);
            // Never the same to the microsecond.
            let round_trip = Duration::from_micros(round_trip_ms * 1_000 + asked % 2);
            is_lossy = crowd.handle_report(*now, loss, Some(round_trip));
        }
        is_lossy
    }

    fn tell(crowd: &mut Crowd, now: Instant, jitter_ms: u64) {
        let jitter = Jitter { long: Duration::from_millis(jitter_ms), interval: Duration::from_millis(33) };
        crowd.handle_jitter(now, "0".into(), jitter);
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
                tell(crowd, now, 110);
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
    fn a_queue_that_makes_a_way_vary_is_one_and_what_is_told_soon_after_is_of_it() {
        let (mut crowd, mut now) = (Crowd::default(), Instant::now());
        ask(&mut crowd, &mut now, 5, 0.0, 40);
        for (jitter_ms, round_trip_ms) in [(10, 640), (110, 850), (200, 830), (380, 860)] {
            tell(&mut crowd, now, jitter_ms);
            ask(&mut crowd, &mut now, 2, 0.3, round_trip_ms);
            assert!(crowd.has_queue() && !crowd.varies(), "{round_trip_ms}");
        }
        for second in 0..4 {
            tell(&mut crowd, now, 200);
            ask(&mut crowd, &mut now, 1, 0.0, 45);
            assert_eq!(crowd.varies(), second == 3, "{second}");
        }
    }

    #[test]
    fn one_report_that_comes_late_does_not_end_loss_by_chance_and_two_do() {
        let (mut crowd, mut now) = (Crowd::default(), Instant::now());
        let mut after = |loss: f32, round_trip_ms| {
            now += Duration::from_millis(250);
            crowd.handle_report(now, loss, Some(Duration::from_millis(round_trip_ms)))
        };
        assert!(!after(0.3, 50) || after(0.3, 51), "from the first on");
        for round in 0..40 {
            assert!(after(0.3, 50 + round % 2) && after(0.3, 210), "{round}");
            assert!((0..8).all(|_| after(0.3, 60) && after(0.3, 61)), "{round}");
        }
        after(0.3, 210);
        assert!(!after(0.3, 211), "it is longer");
        assert!(after(0.3, 50));
        after(0.0, 51);
        assert!(!after(0.3, 210), "nothing is known before");
    }

    #[test]
    fn a_queue_that_fills_and_empties_is_one() {
        let (mut crowd, mut now) = (Crowd::default(), Instant::now());
        ask(&mut crowd, &mut now, 5, 0.0, 50);
        for round_trip in [70, 85, 130, 160, 190, 170, 150, 130, 150, 180] {
            tell(&mut crowd, now, 28);
            ask(&mut crowd, &mut now, 1, 0.0, round_trip);
            assert_eq!(crowd.has_queue(), round_trip > 100, "{round_trip}");
            assert!(!crowd.is_uneven());
        }
    }
}
