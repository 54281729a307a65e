//! The sentence that is said over and over, and how much of it is understood at the other end.
//!
//! A jitter buffer stretches and shortens speech, so each second of it is laid on what was said by itself.

use std::sync::Arc;

use anyhow::{Context, bail};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::super::stoi::{RATE, Stoi};

/// Six seconds, said by flite's voice slt; `speech.md` beside it says how it was made.
pub(super) const WAV: &[u8] = include_bytes!("speech.wav");
/// Samples of the piece that is laid on what was said, and from one to the next.
const PIECE: usize = RATE as usize;
const STEP: usize = PIECE / 2;
/// Half the length of the low-pass filter, in samples of the output.
const FILTER: f64 = 16.0;

/// What was said, ready to be laid under what was heard.
pub(super) struct Speech {
    said: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    forward: Arc<dyn Fft<f64>>,
    back: Arc<dyn Fft<f64>>,
    stoi: Stoi,
}

impl Speech {
    /// Of the sentence above.
    pub(super) fn new() -> anyhow::Result<Self> {
        let (rate, samples) = read(WAV)?;
        let said = resampled(&samples, rate);
        let mut planner = FftPlanner::new();
        let (forward, back) = (planner.plan_fft_forward(said.len()), planner.plan_fft_inverse(said.len()));
        let mut spectrum: Vec<_> = said.iter().map(|sample| Complex::new(*sample, 0.0)).collect();
        forward.process(&mut spectrum);
        Ok(Self { said, spectrum, forward, back, stoi: Stoi::default() })
    }

    /// STOI second by second (half a second apart): when each second begins, and how intelligible it is. Seconds in which
    /// too little is said have none.
    pub(super) fn judge(&self, heard: &[f64]) -> Vec<(f64, f64)> {
        let starts = (0..(heard.len() + 1).saturating_sub(PIECE)).step_by(STEP);
        let judged = |from: usize| {
            let piece = &heard[from..from + PIECE];
            let at = self.place(piece);
            let said: Vec<f64> = self.said.iter().cycle().skip(at).take(PIECE).copied().collect();
            let score = self.stoi.compare(&said, piece)?;
            Some((from as f64 / f64::from(RATE), score.max(0.0)))
        };
        starts.filter_map(judged).collect()
    }

    /// Where in the sentence, which begins anew at its end, a piece fits best.
    fn place(&self, piece: &[f64]) -> usize {
        let mut spectrum = vec![Complex::new(0.0, 0.0); self.said.len()];
        for (bin, sample) in spectrum.iter_mut().zip(piece) {
            bin.re = *sample;
        }
        self.forward.process(&mut spectrum);
        for (bin, said) in spectrum.iter_mut().zip(&self.spectrum) {
            *bin = bin.conj() * said;
        }
        self.back.process(&mut spectrum);
        let best = spectrum.iter().enumerate().max_by(|a, b| a.1.re.total_cmp(&b.1.re));
        best.map_or(0, |(at, _)| at)
    }
}

/// A RIFF file of 16-bit mono sound: its rate and its samples.
fn read(wav: &[u8]) -> anyhow::Result<(u32, Vec<f64>)> {
    let mut rest = wav.get(12..).filter(|_| wav.starts_with(b"RIFF")).context("no RIFF file")?;
    let mut rate = None;
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = after.get(..length.min(after.len())).unwrap_or_default();
        match &head[..4] {
            b"fmt " => {
                let form = body.first_chunk::<16>().context("a format that is cut off")?;
                let (kind, channels, bits) = (form[0], form[2], form[14]);
                if (kind, channels, bits) != (1, 1, 16) {
                    bail!("sound must be 16-bit PCM in mono");
                }
                rate = Some(u32::from_le_bytes([form[4], form[5], form[6], form[7]]));
            }
            b"data" => {
                let samples = body.as_chunks::<2>().0.iter().map(|two| f64::from(i16::from_le_bytes(*two)));
                let samples = samples.map(|sample| sample / 32_768.0).collect();
                return Ok((rate.context("sound before its format")?, samples));
            }
            _ => {}
        }
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    bail!("a file without sound")
}

/// At [`RATE`], by a windowed sinc whose ends meet: the sentence goes on at its beginning.
fn resampled(samples: &[f64], rate: u32) -> Vec<f64> {
    let step = f64::from(rate) / f64::from(RATE);
    let count = (samples.len() as f64 / step).floor() as usize;
    let (scale, reach) = (step.max(1.0), (FILTER * step.max(1.0)).ceil() as i64);
    let weight = |off: f64| {
        let x = std::f64::consts::PI * off / scale;
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        sinc * (0.5 + 0.5 * (x / FILTER).cos()) / scale
    };
    (0..count)
        .map(|n| {
            let centre = n as f64 * step;
            let from = centre.floor() as i64;
            (from - reach..=from + reach)
                .filter(|at| (*at as f64 - centre).abs() <= FILTER * scale)
                .map(|at| samples[at.rem_euclid(samples.len() as i64) as usize] * weight(at as f64 - centre))
                .sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve seconds of it, begun somewhere in the middle.
    fn heard(speech: &Speech) -> Vec<f64> {
        speech.said.iter().cycle().skip(12_345).take(2 * speech.said.len()).copied().collect()
    }

    fn mean(scores: &[(f64, f64)]) -> f64 {
        scores.iter().map(|score| score.1).sum::<f64>() / scores.len() as f64
    }

    #[test]
    fn what_comes_whole_is_found_and_understood() {
        let speech = Speech::new().unwrap();
        assert_eq!(speech.said.len(), 60_000);
        let scores = speech.judge(&heard(&speech));
        assert!(scores.len() > 20 && scores.iter().all(|score| score.1 > 0.999), "{scores:?}");
    }

    #[test]
    fn the_more_is_missing_the_less_is_understood() {
        let speech = Speech::new().unwrap();
        let torn = |of_ten: usize| {
            let mut heard = heard(&speech);
            // Frames of 20 ms, as concealment by silence would leave them.
            for (number, frame) in heard.chunks_mut(200).enumerate() {
                if number * 7 % 10 < of_ten {
                    frame.fill(0.0);
                }
            }
            mean(&speech.judge(&heard))
        };
        let scores = [torn(0), torn(1), torn(3), torn(6)];
        assert!(scores.is_sorted_by(|a, b| a > b), "{scores:?}");
        assert!(scores[1] > 0.8 && scores[3] < 0.6, "{scores:?}");
    }

    #[test]
    fn speech_that_a_buffer_has_shifted_is_still_understood() {
        let speech = Speech::new().unwrap();
        let mut shifted = heard(&speech);
        // Each three seconds 40 ms are left out.
        for at in [30_000, 60_000, 90_000] {
            shifted.drain(at..at + 400);
        }
        let scores = speech.judge(&shifted);
        assert!(mean(&scores) > 0.93, "{}", mean(&scores));
    }

    #[test]
    fn a_file_that_is_no_sound_is_refused() {
        assert!(read(b"").is_err() && read(&WAV[..40]).is_err());
        let mut stereo = WAV.to_vec();
        stereo[22] = 2;
        assert!(read(&stereo).is_err());
        for cut in 0..60 {
            drop(read(&WAV[..cut]));
        }
    }
}
