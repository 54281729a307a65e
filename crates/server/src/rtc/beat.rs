//! The RTP times of sound: they rise by what packets last, to the sample. A receiver joins one packet's samples to the next
//! one's; a packet that claims to begin a millisecond before the end of the last is thrown away by browsers, and 20 ms of
//! sound with it. The broadcast's time is slewed by as much to keep sound and picture together: what that comes to is told
//! by sender reports, which relate RTP time to the wall clock.

use media::{Span, Timestamp};

/// All packets of sound last a multiple of this: the shortest frame of Opus (RFC 6716 §2.1.4).
const BEAT: Span = Span::from_micros(2_500);

/// One viewer's sound.
#[derive(Debug, Default)]
pub(super) struct Beat {
    /// The newest packet's time on the viewer's line, and by the beat.
    newest: Option<(Timestamp, Timestamp)>,
}

impl Beat {
    /// The time by the beat of a packet that is told at `told`.
    pub(super) fn map(&mut self, told: Timestamp) -> Timestamp {
        let Some((before, beat)) = self.newest else {
            self.newest = Some((told, told));
            return told;
        };
        let passed = told - before;
        let mapped = beat + whole(passed);
        if passed > Span::ZERO {
            self.newest = Some((told, mapped));
        }
        mapped
    }
}

/// The nearest whole number of beats.
fn whole(span: Span) -> Span {
    let beats = (span.micros() + BEAT.micros() / 2).div_euclid(BEAT.micros());
    Span::from_micros(beats * BEAT.micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u32 = 48_000;

    fn steps(told: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut beat = Beat::default();
        let ticks: Vec<i64> = told.map(|at| beat.map(Timestamp::from_micros(at)).ticks(HZ)).collect();
        ticks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn packets_join_to_the_sample_however_the_broadcasts_time_is_slewed() {
        for slew in [-400, -7, 0, 7, 400] {
            let told = (0..500).map(|n| 123_457 + n * (20_000 + slew));
            assert!(steps(told).iter().all(|step| *step == 960), "{slew} us a packet");
        }
    }

    #[test]
    fn gaps_stay_gaps_and_a_late_packet_has_its_own_time() {
        assert_eq!(steps([0, 20_000, 420_013, 440_000].into_iter()), [960, 19_200, 960]);
        assert_eq!(steps([0, 20_000, 60_000, 40_000, 80_000].into_iter()), [960, 1_920, -960, 1_920]);
        assert_eq!(steps([0, 2_500, 62_500].into_iter()), [120, 2_880]);
    }
}
