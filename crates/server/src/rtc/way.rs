//! What a viewer's reports say of the way to it: what is lost, how long it takes, and whether loss is for want of room. Pure,
//! and time is an argument.

use std::time::{Duration, Instant};

use str0m::stats::PeerStats;

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
    /// Takes what the peer told of all that it got lately, numbered across streams (TWCC): that of one stream says nothing
    /// where little is sent in it, and comes after seconds.
    pub(super) fn handle_report(&mut self, stats: &PeerStats) {
        self.loss = stats.egress_loss_fraction.unwrap_or(self.loss);
        // The same to the nanosecond is the same measurement, told once more.
        if stats.rtt.is_some() && stats.rtt != self.round_trip {
            (self.round_trip, self.measured) = (stats.rtt, Some(stats.timestamp));
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
    /// Since when hardly anything was lost.
    calm: Option<Instant>,
}

impl Crowd {
    /// There was a queue or loss about then, or since.
    pub(super) fn is_about(&self, at: Instant) -> bool {
        self.crowded.is_some_and(|crowded| crowded + ABOUT >= at)
    }

    /// Takes what is known now; `true` when much is lost for another reason than want of room.
    pub(super) fn handle_report(&mut self, now: Instant, loss: f32, round_trip: Option<Duration>) -> bool {
        if loss >= LOSS_SHORT {
            (self.crowded, self.calm) = (Some(now), Some(now));
        }
        let calm = now.saturating_duration_since(*self.calm.get_or_insert(now));
        let Some(round_trip) = round_trip else { return false };
        // Learnt in calm alone, or a way that was crowded from the start would pass for a long one. Two percent longer a
        // second, at ten questions a second: ways change.
        if loss < LOSS_HIGH {
            self.least = match self.least {
                Some(least) => Some(round_trip.min(least + least / 500)),
                None => Some(round_trip).filter(|way| *way <= SHORT_MAX || calm >= CALM),
            };
        }
        let longest = self.least.map_or(SHORT_MAX, |least| least + least / 4 + QUEUE_MIN);
        let has_queue = round_trip > longest;
        if has_queue {
            self.crowded = Some(now);
        }
        loss >= LOSS_HIGH && !has_queue
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
    fn what_all_streams_lost_together_counts_and_an_old_round_trip_does_not() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let stats = |at, loss, round_trip_ms: Option<u64>| PeerStats {
            peer_bytes_rx: 0,
            peer_bytes_tx: 0,
            bytes_rx: 0,
            bytes_tx: 0,
            timestamp: at,
            bwe_tx: None,
            egress_loss_fraction: loss,
            ingress_loss_fraction: None,
            rtt: round_trip_ms.map(Duration::from_millis),
            selected_candidate_pair: None,
        };
        reports.handle_report(&stats(now, Some(0.2), Some(80)));
        let later = now + Duration::from_secs(3);
        reports.handle_report(&stats(later, None, Some(80)));
        assert_eq!((reports.loss(), reports.round_trip(later)), (0.2, Some(Duration::from_millis(80))));
        let late = now + MEASURED_MAX + Duration::from_secs(1);
        assert_eq!(reports.round_trip(late), None, "it was measured once");
    }
}
