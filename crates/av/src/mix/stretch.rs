//! A little faster or slower, by rubato's resampler with a ratio that may change: smooth, where leaving samples out or
//! doubling them is heard in steady tones.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Adjustable as _, Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters,
    SincInterpolationType, WindowFunction,
};

use super::{Block, STEP_SAMPLES};
use crate::Error;
use crate::sound::Stereo;

/// Taps of the filter: flat to 20 kHz.
const TAPS: usize = 64;
/// Points between two samples, and a straight line between those: errors below −90 dB.
const POINTS: usize = 512;
/// More than is ever asked for.
const RATIO_MAX: f64 = 1.02;

/// Of one voice.
pub(super) struct Stretch(Async<f32>);

impl Stretch {
    pub(super) fn new() -> Result<Self, Error> {
        let parameters = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2)
            .oversampling_factor(POINTS)
            .interpolation(SincInterpolationType::Linear);
        Async::new_sinc(1.0, RATIO_MAX, &parameters, STEP_SAMPLES, 2, FixedAsync::Output)
            .map(Self)
            .map_err(failed)
    }

    /// Samples out for each one in, from the next step on.
    pub(super) fn set_ratio(&mut self, ratio: f64) -> Result<(), Error> {
        self.0.set_resample_ratio(ratio, true).map_err(failed)
    }

    /// Samples that the next step takes.
    pub(super) fn wants(&self) -> usize {
        self.0.input_frames_next()
    }

    /// Samples by which what comes out lags behind.
    pub(super) fn delay(&self) -> usize {
        self.0.output_delay()
    }

    /// Takes just as many as it wants.
    pub(super) fn step(&mut self, samples: &[Stereo], out: &mut Block) -> Result<(), Error> {
        let input = InterleavedSlice::new(samples.as_flattened(), 2, samples.len()).map_err(failed)?;
        let mut output =
            InterleavedSlice::new_mut(out.as_flattened_mut(), 2, STEP_SAMPLES).map_err(failed)?;
        self.0.process_into_buffer(&input, &mut output, None::<&Indexing>).map_err(failed)?;
        Ok(())
    }
}

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::Library { codec: "PCM", doing: "stretching", reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_delay_is_what_it_says() {
        let mut stretch = Stretch::new().unwrap();
        let mut block = [[0.0; 2]; STEP_SAMPLES];
        let (mut heard, mut given) = (Vec::new(), 0);
        for ratio in [1.0, 1.0, 1.005, 0.995, 1.0] {
            stretch.set_ratio(ratio).unwrap();
            let wants = stretch.wants();
            let samples: Vec<Stereo> =
                (given..given + wants).map(|at| [if at >= 1_000 { 1.0 } else { 0.0 }; 2]).collect();
            given += wants;
            stretch.step(&samples, &mut block).unwrap();
            heard.extend(block.iter().map(|[left, _]| *left));
        }
        let at = heard.iter().position(|sample| *sample >= 0.5).unwrap();
        assert!((at - stretch.delay()).abs_diff(1_000) <= 1, "{at}");
    }
}
