//! How long a publisher's packets wait in a queue on their way. Each tells when it was sent (abs-send-time), so what it took
//! beyond the least is a queue, or chance; and chance does not hold all of a moment's packets back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The least of so long is what a queue is made of: of the packets in it some are not held back by chance.
const RECENT: Duration = Duration::from_millis(250);
/// Packets of that time that are remembered.
const RECENT_MAX: usize = 256;
/// Fewer say nothing.
const RECENT_MIN: usize = 8;
/// The least of all is looked for in so many parts, so long each: clocks drift, and ways change.
const PARTS: usize = 30;
const PART: Duration = Duration::from_secs(1);
/// A queue worth the name. Chance alone (σ 100 ms) was seen to hold back all of a moment's packets by 91 ms.
const STANDING: Duration = Duration::from_millis(100);
/// No queue is longer: the sender's clock stood still, in a machine that slept.
const LONGEST: Duration = Duration::from_secs(5);
/// The time a packet tells begins anew after this.
const WRAP: i64 = 64_000_000;

/// Of all streams of a publisher.
#[derive(Debug, Default)]
pub(super) struct Queue {
    newest: Option<Newest>,
    recent: VecDeque<(Instant, i64)>,
    /// The least of each part, the newest last.
    parts: VecDeque<(Instant, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    told: Instant,
    sent: Sent,
    came: Instant,
    /// When the very first came.
    first: Instant,
}

/// When a packet was sent: microseconds since the first was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sent(i64);

impl Queue {
    /// A packet has come, and tells when it was sent by a clock that begins anew each 64 s.
    pub(super) fn handle_packet(&mut self, now: Instant, told: Instant) -> Sent {
        let newest = *self.newest.get_or_insert(Newest { told, sent: Sent(0), came: now, first: now });
        // However often its clock has begun anew since, it was sent about as long after the other as it came after it.
        let passed = between(newest.came, now);
        let sent = Sent(newest.sent.0 + passed + wrapped(between(newest.told, told) - passed));
        if sent >= newest.sent {
            self.newest = Some(Newest { told, sent, came: now, ..newest });
        }
        self.note(now, between(newest.first, now) - sent.0);
        sent
    }

    /// A packet has come that took so long, give or take what all took.
    fn note(&mut self, now: Instant, took: i64) {
        let least = self.parts.iter().map(|(_, least)| *least).min();
        if least.is_some_and(|least| took - least > LONGEST.as_micros() as i64) {
            self.parts.clear();
            self.recent.clear();
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((now, took));
        match self.parts.back_mut().filter(|(at, _)| now.saturating_duration_since(*at) < PART) {
            Some((_, least)) => *least = took.min(*least),
            None => {
                if self.parts.len() == PARTS {
                    self.parts.pop_front();
                }
                self.parts.push_back((now, took));
            }
        }
    }

    /// Whether there is one to speak of.
    pub(super) fn is_standing(&self, now: Instant) -> bool {
        self.length(now) >= STANDING
    }

    /// How long it is.
    pub(super) fn length(&self, now: Instant) -> Duration {
        let recent = self.recent.iter().rev();
        let recent = recent.take_while(|(at, _)| now.saturating_duration_since(*at) <= RECENT);
        let (count, least_now) =
            recent.fold((0, i64::MAX), |(count, least), (_, took)| (count + 1, least.min(*took)));
        let least = self.parts.iter().map(|(_, least)| *least).min();
        match least {
            Some(least) if count >= RECENT_MIN => {
                Duration::from_micros(u64::try_from(least_now - least).unwrap_or_default())
            }
            _ => Duration::ZERO,
        }
    }
}

/// Microseconds from one to the other.
fn between(from: Instant, to: Instant) -> i64 {
    match to.checked_duration_since(from) {
        Some(after) => after.as_micros() as i64,
        None => -(from.duration_since(to).as_micros() as i64),
    }
}

/// The shorter way round.
fn wrapped(micros: i64) -> i64 {
    (micros + WRAP / 2).rem_euclid(WRAP) - WRAP / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A packet each 5 ms that takes 50 ms and what `more` says; each came when it did. How long the queue was each 100 ms.
    fn lengths(seconds: u64, more: impl Fn(u64) -> u64) -> Vec<u64> {
        let start = Instant::now();
        // The sender's clock is another, and begins anew each 64 s.
        let told = |ms: u64| start + (ms + 63_000) as u32 % 64_000 * MS;
        let mut coming: Vec<(u64, u64)> =
            (0..seconds * 200).map(|n| (n * 5 + 50 + more(n * 5), n * 5)).collect();
        coming.sort_unstable();
        let mut queue = Queue::default();
        let mut lengths = Vec::new();
        for (came, sent) in coming {
            let now = start + came as u32 * MS;
            queue.handle_packet(now, told(sent));
            if came / 100 >= lengths.len() as u64 {
                lengths.push(queue.length(now).as_millis() as u64);
            }
        }
        lengths
    }

    #[test]
    fn what_holds_all_packets_back_is_a_queue_and_is_gone_when_it_is() {
        let lengths = lengths(10, |ms| if (4_000..6_000).contains(&ms) { 300 } else { 0 });
        assert!(lengths[..40].iter().all(|ms| *ms == 0), "{lengths:?}");
        assert_eq!(lengths[50], 300);
        assert_eq!(*lengths.last().unwrap(), 0);
    }

    #[test]
    fn chance_is_none_nor_is_what_comes_in_another_order() {
        let chance = |ms: u64| fastrand::Rng::with_seed(ms).u64(0..300);
        let lengths = lengths(10, chance);
        // Those that come last of all are the late ones.
        assert!(lengths[4..95].iter().all(|ms| *ms < 60), "{lengths:?}");
    }

    #[test]
    fn a_longer_way_is_a_queue_for_half_a_minute_and_then_the_way() {
        let lengths = lengths(80, |ms| if ms > 20_000 { 200 } else { 0 });
        assert_eq!((lengths[300], lengths[700]), (200, 0));
    }

    #[test]
    fn a_silence_is_no_queue_nor_is_a_clock_that_stood_still() {
        let start = Instant::now();
        for (silent, slept) in [(40_000, 0), (100_000, 0), (1_000, 30_000), (90_000, 90_000)] {
            let mut queue = Queue::default();
            let mut sent = Vec::new();
            for n in 0..400 {
                let (at, behind) = if n < 200 { (n * 5, 0) } else { (n * 5 + silent, slept) };
                let now = start + at * MS;
                sent.push(queue.handle_packet(now, start + (at + 64_000 - behind) % 64_000 * MS));
                assert_eq!(queue.length(now), Duration::ZERO, "{silent} {slept} {n}");
            }
            assert!(slept > 0 || sent.is_sorted(), "{silent}");
        }
    }

    #[test]
    fn who_sends_little_has_no_queue_and_packets_are_told_apart_by_when_they_were_sent() {
        let start = Instant::now();
        let mut queue = Queue::default();
        let first = queue.handle_packet(start, start);
        let third = queue.handle_packet(start + 20 * MS, start + 20 * MS);
        let second = queue.handle_packet(start + 400 * MS, start + 10 * MS);
        assert!(first < second && second < third);
        assert_eq!(queue.length(start + 400 * MS), Duration::ZERO);
    }
}
