//! Keeps a sum of voices within full scale by turning it down a moment before it would exceed it.

use super::{Block, STEP_SAMPLES, scaled};
use crate::sound::Stereo;

/// The gain is a straight line over so many samples, 5 ms, and what comes out lags behind by them.
pub(super) const PIECE: usize = 240;
const PIECES: usize = STEP_SAMPLES / PIECE;
/// −1 dB, for what codecs add to peaks.
const CEILING: f32 = 0.891;
/// Peaks are held for 40 ms, longer than the period of any sound that loudspeakers give: the gain would follow the wave.
const HELD: usize = 8;
/// What a piece adds to the gain on its way back to 1: 200 ms, too slow to be heard as pumping.
const RELEASE: f32 = 0.025;

/// Of one output.
pub(super) struct Limiter {
    /// The last piece, which has not come out.
    ahead: [Stereo; PIECE],
    /// What the last pieces allow, the newest last.
    allowed: [f32; HELD],
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { ahead: [[0.0; 2]; PIECE], allowed: [1.0; HELD], gain: 1.0 }
    }
}

impl Limiter {
    /// What goes in is anything finite; what comes out is within ±[`CEILING`], and late by [`PIECE`].
    pub(super) fn limit(&mut self, block: &mut Block) {
        let (pieces, _) = block.as_chunks_mut::<PIECE>();
        debug_assert_eq!(pieces.len(), PIECES);
        for piece in pieces {
            let peak = piece.iter().flatten().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            self.allowed.rotate_left(1);
            self.allowed[HELD - 1] = if peak > CEILING { CEILING / peak } else { 1.0 };
            let allowed = self.allowed.iter().fold(1.0_f32, |least, allowed| least.min(*allowed));
            // The line over the piece that comes out now ends where the one over this piece begins, so it has to be
            // within what both allow; where it begins was within what the former allows by the same rule.
            let next = (self.gain + (1.0 - self.gain) * RELEASE).min(allowed);
            std::mem::swap(&mut self.ahead, piece);
            if self.gain < 1.0 || next < 1.0 {
                let step = (next - self.gain) / PIECE as f32;
                for (index, sample) in piece.iter_mut().enumerate() {
                    *sample = scaled(*sample, self.gain + step * index as f32);
                }
            }
            self.gain = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(mut wave: impl FnMut(usize) -> f32, steps: usize) -> Vec<f32> {
        let mut limiter = Limiter::default();
        let mut out = Vec::new();
        for step in 0..steps {
            let mut block: Block = std::array::from_fn(|index| [wave(step * STEP_SAMPLES + index); 2]);
            limiter.limit(&mut block);
            out.extend(block.iter().map(|[left, _]| *left));
        }
        out
    }

    #[test]
    fn what_is_within_full_scale_comes_out_as_it_is_a_piece_later() {
        let wave = |at: usize| (at as f32 * 0.05).sin() * 0.8;
        let out = limited(wave, 10);
        assert!((PIECE..out.len()).all(|at| out[at] == wave(at - PIECE)));
    }

    #[test]
    fn no_burst_comes_out_above_the_ceiling_however_it_begins() {
        for begin in [0, 1, 239, 240, 700, 959] {
            let wave = |at: usize| if (begin..begin + 5_000).contains(&at) { 4.0 } else { 0.01 };
            let peak = limited(wave, 20).into_iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!(peak <= CEILING * 1.000_1, "{peak}");
        }
    }

    #[test]
    fn a_steady_wave_that_is_too_loud_is_turned_down_and_not_pumped() {
        let out = limited(|at| (at as f32 * 60.0 / 48_000.0 * std::f32::consts::TAU).sin() * 3.0, 100);
        let peaks: Vec<f32> = out[48_000..]
            .chunks(1_600)
            .map(|period| period.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs())))
            .collect();
        let (least, most) =
            peaks.iter().fold((9.0_f32, 0.0_f32), |(a, b), peak| (a.min(*peak), b.max(*peak)));
        assert!(most <= CEILING * 1.000_1 && least > most * 0.98, "{least} to {most}");
    }
}
