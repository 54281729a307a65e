//! Streams to convert, and the way back to samples.

use bytes::Bytes;
use fdk_aac::enc::{self, AudioObjectType, BitRate, ChannelMode};
use media::codec::{aac, opus};
use media::{Codec, Frame, Span, Timestamp};
use opus_rs::{Application, OpusDecoder, OpusEncoder};

use crate::sound::{Converter, Target, fdk};

/// Where streams of the tests begin.
pub(super) const START: Timestamp = Timestamp::from_millis(10_000);

/// When in a stream the chirp begins, in seconds.
pub(super) const CHIRP_AT: f64 = 1.0;
const CHIRP_LENGTH: f64 = 0.06;

/// A coded track.
pub(super) struct Stream {
    pub(super) codec: Codec,
    pub(super) frames: Vec<Frame>,
}

/// The chirp of 300 to 3,000 Hz as a function of seconds since its beginning: it resembles itself at one lag only.
fn chirp(t: f64) -> f32 {
    if !(0.0..CHIRP_LENGTH).contains(&t) {
        return 0.0;
    }
    let sweep = (3_000.0 - 300.0) / CHIRP_LENGTH;
    let window = (std::f64::consts::PI * t / CHIRP_LENGTH).sin();
    (0.5 * window * (std::f64::consts::TAU * (300.0 * t + sweep * t * t / 2.0)).sin()) as f32
}

/// Two seconds of silence with the chirp in it, in every channel.
pub(super) fn chirped(rate: u32, channels: usize) -> Vec<f32> {
    let samples = (0..2 * rate).map(|n| chirp(f64::from(n) / f64::from(rate) - CHIRP_AT));
    samples.flat_map(|sample| std::iter::repeat_n(sample, channels)).collect()
}

/// Seconds of a sine in every channel.
pub(super) fn sine(rate: u32, channels: usize, hz: f64, seconds: u32) -> Vec<f32> {
    let samples = (0..seconds * rate)
        .map(|n| (0.4 * (std::f64::consts::TAU * hz * f64::from(n) / f64::from(rate)).sin()) as f32);
    samples.flat_map(|sample| std::iter::repeat_n(sample, channels)).collect()
}

/// Where the chirp begins in `pcm` (its first channel), in seconds, found by correlation.
pub(super) fn find_chirp(pcm: &[f32], rate: u32, channels: usize) -> f64 {
    let rate = f64::from(rate);
    let mono: Vec<f32> = pcm.iter().copied().step_by(channels).collect();
    let wanted: Vec<f32> = (0..(CHIRP_LENGTH * rate) as usize).map(|n| chirp(n as f64 / rate)).collect();
    let score = |at: usize| -> f32 { mono[at..].iter().zip(&wanted).map(|(a, b)| a * b).sum() };
    // Near where it can be: a search of all would take most of the time of the test.
    let near = ((CHIRP_AT - 0.2) * rate) as usize..((CHIRP_AT + 0.2) * rate) as usize;
    let best =
        near.max_by(|a, b| score(*a).total_cmp(&score(*b))).expect("the sound is longer than the chirp");
    let energy: f32 = wanted.iter().map(|sample| sample * sample).sum();
    assert!(score(best) > energy * 0.5, "no chirp: {} of {energy}", score(best));
    best as f64 / rate
}

fn frame(dts: Timestamp, payload: Bytes) -> Frame {
    Frame { dts, cts: Span::ZERO, sync: true, payload }
}

/// Packets of Opus, stamped as containers do it: what a decoder puts out begins at the stamp.
pub(super) fn opus(pcm: &[f32], channels: usize) -> Stream {
    let mut encoder = OpusEncoder::new(48_000, channels, Application::Audio).unwrap();
    encoder.bitrate_bps = 96_000;
    let mut frames = Vec::new();
    for (n, chunk) in pcm.chunks_exact(960 * channels).enumerate() {
        let mut packet = vec![0; 1_276];
        let len = encoder.encode(chunk, 960, &mut packet).unwrap();
        packet.truncate(len);
        frames.push(frame(START + Span::from_ticks(n as i64 * 960 - 312, 48_000), packet.into()));
    }
    let params = opus::Params { pre_skip: 312, ..opus::Params::simple(channels as u8) };
    Stream { codec: Codec::Opus(params), frames }
}

/// AAC of any object type, stamped so that what the core's decoder puts out begins at the stamp.
pub(super) fn aac(pcm: &[f32], rate: u32, channels: usize, object_type: AudioObjectType) -> Stream {
    let encoder = enc::Encoder::new(enc::EncoderParams {
        bit_rate: BitRate::Cbr(64_000 * channels as u32),
        sample_rate: rate,
        transport: enc::Transport::Raw,
        channels: if channels == 1 { ChannelMode::Mono } else { ChannelMode::Stereo },
        audio_object_type: object_type,
    })
    .unwrap();
    let info = encoder.info().unwrap();
    let frame_samples = info.frameLength as usize;
    let mut frames = Vec::new();
    for (n, chunk) in pcm.chunks_exact(frame_samples * channels).enumerate() {
        let chunk: Vec<i16> = chunk.iter().map(|sample| (sample * 32_767.0) as i16).collect();
        let mut unit = vec![0; info.maxOutBufBytes as usize];
        let done = encoder.encode(&chunk, &mut unit).unwrap();
        unit.truncate(done.output_size);
        let at = n as i64 * frame_samples as i64 - i64::from(info.nDelayCore);
        frames.push(frame(START + Span::from_ticks(at, rate), unit.into()));
    }
    let config = Bytes::copy_from_slice(&info.confBuf[..info.confSize as usize]);
    Stream { codec: Codec::Aac(aac::Params::from_config(&config).unwrap()), frames }
}

/// Converts a whole stream.
pub(super) fn convert(stream: &Stream, target: Target) -> Stream {
    let mut converter = Converter::new(&stream.codec, target).unwrap();
    let mut frames = Vec::new();
    for frame in &stream.frames {
        converter.handle_frame(frame, &mut frames).unwrap();
    }
    assert_eq!(converter.broken(), 0);
    Stream { codec: converter.codec().clone(), frames }
}

/// What a plain decoder puts out, and the time its first sample belongs to.
pub(super) fn decoded(stream: &Stream) -> (Vec<f32>, Timestamp) {
    let mut pcm = Vec::new();
    let first = stream.frames[0].dts;
    match &stream.codec {
        Codec::Opus(params) => {
            let channels = usize::from(params.channels);
            let mut decoder = OpusDecoder::new(48_000, channels).unwrap();
            for frame in &stream.frames {
                let mut out = vec![0.0; 960 * channels];
                let samples = decoder.decode(&frame.payload, 960, &mut out).unwrap();
                assert_eq!(samples, 960);
                pcm.extend(out);
            }
            (pcm, first)
        }
        Codec::Aac(params) => {
            let mut decoder = fdk::Decoder::new(params).unwrap();
            let mut delay = Span::ZERO;
            for frame in &stream.frames {
                let format = decoder.decode(&frame.payload, &mut pcm).unwrap();
                delay = Span::from_ticks(format.delay as i64, format.rate);
            }
            (pcm, first - delay)
        }
        other => panic!("no sound: {other:?}"),
    }
}

/// Every frame follows the one before it without a gap.
pub(super) fn assert_without_gaps(stream: &Stream, samples: i64) {
    let (rate, _) = stream.codec.sound().unwrap();
    for pair in stream.frames.windows(2) {
        let step = (pair[1].dts - pair[0].dts).micros();
        let exact = Span::from_ticks(samples, rate).micros();
        assert!((step - exact).abs() <= 1, "{step} µs after {:?}", pair[0].dts);
    }
}
