//! Whether one layer comes, or would if somebody wanted it. Pure, and time is an argument.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::doubt::Doubt;
use super::rank::SILENT;

/// One that is woken comes within this: browsers reckon anew what their way carries, which takes some seconds where it has to grow.
const WAKES_WITHIN: Duration = Duration::from_secs(4);
/// One that did not is left alone: whoever has no room or no strength for it now hardly has it a moment later, and viewers that changed
/// to and fro would get a keyframe each time.
const DOUBTED: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(160);
/// What was longer ago is no reason any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(160);
/// What comes so soon after it was woken was sent before.
const ON_ITS_WAY: Duration = Duration::from_millis(300);

/// What one layer does.
#[derive(Debug, Default)]
pub(super) struct Sending {
    heard: Option<Instant>,
    is_resting: bool,
    /// When its publisher was told to send it again, until something of it has come.
    woken: Option<Instant>,
    /// It was woken for nothing.
    doubt: Option<Doubt>,
}

impl Sending {
    /// A packet of it came.
    pub(super) fn handle_packet(&mut self, now: Instant) {
        self.heard = Some(now);
        let has_come = |woken: &mut Instant| now.saturating_duration_since(*woken) >= ON_ITS_WAY;
        if self.woken.take_if(has_come).is_some() {
            self.doubt = None;
        }
    }

    /// Its publisher was told to let it rest, or not to.
    pub(super) fn set_resting(&mut self, now: Instant, rests: bool) {
        if std::mem::replace(&mut self.is_resting, rests) == rests {
            return;
        }
        if !rests {
            self.woken = Some(now);
        } else if self.woken.take().is_some() {
            let lately = self.doubt.filter(|doubt| doubt.is_within(now, FORGOTTEN_AFTER));
            self.doubt = Some(Doubt::again(lately, now, &DOUBTED));
        }
    }

    pub(super) fn is_resting(&self) -> bool {
        self.is_resting
    }

    /// It rests, and comes when it is wanted, as far as is known.
    pub(super) fn is_at_hand(&self, now: Instant) -> bool {
        self.is_resting && !self.doubt.is_some_and(|doubt| doubt.holds(now))
    }

    /// It comes. What is still on its way of one that was let rest goes no further.
    pub(super) fn is_heard(&self, now: Instant) -> bool {
        !self.is_resting && self.heard.is_some_and(|heard| now.saturating_duration_since(heard) <= SILENT)
    }

    /// It comes, or is waited for.
    pub(super) fn is_sent(&self, now: Instant) -> bool {
        let is_waking = self.woken.is_some_and(|woken| now.saturating_duration_since(woken) <= WAKES_WITHIN);
        !self.is_resting && (is_waking || self.is_heard(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_is_woken_has_time_to_come_and_is_doubted_longer_each_time_that_it_does_not() {
        let mut now = Instant::now();
        let mut sending = Sending::default();
        sending.handle_packet(now);
        sending.set_resting(now, true);
        assert!(sending.is_at_hand(now));
        for doubt in [10, 20, 40, 80, 160, 160].map(Duration::from_secs) {
            sending.set_resting(now, false);
            assert!(sending.is_sent(now + WAKES_WITHIN));
            now += WAKES_WITHIN + Duration::from_millis(1);
            assert!(!sending.is_sent(now), "nothing came");
            sending.set_resting(now, true);
            assert!(!sending.is_at_hand(now + doubt - Duration::from_millis(1)), "{doubt:?}");
            now += doubt;
            assert!(sending.is_at_hand(now), "{doubt:?}");
        }
        sending.set_resting(now, false);
        sending.handle_packet(now + Duration::from_millis(100));
        assert!(sending.woken.is_some(), "that was on its way");
        now += Duration::from_secs(1);
        sending.handle_packet(now);
        sending.set_resting(now, true);
        assert!(sending.is_at_hand(now), "it came");
        assert!(!sending.is_heard(now), "and goes on no more");
    }

    #[test]
    fn a_layer_that_falls_silent_is_missed_after_a_second() {
        let start = Instant::now();
        let mut sending = Sending::default();
        assert!(!sending.is_sent(start));
        sending.handle_packet(start);
        assert!(sending.is_sent(start + SILENT) && !sending.is_resting());
        assert!(!sending.is_sent(start + SILENT + Duration::from_millis(1)));
    }
}
