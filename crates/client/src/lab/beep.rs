//! Beeps: a tone that begins with a marked picture, and an ear that finds where it begins.

use media::{Span, Timestamp};

/// Samples a second of what is published.
pub(super) const RATE: u32 = 48_000;
/// How long a beep lasts; long enough for any coder to make a tone of it.
const BEEP_MICROS: i64 = 80_000;
/// Its pitch. A quarter of a period is heard as loud: a quarter of a millisecond.
const HERTZ: f32 = 1_000.0;
const LOUD: f32 = 0.5;
/// So much of the beep's height is a beginning; what a coder smears in front of it stays below.
const ONSET: f32 = 0.2;
/// Without a loud sample for so long, the next one begins another beep.
const QUIET_MICROS: i64 = 300_000;

/// The sample at `since` microseconds after the start, when a beep begins with every one of `every`.
pub(super) fn sample(since: i64, every: Span) -> f32 {
    let into = since.rem_euclid(every.micros().max(1));
    if into >= BEEP_MICROS {
        return 0.0;
    }
    (std::f32::consts::TAU * HERTZ * into as f32 / 1e6).sin() * LOUD
}

/// Listens to one track.
#[derive(Debug, Default)]
pub(super) struct Ear {
    loud: Option<Timestamp>,
}

impl Ear {
    /// Takes samples, interleaved by `channels`, of which the first is heard at `at`; returns when a beep begins.
    pub(super) fn hear(
        &mut self,
        at: Timestamp,
        rate: u32,
        channels: usize,
        samples: &[f32],
    ) -> Option<Timestamp> {
        let mut found = None;
        for (number, sample) in samples.chunks(channels.max(1)).enumerate() {
            if sample.iter().all(|value| value.abs() < ONSET) {
                continue;
            }
            let now = at + Span::from_ticks(number as i64, rate);
            // The first sound of all may be a beep's middle.
            if self.loud.is_some_and(|loud| (now - loud).micros() >= QUIET_MICROS) {
                found = Some(now);
            }
            self.loud = Some(now);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Span = Span::from_millis(1_000);

    fn heard(ear: &mut Ear, from: Timestamp, until: Timestamp) -> Vec<i64> {
        let count = |at: Timestamp| at.ticks(RATE);
        let samples: Vec<f32> = (count(from)..count(until))
            .map(|tick| sample(Span::from_ticks(tick, RATE).micros(), EVERY))
            .collect();
        let packets = samples.chunks(960).enumerate();
        let hear = |(number, packet): (usize, &[f32])| {
            ear.hear(from + Span::from_ticks(number as i64 * 960, RATE), RATE, 1, packet)
        };
        packets.filter_map(hear).map(Timestamp::millis).collect()
    }

    #[test]
    fn each_beep_is_heard_where_it_begins_and_once() {
        let found = heard(&mut Ear::default(), Timestamp::ZERO, Timestamp::from_millis(3_500));
        assert_eq!(found, [1_000, 2_000, 3_000]);
    }

    #[test]
    fn who_joins_within_a_beep_does_not_take_it_for_a_beginning() {
        let found = heard(&mut Ear::default(), Timestamp::from_millis(1_040), Timestamp::from_millis(2_500));
        assert_eq!(found, [2_000]);
    }

    #[test]
    fn quiet_sound_is_no_beep() {
        let mut ear = Ear { loud: Some(Timestamp::ZERO) };
        assert_eq!(ear.hear(Timestamp::from_millis(5_000), RATE, 2, &[0.1, -0.15, 0.19, 0.0]), None);
    }
}
