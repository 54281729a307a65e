//! FFmpeg hears what we encode, and we hear what FFmpeg encodes.

use std::io::Write;
use std::process::{Command, Stdio};

use media::codec::{aac, opus};
use media::{Codec, Frame, Span};
use rstest::rstest;

use super::ogg;
use super::stream::{self, Stream, convert};
use super::timing::{AAC, OPUS, OPUS_MONO, assert_chirp_in_time};
use crate::sound::Target;

/// Of a sine; what both codecs give is beyond 30 dB, noise in place of the sine below 0.
const SNR_MIN: f64 = 20.0;

fn ffmpeg(args: &str, input: Vec<u8>) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error"])
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is missing; remedy: apt-get install ffmpeg, or ./dev test");
    let mut stdin = child.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "ffmpeg {args}");
    feeding.join().unwrap().unwrap();
    output.stdout
}

fn bytes_of(pcm: &[f32]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// What FFmpeg decodes, as the first channel's samples.
fn heard_by_ffmpeg(stream: &Stream) -> (Vec<f32>, u32) {
    let (rate, channels) = stream.codec.sound().unwrap();
    let (file, format) = match &stream.codec {
        Codec::Aac(params) => (adts(params, &stream.frames), "aac"),
        Codec::Opus(params) => {
            let packets: Vec<&[u8]> = stream.frames.iter().map(|frame| &frame.payload[..]).collect();
            (ogg::wrap(&params.opus_head(), &packets), "ogg")
        }
        other => panic!("no sound: {other:?}"),
    };
    let raw = ffmpeg(&format!("-f {format} -i pipe:0 -f f32le pipe:1"), file);
    let samples = raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    (samples.step_by(channels.into()).collect(), rate)
}

/// ISO 14496-3 §1.A.2.2.
fn adts(params: &aac::Params, frames: &[Frame]) -> Vec<u8> {
    let rate_index =
        [48_000, 44_100, 32_000].iter().position(|rate| *rate == params.sample_rate).unwrap() + 3;
    let channels = usize::from(params.channels);
    let mut out = Vec::new();
    for frame in frames {
        let len = frame.payload.len() + 7;
        let fields =
            [1 << 6 | rate_index << 2, channels << 6 | len >> 11, len >> 3 & 0xFF, (len & 7) << 5 | 0x1F];
        out.extend([0xFF, 0xF1]);
        out.extend(fields.map(|byte| byte as u8));
        out.push(0xFC);
        out.extend_from_slice(&frame.payload);
    }
    out
}

/// How far a sine of `hz` stands above all else, in dB, in the second that begins after half a second.
fn snr(pcm: &[f32], rate: u32, hz: f64) -> f64 {
    let pcm = &pcm[rate as usize / 2..rate as usize * 3 / 2];
    let angle = |n: usize| std::f64::consts::TAU * hz * n as f64 / f64::from(rate);
    let project = |base: &dyn Fn(f64) -> f64| -> f64 {
        pcm.iter().enumerate().map(|(n, sample)| f64::from(*sample) * base(angle(n))).sum::<f64>() * 2.0
            / pcm.len() as f64
    };
    let (sine, cosine) = (project(&f64::sin), project(&f64::cos));
    assert!(sine.hypot(cosine) > 0.3, "the sine is gone: {}", sine.hypot(cosine));
    let noise: f64 = pcm
        .iter()
        .enumerate()
        .map(|(n, sample)| (f64::from(*sample) - sine * angle(n).sin() - cosine * angle(n).cos()).powi(2))
        .sum();
    let signal = (sine * sine + cosine * cosine) / 2.0 * pcm.len() as f64;
    10.0 * (signal / noise).log10()
}

fn assert_clean(source: &Stream, target: Target) {
    let (pcm, rate) = heard_by_ffmpeg(&convert(source, target));
    let snr = snr(&pcm, rate, 997.0);
    assert!(snr >= SNR_MIN, "{} to {target:?}: {snr:.1} dB", source.codec.name());
}

/// AAC by FFmpeg's own encoder, which delays by one frame.
fn aac_by_ffmpeg(pcm: &[f32], rate: u32, channels: usize) -> Stream {
    let args = format!("-f f32le -ar {rate} -ac {channels} -i pipe:0 -c:a aac -b:a 256k -f adts pipe:1");
    let file = bytes::Bytes::from(ffmpeg(&args, bytes_of(pcm)));
    let params = aac::Params::from_adts(&aac::Adts::parse(&file).unwrap()).unwrap();
    assert_eq!(usize::from(params.channels), channels);
    let frames = aac::access_units(&file).enumerate().map(|(n, payload)| {
        let dts = stream::START + Span::from_ticks((n as i64 - 1) * 1_024, rate);
        Frame { dts, cts: Span::ZERO, sync: true, payload }
    });
    Stream { frames: frames.collect(), codec: Codec::Aac(params) }
}

/// Opus by libopus.
fn opus_by_ffmpeg(pcm: &[f32], channels: usize) -> Stream {
    let args = format!("-f f32le -ar 48000 -ac {channels} -i pipe:0 -c:a libopus -b:a 256k -f ogg pipe:1");
    let packets = ogg::packets(&ffmpeg(&args, bytes_of(pcm)));
    let params = opus::Params::from_config(&packets[0]).unwrap();
    assert_eq!(params.pre_skip, 312);
    let frames = packets[2..].iter().enumerate().map(|(n, payload)| {
        let dts = stream::START + Span::from_ticks(n as i64 * 960 - 312, 48_000);
        Frame { dts, cts: Span::ZERO, sync: true, payload: payload.clone() }
    });
    Stream { frames: frames.collect(), codec: Codec::Opus(params) }
}

#[rstest]
fn ffmpeg_hears_a_clean_sine_of_aac_that_became_opus(
    #[values((44_100, 2), (48_000, 1), (48_000, 6))] (rate, channels): (u32, usize),
    #[values(OPUS, OPUS_MONO, AAC)] target: Target,
) {
    assert_clean(&aac_by_ffmpeg(&stream::sine(rate, channels, 997.0, 2), rate, channels), target);
}

#[rstest]
fn ffmpeg_hears_a_clean_sine_of_opus_that_became_aac(
    #[values(1, 2, 6)] channels: usize,
    #[values(OPUS, OPUS_MONO, AAC)] target: Target,
) {
    assert_clean(&opus_by_ffmpeg(&stream::sine(48_000, channels, 997.0, 2), channels), target);
}

#[rstest]
fn sound_of_ffmpeg_is_heard_in_time(
    #[values(1, 2, 6)] channels: usize,
    #[values(OPUS, OPUS_MONO, AAC)] target: Target,
) {
    let chirp = stream::chirped(48_000, channels);
    assert_chirp_in_time(&aac_by_ffmpeg(&chirp, 48_000, channels), target);
    assert_chirp_in_time(&opus_by_ffmpeg(&chirp, channels), target);
}

#[rstest]
fn ffmpeg_takes_a_packet_of_silence_in_place_of_any(#[values(OPUS, OPUS_MONO, AAC)] target: Target) {
    let mut stream = convert(&aac_by_ffmpeg(&stream::sine(48_000, 2, 997.0, 2), 48_000, 2), target);
    let silence = crate::silence(&stream.codec).unwrap();
    let half = stream.frames.len() / 2;
    for frame in &mut stream.frames[half..] {
        frame.payload = silence.clone();
    }
    let (pcm, rate) = heard_by_ffmpeg(&stream);
    let loudest = pcm[rate as usize * 3 / 2..].iter().fold(0.0_f32, |max, sample| max.max(sample.abs()));
    assert!(pcm.len() > rate as usize * 17 / 10 && loudest < 0.001, "{loudest} after {}", pcm.len());
}
