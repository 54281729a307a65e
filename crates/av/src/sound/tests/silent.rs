//! The packets of silence, by the decoders.

use bytes::Bytes;
use fdk_aac::enc::AudioObjectType;
use media::Codec;
use media::codec::{aac, opus};
use rstest::rstest;

use super::stream;
use crate::silence;
use crate::sound::decode::Decoder;

/// Decodes a second of it: nothing is heard, and every packet is sound in its form.
fn assert_silent(codec: &Codec, channels: usize) {
    let packet = silence(codec).expect("there is silence for it");
    let mut decoder = Decoder::new(codec, "PCM").unwrap();
    for n in 0..50 {
        let mut pcm = Vec::new();
        let format = decoder.decode(&packet, &mut pcm).unwrap_or_else(|error| panic!("packet {n}: {error}"));
        assert_eq!(format.channels, channels);
        assert!(pcm.len() >= 480 * channels && pcm.iter().all(|sample| sample.abs() < 1e-4), "packet {n}");
    }
}

#[rstest]
fn aac_of_each_layout_is_silent(
    #[values((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 6))] (configuration, channels): (u8, usize),
) {
    // LC, 48 kHz. Of 7.1 the library makes 5.1.
    let config = Bytes::copy_from_slice(&[0x11, 0x80 | configuration << 3]);
    assert_silent(&Codec::Aac(aac::Params::from_config(&config).unwrap()), channels);
}

#[rstest]
#[case::he(AudioObjectType::Mpeg4HeAac)]
#[case::he_v2(AudioObjectType::Mpeg4HeAacV2)]
fn he_aac_is_silent(#[case] object_type: AudioObjectType) {
    assert_silent(&stream::aac(&[], 48_000, 2, object_type).codec, 2);
}

#[test]
fn opus_is_silent() {
    for channels in [1, 2] {
        assert_silent(&Codec::Opus(opus::Params::simple(channels)), channels.into());
    }
}

#[test]
fn there_is_none_for_what_it_would_break() {
    let low_delay = stream::aac(&[], 48_000, 2, AudioObjectType::Mpeg4LowDelay).codec;
    assert_eq!(silence(&low_delay), None);
    let many = opus::Params { mapping_family: 1, ..opus::Params::simple(6) };
    assert_eq!(silence(&Codec::Opus(many)), None);
}
