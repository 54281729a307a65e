//! From a publisher's clock to the broadcast's timeline: jumps, restarts and coarse stamps are mended here.

use std::time::Instant;

use crate::broadcast::TrackId;
use crate::time::{Span, Timestamp};

/// A source may run ahead of the wall clock by this much in one step before it counts as a jump: encoders
/// send small bursts, and a stalled network delivers seconds at once.
const AHEAD_MAX: Span = Span::from_millis(3_000);
/// A track's own clock may step back this far (jitter of bad encoders) before it counts as a jump.
const BACK_MAX: Span = Span::from_millis(100);
/// A new track may begin this far from the others, as sound that starts late or a first picture held back.
const NEW_TRACK_SKEW_MAX: Span = Span::from_millis(10_000);
/// A jumping track joins the line of a track that jumped before it when it lands this near.
const JUMP_SKEW_MAX: Span = Span::from_millis(3_000);
/// Least step over a jump, so that time goes on.
const STEP_MIN: Span = Span::from_millis(20);

/// Maps one publishing session's stamps to the broadcast's timeline, keeping the relation of its tracks.
#[derive(Debug)]
pub struct Timeline {
    start: Timestamp,
    lines: Vec<Line>,
    shared: Option<Span>,
    newest: Option<(Timestamp, Instant)>,
    jumps: u64,
}

#[derive(Debug)]
struct Line {
    track: TrackId,
    offset: Span,
    source: Timestamp,
    at: Instant,
}

impl Timeline {
    /// A session whose first frame belongs at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { start, lines: Vec::new(), shared: None, newest: None, jumps: 0 }
    }

    /// How often the source's clock jumped.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// The place of `source` (the publisher's unwrapped stamp) that arrived at `now` on `track`.
    pub fn map(&mut self, now: Instant, track: TrackId, source: Timestamp) -> Timestamp {
        let known = self.lines.iter().position(|line| line.track == track);
        let offset = match known {
            Some(index) => {
                let line = &self.lines[index];
                match line.continues(now, source) {
                    true => line.offset,
                    false => {
                        let offset = line.offset;
                        self.offset_after_jump(now, offset, source)
                    }
                }
            }
            None => self.offset_of_new_track(now, source),
        };
        let line = Line { track, offset, source, at: now };
        match known {
            Some(index) => self.lines[index] = line,
            None => self.lines.push(line),
        }
        let out = source + offset;
        if self.newest.is_none_or(|(newest, _)| out > newest) {
            self.newest = Some((out, now));
        }
        out
    }

    fn offset_of_new_track(&mut self, now: Instant, source: Timestamp) -> Span {
        match self.shared {
            Some(shared) if self.near(now, source + shared, NEW_TRACK_SKEW_MAX) => shared,
            _ => self.anchor(now, source),
        }
    }

    fn offset_after_jump(&mut self, now: Instant, old: Span, source: Timestamp) -> Span {
        match self.shared {
            Some(shared) if shared != old && self.near(now, source + shared, JUMP_SKEW_MAX) => shared,
            _ => {
                self.jumps += 1;
                self.anchor(now, source)
            }
        }
    }

    fn near(&self, now: Instant, out: Timestamp, skew: Span) -> bool {
        self.expected(now).is_none_or(|expected| (out - expected).abs() <= skew)
    }

    /// Where a frame that arrives now should lie if nothing is wrong.
    fn expected(&self, now: Instant) -> Option<Timestamp> {
        self.newest.map(|(newest, at)| newest + Span::from(now.saturating_duration_since(at)))
    }

    fn anchor(&mut self, now: Instant, source: Timestamp) -> Span {
        let place = match self.newest {
            None => self.start,
            Some((newest, at)) => newest + Span::from(now.saturating_duration_since(at)).max(STEP_MIN),
        };
        let offset = place - source;
        self.shared = Some(offset);
        offset
    }
}

impl Line {
    fn continues(&self, now: Instant, source: Timestamp) -> bool {
        let step = source - self.source;
        let elapsed = Span::from(now.saturating_duration_since(self.at));
        step >= -BACK_MAX && step <= elapsed + AHEAD_MAX
    }
}

/// Stamps of sound rebuilt from sample counts.
///
/// RTMP stamps are whole milliseconds: 21.33 ms packets would leave gaps and overlaps in fMP4. The clock counts samples
/// from an anchor and anchors anew when the source's stamp lies far away, or a little away for long. Little and short is
/// a muxer that was late: GStreamer's flvmux stamps a burst of late packets all alike, and their samples still join.
#[derive(Clone, Debug)]
pub struct SampleClock {
    rate: u32,
    anchor: Option<Timestamp>,
    samples: i64,
    /// Samples in a row whose stamps were off by more than [`SampleClock::DRIFT_MAX`].
    off: i64,
}

impl SampleClock {
    /// Beyond this a stamp is more than rounded.
    pub const DRIFT_MAX: Span = Span::from_millis(40);
    /// Beyond this the source means it at once: a gap. Lips may be off by as much until [`SampleClock::PATIENCE`] is over.
    pub const GAP_MIN: Span = Span::from_millis(250);
    /// Off for this long, the source means it: its clock drifted, or a short gap.
    pub const PATIENCE: Span = Span::from_millis(250);

    /// A clock of `rate` samples a second.
    pub fn new(rate: u32) -> Self {
        Self { rate, anchor: None, samples: 0, off: 0 }
    }

    /// The rate it counts at, in Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The exact time of a packet stamped `stamp` that holds `samples` samples.
    pub fn map(&mut self, stamp: Timestamp, samples: u32) -> Timestamp {
        let counted = self.anchor.map(|anchor| anchor + Span::from_ticks(self.samples, self.rate));
        let at = match counted {
            Some(at) if self.keeps_counting((stamp - at).abs(), samples) => at,
            Some(_) | None => {
                (self.anchor, self.samples, self.off) = (Some(stamp), 0, 0);
                stamp
            }
        };
        self.samples += i64::from(samples);
        at
    }

    fn keeps_counting(&mut self, off_by: Span, samples: u32) -> bool {
        if off_by <= Self::DRIFT_MAX {
            self.off = 0;
            return true;
        }
        self.off += i64::from(samples);
        off_by < Self::GAP_MIN && Span::from_ticks(self.off, self.rate) < Self::PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const VIDEO: TrackId = TrackId(0);
    const AUDIO: TrackId = TrackId(1);

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    struct Clock(Instant);

    impl Clock {
        fn at(&self, millis: u64) -> Instant {
            self.0 + Duration::from_millis(millis)
        }
    }

    #[test]
    fn a_session_begins_where_the_broadcast_stands_and_keeps_its_tracks_in_step() {
        let clock = Clock(Instant::now());
        let mut timeline = Timeline::new(ms(60_000));
        assert_eq!(timeline.map(clock.at(0), VIDEO, ms(1_234)), ms(60_000));
        assert_eq!(timeline.map(clock.at(5), AUDIO, ms(1_214)), ms(59_980));
        assert_eq!(timeline.map(clock.at(40), VIDEO, ms(1_274)), ms(60_040));
    }

    #[test]
    fn a_clock_that_restarts_goes_on_without_a_step_back_and_its_tracks_meet_again() {
        let clock = Clock(Instant::now());
        let mut timeline = Timeline::new(ms(0));
        timeline.map(clock.at(0), VIDEO, ms(500_000));
        timeline.map(clock.at(0), AUDIO, ms(500_000));
        assert_eq!(timeline.map(clock.at(40), VIDEO, ms(0)), ms(40), "jump back");
        assert_eq!(timeline.map(clock.at(45), AUDIO, ms(500_021)), ms(21), "sound is still on the old line");
        assert_eq!(timeline.map(clock.at(60), AUDIO, ms(10)), ms(50), "and then follows");
        assert_eq!(timeline.jumps(), 1);
    }

    #[test]
    fn a_jump_forward_that_no_time_passed_for_is_closed_and_a_real_pause_is_kept() {
        let clock = Clock(Instant::now());
        let mut timeline = Timeline::new(ms(0));
        timeline.map(clock.at(0), VIDEO, ms(0));
        assert_eq!(timeline.map(clock.at(40), VIDEO, ms(3_600_000)), ms(40));
        assert_eq!(timeline.map(clock.at(10_040), VIDEO, ms(3_610_000)), ms(10_040));
    }

    #[test]
    fn a_source_pushed_faster_than_real_time_is_not_a_jump() {
        let now = Instant::now();
        let mut timeline = Timeline::new(ms(0));
        for n in 0..10_000 {
            assert_eq!(timeline.map(now, VIDEO, ms(n * 40)), ms(n * 40));
        }
    }

    #[test]
    fn coarse_stamps_of_sound_become_exact_and_a_gap_is_kept() {
        let mut clock = SampleClock::new(48_000);
        let mut last = clock.map(ms(0), 1_024);
        for n in 1..1_000_i64 {
            let at = clock.map(ms(n * 1_024 / 48), 1_024);
            let step = (at - last).micros();
            assert!((21_333..=21_334).contains(&step), "packet {n} lies {step} µs after its neighbour");
            last = at;
        }
        let after_gap = clock.map(ms(30_000), 1_024);
        assert_eq!(after_gap, ms(30_000));
    }
    #[test]
    fn late_packets_that_a_muxer_stamped_alike_follow_each_other_by_their_samples() {
        // Stamps as GStreamer's flvmux wrote them after the sound had been 174 ms late.
        let stamps =
            [1_264, 1_285, 1_306, 1_480, 1_480, 1_480, 1_480, 1_480, 1_480, 1_480, 1_480, 1_499, 1_520];
        let mut clock = SampleClock::new(48_000);
        let placed: Vec<i64> = stamps.map(|stamp| clock.map(ms(stamp), 1_024).micros()).into();
        assert!(placed.windows(2).all(|pair| (21_333..=21_334).contains(&(pair[1] - pair[0]))), "{placed:?}");
    }

    #[test]
    fn a_stamp_that_stays_off_is_believed_after_a_quarter_of_a_second() {
        for shift in [-100, 100] {
            let mut clock = SampleClock::new(48_000);
            let stamp = |n: i64| ms(n * 1_024 / 48 + if n < 100 { 0 } else { shift });
            let off: Vec<i64> =
                (0..200).map(|n| (clock.map(stamp(n), 1_024) - stamp(n)).abs().millis()).collect();
            assert!(off[100..111].iter().all(|off| (99..=101).contains(off)), "{off:?}");
            assert!(off[111..].iter().all(|off| *off <= 1), "{off:?}");
        }
    }
}
