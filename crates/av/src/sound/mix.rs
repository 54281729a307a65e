//! Channels: more than two to two by the usual coefficients, one to two and two to one.

use std::f32::consts::FRAC_1_SQRT_2;

use super::decode::{Format, Order};

/// Channels of one sound. 7.1 is the most that AAC's configurations and Opus' family 1 name.
pub(super) const CHANNELS_MAX: usize = 8;

/// What each channel gives to left and to right.
type Weights = [[f32; 2]; CHANNELS_MAX];

const L: [f32; 2] = [1.0, 0.0];
const R: [f32; 2] = [0.0, 1.0];
/// Both halves, at the same power.
const C: [f32; 2] = [FRAC_1_SQRT_2, FRAC_1_SQRT_2];
/// Surround channels, 3 dB down (ITU-R BS.775-3 annex 4).
const LS: [f32; 2] = [FRAC_1_SQRT_2, 0.0];
const RS: [f32; 2] = [0.0, FRAC_1_SQRT_2];
/// Low frequency effects are left out, as BS.775-3 has it: small speakers would only rattle.
const NONE: [f32; 2] = [0.0, 0.0];

/// Appends `pcm`, interleaved as `format` says, to `out` as 1 or 2 interleaved channels, within ±1 and without NaN.
pub(super) fn mix(pcm: &[f32], format: Format, channels: usize, out: &mut Vec<f32>) {
    let clean = |sample: f32| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    match (format.channels, channels) {
        (from, to) if from == to => out.extend(pcm.iter().map(|sample| clean(*sample))),
        (1, _) => out.extend(pcm.iter().flat_map(|sample| [clean(*sample); 2])),
        (2, _) => {
            out.extend(pcm.as_chunks::<2>().0.iter().map(|[left, right]| clean((left + right) / 2.0)));
        }
        (from, to) => {
            let weights = weights(from, format.order);
            for frame in pcm.chunks_exact(from.max(1)) {
                let (left, right) = frame
                    .iter()
                    .zip(&weights)
                    .fold((0.0, 0.0), |(left, right), (s, [l, r])| (left + s * l, right + s * r));
                match to {
                    1 => out.push(clean((left + right) / 2.0)),
                    _ => out.extend([clean(left), clean(right)]),
                }
            }
        }
    }
}

/// The coefficients, scaled so that full channels do not clip.
fn weights(channels: usize, order: Order) -> Weights {
    let named: &[[f32; 2]] = match (channels, order) {
        (3, Order::Wave) => &[L, R, C],
        (3, Order::Vorbis) => &[L, C, R],
        (4, Order::Wave) => &[L, R, C, C],
        (4, Order::Vorbis) => &[L, R, LS, RS],
        (5, Order::Wave) => &[L, R, C, LS, RS],
        (5, Order::Vorbis) => &[L, C, R, LS, RS],
        (6, Order::Wave) => &[L, R, C, NONE, LS, RS],
        (6, Order::Vorbis) => &[L, C, R, LS, RS, NONE],
        (7, Order::Wave) => &[L, R, C, NONE, C, LS, RS],
        (7, Order::Vorbis) => &[L, C, R, LS, RS, C, NONE],
        (_, Order::Wave) => &[L, R, C, NONE, LS, RS, LS, RS],
        (_, Order::Vorbis) => &[L, C, R, LS, RS, LS, RS, NONE],
    };
    let sum: f32 = named.iter().map(|[left, _]| left).sum();
    let mut weights = [NONE; CHANNELS_MAX];
    for (weight, [left, right]) in weights.iter_mut().zip(named) {
        *weight = [left / sum, right / sum];
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(pcm: &[f32], channels: usize, order: Order, to: usize) -> Vec<f32> {
        let mut out = Vec::new();
        mix(pcm, Format { rate: 48_000, channels, order, delay: 0 }, to, &mut out);
        out
    }

    #[test]
    fn full_surround_sound_does_not_clip_and_each_side_stays_on_its_side() {
        for channels in 3..=CHANNELS_MAX {
            for order in [Order::Wave, Order::Vorbis] {
                let full = mixed(&vec![1.0; channels], channels, order, 2);
                assert!(full.iter().all(|sample| (0.99..=1.0).contains(sample)), "{channels}: {full:?}");
                let mut left = vec![0.0; channels];
                left[0] = 1.0;
                let out = mixed(&left, channels, order, 2);
                assert!(out[0] > 0.2 && out[1] == 0.0, "{channels}: {out:?}");
            }
        }
    }

    #[test]
    fn the_centre_is_in_the_middle_and_the_low_frequency_channel_is_left_out() {
        let centre = mixed(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], 6, Order::Wave, 2);
        assert!(centre[0] == centre[1] && centre[0] > 0.28, "{centre:?}");
        assert_eq!(mixed(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0], 6, Order::Wave, 2), [0.0, 0.0]);
        assert_eq!(mixed(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 6, Order::Vorbis, 2), [0.0, 0.0]);
    }

    #[test]
    fn one_becomes_two_and_two_become_one_and_what_is_no_number_becomes_silence() {
        assert_eq!(mixed(&[0.5, -0.5], 1, Order::Wave, 2), [0.5, 0.5, -0.5, -0.5]);
        assert_eq!(mixed(&[0.5, -0.5, 1.0, 0.0], 2, Order::Wave, 1), [0.0, 0.5]);
        assert_eq!(mixed(&[f32::NAN, 7.0, f32::NEG_INFINITY], 1, Order::Wave, 1), [0.0, 1.0, 0.0]);
    }
}
