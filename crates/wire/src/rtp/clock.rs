//! Brings the streams of one sender onto one clock: each begins where its first packet arrived, and sender reports
//! (RFC 3550 §6.4.1) move them until sound and picture stand to each other as they were captured.

use std::time::Instant;

use media::{Span, Timestamp};

/// A report that moves a stream further than this is of a sender whose clock cannot be trusted.
const SHIFT_MAX: Span = Span::from_millis(2_000);
/// A stream moves by this share of the time that passes: 20 ms a second, which neither eye nor ear notices.
const SLEW: i64 = 50;
/// A stream that is this much too early was interrupted where it was captured, as sound is on a machine that is too busy:
/// the interruption belongs into it, while creeping after it would keep sound and picture apart for a minute. Two reports
/// have to say so: one that comes while what was captured is caught up with is wrong by as much.
const BEHIND: Span = Span::from_millis(200);

/// The clock of one sender.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    stream: u8,
    rate: u32,
    /// When the first packet came, and its RTP time.
    base: Timestamp,
    first: u64,
    /// The sender's wall clock at `first`, in microseconds, by its newest report and by the one before.
    captured: Option<i64>,
    captured_before: Option<i64>,
    /// When the newest report was made, by its own words.
    reported: Option<i64>,
    shift: Span,
    wanted: Span,
    /// As far as two reports agree that it has to move at least.
    agreed: Span,
    newest: u64,
}

impl Clock {
    /// A sender whose session began at `now`.
    pub fn new(now: Instant) -> Self {
        Self { start: now, lines: Vec::new() }
    }

    /// The place of `rtp_time` (extended beyond 32 bits, of a clock of `rate` ticks a second) that arrived at `now`.
    pub fn map(&mut self, now: Instant, stream: u8, rate: u32, rtp_time: u64) -> Timestamp {
        let arrived = Timestamp::ZERO + Span::from(now.saturating_duration_since(self.start));
        let index = match self.lines.iter().position(|line| line.stream == stream && line.rate == rate) {
            Some(index) => index,
            None => {
                self.lines.retain(|line| line.stream != stream);
                self.lines.push(Line::new(stream, rate, arrived, rtp_time));
                self.lines.len() - 1
            }
        };
        self.lines.get_mut(index).map_or(arrived, |line| line.map(rtp_time))
    }

    /// What the sender's wall clock showed at this RTP time, in microseconds, once it has been reported.
    pub fn captured(&self, stream: u8, rtp_time: u64) -> Option<i64> {
        let line = self.lines.iter().find(|line| line.stream == stream)?;
        Some(line.captured?.saturating_add(line.since_first(rtp_time).micros()))
    }

    /// A sender report: the sender's wall clock showed `wall_us` when its RTP time was `rtp_time`.
    pub fn handle_report(&mut self, stream: u8, wall_us: i64, rtp_time: u64) {
        let Some(line) = self.lines.iter_mut().find(|line| line.stream == stream) else { return };
        let captured = Some(wall_us.saturating_sub(line.since_first(rtp_time).micros()));
        // The same report is handed over with each packet.
        if line.reported != Some(wall_us) {
            line.reported = Some(wall_us);
            line.captured_before = line.captured;
            line.captured = captured;
        }
        // All move to the first stream that has been reported on.
        let Some((base, captured)) = self.lines.iter().find_map(|line| Some((line.base, line.captured?)))
        else {
            return;
        };
        for line in &mut self.lines {
            let Some(own) = line.captured else { continue };
            let wanted_by = |own: i64| Span::from_micros(own.saturating_sub(captured)) - (line.base - base);
            let wanted = wanted_by(own);
            if wanted.abs() <= SHIFT_MAX {
                line.agreed = line.captured_before.map_or(Span::ZERO, |before| wanted.min(wanted_by(before)));
                line.wanted = wanted;
            }
        }
    }
}

impl Line {
    fn new(stream: u8, rate: u32, base: Timestamp, first: u64) -> Self {
        Self {
            stream,
            rate,
            base,
            first,
            captured: None,
            captured_before: None,
            reported: None,
            shift: Span::ZERO,
            wanted: Span::ZERO,
            agreed: Span::ZERO,
            newest: first,
        }
    }

    fn since_first(&self, rtp_time: u64) -> Span {
        Span::from_ticks(rtp_time.wrapping_sub(self.first) as i64, self.rate)
    }

    fn map(&mut self, rtp_time: u64) -> Timestamp {
        let passed = Span::from_ticks(rtp_time.wrapping_sub(self.newest) as i64, self.rate);
        if passed > Span::ZERO {
            self.newest = rtp_time;
            let step = passed.micros() / SLEW;
            let missing = self.agreed - self.shift;
            let left = (self.wanted - self.shift).micros();
            let step = if missing > BEHIND { missing.micros() } else { left.clamp(-step, step) };
            self.shift = self.shift + Span::from_micros(step);
        }
        self.base + self.since_first(rtp_time) + self.shift
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const VIDEO: u8 = 0;
    const AUDIO: u8 = 1;

    #[test]
    fn streams_begin_where_they_arrive_and_keep_their_own_pace() {
        let start = Instant::now();
        let mut clock = Clock::new(start);
        let first = clock.map(start + Duration::from_millis(30), VIDEO, 90_000, 4_000_000_000);
        assert_eq!(first, Timestamp::from_millis(30));
        let later = clock.map(start + Duration::from_millis(99), VIDEO, 90_000, 4_000_003_600);
        assert_eq!(later - first, Span::from_millis(40), "whenever it arrives");
        let earlier = clock.map(start + Duration::from_millis(120), VIDEO, 90_000, 4_000_001_800);
        assert_eq!(earlier - first, Span::from_millis(20));
    }

    #[test]
    fn reports_bring_sound_to_the_picture_without_a_jump() {
        let start = Instant::now();
        let mut clock = Clock::new(start);
        // Both were captured at once; the sound came 60 ms later.
        clock.map(start, VIDEO, 90_000, 0);
        clock.map(start + Duration::from_millis(60), AUDIO, 48_000, 0);
        clock.handle_report(VIDEO, 1_000_000_000, 0);
        clock.handle_report(AUDIO, 1_000_000_000, 0);
        let mut last = Timestamp::from_millis(60);
        for n in 1..=250_u64 {
            let at = clock.map(start, AUDIO, 48_000, n * 960);
            assert!((19_500..=20_500).contains(&(at - last).micros()), "packet {n}");
            last = at;
        }
        let video = clock.map(start, VIDEO, 90_000, 250 * 1_800);
        assert_eq!(last, video, "after 5 s");
    }

    #[test]
    fn sound_that_was_interrupted_goes_on_where_it_belongs() {
        let start = Instant::now();
        let mut clock = Clock::new(start);
        clock.map(start, VIDEO, 90_000, 0);
        clock.map(start, AUDIO, 48_000, 0);
        clock.handle_report(VIDEO, 0, 0);
        clock.handle_report(AUDIO, 0, 0);
        assert_eq!(clock.map(start, AUDIO, 48_000, 4 * 48_000), Timestamp::from_millis(4_000));
        // Of the fifth second, 0.7 s were not captured.
        let sound = |second: u64| second * 48_000 - 33_600;
        clock.handle_report(VIDEO, 5_000_000, 5 * 90_000);
        clock.handle_report(AUDIO, 5_000_000, sound(5));
        let crept = clock.map(start, AUDIO, 48_000, sound(5)) - Timestamp::from_millis(4_300);
        assert!(crept < Span::from_millis(20), "one report may be wrong");
        clock.handle_report(AUDIO, 10_000_000, sound(10));
        assert_eq!(clock.map(start, AUDIO, 48_000, sound(10)), Timestamp::from_millis(10_000));
        assert_eq!(clock.map(start, AUDIO, 48_000, sound(11)), Timestamp::from_millis(11_000));
        assert_eq!(clock.map(start, VIDEO, 90_000, 11 * 90_000), Timestamp::from_millis(11_000));
    }

    #[test]
    fn a_report_of_another_world_moves_nothing() {
        let start = Instant::now();
        let mut clock = Clock::new(start);
        clock.map(start, VIDEO, 90_000, 0);
        clock.map(start, AUDIO, 48_000, 0);
        clock.handle_report(VIDEO, 0, 0);
        clock.handle_report(AUDIO, i64::MAX, u64::MAX);
        assert_eq!(clock.map(start, AUDIO, 48_000, 48_000), Timestamp::from_millis(1_000));
    }
}
