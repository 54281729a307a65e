//! The sound stays in step with the picture: what was heard at a time is heard at that time after conversion.

use fdk_aac::enc::AudioObjectType;
use media::Codec;
use rstest::rstest;

use super::stream::*;
use crate::sound::{Channels, Target};

pub(super) const OPUS: Target = Target::Opus { channels: Channels::Stereo, bitrate_bps: 96_000 };
pub(super) const OPUS_MONO: Target = Target::Opus { channels: Channels::Mono, bitrate_bps: 48_000 };
pub(super) const AAC: Target = Target::Aac { bitrate_bps: 128_000 };

/// What a listener may notice is ten times this (ITU-R BT.1359); one conversion may use up a tenth.
const OFF_MAX: f64 = 0.005;

pub(super) fn assert_chirp_in_time(source: &Stream, target: Target) {
    let converted = convert(source, target);
    let (rate, channels) = converted.codec.sound().unwrap();
    let (pcm, first) = decoded(&converted);
    let heard = (first - START).micros() as f64 / 1e6 + find_chirp(&pcm, rate, channels.into());
    let off = heard - CHIRP_AT;
    assert!(off.abs() <= OFF_MAX, "{} to {}: {:.2} ms off", source.codec.name(), target.name(), off * 1e3);
    assert_without_gaps(&converted, if matches!(converted.codec, Codec::Opus(_)) { 960 } else { 1_024 });
}

#[rstest]
#[case::mono_16_khz(16_000, 1, AudioObjectType::Mpeg4LowComplexity)]
#[case::stereo_44_khz(44_100, 2, AudioObjectType::Mpeg4LowComplexity)]
#[case::stereo_48_khz(48_000, 2, AudioObjectType::Mpeg4LowComplexity)]
#[case::he(48_000, 2, AudioObjectType::Mpeg4HeAac)]
#[case::he_44_khz(44_100, 2, AudioObjectType::Mpeg4HeAac)]
#[case::he_v2(48_000, 2, AudioObjectType::Mpeg4HeAacV2)]
#[case::low_delay(48_000, 2, AudioObjectType::Mpeg4LowDelay)]
fn aac_is_heard_in_time(
    #[case] rate: u32,
    #[case] channels: usize,
    #[case] object_type: AudioObjectType,
    #[values(OPUS, OPUS_MONO, AAC)] target: Target,
) {
    assert_chirp_in_time(&aac(&chirped(rate, channels), rate, channels, object_type), target);
}

#[rstest]
fn opus_is_heard_in_time(#[values(1, 2)] channels: usize, #[values(OPUS, OPUS_MONO, AAC)] target: Target) {
    assert_chirp_in_time(&opus(&chirped(48_000, channels), channels), target);
}

#[test]
fn opus_of_a_browser_is_stamped_by_what_went_in_and_is_heard_in_time_too() {
    let mut source = opus(&chirped(48_000, 2), 2);
    for frame in &mut source.frames {
        frame.dts += media::Span::from_ticks(312, 48_000);
    }
    source.codec = Codec::Opus(media::codec::opus::Params::simple(2));
    assert_chirp_in_time(&source, AAC);
}
