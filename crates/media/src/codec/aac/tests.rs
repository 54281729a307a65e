//! Configurations of real encoders, the ways to signal SBR, ADTS, and broken ones.

use proptest::prelude::*;

use super::*;

/// Object type, output rate, core rate, channels, samples a frame.
type Told = (u8, u32, u32, u8, u32);

fn told(config: &[u8]) -> Result<Told, Error> {
    let params = Params::from_config(&Bytes::copy_from_slice(config))?;
    Ok((
        params.object_type,
        params.sample_rate,
        params.core_sample_rate,
        params.channels,
        params.frame_samples,
    ))
}

#[test]
fn ordinary_configurations_are_read() {
    for (config, expected) in [
        (&[0x14, 0x08][..], (2, 16_000, 16_000, 1, 1_024)),
        (&[0x12, 0x10], (2, 44_100, 44_100, 2, 1_024)),
        (&[0x11, 0x90, 0x56, 0xE5, 0x00], (2, 48_000, 48_000, 2, 1_024)), // FFmpeg says "no SBR" behind
        (&[0x11, 0xB0], (2, 48_000, 48_000, 6, 1_024)),
        (&[0x11, 0xB8], (2, 48_000, 48_000, 8, 1_024)),
        (&[0x11, 0x94], (2, 48_000, 48_000, 2, 960)),
        (&[0x17, 0x80, 0x3E, 0x80, 0x08], (2, 32_000, 32_000, 1, 1_024)), // rate escaped
    ] {
        assert_eq!(told(config), Ok(expected), "{config:x?}");
    }
}

#[test]
fn sbr_and_ps_are_known_in_front_and_behind() {
    for (config, expected, name) in [
        // AOT 5, core 24 kHz (6), stereo, output 48 kHz (3), AOT 2.
        (&[0x2B, 0x11, 0x88, 0x00][..], (5, 48_000, 24_000, 2, 1_024), "mp4a.40.5"),
        // AOT 29, core 24 kHz, mono that PS makes stereo.
        (&[0xEB, 0x09, 0x88, 0x00], (29, 48_000, 24_000, 2, 1_024), "mp4a.40.29"),
        // AOT 2 at 24 kHz stereo; behind: 0x2B7, AOT 5, present, 48 kHz.
        (&[0x13, 0x10, 0x56, 0xE5, 0x98], (5, 48_000, 24_000, 2, 1_024), "mp4a.40.5"),
        // The same, mono, and behind it 0x548 with PS present.
        (&[0x13, 0x08, 0x56, 0xE5, 0x9D, 0x48, 0x80], (29, 48_000, 24_000, 2, 1_024), "mp4a.40.29"),
    ] {
        assert_eq!(told(config), Ok(expected), "{config:x?}");
        assert_eq!(Params::from_config(&Bytes::copy_from_slice(config)).unwrap().rfc6381(), name);
    }
}

#[test]
fn channels_of_configuration_0_come_from_the_program_config_element() {
    // FFmpeg's PCE for 2.1: AOT 2, 48 kHz, config 0; tag 0, profile 1, rate 3, 1 front, 0 side, 0 back, 1 LFE.
    let fields: &[(u64, u32)] = &[
        (2, 5),
        (3, 4),
        (0, 4),
        (0, 3),
        (0, 4),
        (1, 2),
        (3, 4),
        (1, 4),
        (0, 4),
        (0, 4),
        (1, 2),
        (0, 3),
        (0, 4),
        (0, 3),
        (1, 1),
        (0, 4),
        (0, 4),
        (0, 1), // byte alignment
        (0, 8),
    ];
    let bits: Vec<bool> = fields
        .iter()
        .flat_map(|(value, count)| (0..*count).rev().map(move |bit| value >> bit & 1 == 1))
        .collect();
    let config: Vec<u8> = bits
        .chunks(8)
        .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at)))
        .collect();
    assert_eq!(told(&config).map(|told| told.3), Ok(3));
}

#[test]
fn cut_and_reserved_configurations_are_refused() {
    for config in [&[][..], &[0x12], &[0x2B, 0x11], &[0x17, 0x80, 0x3E]] {
        assert!(matches!(told(config), Err(Error::Truncated { .. })), "{config:x?}");
    }
    for (config, field) in [
        (&[0x00, 0x10][..], "audioObjectType"),
        (&[0xF9, 0x46, 0x40], "audioObjectType"), // 42, xHE-AAC
        (&[0x16, 0x90], "samplingFrequency"),     // index 13
        (&[0x17, 0xFF, 0xFF, 0xFF, 0x88], "samplingFrequency"),
        (&[0x12, 0x48], "channelConfiguration"), // 9
    ] {
        assert!(
            matches!(told(config), Err(Error::Unsupported { field: found, .. }) if found == field),
            "{config:x?}"
        );
    }
}

/// Two access units of two and three bytes, LC 44.1 kHz stereo.
const ADTS: &[u8] = &[
    0xFF, 0xF1, 0x50, 0x80, 0x01, 0x3F, 0xFC, 0x21, 0x10, // 9 bytes
    0xFF, 0xF1, 0x50, 0x80, 0x01, 0x5F, 0xFC, 0x21, 0x20, 0x30, // 10 bytes
];

#[test]
fn adts_headers_are_taken_off_and_tell_the_configuration() {
    let adts = Adts::parse(ADTS).unwrap();
    let params = Params::from_adts(&adts).unwrap();
    assert_eq!(params.config, &[0x12, 0x10][..]);
    assert_eq!((params.sample_rate, params.channels), (44_100, 2));
    let units: Vec<Bytes> = access_units(&Bytes::from_static(ADTS)).collect();
    assert_eq!(units, [&[0x21_u8, 0x10][..], &[0x21, 0x20, 0x30]]);
}

#[test]
fn a_raw_access_unit_stays_as_it_is() {
    let raw = Bytes::from_static(&[0x21, 0x10, 0x04]);
    assert_eq!(access_units(&raw).collect::<Vec<_>>(), [raw]);
    assert_eq!(Adts::parse(&ADTS[..8]), None, "longer than what is there");
    assert_eq!(access_units(&Bytes::new()).count(), 0);
}

proptest! {
    #[test]
    fn any_configuration_is_read_within_bounds_or_refused(config in proptest::collection::vec(any::<u8>(), 0..24)) {
        if let Ok((_, rate, core, channels, samples)) = told(&config) {
            prop_assert!((1..=SAMPLE_RATE_MAX).contains(&rate) && (1..=SAMPLE_RATE_MAX).contains(&core));
            prop_assert!(channels > 0 && samples > 0);
        }
        let total: usize = access_units(&Bytes::from(config.clone())).map(|unit| unit.len()).sum();
        prop_assert!(total <= config.len());
    }
}
