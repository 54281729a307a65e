//! What a viewer's reports say of the way to it: what is lost, how long it takes, and whether loss is for want of room. Pure,
//! and time is an argument.

use std::time::{Duration, Instant};

/// Loss beyond this, or a queue, about when room was found short says that it was: estimates also fall when packets come
/// unevenly, and then a layer is gone up to again at once.
const LOSS_SHORT: f32 = 0.02;
/// About when.
pub(super) const ABOUT: Duration = Duration::from_millis(1_500);
/// Loss beyond this while the way is no longer than ever is not for want of room.
const LOSS_HIGH: f32 = 0.08;
/// A way this much longer than its least has a queue.
const QUEUE_MIN: Duration = Duration::from_millis(40);
/// A way of which nothing else is known has no queue when it is this short.
const SHORT_MAX: Duration = Duration::from_millis(300);
/// A round trip measured longer ago tells nothing of a way that loses the reports it is measured by.
const MEASURED_MAX: Duration = Duration::from_secs(4);

/// What was reported last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reports {
    loss: f32,
    round_trip: Option<Duration>,
    /// When that was measured.
    measured: Option<Instant>,
}

impl Reports {
    pub(super) fn handle_report(&mut self, now: Instant, loss: Option<f32>, round_trip: Option<Duration>) {
        self.loss = loss.unwrap_or(self.loss);
        // The same to the nanosecond is the same measurement, told once more.
        if round_trip.is_some() && round_trip != self.round_trip {
            (self.round_trip, self.measured) = (round_trip, Some(now));
        }
    }

    /// Of what was sent lately, 0 to 1.
    pub(super) fn loss(&self) -> f32 {
        self.loss
    }

    /// As it was lately; `None` where nobody can tell.
    pub(super) fn round_trip(&self, now: Instant) -> Option<Duration> {
        let is_new = |at| now.saturating_duration_since(at) <= MEASURED_MAX;
        self.round_trip.filter(|_| self.measured.is_some_and(is_new))
    }
}

/// Whether there was no room, as far as loss and queues tell.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// When there was a queue or loss last.
    crowded: Option<Instant>,
    /// The least round trip lately.
    least: Option<Duration>,
}

impl Crowd {
    /// There was a queue or loss about then, or since.
    pub(super) fn is_about(&self, at: Instant) -> bool {
        self.crowded.is_some_and(|crowded| crowded + ABOUT >= at)
    }

    /// Takes what is known now; `true` when much is lost for another reason than want of room.
    pub(super) fn handle_report(&mut self, now: Instant, loss: f32, round_trip: Option<Duration>) -> bool {
        if loss >= LOSS_SHORT {
            self.crowded = Some(now);
        }
        let Some(round_trip) = round_trip else { return false };
        // Learnt in calm alone, or a way that was crowded from the start would pass for a long one. Two percent longer a
        // second, at ten questions a second: ways change.
        if loss < LOSS_HIGH {
            let least = self.least.map_or(round_trip, |least| round_trip.min(least + least / 500));
            self.least = Some(least);
        }
        let longest = self.least.map_or(SHORT_MAX, |least| least + least / 4 + QUEUE_MIN);
        let has_queue = round_trip > longest;
        if has_queue {
            self.crowded = Some(now);
        }
        loss >= LOSS_HIGH && !has_queue
    }
}
