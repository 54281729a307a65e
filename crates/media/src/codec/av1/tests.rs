//! Records of real encoders, and broken ones.

use proptest::prelude::*;

use super::*;

/// SVT-AV1, 1920×1080, 10 bits.
const MAIN_10: &[u8] =
    &[0x81, 0x09, 0x4C, 0, 0x0A, 0x0C, 0x02, 0, 0, 0x4A, 0x95, 0x5D, 0xFE, 0x1B, 0x80, 0x5F, 0x08, 0x08];

fn record() -> Params {
    Params::from_config(&Bytes::from_static(MAIN_10)).unwrap()
}

#[test]
fn a_real_record_tells_size_level_and_depth() {
    let params = record();
    assert_eq!((params.width, params.height, params.bit_depth), (1_920, 1_080, 10));
    assert_eq!(params.rfc6381(), "av01.0.09M.10");
}

#[test]
fn a_record_built_from_its_sequence_header_is_the_same_to_the_bit() {
    assert_eq!(Params::from_payload(&MAIN_10[4..]), Some(record()));
    assert_eq!(record().changed_by(&MAIN_10[4..]), None);
}

#[test]
fn every_cut_of_a_record_is_an_error() {
    for len in 0..MAIN_10.len() {
        assert!(Params::from_config(&Bytes::from_static(&MAIN_10[..len])).is_err(), "{len} bytes");
    }
}

#[test]
fn timing_makes_a_frame_rate_and_layers_do_not_confuse_the_level() {
    // Profile 0, not still; timing 1/30 with equal intervals of 1 tick, decoder model of 10-bit delays; two operating
    // points with levels 8 high tier and 4; 16 bits for each side.
    let fields: &[(u64, u32)] = &[
        (0, 5),
        (1, 1),
        (1, 32),
        (30, 32),
        (1, 1),
        (1, 1), // uvlc 0
        (1, 1),
        (9, 5),
        (1, 32),
        (9, 5),
        (9, 5),
        (0, 1),
        (1, 5),
        (0x103, 12),
        (8, 5),
        (1, 1),
        (1, 1),
        (0, 21),
        (0x101, 12),
        (4, 5),
        (0, 1),
        (15, 4),
        (15, 4),
        (639, 16),
        (359, 16),
        (0, 1),
        (0, 3),
        (0, 4),
        (0, 1),
        (1, 1),
        (1, 1),
        (0, 3),
        (0, 1),
        (0, 1),
        (0, 1),
        (0, 1),
        (2, 2),
    ];
    let bits: Vec<bool> = fields
        .iter()
        .flat_map(|(value, count)| (0..*count).rev().map(move |bit| value >> bit & 1 == 1))
        .collect();
    let bytes: Vec<u8> = bits
        .chunks(8)
        .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at)))
        .collect();
    let sequence = Sequence::parse(&bytes).unwrap();
    assert_eq!((sequence.width, sequence.height), (640, 360));
    assert_eq!((sequence.level, sequence.high_tier, sequence.sample_position), (8, true, 2));
    assert_eq!(sequence.frame_rate, FrameRate::new(30, 1));
}

#[test]
fn pictures_beyond_the_limit_are_refused() {
    // reduced_still_picture_header, level 0, both sides of 16 bits and all ones.
    let header = [0b0001_1000, 0b0011_1111, 0b1111_1111, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0];
    let error = Error::Unsupported { codec: "AV1", field: "width", value: 65_536 };
    assert_eq!(Sequence::parse(&header), Err(error));
}

#[test]
fn temporal_delimiters_go_and_missing_sizes_come() {
    let in_form = Bytes::from_static(&[0x0A, 1, 7, 0x32, 2, 0x10, 9]);
    assert_eq!(normalize(&in_form).unwrap().as_ptr(), in_form.as_ptr());
    let delimited = Bytes::from_static(&[0x12, 0, 0x0A, 1, 7, 0x32, 2, 0x10, 9]);
    let sliced = normalize(&delimited).unwrap();
    assert_eq!(sliced, in_form);
    assert_eq!(sliced.as_ptr(), delimited[2..].as_ptr(), "a delimiter in front costs no copy");
    let middle = Bytes::from_static(&[0x0A, 1, 7, 0x12, 0, 0x30, 0x10, 9]);
    assert_eq!(normalize(&middle).unwrap(), in_form);
    assert_eq!(normalize(&Bytes::from_static(&[0x12, 0])).unwrap(), Bytes::new());
    for broken in
        [&[0x0A, 2, 7][..], &[0x8A, 1, 7], &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]]
    {
        assert!(normalize(&Bytes::from_static(broken)).is_err(), "{broken:x?}");
    }
    let many = Bytes::from([0x0A, 0].repeat(OBUS_MAX + 1));
    assert_eq!(normalize(&many), Err(Error::Malformed { codec: "AV1", field: "number of OBUs" }));
}

#[test]
fn a_key_frame_needs_its_sequence_header_and_to_be_shown() {
    let frame = |first: u8| [&MAIN_10[4..], &[0x32, 2, first, 0]].concat();
    assert!(is_keyframe(&frame(0b0001_0000)));
    assert!(!is_keyframe(&frame(0b0011_0000)), "inter frame");
    assert!(!is_keyframe(&frame(0b0000_0000)), "key frame that is not shown");
    assert!(!is_keyframe(&frame(0b1001_0000)), "show_existing_frame");
    assert!(!is_keyframe(&[0x32, 2, 0b0001_0000, 0]), "no sequence header");
}

proptest! {
    #[test]
    fn any_bytes_are_normalized_once_and_for_all_or_refused(data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Params::from_payload(&data);
        let _ = Sequence::parse(&data);
        let _ = is_keyframe(&data);
        if let Ok(payload) = normalize(&Bytes::from(data)) {
            prop_assert_eq!(normalize(&payload), Ok(payload));
        }
    }
}
