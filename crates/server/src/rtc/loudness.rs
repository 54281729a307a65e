//! How loud a publisher's sound is, evened out over about a syllable: as the publisher tells with each packet (RFC 6464), or
//! measured where it does not. Pure, and time is an argument.

use std::time::{Duration, Instant};

use av::sound::{Brought, Samples};
use media::Frame;
use media::codec::{Codec, opus};

/// What is told is believed by half after this, in decibels: one loud packet is a click.
const HALF_UP: Duration = Duration::from_millis(120);
/// And by half after this when it is less: between words nobody has stopped speaking.
const HALF_DOWN: Duration = Duration::from_millis(300);
/// Less than this is as good as nothing, and would take long to come up from.
const FLOOR: f32 = -90.0;
/// A publisher that is silent may send a packet each 400 ms (RFC 7587 §3.1.3, DTX); one that speaks sends them each 20 ms.
const PAUSE: Duration = Duration::from_millis(400);
/// A packet speaks for no more than this: what comes after a pause counts as one of many.
const STEP_MAX: Duration = Duration::from_millis(60);
/// Sound is measured while somebody has asked how loud it is within this time…
const ASKED_LATELY: Duration = Duration::from_secs(2);
/// … and nobody has told within this: longer than a pause.
const TOLD_LATELY: Duration = Duration::from_millis(600);
/// Decibels of full scale of nothing at all.
pub(super) const SILENCE: i8 = -127;

/// One sound's loudness.
#[derive(Debug, Default)]
pub(super) struct Loudness {
    /// In decibels of full scale, and when it was told or measured last.
    known: Option<(f32, Instant)>,
    told: Option<Instant>,
    asked: Option<Instant>,
}

impl Loudness {
    /// A packet that came at `now` says so many decibels of full scale.
    pub(super) fn handle_told(&mut self, now: Instant, level: i8) {
        self.told = Some(now);
        self.handle_level(now, level);
    }

    /// A packet that came at `now` is so loud.
    pub(super) fn handle_level(&mut self, now: Instant, level: i8) {
        let told = f32::from(level.min(0)).max(FLOOR);
        let level = match self.known {
            Some((before, at)) => {
                let passed = now.saturating_duration_since(at).min(STEP_MAX);
                let half = if told > before { HALF_UP } else { HALF_DOWN };
                let kept = 0.5_f32.powf(passed.as_secs_f32() / half.as_secs_f32());
                before * kept + told * (1.0 - kept)
            }
            None => told,
        };
        self.known = Some((level, now));
    }

    /// Somebody wants to know what nobody tells.
    pub(super) fn is_to_be_measured(&self, now: Instant) -> bool {
        let is_lately = |at: Option<Instant>, long| {
            at.is_some_and(|at: Instant| now.saturating_duration_since(at) < long)
        };
        is_lately(self.asked, ASKED_LATELY) && !is_lately(self.told, TOLD_LATELY)
    }

    /// Decibels of full scale; `None` where that is not known yet.
    pub(super) fn level(&mut self, now: Instant) -> Option<i8> {
        self.asked = Some(now);
        let (level, at) = self.known?;
        let is_over = now.saturating_duration_since(at) > PAUSE;
        Some(if is_over { SILENCE } else { level.round() as i8 })
    }
}

/// Measures Opus, the only sound that is passed on without having been decoded.
#[derive(Default)]
pub(super) struct Meter {
    samples: Option<Samples>,
    brought: Brought,
}

impl Meter {
    /// How loud this packet is, in decibels of full scale; `None` where it cannot be decoded.
    pub(super) fn measure(&mut self, frame: &Frame) -> Option<i8> {
        if self.samples.is_none() {
            self.samples = Samples::new(&Codec::Opus(opus::Params::simple(2))).ok();
        }
        if self.samples.as_mut()?.handle_frame(frame, &mut self.brought).is_err() {
            self.samples = None;
            return None;
        }
        Some(self.brought.level_db()?.round() as i8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(levels: impl IntoIterator<Item = i8>) -> i8 {
        let (start, mut loudness) = (Instant::now(), Loudness::default());
        let mut now = start;
        for level in levels {
            now += Duration::from_millis(20);
            loudness.handle_level(now, level);
        }
        loudness.level(now).expect("it was told")
    }

    #[test]
    fn what_is_told_steadily_is_what_is_known_and_a_click_is_not() {
        assert!((-31..=-29).contains(&after([-30; 50])));
        assert!(after([[-60; 50].as_slice(), &[0]].concat()) < -50, "one packet of noise");
        assert!(after([[-60; 50].as_slice(), &[-10; 15]].concat()) > -20, "a syllable");
        assert!(after([[-20; 50].as_slice(), &[-127; 6]].concat()) > -40, "between words");
        assert!(after([[-20; 50].as_slice(), &[-127; 50]].concat()) < -80, "and the end");
    }

    #[test]
    fn what_nobody_tells_is_measured_while_somebody_asks() {
        let (start, mut loudness) = (Instant::now(), Loudness::default());
        let at = |ms| start + Duration::from_millis(ms);
        assert!(!loudness.is_to_be_measured(start), "nobody wants to know");
        assert_eq!(loudness.level(start), None);
        assert!(loudness.is_to_be_measured(at(10)));
        loudness.handle_level(at(20), -20);
        assert!(loudness.is_to_be_measured(at(30)), "what was measured is not told");
        loudness.handle_told(at(40), -30);
        assert!(!loudness.is_to_be_measured(at(50)));
        loudness.level(at(2_100));
        assert!(loudness.is_to_be_measured(at(2_110)), "it is told no longer");
        assert!(!loudness.is_to_be_measured(at(4_200)), "nobody has asked since");
    }

    #[test]
    fn whoever_stops_sending_is_silent_and_whoever_never_told_is_unknown() {
        let (start, mut loudness) = (Instant::now(), Loudness::default());
        assert_eq!(loudness.level(start), None);
        loudness.handle_level(start, -10);
        assert_eq!(loudness.level(start + Duration::from_millis(399)), Some(-10));
        assert_eq!(loudness.level(start + Duration::from_millis(401)), Some(SILENCE));
    }
}
