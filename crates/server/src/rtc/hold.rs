//! How long a viewer is to hold what comes, because what is lost on its way comes later. Time is an argument.

use std::time::{Duration, Instant};

use super::copies::Room;
use super::patience::held;

/// What is lost and asked for again comes a round trip and a half later, and what a viewer takes to ask. Browsers do not hold for that by
/// themselves: three pictures come at once behind one that was late, and two of them are never shown; of sound it is made up.
const ASKED_AFTER: Duration = Duration::from_millis(50);
/// No longer for that, in steps of
const LONG_MAX: Duration = Duration::from_millis(600);
const STEP: Duration = Duration::from_millis(50);
/// Once much has been lost by chance for so long, which is told of twice then, …
const FROM: Duration = Duration::from_millis(300);
/// … and for so long after: to hold less and then more again is heard.
const AFTER: Duration = Duration::from_secs(10);

/// Of one viewer.
#[derive(Debug, Default)]
pub(super) struct Hold {
    long: Duration,
    /// Since when much is lost by chance, and when it was last, for long enough.
    since: Option<Instant>,
    lossy: Option<Instant>,
}

impl Hold {
    /// Takes what is known now; where there are copies, what is lost of all of them comes late whatever the rest.
    pub(super) fn handle_way(
        &mut self,
        now: Instant,
        room: Room,
        has_copies: bool,
        round_trip: Option<Duration>,
    ) {
        self.lossy.take_if(|at| now.saturating_duration_since(*at) >= AFTER);
        if held(&mut self.since, room == Room::Lossy, now, FROM) {
            self.lossy = Some(now);
        }
        match round_trip {
            _ if !has_copies && self.lossy.is_none() => self.long = Duration::ZERO,
            Some(round_trip) if room != Room::Queue => self.long = self.long.max(long_for(round_trip)),
            Some(_) | None => {}
        }
    }

    /// Much was lost by chance lately.
    pub(super) fn is_lossy(&self) -> bool {
        self.lossy.is_some()
    }

    /// For so long.
    pub(super) fn long(&self) -> Duration {
        self.long
    }
}

/// How long what is sent again takes on a way of this round trip.
fn long_for(round_trip: Duration) -> Duration {
    let late = round_trip + round_trip / 2 + ASKED_AFTER;
    let steps = late.as_millis().div_ceil(STEP.as_millis()) as u32;
    (STEP * steps).min(LONG_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_loss_that_is_told_twice_and_outlasts_it_and_queues() {
        let (start, mut hold) = (Instant::now(), Hold::default());
        let mut after = |ms, room, round_trip_ms| {
            let now = start + Duration::from_millis(ms);
            hold.handle_way(now, room, false, Some(Duration::from_millis(round_trip_ms)));
            hold.long().as_millis()
        };
        assert_eq!(after(0, Room::Lossy, 100), 0, "one keyframe's tail");
        assert_eq!(after(100, Room::Unknown, 100), 0);
        assert_eq!(after(200, Room::Lossy, 100), 0);
        assert_eq!(after(500, Room::Lossy, 100), 200, "a round trip and a half, and a little");
        assert_eq!(after(600, Room::Queue, 900), 200, "that is the queue's");
        assert_eq!(after(9_000, Room::Unknown, 100), 200);
        assert_eq!(after(10_600, Room::Unknown, 100), 0);
    }
}
