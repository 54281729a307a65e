//! Parameter sets of real encoders with what FFmpeg says of them, and broken ones.

use proptest::prelude::*;

use super::*;
use crate::codec::PICTURE_SIDE_MAX;

fn hex(text: &str) -> Bytes {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hex digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// x265, 1920×1080 at 50 fps, 10 bits.
const MAIN10: &str = "0102200000009000000000007bf000fcfdfafa00000f03200001001840010c01ffff02200000030090000003000003007b9594\
    09210001002d42010102200000030090000003000003007ba003c0801107cad965654a4c2f016808000003000800000301904022000100064401\
    c073c189";

/// x265, 1278×718 at 29.97 fps, 4:4:4, scaling lists, three temporal layers, many reference sets.
const RANGE: &str = "0104080000009e08000000005df000fcfff8f800001b03200001001d40010c04ffff0408000003009e0800000300005d000099\
    94cca6650240210001002f4201040408000003009e0800000300005d00009000501005a3bbcb3329994ccb248ddaf01680800001f480003a9804\
    22000100084401c172860c6624";

#[test]
fn real_records_tell_size_rate_profile_and_constraints() {
    for (config, size, rate, name) in [
        (MAIN10, (1_920, 1_080), (50, 1), "hvc1.2.4.L123.90"),
        (RANGE, (1_278, 718), (30_000, 1_001), "hvc1.4.10.L93.9E.8"),
    ] {
        let params = Params::from_config(&hex(config)).unwrap();
        assert_eq!((params.width, params.height), size, "{name}");
        let found = params.frame_rate.map(|rate| (rate.numerator, rate.denominator));
        assert_eq!(found, Some(rate), "{name}");
        assert_eq!(params.rfc6381(), name);
        assert_eq!(params.config, hex(config));
    }
}

#[test]
fn a_record_built_from_its_parameter_sets_agrees_with_the_encoders() {
    for config in [MAIN10, RANGE] {
        let config = hex(config);
        let params = Params::from_config(&config).unwrap();
        let sets = params.parameter_sets();
        let built = Params::from_parameter_sets(&sets.vps, &sets.sps, &sets.pps).unwrap();
        // Up to the arrays, whose completeness FFmpeg leaves open.
        assert_eq!(built.config[..23], config[..23]);
        assert_eq!(built.parameter_sets(), sets);
        assert_eq!(Params { config: params.config.clone(), ..built }, params);
    }
}

#[test]
fn every_cut_of_a_record_is_an_error() {
    for config in [MAIN10, RANGE] {
        let config = hex(config);
        for len in 0..config.len() {
            assert!(Params::from_config(&config.slice(..len)).is_err(), "{len} bytes");
        }
    }
}

#[test]
fn a_record_without_one_kind_of_set_is_refused_by_name() {
    let mut config = hex(MAIN10).to_vec();
    config[22] = 2;
    let field = "number of picture parameter sets";
    assert_eq!(
        Params::from_config(&config.into()),
        Err(Error::Unsupported { codec: "H.265", field, value: 0 })
    );
}

#[test]
fn random_access_pictures_are_known_by_their_type() {
    let payload = |kind: u8| nal::join([&[kind << 1, 1, 0x80][..]].into_iter());
    for kind in 0..40 {
        assert_eq!(is_random_access(&payload(kind)), (16..=23).contains(&kind), "type {kind}");
        assert_eq!(is_idr(&payload(kind)), matches!(kind, 19 | 20), "type {kind}");
    }
    let recovery = nal::join([&[PREFIX_SEI << 1, 1, 6, 1, 0xD0, 0x80][..], &[2, 1, 0x80]].into_iter());
    assert!(is_random_access(&recovery));
}

#[test]
fn new_parameter_sets_in_a_picture_replace_the_record() {
    let [first, second] = [MAIN10, RANGE].map(|config| Params::from_config(&hex(config)).unwrap());
    let sets = second.parameter_sets();
    let units = [&sets.vps[0][..], &sets.sps[0], &sets.pps[0], &[IDR_W_RADL << 1, 1, 0x80]];
    let changed = first.changed_by(&nal::join(units.into_iter())).unwrap();
    assert_eq!((changed.width, changed.height), (1_278, 718));
    assert_eq!(second.changed_by(&nal::join(units.into_iter())), None);
}

#[test]
fn user_data_is_found_in_prefix_and_suffix_sei() {
    let sei = |kind: u8| [&[kind << 1, 1, 5, 17][..], &[7; 16], b"x", &[0x80]].concat();
    let (prefix, suffix) = (sei(PREFIX_SEI), sei(SUFFIX_SEI));
    let payload = nal::join([&prefix[..], &[2, 1, 0x80], &suffix].into_iter());
    assert_eq!(user_data(&payload).collect::<Vec<_>>(), [prefix, suffix]);
}

proptest! {
    #[test]
    fn a_record_with_any_bytes_changed_is_read_or_refused(
        config in prop::sample::select(vec![MAIN10, RANGE]),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut config = hex(config).to_vec();
        for (at, byte) in changes {
            let at = at.index(config.len());
            config[at] = byte;
        }
        if let Ok(params) = Params::from_config(&config.into()) {
            prop_assert!((1..=PICTURE_SIDE_MAX).contains(&params.width));
            prop_assert!((1..=PICTURE_SIDE_MAX).contains(&params.height));
            prop_assert!(params.rfc6381().starts_with("hvc1."));
        }
    }
}
