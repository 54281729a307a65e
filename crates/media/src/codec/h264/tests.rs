//! Parameter sets of real encoders with what ffprobe says of them, and broken ones.

use proptest::prelude::*;

use super::*;
use crate::codec::PICTURE_SIDE_MAX;

fn hex(text: &str) -> Bytes {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hex digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// avcC of FFmpeg 9 with libx264, width, height, frame rate, `codecs`.
type Real = (&'static str, u32, u32, (u32, u32), &'static str);

const REAL: [Real; 4] = [
    // Interlaced: field pairs double the height and halve the ticks.
    (
        "014d4028ffe10019674d4028f403c0227ef011000003000100000300321f162ea001000468de0fc8",
        1920,
        1080,
        (25, 1),
        "avc1.4D4028",
    ),
    (
        "0142c028ffe100176742c028da01e0089f97011000003e90000ea600f1832a01000468ce0fc8",
        1920,
        1080,
        (30_000, 1_001),
        "avc1.42C028",
    ),
    // 4:2:2 of 10 bits: cropping counts single lines.
    (
        "017a001fffe10019677a001fb6cb405017fcf80880000003008000003c078c195001000468ce0fc8fefafa00",
        640,
        362,
        (60, 1),
        "avc1.7A001F",
    ),
    // 4:4:4 with scaling matrices: cropping counts single samples.
    (
        "01f4001effe1001a67f4001e919680a02fee2f011000000300100000030300f162ea01000768ce0f19100640fff8f800",
        638,
        358,
        (24, 1),
        "avc1.F4001E",
    ),
];

#[test]
fn real_records_tell_size_rate_and_profile() {
    for (config, width, height, rate, name) in REAL {
        let params = Params::from_config(&hex(config)).unwrap();
        assert_eq!((params.width, params.height), (width, height), "{name}");
        let found = params.frame_rate.map(|rate| (rate.numerator, rate.denominator));
        assert_eq!(found, Some(rate), "{name}");
        assert_eq!(params.rfc6381(), name);
        assert_eq!(params.config, hex(config), "{name}: kept as it came");
    }
}

#[test]
fn a_record_built_from_its_parameter_sets_is_the_same_to_the_bit() {
    for (config, ..) in REAL {
        let params = Params::from_config(&hex(config)).unwrap();
        let sets = params.parameter_sets();
        assert_eq!(Params::from_parameter_sets(&sets.sps, &sets.pps), Ok(params));
    }
}

#[test]
fn annex_b_in_place_of_a_record_gives_the_same_parameters() {
    let params = Params::from_config(&hex(REAL[0].0)).unwrap();
    let sets = params.parameter_sets();
    let annex_b = [&[0, 0, 0, 1][..], &sets.sps[0], &[0, 0, 1], &sets.pps[0]].concat();
    assert_eq!(Params::from_config(&annex_b.into()), Ok(params));
}

#[test]
fn a_record_with_short_lengths_is_kept_with_lengths_of_four_bytes() {
    let mut config = hex(REAL[1].0).to_vec();
    config[4] = 0xFD;
    assert_eq!(length_bytes(&config), 2);
    assert_eq!(Params::from_config(&config.into()).unwrap().config, hex(REAL[1].0));
}

#[test]
fn every_cut_of_a_record_is_an_error() {
    for (config, ..) in REAL {
        let config = hex(config);
        // The tail with chroma format and depths is optional.
        let end = config.len() - if matches!(config[1], 66 | 77) { 0 } else { 4 };
        for len in 0..end {
            assert!(Params::from_config(&config.slice(..len)).is_err(), "{len} of {end} bytes");
        }
    }
}

#[test]
fn empty_parameter_sets_are_refused_by_name() {
    let none = hex("0142c028ffe000");
    let unsupported = |field| Error::Unsupported { codec: "H.264", field, value: 0 };
    assert_eq!(Params::from_config(&none), Err(unsupported("number of sequence parameter sets")));
    let empty_sps = hex("0142c028ffe1000001000468ce0fc8");
    assert_eq!(Params::from_config(&empty_sps), Err(unsupported("number of sequence parameter sets")));
    let empty_pps = hex("0142c028ffe100176742c028da01e0089f97011000003e90000ea600f1832a010000");
    assert_eq!(Params::from_config(&empty_pps), Err(unsupported("number of picture parameter sets")));
}

/// Writes an SPS bit by bit.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(mut self, value: u64, count: u32) -> Self {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn ue(self, value: u64) -> Self {
        let len = 64 - (value + 1).leading_zeros();
        self.put(0, len - 1).put(value + 1, len)
    }

    fn unit(self) -> Vec<u8> {
        let bytes = self.put(1, 1).0;
        let bytes = bytes
            .chunks(8)
            .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at)));
        [0x67].into_iter().chain(bytes).collect()
    }
}

/// A Baseline SPS of so many macroblocks, with cropping if any.
fn sps_of(width_mbs: u64, height_mbs: u64, crop: Option<u64>) -> Vec<u8> {
    let bits = Bits::default().put(66, 8).put(0, 8).put(30, 8).ue(0).ue(0).ue(2).ue(1).put(0, 1);
    let bits = bits.ue(width_mbs - 1).ue(height_mbs - 1).put(0b11, 2);
    match crop {
        Some(side) => bits.put(1, 1).ue(side).ue(side).ue(side).ue(side).put(0, 1).unit(),
        None => bits.put(0, 2).unit(),
    }
}

#[test]
fn pictures_beyond_the_limit_and_cropped_to_nothing_are_refused() {
    let parsed = Sps::parse(&sps_of(1_024, 1_024, None)).unwrap();
    assert_eq!((parsed.width, parsed.height), (PICTURE_SIDE_MAX, PICTURE_SIDE_MAX));
    let too_large = |field, value| Err(Error::Unsupported { codec: "H.264", field, value });
    assert_eq!(Sps::parse(&sps_of(1_025, 1, None)), too_large("width", 16_400));
    assert_eq!(Sps::parse(&sps_of(4_096, 4_096, None)), too_large("width", 65_536));
    assert_eq!(Sps::parse(&sps_of(1, u64::from(u32::MAX), None)), too_large("height", 68_719_476_720));
    assert_eq!(Sps::parse(&sps_of(1, 1, Some(4))), too_large("cropping", 16));
    assert!(Sps::parse(&sps_of(1, 1, Some(3))).is_ok());
    // Four offsets of 2^32-2 must not overflow.
    assert_eq!(Sps::parse(&sps_of(1, 1, Some(0xFFFF_FFFE))), too_large("cropping", 17_179_869_176));
}

#[test]
fn an_overflowing_exp_golomb_code_is_an_error_that_names_its_field() {
    let mut unit = vec![0x67, 66, 0, 30];
    unit.extend_from_slice(&[0x00; 5]);
    unit.extend_from_slice(&[0xFF; 8]);
    let error = Error::Malformed { codec: "H.264", field: "seq_parameter_set_id" };
    assert_eq!(Sps::parse(&unit), Err(error));
}

#[test]
fn a_vui_that_is_cut_leaves_the_size() {
    let params = Params::from_config(&hex(REAL[1].0)).unwrap();
    let sps = &params.parameter_sets().sps[0];
    let cut = Sps::parse(&sps[..sps.len() - 8]).unwrap();
    assert_eq!((cut.width, cut.height, cut.frame_rate), (1_920, 1_080, None));
}

/// A payload of the given NAL units.
fn payload(units: &[&[u8]]) -> Bytes {
    nal::join(units.iter().copied())
}

#[test]
fn idr_recovery_point_and_intra_pictures_are_told_apart() {
    // first_mb_in_slice 0, slice_type 7 (I): 1 0001000 …; slice_type 5 (P): 1 00110 …
    let (intra, inter) = (&[0x41, 0b1000_1000][..], &[0x41, 0b1001_1000][..]);
    // Recovery point, one byte: recovery_frame_cnt 0 and flags.
    let recovery: &[u8] = &[0x06, 6, 1, 0x84, 0x80];
    for (units, idr, random_access) in [
        (&[&[0x09, 0xF0][..], &[0x65, 0x88]][..], true, true),
        (&[recovery, inter], false, true),
        (&[intra], false, true),
        (&[intra, inter], false, false),
        (&[inter], false, false),
        (&[&[0x09, 0xF0]], false, false),
    ] {
        let payload = payload(units);
        assert_eq!((is_idr(&payload), is_random_access(&payload)), (idr, random_access), "{units:x?}");
    }
}

#[test]
fn new_parameter_sets_in_a_picture_replace_the_record() {
    let [first, second] = [REAL[0].0, REAL[1].0].map(|config| Params::from_config(&hex(config)).unwrap());
    let idr: &[u8] = &[0x65, 0x88];
    let sets = second.parameter_sets();
    let changed = payload(&[&sets.sps[0], &sets.pps[0], idr]);
    assert_eq!(first.changed_by(&changed), Some(second.clone()));
    assert_eq!(second.changed_by(&changed), None, "the same sets again change nothing");
    assert_eq!(first.changed_by(&payload(&[idr])), None);
    assert_eq!(
        first.changed_by(&payload(&[&sps_of(4_096, 1, None), idr])),
        None,
        "unusable sets are ignored"
    );
}

#[test]
fn only_sei_with_user_data_is_given_out_and_as_a_slice() {
    let uuid: Vec<u8> = [&[0x06, 5, 17][..], &[7; 16], b"x", &[0x80]].concat();
    let tencent: &[u8] = &[0x06, 242, 2, b'h', b'i', 0x80];
    let timing: &[u8] = &[0x06, 1, 1, 0, 0x80];
    let payload = payload(&[&uuid, timing, tencent, &[0x65, 0x88]]);
    let found: Vec<Bytes> = user_data(&payload).collect();
    assert_eq!(found, [&uuid[..], tencent]);
    assert_eq!(found[0].as_ptr(), payload[4..].as_ptr());
}

#[test]
fn a_picture_is_disposable_when_none_of_its_slices_is_referred_to() {
    for (units, disposable) in [
        (&[&[0x01_u8, 9][..]][..], true),
        (&[&[0x06, 1], &[0x01, 9], &[0x01, 7]], true),
        (&[&[0x01, 9], &[0x21, 7]], false),
        (&[&[0x65, 9]], false),
        // Parameter sets alone are no picture, and everything refers to them.
        (&[&[0x67, 9], &[0x68, 9]], false),
        (&[], false),
    ] {
        assert_eq!(is_disposable(&nal::join(units.iter().copied())), disposable, "{units:x?}");
    }
}

#[test]
fn fields_are_told_from_frames() {
    let progressive =
        |config| Sps::parse(&ParameterSets::from_config(&hex(config)).unwrap().sps[0]).unwrap().progressive;
    assert_eq!(REAL.map(|(config, ..)| progressive(config)), [false, true, true, true]);
}

proptest! {
    #[test]
    fn a_record_with_any_bytes_changed_is_read_or_refused(
        which in 0..REAL.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut config = hex(REAL[which].0).to_vec();
        for (at, byte) in changes {
            let at = at.index(config.len());
            config[at] = byte;
        }
        if let Ok(params) = Params::from_config(&config.into()) {
            prop_assert!((1..=PICTURE_SIDE_MAX).contains(&params.width));
            prop_assert!((1..=PICTURE_SIDE_MAX).contains(&params.height));
        }
    }
}
