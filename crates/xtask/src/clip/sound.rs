//! The sound of the card: a quiet chord, and a beep at each second with the flash.
//!
//! Every frequency is a multiple of 1/8 Hz, so a round of eight seconds ends in the phase it began with.

use std::f32::consts::TAU;

/// Chord tones: frequency in Hz, level, and place from left (−1) to right (1).
const CHORD: &[(f32, f32, f32)] = &[
    (110.0, 0.30, 0.0),
    (164.875, 0.22, -0.5),
    (220.0, 0.20, 0.5),
    (277.25, 0.14, -0.8),
    (329.625, 0.12, 0.8),
];
/// Level of the chord, about −34 dB.
const CHORD_LEVEL: f32 = 0.05;
/// Level of the beep, about −14 dB.
const BEEP_LEVEL: f32 = 0.20;
/// A beep lasts this many seconds and fades from its first sample.
const BEEP_SECONDS: f32 = 0.12;

/// One round as interleaved 16-bit little-endian stereo. The first second beeps a fifth higher.
pub(super) fn round(sample_rate: u32, seconds: u32) -> Vec<u8> {
    let samples = 0..sample_rate * seconds;
    samples.flat_map(|n| frame(n, sample_rate)).flat_map(i16::to_le_bytes).collect()
}

fn frame(n: u32, sample_rate: u32) -> [i16; 2] {
    let second = n / sample_rate;
    let t = n as f32 / sample_rate as f32;
    let beep = beep(n % sample_rate, sample_rate, if second == 0 { 1320.0 } else { 880.0 });
    let mut out = [beep, beep];
    for (i, (frequency, level, place)) in CHORD.iter().enumerate() {
        // Each tone swells once a round at a time of its own.
        let swell = 0.6 + 0.4 * (TAU * (t / 8.0 + i as f32 * 0.2)).sin();
        // The phase is taken modulo one turn first: a 32-bit float of many turns would add noise.
        let turns = (f64::from(n) * f64::from(*frequency) / f64::from(sample_rate)).fract() as f32;
        let tone = CHORD_LEVEL * level * swell * (TAU * turns).sin();
        out[0] += tone * (1.0 - place);
        out[1] += tone * (1.0 + place);
    }
    out.map(|v| (v * f32::from(i16::MAX)) as i16)
}

/// A sine with a 2 ms rise and an exponential fall.
fn beep(n: u32, sample_rate: u32, frequency: f32) -> f32 {
    let t = n as f32 / sample_rate as f32;
    if t >= BEEP_SECONDS {
        return 0.0;
    }
    let shape = (t / 0.002).min(1.0) * (-t * 30.0).exp() * (1.0 - t / BEEP_SECONDS);
    BEEP_LEVEL * shape * (TAU * frequency * t).sin()
}
