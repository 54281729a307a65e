//! Real streams of FFmpeg's x264, with all that makes B-pictures hard, and streams that are broken.

use std::io::Read;
use std::process::{Command, Stdio};

use bytes::Bytes;
use media::codec::{h264, nal};
use media::{Codec, Frame, Span, Timestamp};
use proptest::prelude::*;
use rstest::rstest;
use wire::flv::file::Reader;
use wire::flv::{Demuxer, Event};

use super::*;

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const PICTURES: usize = 75;
const OPTIONS: Options =
    Options { bitrate_bps: 2_000_000, fps: 25.0, threads: 1, keyframe_interval: Span::from_millis(2_000) };

/// Of luma: what is worse is seen at a glance; a picture one place off its turn is far below.
const PSNR_MIN: f64 = 28.0;

fn ffmpeg(args: &str, input: Vec<u8>) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error"])
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is missing; remedy: apt-get install ffmpeg, or ./dev test");
    let mut stdin = child.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input));
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    assert!(child.wait().unwrap().success(), "ffmpeg {args}");
    let _ = feeding.join();
    out
}

/// Frames and parameters of a clip that x264 makes.
fn clip(x264: &str) -> (h264::Params, Vec<Frame>) {
    let pixels = if x264.contains("-pix_fmt") { "" } else { "-pix_fmt yuv420p" };
    let source = format!("-f lavfi -i testsrc2=size={WIDTH}x{HEIGHT}:rate=25 -frames:v {PICTURES}");
    let file = ffmpeg(&format!("{source} {pixels} -c:v libx264 {x264} -f flv pipe:1"), Vec::new());
    let mut reader = Reader::new();
    reader.handle_input(&file);
    let mut demuxer = Demuxer::new();
    let mut params = None;
    let mut frames = Vec::new();
    while let Some(tag) = reader.poll_tag().unwrap() {
        for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
            match event.unwrap() {
                Event::Codec { codec: Codec::H264(found), .. } => params = Some(found),
                Event::Frame { at, cts, sync, payload, .. } => {
                    frames.push(Frame { dts: at, cts, sync, payload })
                }
                _ => {}
            }
        }
    }
    (params.unwrap(), frames)
}

type Out = Vec<(Option<Codec>, Frame)>;

fn reencode(params: &h264::Params, frames: &[Frame], options: Options) -> Out {
    let mut reencoder = Reencoder::new(params, options).unwrap();
    let mut out = Vec::new();
    for frame in frames {
        reencoder.handle_frame(frame, &mut out).unwrap();
    }
    assert_eq!(reencoder.broken(), 0);
    reencoder.finish(&mut out).unwrap();
    out
}

fn stream<'a>(frames: impl Iterator<Item = (Option<&'a h264::Params>, &'a Frame)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (params, frame) in frames {
        let sets = params.map(h264::Params::parameter_sets).unwrap_or_default();
        let sets = sets.sps.iter().chain(&sets.pps).map(|set| &set[..]);
        for unit in sets.chain(nal::units(&frame.payload)) {
            out.extend([0, 0, 0, 1]);
            out.extend(unit);
        }
    }
    out
}

/// Luma planes in order of display, by FFmpeg.
fn shown(stream: Vec<u8>) -> Vec<Vec<u8>> {
    let raw = ffmpeg("-f h264 -i pipe:0 -vsync passthrough -f rawvideo -pix_fmt gray pipe:1", stream);
    raw.chunks(WIDTH * HEIGHT).map(<[u8]>::to_vec).collect()
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let error: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (error / a.len() as f64).max(1e-9)).log10()
}

fn codec_of(entry: &(Option<Codec>, Frame)) -> Option<&h264::Params> {
    match &entry.0 {
        Some(Codec::H264(params)) => Some(params),
        _ => None,
    }
}

#[rstest]
#[case::main("-profile:v main -bf 2 -g 50")]
#[case::high_pyramid("-profile:v high -bf 3 -b_strategy 0 -b-pyramid normal -refs 4 -g 50")]
#[case::long_group("-bf 4 -b_strategy 0 -b-pyramid normal -g 1000 -x264-params weightp=2:8x8dct=1")]
#[case::many("-bf 8 -b_strategy 0 -b-pyramid strict -g 100")]
#[case::open_group("-bf 3 -g 20 -x264-params open-gop=1:scenecut=0")]
#[case::slices("-bf 2 -x264-params slices=4")]
#[case::refresh("-x264-params intra-refresh=1:keyint=25")]
#[case::cavlc("-profile:v high -bf 2 -coder 0")]
#[case::baseline("-profile:v baseline")]
fn every_picture_comes_out_in_order_at_its_time_and_looks_the_same(
    #[case] x264: &str,
    #[values(1, 2)] threads: u16,
) {
    let (params, frames) = clip(x264);
    assert_eq!(frames.len(), PICTURES);
    let out = reencode(&params, &frames, Options { threads, ..OPTIONS });
    let mut times: Vec<Timestamp> = frames.iter().map(Frame::pts).collect();
    times.sort();
    assert_eq!(out.iter().map(|(_, frame)| frame.dts).collect::<Vec<_>>(), times);
    assert!(out.iter().all(|(_, frame)| frame.cts == Span::ZERO));
    let codec = codec_of(&out[0]).expect("parameters before the first picture");
    assert_eq!((codec.profile, codec.constraints & 0x40), (66, 0x40), "constrained baseline");
    assert_eq!((codec.width as usize, codec.height as usize), (WIDTH, HEIGHT));
    assert!(out[0].1.sync && h264::is_idr(&out[0].1.payload));

    let before = shown(stream(frames.iter().map(|frame| (frame.sync.then_some(&params), frame))));
    let after = shown(stream(out.iter().map(|entry| (codec_of(entry), &entry.1))));
    assert_eq!((before.len(), after.len()), (PICTURES, PICTURES));
    for (n, (before, after)) in before.iter().zip(&after).enumerate() {
        let psnr = psnr(before, after);
        assert!(psnr >= PSNR_MIN, "picture {n}: {psnr:.1} dB");
    }
}

#[rstest]
#[case::ten_bits("-pix_fmt yuv420p10le", "H.264 with bit depth 10 cannot be converted")]
#[case::wide_chroma("-pix_fmt yuv422p", "H.264 with chroma_format_idc 2 cannot be converted")]
#[case::interlaced("-flags +ildct+ilme", "H.264 with frame_mbs_only_flag 0 cannot be converted")]
fn what_the_decoder_cannot_do_is_refused(#[case] x264: &str, #[case] reason: &str) {
    let (params, _) = clip(x264);
    assert_eq!(Reencoder::new(&params, OPTIONS).err().unwrap().to_string(), reason);
}

#[test]
fn keyframes_come_after_their_interval_and_when_they_are_asked_for() {
    // Of other profiles the decoder holds one picture back, and what comes next is the one before.
    let (params, frames) = clip("-profile:v baseline -g 1000");
    let mut reencoder = Reencoder::new(&params, OPTIONS).unwrap();
    let mut out = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        if n == 20 {
            reencoder.want_keyframe();
        }
        reencoder.handle_frame(frame, &mut out).unwrap();
    }
    let keyframes: Vec<usize> =
        out.iter().enumerate().filter(|(_, (_, frame))| frame.sync).map(|(n, _)| n).collect();
    assert_eq!(keyframes, [0, 20, 70]);
    assert_eq!(out.iter().filter(|(codec, _)| codec.is_some()).count(), 1, "parameters once");
}

#[test]
fn a_lost_picture_costs_no_other_its_time_and_the_next_keyframe_mends_it() {
    let (params, frames) = clip("-bf 2 -g 25 -x264-params scenecut=0");
    let mut reencoder = Reencoder::new(&params, OPTIONS).unwrap();
    let mut out = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        match n {
            5 => continue,
            8 => {
                let payload = frame.payload.slice(..frame.payload.len() / 2);
                reencoder.handle_frame(&Frame { payload, ..frame.clone() }, &mut out).unwrap();
            }
            _ => reencoder.handle_frame(frame, &mut out).unwrap(),
        }
    }
    reencoder.finish(&mut out).unwrap();
    let times: Vec<Timestamp> = frames.iter().map(Frame::pts).collect();
    assert!(out.iter().all(|(_, frame)| times.contains(&frame.dts)));
    let before = shown(stream(frames.iter().map(|frame| (frame.sync.then_some(&params), frame))));
    let after = shown(stream(out.iter().map(|entry| (codec_of(entry), &entry.1))));
    assert_eq!(after.len(), out.len());
    for back in 1..=40 {
        let psnr = psnr(&before[before.len() - back], &after[after.len() - back]);
        assert!(psnr >= PSNR_MIN, "{back} before the end: {psnr:.1} dB");
    }
}

#[test]
fn a_source_that_never_decodes_is_given_up() {
    let (params, frames) = clip("-bf 0");
    let mut reencoder = Reencoder::new(&params, OPTIONS).unwrap();
    let junk = Frame { payload: Bytes::from_static(&[0, 0, 0, 3, 0x65, 0xFF, 0xFF]), ..frames[0].clone() };
    let results: Vec<_> = (0..=BROKEN_MAX).map(|_| reencoder.handle_frame(&junk, &mut Vec::new())).collect();
    assert!(results.contains(&Err(Error::Broken { codec: NAME, packets: BROKEN_MAX })));
}

#[test]
fn a_reencoder_may_be_sent_to_another_thread() {
    fn check<T: Send>() {}
    check::<Reencoder>();
}

#[test]
fn bytes_overwritten_anywhere_do_no_harm() {
    let (params, frames) = clip("-bf 2 -g 25");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    let hits =
        proptest::collection::vec((0_usize..PICTURES, any::<u16>(), any::<u8>(), -9_000_i64..90_000), 1..40);
    runner
        .run(&hits, |hits| {
            let mut reencoder = Reencoder::new(&params, OPTIONS).unwrap();
            let mut frames = frames.clone();
            for (n, at, byte, cts) in hits {
                let mut payload = frames[n].payload.to_vec();
                let at = usize::from(at) % payload.len();
                payload[at] = byte;
                frames[n].payload = payload.into();
                frames[n].cts = Span::from_micros(cts);
            }
            let mut out: Out = Vec::new();
            for frame in &frames {
                let _ = reencoder.handle_frame(frame, &mut out);
            }
            prop_assert!(out.windows(2).all(|pair| pair[0].1.dts < pair[1].1.dts));
            Ok(())
        })
        .unwrap();
}
