//! What a conversion costs, as a share of one core: `cargo bench -p av`. FFmpeg makes the source of the pictures.

use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use media::codec::{aac, opus};
use media::{Codec, Frame, Span, Timestamp};
use wire::flv::file::Reader;
use wire::flv::{Demuxer, Event};

use av::mix::{Mixer, Output, STEP_SAMPLES, Voice};
use av::picture::{Options, Reencoder};
use av::sound::{Channels, Converter, Target, Writer};

const SECONDS: u32 = 20;

fn main() {
    let clip = clip();
    let sound: Vec<&(Codec, Frame)> = clip.iter().filter(|(codec, _)| codec.sound().is_some()).collect();
    let aac_codec = sound[0].0.clone();
    let aac_frames: Vec<Frame> = sound.iter().map(|(_, frame)| frame.clone()).collect();
    let to_opus = Target::Opus { channels: Channels::Stereo, bitrate_bps: 96_000 };
    let (opus_codec, opus_frames) = convert("AAC 48 kHz stereo to Opus", &aac_codec, &aac_frames, to_opus);
    convert("Opus stereo to AAC", &opus_codec, &opus_frames, Target::Aac { bitrate_bps: 128_000 });
    assert!(matches!(
        (&aac_codec, &opus_codec),
        (Codec::Aac(aac::Params { .. }), Codec::Opus(opus::Params { .. }))
    ));
    for listeners in [1, 4] {
        mix(10, listeners, &opus_codec, &opus_frames);
    }
    for threads in [1, 2] {
        reencode(&clip, threads);
    }
}

fn report(what: &str, started: Instant, media: f64) {
    let spent = started.elapsed().as_secs_f64();
    println!("{what}: {:.2} % of a core ({media:.0} s in {spent:.2} s)", spent / media * 100.0);
}

fn convert(what: &str, codec: &Codec, frames: &[Frame], target: Target) -> (Codec, Vec<Frame>) {
    let mut converter = Converter::new(codec, target).expect("both codecs are there");
    let mut out = Vec::new();
    let started = Instant::now();
    for frame in frames {
        converter.handle_frame(frame, &mut out).expect("a sound source");
    }
    report(what, started, f64::from(SECONDS));
    (converter.codec().clone(), out)
}

/// A room of so many voices in Opus: decoded, mixed, and encoded for so many who each lack their own.
fn mix(voices: u32, listeners: u32, codec: &Codec, frames: &[Frame]) {
    let mut mixer = Mixer::new(Timestamp::ZERO);
    let target = Target::Opus { channels: Channels::Stereo, bitrate_bps: 128_000 };
    let mut outputs: Vec<_> = (0..listeners)
        .map(|own| {
            let writer = Writer::new(target, Channels::Stereo, Timestamp::ZERO).expect("Opus is there");
            (Output::new((own > 0).then_some(Voice(own))), writer)
        })
        .collect();
    (0..voices).for_each(|voice| mixer.join(Voice(voice), codec).expect("a sound source"));
    let (mut block, mut out) = ([[0.0; 2]; STEP_SAMPLES], Vec::new());
    let started = Instant::now();
    for frame in frames {
        for voice in 0..voices {
            mixer.handle_frame(Voice(voice), frame).expect("a sound source");
        }
        mixer.step();
        for (output, writer) in &mut outputs {
            output.take(&mixer, &mut block);
            writer.push(block.as_flattened(), &mut out).expect("a sound source");
        }
    }
    report(&format!("{voices} voices mixed for {listeners}"), started, f64::from(SECONDS));
}

fn reencode(clip: &[(Codec, Frame)], threads: u16) {
    let options =
        Options { bitrate_bps: 2_500_000, fps: 30.0, threads, keyframe_interval: Span::from_millis(2_000) };
    let pictures: Vec<_> = clip.iter().filter(|(codec, _)| codec.resolution().is_some()).collect();
    let Codec::H264(params) = &pictures[0].0 else { panic!("x264 makes H.264") };
    let mut reencoder = Reencoder::new(params, options).expect("a plain source");
    let mut out = Vec::new();
    let started = Instant::now();
    for (_, frame) in &pictures {
        reencoder.handle_frame(frame, &mut out).expect("a sound source");
    }
    let bytes: usize = out.iter().map(|(_, frame)| frame.payload.len()).sum();
    report(&format!("720p30 with B-pictures, threads: {threads}"), started, f64::from(SECONDS));
    println!("  {} pictures, {} kbit/s", out.len(), bytes * 8 / 1_000 / SECONDS as usize);
}

/// Moving pictures and sound in decode order, each frame with its codec.
fn clip() -> Vec<(Codec, Frame)> {
    let args = format!(
        "-v error -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=f=440:r=48000 -ac 2 -t {SECONDS} \
         -pix_fmt yuv420p -c:v libx264 -preset fast -b:v 2500k -bf 2 -g 60 -c:a aac -b:a 128k -f flv pipe:1"
    );
    let output = Command::new("ffmpeg").args(args.split_whitespace()).output().expect("ffmpeg is installed");
    let mut reader = Reader::new();
    reader.handle_input(&Bytes::from(output.stdout));
    let mut demuxer = Demuxer::new();
    let mut frames = Vec::new();
    while let Some(tag) = reader.poll_tag().expect("FFmpeg writes FLV") {
        for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
            if let Event::Frame { track, at, cts, sync, payload } = event.expect("FFmpeg writes FLV") {
                let codec = demuxer.codec(track).expect("parameters come first").clone();
                let dts = at + (Timestamp::from_millis(1_000) - Timestamp::ZERO);
                frames.push((codec, Frame { dts, cts, sync, payload }));
            }
        }
    }
    frames
}
