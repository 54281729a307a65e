//! How intelligible speech is that came through something, beside what it was: STOI (Taal, Hendriks, Heusdens, Jensen: An
//! Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech, IEEE TASLP 2011).
//!
//! From 0 to 1; 0.85 is understood without effort. The tests hold values of `pystoi`, whose frames these are.

use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Samples a second of what is compared.
pub const RATE: u32 = 10_000;
/// Samples of a frame (25.6 ms), and from one to the next.
const FRAME: usize = 256;
const HOP: usize = FRAME / 2;
const FFT: usize = 512;
/// Third-octave bands, from this middle frequency on.
const BANDS: usize = 15;
const LOWEST_HZ: f64 = 150.0;
/// Frames that are compared together: 384 ms.
const SEGMENT: usize = 30;
/// Lower bound of the signal-to-distortion ratio of what counts.
const CLIP_DB: f64 = -15.0;
/// Frames weaker than the strongest by more than this are silence.
const RANGE_DB: f64 = 40.0;

/// Compares, and keeps its tables.
pub struct Stoi {
    fft: Arc<dyn Fft<f64>>,
    window: Vec<f64>,
    /// First and last bin of each band, the last not included.
    bands: Vec<(usize, usize)>,
}

impl Default for Stoi {
    fn default() -> Self {
        let at = |n: usize| std::f64::consts::PI * (n + 1) as f64 / (FRAME + 1) as f64;
        let edge = |sixths: usize| {
            let hz = LOWEST_HZ * 2_f64.powf((sixths as f64 - 1.0) / 6.0);
            (hz * FFT as f64 / f64::from(RATE)).round() as usize
        };
        Self {
            fft: FftPlanner::new().plan_fft_forward(FFT),
            window: (0..FRAME).map(|n| at(n).sin().powi(2)).collect(),
            bands: (0..BANDS).map(|band| (edge(2 * band), edge(2 * band + 2))).collect(),
        }
    }
}

impl Stoi {
    /// How intelligible `heard` is, where `said` is what it was, sample by sample; `None` where too little was said.
    pub fn compare(&self, said: &[f64], heard: &[f64]) -> Option<f64> {
        let (said, heard) = self.without_silence(said, heard)?;
        let (said, heard) = (self.bands_of(&said), self.bands_of(&heard));
        let segments = said.len().checked_sub(SEGMENT)? + 1;
        let total: f64 = (0..segments)
            .flat_map(|from| (0..BANDS).map(move |band| (from, band)))
            .map(|(from, band)| {
                let row = |frames: &[[f64; BANDS]]| {
                    frames[from..from + SEGMENT].iter().map(|frame| frame[band]).collect::<Vec<f64>>()
                };
                correlation(&row(&said), &row(&heard))
            })
            .sum();
        Some(total / (segments * BANDS) as f64)
    }

    /// Both without the frames in which nothing is said, put together again.
    fn without_silence(&self, said: &[f64], heard: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        let length = said.len().min(heard.len());
        let starts: Vec<usize> = (0..length.saturating_sub(FRAME)).step_by(HOP).collect();
        let windowed = |signal: &[f64], from: usize| -> Vec<f64> {
            signal[from..from + FRAME]
                .iter()
                .zip(&self.window)
                .map(|(sample, weight)| sample * weight)
                .collect()
        };
        let loudness = |from: &usize| 20.0 * (norm(&windowed(said, *from)) + f64::EPSILON).log10();
        let levels: Vec<f64> = starts.iter().map(loudness).collect();
        let loudest = levels.iter().copied().reduce(f64::max)?;
        let spoken: Vec<usize> = starts
            .iter()
            .zip(levels)
            .filter(|(_, level)| *level > loudest - RANGE_DB)
            .map(|(from, _)| *from)
            .collect();
        let joined = |signal: &[f64]| {
            let mut out = vec![0.0; (spoken.len().max(1) - 1) * HOP + FRAME];
            for (number, from) in spoken.iter().enumerate() {
                for (sum, sample) in out[number * HOP..].iter_mut().zip(windowed(signal, *from)) {
                    *sum += sample;
                }
            }
            out
        };
        Some((joined(said), joined(heard)))
    }

    /// The magnitude of each band, frame by frame.
    fn bands_of(&self, signal: &[f64]) -> Vec<[f64; BANDS]> {
        let starts = (0..signal.len().saturating_sub(FRAME)).step_by(HOP);
        let mut spectrum = vec![Complex::new(0.0, 0.0); FFT];
        starts
            .map(|from| {
                spectrum.fill(Complex::new(0.0, 0.0));
                for (bin, (sample, weight)) in
                    spectrum.iter_mut().zip(signal[from..from + FRAME].iter().zip(&self.window))
                {
                    bin.re = sample * weight;
                }
                self.fft.process(&mut spectrum);
                std::array::from_fn(|band| {
                    let (first, end) = self.bands[band];
                    spectrum[first..end].iter().map(Complex::norm_sqr).sum::<f64>().sqrt()
                })
            })
            .collect()
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Of one band over one segment: `heard` is brought to the same level, cut where it is far too loud, and correlated.
fn correlation(said: &[f64], heard: &[f64]) -> f64 {
    let level = norm(said) / (norm(heard) + f64::EPSILON);
    let most = 1.0 + 10_f64.powf(-CLIP_DB / 20.0);
    let heard: Vec<f64> =
        heard.iter().zip(said).map(|(heard, said)| (heard * level).min(said * most)).collect();
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let off: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let scale = norm(&off) + f64::EPSILON;
        off.into_iter().map(|value| value / scale).collect()
    };
    centred(said).iter().zip(centred(&heard)).map(|(said, heard)| said * heard).sum()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// From -1 to 1.
    fn noise(count: usize, mut state: u32) -> Vec<f64> {
        let draw = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 23) - 1.0
        };
        (0..count).map(draw).collect()
    }

    /// Something like speech: tones that come and go four times a second, with pauses.
    fn said() -> Vec<f64> {
        let hiss = noise(30_000, 7);
        let sample = |(n, hiss): (usize, &f64)| {
            let t = n as f64 / f64::from(RATE);
            let tones = [220.0, 310.0, 700.0, 1_130.0, 1_900.0, 2_700.0, 3_600.0];
            let tone: f64 = tones.iter().map(|hz| (TAU * hz * t + hz).sin()).sum();
            let is_on = (TAU * 0.6 * t).sin() > -0.7;
            tone * (0.55 + 0.45 * (TAU * 3.7 * t).sin()) * f64::from(u8::from(is_on)) * 0.1 + hiss * 1e-3
        };
        hiss.iter().enumerate().map(sample).collect()
    }

    fn with(said: &[f64], noise: &[f64], loud: f64) -> Vec<f64> {
        said.iter().zip(noise).map(|(said, noise)| said + noise * loud).collect()
    }

    #[test]
    fn it_agrees_with_pystoi() {
        let (stoi, said) = (Stoi::default(), said());
        let mut torn = said.clone();
        torn.chunks_mut(1_000).for_each(|part| part[..300].fill(0.0));
        let one = noise(said.len(), 1);
        let other: Vec<f64> = noise(said.len(), 3).iter().map(|sample| sample * 0.3).collect();
        // Of pystoi 0.4.1, from the same formulas.
        let golden = [
            ("the same", said.clone(), 1.0),
            ("noise", with(&said, &one, 0.15), 0.648_896_990_640),
            ("louder noise", with(&said, &one, 0.6), 0.223_776_528_882),
            ("gaps", torn, 0.629_284_578_624),
            ("something else", other, 0.019_401_085_160),
        ];
        for (name, heard, expected) in golden {
            let found = stoi.compare(&said, &heard).unwrap();
            assert!((found - expected).abs() < 1e-6, "{name}: {found} and not {expected}");
        }
    }

    #[test]
    fn level_does_not_matter_and_silence_is_not_judged() {
        let (stoi, said) = (Stoi::default(), said());
        let quiet: Vec<f64> = said.iter().map(|sample| sample * 0.01).collect();
        assert!(stoi.compare(&said, &quiet).unwrap() > 0.999);
        assert_eq!(stoi.compare(&[], &[]), None);
        assert_eq!(stoi.compare(&said[..2_000], &said[..2_000]), None);
        let nothing = vec![0.0; said.len()];
        assert!(stoi.compare(&said, &nothing).unwrap().abs() < 1e-6);
    }
}
