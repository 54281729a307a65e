//! How late a publisher's way makes what is lost on it and sent again. A viewer cannot find that out by itself: browsers
//! leave packets that were sent again out of their reckoning, and its own way to this server is short. So it is told how
//! long to hold what comes, or pictures that come late are never shown.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::Timestamp;

use super::ask::PATIENCE_MAX;

/// What is remembered: longer than a spell of bad luck, shorter than anybody waits for the delay to fall again.
const WINDOW: Duration = Duration::from_secs(10);
/// Of 10 s of pictures, and of sound in packets of 20 ms.
const FRAMES_MAX: usize = 1_000;
/// So many of a thousand frames may come later than what is held. Less would stand still for the one, more is delay for all.
const LATER_PER_MILLE: usize = 8;
/// Nobody holds for what comes later than this: that was an outage, or a conversation is over.
const LATE_MAX: Duration = Duration::from_millis(1_200);
/// Steps in which is told; also the margin above what was seen.
const STEP_MS: u64 = 20;
/// Below this the receivers' own buffers suffice.
const LEAST_MS: u64 = 40;
/// A fall by less is not worth telling.
const FALL_MS: u64 = 60;
/// How often it is reckoned.
const EVERY: Duration = Duration::from_millis(500);

/// Of one RTP stream.
#[derive(Debug, Default)]
pub(super) struct Late {
    frames: VecDeque<Frame>,
    /// The highest sequence number so far.
    newest: Option<u64>,
    reckoned: Option<Instant>,
    hold: Duration,
    /// What is mended before this was dropped by a queue, which is not to be held for.
    crowded_until: Option<Instant>,
}

#[derive(Debug)]
struct Frame {
    at: Timestamp,
    came: Instant,
    /// When the last of its packets came, if that was after a newer one.
    mended: Option<Instant>,
}

impl Late {
    /// A queue stands on the way.
    pub(super) fn handle_queue(&mut self, now: Instant) {
        self.crowded_until = Some(now + PATIENCE_MAX);
    }

    /// A packet of the frame at `at` has come.
    pub(super) fn handle_packet(&mut self, now: Instant, sequence: u64, at: Timestamp) {
        let is_mending = self.newest.is_some_and(|newest| sequence < newest)
            && self.crowded_until.is_none_or(|until| until <= now);
        self.newest = self.newest.max(Some(sequence));
        let is_next = self.frames.back().is_none_or(|frame| frame.at < at);
        let known = if is_next { None } else { self.frames.iter_mut().rev().find(|frame| frame.at == at) };
        match known {
            Some(frame) if is_mending => frame.mended = Some(now),
            Some(_) => {}
            None => {
                if self.frames.len() == FRAMES_MAX {
                    self.frames.pop_front();
                }
                self.frames.push_back(Frame { at, came: now, mended: is_mending.then_some(now) });
            }
        }
    }

    /// How long to hold what comes, so that nearly all of it is in time. `outlook` is how late it is going to be as far as can
    /// be told before it has been.
    pub(super) fn hold(&mut self, now: Instant, outlook: Duration) -> Duration {
        if self.reckoned.is_none_or(|at| now.saturating_duration_since(at) >= EVERY) {
            self.reckoned = Some(now);
            self.reckon(now, outlook);
        }
        self.hold
    }

    fn reckon(&mut self, now: Instant, outlook: Duration) {
        while self.frames.front().is_some_and(|frame| now.saturating_duration_since(frame.came) > WINDOW) {
            self.frames.pop_front();
        }
        let ms = round(self.lateness().max(outlook.min(LATE_MAX)));
        let held = self.hold.as_millis() as u64;
        if ms > held || ms + FALL_MS <= held || ms == 0 {
            self.hold = Duration::from_millis(ms);
        }
    }

    /// How late the frames that were mended were whole, but for the few that are later still.
    fn lateness(&self) -> Duration {
        let Some(first) = self.frames.front() else { return Duration::ZERO };
        // By how much the first that came is older than the timeline says; the earliest of all is in time.
        let behind = |at: Timestamp, came: Instant| {
            let since = came.saturating_duration_since(first.came).as_micros() as i64;
            since - (at - first.at).micros()
        };
        let Some(least) = self.frames.iter().map(|frame| behind(frame.at, frame.came)).min() else {
            return Duration::ZERO;
        };
        let mut late: Vec<u64> = self
            .frames
            .iter()
            .filter_map(|frame| Some((behind(frame.at, frame.mended?) - least).unsigned_abs()))
            .filter(|late| u128::from(*late) <= LATE_MAX.as_micros())
            .collect();
        late.sort_unstable_by(|a, b| b.cmp(a));
        let spared = self.frames.len() * LATER_PER_MILLE / 1_000;
        Duration::from_micros(late.get(spared).copied().unwrap_or_default())
    }
}

/// To whole steps and one more.
fn round(late: Duration) -> u64 {
    let ms = late.as_millis() as u64;
    if ms < LEAST_MS { 0 } else { (ms / STEP_MS + 2) * STEP_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thirty pictures a second of two packets each; `fate` says when the first packet of a picture comes beyond its time.
    fn hold_after(pictures: u64, fate: impl Fn(u64) -> u64) -> Duration {
        let start = Instant::now();
        let mut events: Vec<(u64, u64, u64)> =
            (0..pictures).flat_map(|n| [(n * 33 + fate(n), 2 * n, n), (n * 33 + 2, 2 * n + 1, n)]).collect();
        events.sort_unstable();
        let mut late = Late::default();
        for (ms, sequence, n) in &events {
            let at = Timestamp::from_micros(*n as i64 * 33_000);
            late.handle_packet(start + Duration::from_millis(*ms), *sequence, at);
        }
        late.hold(start + Duration::from_millis(pictures * 33), Duration::ZERO)
    }

    #[test]
    fn what_comes_in_order_is_not_held_however_unevenly_it_comes() {
        assert_eq!(hold_after(300, |_| 0), Duration::ZERO);
        let start = Instant::now();
        let mut late = Late::default();
        for n in 0..300 {
            // In bursts of ten.
            let at = start + Duration::from_millis(n / 10 * 330);
            late.handle_packet(at, n, Timestamp::from_micros(n as i64 * 33_000));
        }
        assert_eq!(late.hold(start + Duration::from_secs(10), Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn what_is_sent_again_is_held_for_and_a_margin() {
        let each_tenth = |late| move |n: u64| if n % 10 == 3 { late } else { 0 };
        assert_eq!(hold_after(300, each_tenth(110)), Duration::from_millis(140));
        assert_eq!(hold_after(300, each_tenth(215)), Duration::from_millis(240));
        assert_eq!(hold_after(300, each_tenth(20)), Duration::ZERO, "receivers do as much by themselves");
    }

    #[test]
    fn nobody_waits_for_the_few_that_are_later_than_all_others_nor_for_an_outage() {
        let few = |n: u64| match n {
            50 | 150 => 700,
            n if n % 10 == 3 => 110,
            _ => 0,
        };
        assert_eq!(hold_after(300, few), Duration::from_millis(140));
        let outage = |n: u64| match n {
            100..150 => (150 - n) * 33 + 3_000,
            n if n % 10 == 3 => 110,
            _ => 0,
        };
        assert_eq!(hold_after(300, outage), Duration::from_millis(140));
    }

    #[test]
    fn what_a_queue_dropped_is_not_held_for() {
        let start = Instant::now();
        let mut late = Late::default();
        for n in (0..300_u64).filter(|n| n % 10 != 3) {
            let now = start + Duration::from_millis(n * 33);
            late.handle_queue(now);
            late.handle_packet(now, n, Timestamp::from_micros(n as i64 * 33_000));
            if n % 10 == 9 {
                late.handle_packet(now, n - 6, Timestamp::from_micros((n - 6) as i64 * 33_000));
            }
        }
        assert_eq!(late.hold(start + Duration::from_secs(10), Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn the_hold_falls_when_all_has_been_well_for_ten_seconds() {
        let start = Instant::now();
        let mut late = Late::default();
        let mut holds = vec![];
        for n in 0..600_u64 {
            let ms = n * 33;
            // Every tenth of the first hundred is lost once: it comes after the next three.
            let (sequence, at) = (n, Timestamp::from_micros(n as i64 * 33_000));
            if n < 100 && n % 10 == 3 {
                continue;
            }
            late.handle_packet(start + Duration::from_millis(ms), sequence, at);
            if n < 103 && n % 10 == 6 {
                let lost = Timestamp::from_micros((n as i64 - 3) * 33_000);
                late.handle_packet(start + Duration::from_millis(ms + 11), sequence - 3, lost);
            }
            holds.push(late.hold(start + Duration::from_millis(ms + 12), Duration::ZERO).as_millis());
        }
        assert_eq!(holds.iter().max(), Some(&140));
        assert_eq!(holds.last(), Some(&0));
        let steps = holds.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(steps, 2, "up once and down once");
    }
}
