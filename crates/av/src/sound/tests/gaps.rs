//! Lost packets, pauses, and clocks that run apart.

use fdk_aac::enc::AudioObjectType;
use media::{Span, Timestamp};
use rstest::rstest;

use super::stream::*;
use super::timing::{AAC, OPUS, assert_chirp_in_time};
use crate::sound::{Converter, Target};

fn lc() -> AudioObjectType {
    AudioObjectType::Mpeg4LowComplexity
}

/// Leaves out packets whose stamps lie in so many milliseconds of the stream.
fn without(mut stream: Stream, millis: std::ops::Range<i64>) -> Stream {
    let lost = |at: Timestamp| millis.contains(&(at - START).millis());
    stream.frames.retain(|frame| !lost(frame.dts));
    stream
}

#[rstest]
fn a_gap_is_filled_and_what_follows_is_heard_in_time(
    #[values(20, 60, 300, 700)] gap: i64,
    #[values(OPUS, AAC)] target: Target,
) {
    let opus = opus(&chirped(48_000, 2), 2);
    assert_chirp_in_time(&without(opus, 150..150 + gap), target);
    // One packet of AAC is within what stamps of RTMP may stray by.
    if gap > 20 {
        let aac = aac(&chirped(44_100, 2), 44_100, 2, lc());
        assert_chirp_in_time(&without(aac, 150..150 + gap), target);
    }
}

#[rstest]
fn a_lost_packet_is_concealed_and_a_long_gap_is_silent(#[values(false, true)] is_aac: bool) {
    let pcm = sine(48_000, 1, 500.0, 2);
    let source = if is_aac { aac(&pcm, 48_000, 1, lc()) } else { opus(&pcm, 1) };
    let (pcm, first) = decoded(&convert(&without(source, 500..1_000), OPUS));
    let loudness = |from: i64| {
        let at = (START + Span::from_millis(from) - first).ticks(48_000) as usize * 2;
        pcm[at..at + 960].iter().map(|sample| sample.abs()).fold(0.0, f32::max)
    };
    // A decoder of AAC comes back from concealment by fading in.
    assert!(loudness(450) > 0.3 && loudness(1_200) > 0.3, "{} {}", loudness(450), loudness(1_200));
    assert!(loudness(525) > 0.1, "the gap opens with concealment: {}", loudness(525));
    assert!(loudness(650) < 0.01, "and goes on in silence: {}", loudness(650));
}

#[rstest]
fn after_a_pause_the_track_goes_on_without_filling_it(
    #[values(OPUS, AAC)] target: Target,
    #[values(false, true)] is_aac: bool,
) {
    let pcm = chirped(48_000, 2);
    let mut source = if is_aac { aac(&pcm, 48_000, 2, lc()) } else { opus(&pcm, 2) };
    let half = source.frames.len() / 4;
    for frame in &mut source.frames[half..] {
        frame.dts += Span::from_millis(3_600_000);
    }
    let mut converted = convert(&source, target);
    assert!(converted.frames.len() < 110, "{} frames", converted.frames.len());
    let pause =
        converted.frames.windows(2).position(|pair| pair[1].dts - pair[0].dts > Span::from_millis(1_000));
    converted.frames.drain(..=pause.expect("the pause is kept"));
    for frame in &mut converted.frames {
        frame.dts = frame.dts - Span::from_millis(3_600_000);
    }
    let (pcm, first) = decoded(&converted);
    // The search looks around where the chirp was put, so the missing front is made up for.
    let front = (first - START).ticks(48_000) as usize * 2;
    let pcm = [vec![0.0; front], pcm].concat();
    let off = find_chirp(&pcm, 48_000, 2) - CHIRP_AT;
    assert!(off.abs() < 0.005, "{off} s");
}

#[rstest]
#[case::fast(1.002)]
#[case::slow(0.998)]
fn a_clock_that_drifts_is_followed_without_a_gap_or_a_step_back(#[case] pace: f64) {
    let mut source = aac(&sine(48_000, 1, 500.0, 60), 48_000, 1, lc());
    for frame in &mut source.frames {
        frame.dts = START + Span::from_micros(((frame.dts - START).micros() as f64 * pace) as i64);
    }
    let converted = convert(&source, OPUS);
    assert_without_gaps(&converted, 960);
    let ends = [&source, &converted].map(|stream| stream.frames.last().unwrap().dts);
    assert!((ends[1] - ends[0]).abs() < Span::from_millis(150), "{ends:?}");
}

#[test]
fn stamps_in_whole_milliseconds_leave_no_trace() {
    let mut source = aac(&chirped(44_100, 2), 44_100, 2, lc());
    for frame in &mut source.frames {
        frame.dts = Timestamp::from_millis(frame.dts.millis());
    }
    assert_chirp_in_time(&source, OPUS);
}

#[test]
fn stamps_that_do_not_rise_bring_out_none_that_do_not() {
    let mut source = opus(&chirped(48_000, 2), 2);
    for (n, frame) in source.frames.iter_mut().enumerate() {
        frame.dts = frame.dts - Span::from_millis((n as i64 % 7) * 900);
    }
    let mut converter = Converter::new(&source.codec, AAC).unwrap();
    let mut out = Vec::new();
    for frame in &source.frames {
        converter.handle_frame(frame, &mut out).unwrap();
    }
    assert!(out.windows(2).all(|pair| pair[0].dts < pair[1].dts));
}
