//! Bytes that are no sound, and sources that cannot be converted.

use bytes::Bytes;
use fdk_aac::enc::AudioObjectType;
use media::codec::{aac, data, opus};
use media::{Codec, Frame, Span};
use proptest::prelude::*;
use rstest::rstest;

use super::stream::*;
use super::timing::{AAC, OPUS};
use crate::Error;
use crate::sound::{BROKEN_MAX, Converter, Target};

fn source(kind: usize) -> Stream {
    let pcm = sine(48_000, 2, 500.0, 1);
    match kind {
        0 => opus(&pcm, 2),
        1 => aac(&pcm, 48_000, 2, AudioObjectType::Mpeg4LowComplexity),
        2 => aac(&pcm, 48_000, 2, AudioObjectType::Mpeg4HeAac),
        _ => aac(&pcm, 48_000, 2, AudioObjectType::Mpeg4HeAacV2),
    }
}

#[rstest]
fn a_broken_packet_is_concealed_and_counted_and_the_sound_goes_on(
    #[values(0, 1, 2)] kind: usize,
    #[values(OPUS, AAC)] target: Target,
) {
    let mut stream = source(kind);
    let whole = convert(&stream, target).frames.len();
    stream.frames[0].payload = Bytes::from_static(b"\xFF");
    stream.frames[10].payload = Bytes::new();
    stream.frames[11].payload = Bytes::from_static(b"\xFF\xFF");
    let mut converter = Converter::new(&stream.codec, target).unwrap();
    let mut frames = Vec::new();
    for frame in &stream.frames {
        converter.handle_frame(frame, &mut frames).unwrap();
    }
    assert!(converter.broken() >= 2, "{}", converter.broken());
    assert!(whole - frames.len() <= 3, "{} of {whole}", frames.len());
    let (pcm, _) = decoded(&Stream { codec: converter.codec().clone(), frames });
    let loudest = pcm[pcm.len() * 3 / 4..].iter().fold(0.0_f32, |max, sample| max.max(sample.abs()));
    assert!(loudest > 0.3, "the sine is back: {loudest}");
}

#[rstest]
fn a_source_that_never_decodes_is_given_up(#[values(0, 1)] kind: usize) {
    let stream = source(kind);
    let mut converter = Converter::new(&stream.codec, OPUS).unwrap();
    let junk = Frame { payload: Bytes::new(), ..stream.frames[0].clone() };
    for _ in 1..BROKEN_MAX {
        assert_eq!(converter.handle_frame(&junk, &mut Vec::new()), Ok(()));
    }
    let error = Error::Broken { codec: stream.codec.name(), packets: BROKEN_MAX };
    assert_eq!(converter.handle_frame(&junk, &mut Vec::new()), Err(error));
}

#[rstest]
fn a_packet_cut_anywhere_does_no_harm(#[values(0, 1, 2, 3)] kind: usize) {
    let stream = source(kind);
    let target = if kind == 0 { AAC } else { OPUS };
    let whole = &stream.frames[8].payload;
    for len in (0..whole.len()).step_by(7) {
        let mut converter = Converter::new(&stream.codec, target).unwrap();
        let mut out = Vec::new();
        for (n, frame) in stream.frames[6..12].iter().enumerate() {
            let payload = if n == 2 { whole.slice(..len) } else { frame.payload.clone() };
            converter.handle_frame(&Frame { payload, ..frame.clone() }, &mut out).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_converted_is_refused_with_its_reason() {
    let refused = |codec: &Codec| Converter::new(codec, OPUS).err().map(|error| error.to_string());
    let mut many = opus::Params::simple(2);
    (many.channels, many.mapping_family) = (9, 1);
    assert_eq!(refused(&Codec::Opus(many)).unwrap(), "Opus with channels 9 cannot be converted");
    let mut wild = opus::Params::simple(2);
    (wild.mapping_family, wild.mapping_table) = (1, Bytes::from_static(&[1, 1, 0, 2]));
    assert_eq!(refused(&Codec::Opus(wild)).unwrap(), "Opus with channel mapping 2 cannot be converted");
    // 44,101 Hz, written out.
    let odd = Bytes::from_static(&[0x17, 0x80, 0x56, 0x22, 0x90]);
    let odd = refused(&Codec::Aac(aac::Params::from_config(&odd).unwrap()));
    assert_eq!(odd.unwrap(), "AAC with sample rate 44101 cannot be converted");
    assert_eq!(refused(&Codec::Data(data::Format::Sei)).unwrap().split(' ').next_back(), Some("Opus"));
}

#[test]
fn a_converter_may_be_sent_to_another_thread() {
    fn check<T: Send>() {}
    check::<Converter>();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_packets_of_any_stamp_do_no_harm(
        kind in 0_usize..4,
        to_aac: bool,
        packets in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..300), -200_i64..2_000, 0_usize..4), 1..30),
    ) {
        let stream = source(kind);
        let mut converter = Converter::new(&stream.codec, if to_aac { AAC } else { OPUS }).unwrap();
        let mut dts = START;
        let mut out = Vec::new();
        for (n, (bytes, step, use_real)) in packets.into_iter().enumerate() {
            // Real packets between, whole and overwritten in the middle, reach deeper than noise alone.
            let real = &stream.frames[n % stream.frames.len()].payload;
            let payload = match use_real {
                0 => real.clone(),
                1 => {
                    let mut mixed = real.to_vec();
                    let at = mixed.len() / 3;
                    mixed.iter_mut().skip(at).zip(&bytes).for_each(|(old, new)| *old = *new);
                    mixed.into()
                }
                _ => Bytes::from(bytes),
            };
            dts += Span::from_millis(step);
            let before = out.len();
            let frame = Frame { dts, cts: Span::ZERO, sync: true, payload };
            prop_assert_eq!(converter.handle_frame(&frame, &mut out), Ok(()));
            prop_assert!(out.len() - before < 80, "{} frames of one", out.len() - before);
        }
        prop_assert!(out.windows(2).all(|pair| pair[0].dts < pair[1].dts));
    }
}
