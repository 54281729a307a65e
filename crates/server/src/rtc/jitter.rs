//! By how much pictures come sooner and later than they were sent (interarrival jitter, RFC 3550 §6.4.1): what receivers tell, less what
//! they were sent sooner and later by. Time is an argument.

use std::time::{Duration, Instant};

use media::Timestamp;
use str0m::media::Mid;

/// RFC 3550 §6.4.1.
const EVENED_OVER: u32 = 16;
/// No more counts for one picture, and no more is believed.
const MOST: Duration = Duration::from_millis(400);
/// What was told longer ago tells nothing.
const TOLD_MAX: Duration = Duration::from_secs(3);

/// How the pictures of one stream are sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    last: Option<(Instant, Timestamp)>,
    jitter: Duration,
    /// From one picture to the next.
    interval: Duration,
}

impl Sent {
    /// A picture at `at`, as its receiver is told, begins to be sent.
    pub(super) fn handle_picture(&mut self, now: Instant, at: Timestamp) {
        let Some((sent, before)) = self.last.replace((now, at)) else { return };
        let took = now.saturating_duration_since(sent);
        let lasts = (at - before).to_duration();
        even(&mut self.jitter, took.abs_diff(lasts));
        even(&mut self.interval, lasts);
    }

    /// What is left of what the receiver tells.
    pub(super) fn of_way(&self, told: Duration) -> Jitter {
        Jitter { long: told.min(MOST).saturating_sub(self.jitter), interval: self.interval }
    }
}

/// Brings it nearer to what is new.
fn even(evened: &mut Duration, new: Duration) {
    *evened = (*evened * (EVENED_OVER - 1) + new.min(MOST)) / EVENED_OVER;
}

/// Of a way, by the pictures of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Jitter {
    pub(super) long: Duration,
    /// From one picture to the next. A picture comes for part of that time, which receivers take for jitter, too.
    pub(super) interval: Duration,
}

/// What was told of all streams on a way.
#[derive(Debug, Default)]
pub(super) struct Jitters(Vec<(Mid, Instant, Jitter)>);

impl Jitters {
    /// The receiver of this stream has told it anew.
    pub(super) fn handle_told(&mut self, now: Instant, stream: Mid, jitter: Jitter) {
        self.0.retain(|(mid, ..)| *mid != stream);
        self.0.push((stream, now, jitter));
    }

    /// Of the way itself: no stream comes more evenly than that.
    pub(super) fn least(&mut self, now: Instant) -> Option<Jitter> {
        self.0.retain(|(_, at, _)| now.saturating_duration_since(*at) < TOLD_MAX);
        self.0.iter().map(|(.., jitter)| *jitter).min_by_key(|jitter| jitter.long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn what_was_sent_unevenly_is_not_the_ways() {
        let (mut now, mut even, mut uneven) = (Instant::now(), Sent::default(), Sent::default());
        for picture in 0..300_u32 {
            let at = Timestamp::from_micros(i64::from(picture) * 40_000);
            even.handle_picture(now, at);
            uneven.handle_picture(now + MS(if picture % 2 == 0 { 0 } else { 30 }), at);
            now += MS(40);
        }
        let jitter = even.of_way(MS(70));
        assert!(jitter.long == MS(70) && jitter.interval.abs_diff(MS(40)) < MS(1), "{jitter:?}");
        assert!(uneven.of_way(MS(70)).long.abs_diff(MS(40)) < MS(2), "{uneven:?}");
        assert_eq!(uneven.of_way(MS(10)).long, MS(0));
        assert_eq!(even.of_way(Duration::from_secs(47_721)).long, MOST, "whatever a peer says");
    }

    #[test]
    fn a_stop_counts_as_no_more_than_it_may() {
        let (now, mut sent) = (Instant::now(), Sent::default());
        sent.handle_picture(now, Timestamp::from_micros(0));
        sent.handle_picture(now + Duration::from_secs(3_600), Timestamp::from_micros(-5_000_000));
        assert!(sent.jitter <= MOST && sent.interval <= MOST, "{sent:?}");
    }

    #[test]
    fn the_stream_that_comes_most_evenly_tells_of_the_way() {
        let (now, mut jitters) = (Instant::now(), Jitters::default());
        let jitter = |ms| Jitter { long: MS(ms), interval: MS(33) };
        assert_eq!(jitters.least(now), None);
        jitters.handle_told(now, "0".into(), jitter(3));
        jitters.handle_told(now + MS(900), "1".into(), jitter(60));
        jitters.handle_told(now + MS(1_000), "2".into(), jitter(90));
        jitters.handle_told(now + MS(2_000), "2".into(), jitter(70));
        assert_eq!(jitters.least(now + MS(2_900)), Some(jitter(3)));
        assert_eq!(jitters.least(now + MS(3_100)), Some(jitter(60)));
        assert_eq!(jitters.least(now + MS(4_000)), Some(jitter(70)));
        assert_eq!(jitters.least(now + MS(6_000)), None);
    }
}
