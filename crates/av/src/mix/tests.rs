//! Rooms in virtual time: tones go in as networks and clocks deliver them, and the mix is measured.

use std::f64::consts::TAU;

use media::codec::opus;

use super::*;
use crate::sound::{Channels, Target, Writer};

const STEREO: Codec = Codec::Opus(opus::Params {
    channels: 2,
    pre_skip: 0,
    input_sample_rate: 48_000,
    output_gain: 0,
    mapping_family: 0,
    mapping_table: bytes::Bytes::new(),
});

/// A tone of this frequency and amplitude at a sample of the source's clock.
fn tone(hz: f64, amplitude: f64, at: usize) -> f32 {
    ((at as f64 * hz / f64::from(RATE) * TAU).sin() * amplitude) as f32
}

/// How loud a frequency is in these samples, as the amplitude of a tone, in dB of full scale.
fn db(samples: &[f32], hz: f64) -> f64 {
    let count = samples.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let window = 1.0 - (at as f64 / count * TAU).cos();
        let phase = at as f64 * hz / f64::from(RATE) * TAU;
        re += f64::from(*sample) * window * phase.cos();
        im += f64::from(*sample) * window * phase.sin();
    }
    20.0 * (2.0 * (re * re + im * im).sqrt() / count).max(1e-9).log10()
}

/// The worst break in what should be a tone: how far a sample is from where the two before it lead.
fn worst_break(samples: &[f32], hz: f64) -> f32 {
    let lead = 2.0 * (hz / f64::from(RATE) * TAU).cos() as f32;
    samples.windows(3).map(|at| (at[2] - lead * at[1] + at[0]).abs()).fold(0.0, f32::max)
}

/// A voice that sends a tone in packets of 20 ms, by a clock of its own.
struct Talker {
    voice: Voice,
    hz: f64,
    amplitude: f64,
    /// Its clock is so many millionths fast.
    ppm: f64,
    sent: usize,
}

impl Talker {
    fn new(voice: u32, hz: f64, amplitude: f64) -> Self {
        Self { voice: Voice(voice), hz, amplitude, ppm: 0.0, sent: 0 }
    }

    fn join(self, mixer: &mut Mixer) -> Self {
        mixer.join(self.voice, &STEREO).unwrap();
        self
    }

    fn packet(&mut self) -> Vec<Stereo> {
        let begin = self.sent * STEP_SAMPLES;
        self.sent += 1;
        (begin..begin + STEP_SAMPLES).map(|at| [tone(self.hz, self.amplitude, at); 2]).collect()
    }

    /// Hands over every packet that has been captured by the beginning of the mixer's next step, `late` at most.
    fn send(&mut self, mixer: &mut Mixer, late: Span) {
        let now = (mixer.at() - late - Timestamp::ZERO).micros() as f64 * (1.0 + self.ppm / 1e6);
        while ((self.sent + 1) * 20_000) as f64 <= now {
            let from = (self.sent == 0).then_some(Timestamp::ZERO);
            let packet = self.packet();
            input(mixer, self.voice).handle_samples(&packet, from, 0);
        }
    }
}

fn input(mixer: &mut Mixer, voice: Voice) -> &mut Input {
    &mut mixer.slots.iter_mut().rfind(|slot| slot.voice == voice).unwrap().input
}

/// Lets a room run and records an output's left side.
fn record(mixer: &mut Mixer, output: &mut Output, talkers: &mut [Talker], steps: usize) -> Vec<f32> {
    let mut block = [[0.0; 2]; STEP_SAMPLES];
    let mut heard = Vec::new();
    for _ in 0..steps {
        talkers.iter_mut().for_each(|talker| talker.send(mixer, Span::ZERO));
        mixer.step();
        output.take(mixer, &mut block);
        heard.extend(block.iter().map(|[left, _]| *left));
    }
    heard
}

/// Talkers of tones that are far from each other, each of this amplitude.
fn room(amplitudes: &[f64]) -> (Mixer, Vec<Talker>) {
    let mut mixer = Mixer::new(Timestamp::ZERO);
    let talkers = amplitudes.iter().enumerate().map(|(index, amplitude)| {
        Talker::new(index as u32, 400.0 + 300.0 * index as f64, *amplitude).join(&mut mixer)
    });
    let talkers = talkers.collect();
    (mixer, talkers)
}

#[test]
fn each_voice_is_in_the_mix_at_its_own_level() {
    let (mut mixer, mut talkers) = room(&[0.2, 0.1, 0.05]);
    let heard = record(&mut mixer, &mut Output::new(None), &mut talkers, 150);
    for talker in &talkers {
        let (found, sent) = (db(&heard[96_000..144_000], talker.hz), 20.0 * talker.amplitude.log10());
        assert!((found - sent).abs() < 0.2, "{} Hz: {found} dB of {sent}", talker.hz);
    }
}

#[test]
fn nobody_hears_itself_and_everybody_hears_all_others() {
    let (mut mixer, mut talkers) = room(&[0.3, 0.3, 0.3, 0.3]);
    let mut outputs: Vec<Output> = talkers.iter().map(|talker| Output::new(Some(talker.voice))).collect();
    let mut heard = vec![Vec::new(); outputs.len()];
    let mut block = [[0.0; 2]; STEP_SAMPLES];
    for _ in 0..150 {
        talkers.iter_mut().for_each(|talker| talker.send(&mut mixer, Span::ZERO));
        mixer.step();
        for (output, heard) in outputs.iter_mut().zip(&mut heard) {
            output.take(&mixer, &mut block);
            heard.extend(block.iter().map(|[left, _]| *left));
        }
    }
    for (listener, heard) in heard.iter().enumerate() {
        for (index, talker) in talkers.iter().enumerate() {
            // Against what it sent.
            let found = db(&heard[96_000..144_000], talker.hz) - 20.0 * talker.amplitude.log10();
            match index == listener {
                true => assert!(found <= -50.0, "{listener} hears itself at {found} dB"),
                false => assert!(found > -3.0, "{listener} hears {index} at {found} dB"),
            }
        }
    }
}

#[test]
fn of_eight_who_speak_the_six_loudest_are_heard() {
    let (mut mixer, mut talkers) = room(&[0.02, 0.1, 0.11, 0.12, 0.13, 0.03, 0.14, 0.15]);
    let heard = record(&mut mixer, &mut Output::new(None), &mut talkers, 150);
    for (index, talker) in talkers.iter().enumerate() {
        let found = db(&heard[96_000..144_000], talker.hz);
        let is_heard = found > 20.0 * talker.amplitude.log10() - 1.0;
        assert_eq!(is_heard, !matches!(index, 0 | 5), "{index}: {found} dB");
        assert!(is_heard || found < -70.0, "{index}: {found} dB");
    }
}

#[test]
fn a_voice_keeps_its_place_against_one_that_is_hardly_louder_and_loses_it_to_one_that_is() {
    let (mut mixer, mut talkers) = room(&[0.1; 7]);
    record(&mut mixer, &mut Output::new(None), &mut talkers, 50);
    assert!(!mixer.is_heard(Voice(6)), "who came first is heard");
    talkers[6].amplitude = 0.13;
    record(&mut mixer, &mut Output::new(None), &mut talkers, 100);
    assert!(!mixer.is_heard(Voice(6)), "2 dB are not enough");
    talkers[6].amplitude = 0.2;
    record(&mut mixer, &mut Output::new(None), &mut talkers, 10);
    assert!(mixer.is_heard(Voice(6)), "6 dB are, within 200 ms");
}

#[test]
fn clocks_that_drift_for_minutes_are_followed_without_a_click() {
    for ppm in [-200.0, 200.0] {
        let (mut mixer, mut talkers) = room(&[0.5]);
        talkers[0].ppm = ppm;
        let mut output = Output::new(None);
        record(&mut mixer, &mut output, &mut talkers, 100);
        for minute in 0..3 {
            let mut heard = Vec::new();
            for _ in 0..3_000 {
                heard.extend(record(&mut mixer, &mut output, &mut talkers, 1));
                let input = input(&mut mixer, Voice(0));
                assert!(!input.is_short(), "{ppm}: samples ran out in minute {minute}");
                assert!(input.left() < 3 * STEP_SAMPLES, "{ppm}: {} are kept", input.left());
            }
            let worst = worst_break(&heard, talkers[0].hz);
            assert!(worst < 0.000_5, "{ppm}: a break of {worst} in minute {minute}");
        }
    }
}

#[test]
fn what_a_jittery_network_needs_is_learnt_and_nothing_is_missing_from_then_on() {
    let (mut mixer, mut talkers) = room(&[0.5]);
    let mut output = Output::new(None);
    let (mut late, mut short) = (numbers(7), 0);
    let mut block = [[0.0; 2]; STEP_SAMPLES];
    for step in 0..3_000 {
        // Packets stay in order: one that is late holds up those behind it.
        talkers[0].send(&mut mixer, Span::from_millis((late() % 60) as i64));
        mixer.step();
        output.take(&mixer, &mut block);
        short += usize::from(step > 500 && input(&mut mixer, Voice(0)).is_short());
    }
    assert_eq!(short, 0, "steps without samples after ten seconds");
    let delay = input(&mut mixer, Voice(0)).left() / 48;
    assert!(delay < 125, "{delay} ms are kept against 60 ms of jitter");
}

/// Numbers without an order, always the same.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

#[test]
fn after_a_stall_the_delay_comes_down_again_and_no_sample_breaks() {
    let (mut mixer, mut talkers) = room(&[0.5]);
    let mut output = Output::new(None);
    let mut heard = record(&mut mixer, &mut output, &mut talkers, 100);
    // 500 ms of nothing, then all of it at once.
    let mut block = [[0.0; 2]; STEP_SAMPLES];
    for _ in 0..25 {
        mixer.step();
        output.take(&mixer, &mut block);
        heard.extend(block.iter().map(|[left, _]| *left));
    }
    heard.extend(record(&mut mixer, &mut output, &mut talkers, 1));
    let most = input(&mut mixer, Voice(0)).left() / 48;
    heard.extend(record(&mut mixer, &mut output, &mut talkers, 600));
    let least = input(&mut mixer, Voice(0)).left() / 48;
    assert!(least < 80, "{least} ms are kept, of {most} after the stall");
    let worst = worst_break(&heard, talkers[0].hz);
    assert!(worst < 0.02, "a break of {worst}");
}

/// Packets of Opus that hold a tone.
fn coded(hz: f64, amplitude: f64, packets: usize) -> Vec<Frame> {
    coded_of(packets, |at| tone(hz, amplitude, at))
}

fn coded_of(packets: usize, wave: impl Fn(usize) -> f32) -> Vec<Frame> {
    let target = Target::Opus { channels: Channels::Stereo, bitrate_bps: 128_000 };
    let mut writer = Writer::new(target, Channels::Stereo, Timestamp::ZERO).unwrap();
    let mut frames = Vec::new();
    for packet in 0..packets {
        let samples = (packet * STEP_SAMPLES..(packet + 1) * STEP_SAMPLES).flat_map(|at| [wave(at); 2]);
        writer.push(&samples.collect::<Vec<_>>(), &mut frames).unwrap();
    }
    frames
}

/// What is heard of one voice whose packets come at once where they come at all.
fn heard_of(codec: &Codec, frames: &[Frame], steps: usize) -> (Mixer, Vec<f32>) {
    let mut mixer = Mixer::new(Timestamp::ZERO);
    mixer.join(Voice(1), codec).unwrap();
    let (mut output, mut block, mut heard) = (Output::new(None), [[0.0; 2]; STEP_SAMPLES], Vec::new());
    let mut left = frames.iter().peekable();
    for _ in 0..steps {
        while let Some(frame) = left.next_if(|frame| frame.dts + STEP <= mixer.at()) {
            mixer.handle_frame(Voice(1), frame).unwrap();
        }
        mixer.step();
        output.take(&mixer, &mut block);
        heard.extend(block.iter().map(|[left, _]| *left));
    }
    (mixer, heard)
}

#[test]
fn of_twenty_packets_one_is_lost_and_nobody_hears_a_hole() {
    let (hz, amplitude) = (440.0, 0.5);
    let mut random = numbers(3);
    let mut frames = coded(hz, amplitude, 1_000);
    let all = frames.len();
    frames.retain(|frame| frame.dts.millis() < 1_000 || !random().is_multiple_of(20));
    assert!((all - frames.len()).abs_diff(all / 20) < all / 60, "{} of {all} are lost", all - frames.len());
    let (_, heard) = heard_of(&STEREO, &frames, 990);
    let heard = &heard[48_000..];
    let quietest = heard
        .chunks(480)
        .map(|part| (part.iter().map(|sample| sample * sample).sum::<f32>() / 480.0).sqrt())
        .fold(1.0, f32::min);
    assert!(quietest > 0.5 * 0.707 * 0.35, "10 ms of {quietest}");
    let worst = worst_break(heard, hz);
    assert!(worst < 0.05, "a break of {worst}");
    let levels = heard.chunks(4_800).map(|part| db(part, hz));
    let level = levels.clone().sum::<f64>() / levels.count() as f64;
    assert!((level - 20.0 * amplitude.log10()).abs() < 1.0, "{level}");
}

#[test]
fn who_comes_and_who_goes_is_faded() {
    let (mut mixer, mut talkers) = room(&[0.5]);
    let mut output = Output::new(None);
    let mut heard = record(&mut mixer, &mut output, &mut talkers, 100);
    mixer.leave(Voice(0));
    assert!(!mixer.has(Voice(0)));
    heard.extend(record(&mut mixer, &mut output, &mut [], 10));
    assert!(heard[heard.len() - 4_800..].iter().all(|sample| *sample == 0.0), "it is gone");
    assert!(mixer.slots.is_empty());
    // A step at full level would be one of 0.5.
    let worst = worst_break(&heard, talkers[0].hz);
    assert!(worst < 0.002, "a break of {worst}");
}

#[test]
fn a_voice_that_stops_sending_fades_and_one_that_comes_back_is_heard_again() {
    let (mut mixer, mut talkers) = room(&[0.5]);
    let mut output = Output::new(None);
    let mut heard = record(&mut mixer, &mut output, &mut talkers, 100);
    heard.extend(record(&mut mixer, &mut output, &mut [], 100));
    assert!(db(&heard[heard.len() - 48_000..], talkers[0].hz) < -100.0, "nothing hums on");
    talkers[0].sent += 100;
    heard.extend(record(&mut mixer, &mut output, &mut talkers, 100));
    assert!(db(&heard[heard.len() - 48_000..], talkers[0].hz) > -7.0);
    let worst = worst_break(&heard, talkers[0].hz);
    assert!(worst < 0.02, "a break of {worst}");
}

#[test]
fn six_voices_at_full_scale_do_not_clip_and_the_tones_stay_tones() {
    let (mut mixer, mut talkers) = room(&[1.0; 6]);
    let heard = record(&mut mixer, &mut Output::new(None), &mut talkers, 150);
    let peak = heard.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!((0.5..=0.9).contains(&peak), "{peak}");
    let heard = &heard[96_000..144_000];
    let levels: Vec<f64> = talkers.iter().map(|talker| db(heard, talker.hz)).collect();
    assert!(levels.iter().all(|level| (level - levels[0]).abs() < 0.2), "{levels:?}");
    // What clipping would add between and above them.
    for hz in [150.0, 550.0, 2_350.0, 3_050.0, 5_000.0] {
        let added = db(heard, hz) - levels[0];
        assert!(added < -40.0, "{added} dB at {hz} Hz");
    }
}

#[test]
fn a_voice_is_heard_at_its_own_time_and_the_shift() {
    let frames = coded_of(150, |at| if at < 96_000 { 0.0 } else { tone(1_000.0, 0.5, at) });
    let (mixer, heard) = heard_of(&STEREO, &frames, 145);
    let shift = mixer.shift(Voice(1)).expect("it is heard");
    assert!((20..80).contains(&shift.millis()), "{shift:?}");
    let found = heard.iter().position(|sample| sample.abs() > 0.2).expect("it is heard") as i64;
    let at = Span::from_ticks(found, RATE) - OUTPUT_DELAY - shift;
    assert!((at.millis() - 2_000).abs() <= 6, "{at:?} {found} {shift:?}");
}

#[test]
fn a_voice_that_changes_its_codec_is_heard_on() {
    let mut mixer = Mixer::new(Timestamp::ZERO);
    mixer.join(Voice(1), &STEREO).unwrap();
    mixer.step();
    let mono = Codec::Opus(opus::Params::simple(1));
    mixer.join(Voice(1), &mono).unwrap();
    assert_eq!(mixer.slots.len(), 2, "the former fades out");
    mixer.step();
    mixer.step();
    assert_eq!((mixer.slots.len(), &mixer.slots[0].codec), (1, &mono));
    assert!(mixer.join(Voice(1), &Codec::Data(media::codec::data::Format::Amf0)).is_err());
    assert!(mixer.has(Voice(1)), "what cannot be decoded takes nobody's place");
}

#[cfg(feature = "fdk")]
#[test]
fn aac_of_another_rate_is_heard_at_its_own_pitch_and_level() {
    let opus = coded(441.0, 0.25, 200);
    let mut converter = crate::sound::Converter::new(&STEREO, Target::Aac { bitrate_bps: 128_000 }).unwrap();
    let mut frames = Vec::new();
    opus.iter().for_each(|frame| converter.handle_frame(frame, &mut frames).unwrap());
    let (_, heard) = heard_of(converter.codec(), &frames, 190);
    let found = db(&heard[96_000..105_600], 441.0);
    assert!((found + 12.0).abs() < 0.5, "{found} dB");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]
    #[test]
    fn whatever_comes_and_whenever_the_mix_is_whole(
        packets in proptest::collection::vec((0_i64..4_000, proptest::collection::vec(0_u8.., 0..40)), 0..60),
    ) {
        let mut mixer = Mixer::new(Timestamp::ZERO);
        let (mut output, mut block) = (Output::new(None), [[0.0; 2]; STEP_SAMPLES]);
        for (ms, payload) in packets {
            mixer.join(Voice(1), &STEREO).unwrap();
            let dts = Timestamp::from_millis(ms);
            let frame = Frame { dts, cts: Span::ZERO, sync: true, payload: payload.into() };
            // A source that is refused is out, and may come again.
            let _ = mixer.handle_frame(Voice(1), &frame);
            mixer.step();
            output.take(&mixer, &mut block);
            assert!(block.iter().flatten().all(|sample| sample.abs() <= 1.0));
        }
    }
}
