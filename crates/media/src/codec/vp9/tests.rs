//! Records and keyframes of libvpx, and broken ones.

use proptest::prelude::*;

use super::*;

/// libvpx, profile 2 (10 bits), level 2.1, as FFmpeg 9 writes it into FLV.
const RECORD: &[u8] = &[1, 0, 0, 0, 2, 0x15, 0xA2, 2, 2, 2, 0, 0];

/// The beginning of its first keyframe, 640×360.
const KEYFRAME: &[u8] = &[0x92, 0x49, 0x83, 0x42, 0x00, 0x13, 0xF8, 0x0B, 0x3B, 0x03, 0x1C, 0x12, 0x0E];

#[test]
fn a_record_is_read_with_and_without_its_full_box_header() {
    let params = Params::from_config(&Bytes::from_static(RECORD)).unwrap();
    assert_eq!(params.rfc6381(), "vp09.02.21.10");
    assert_eq!(params.config, RECORD);
    assert_eq!(Params::from_config(&Bytes::from_static(&RECORD[4..])), Ok(params));
}

#[test]
fn a_keyframe_tells_size_and_depth() {
    let key = Keyframe::parse(KEYFRAME).unwrap().unwrap();
    assert_eq!((key.width, key.height, key.profile, key.bit_depth), (640, 360, 2, 10));
    assert!(is_keyframe(KEYFRAME));
    let params = Params::from_config(&Bytes::from_static(RECORD)).unwrap().with_keyframe(&key);
    assert_eq!((params.width, params.height, params.level), (640, 360, 21));
    assert_eq!(Params::from_keyframe(&key).rfc6381(), "vp09.02.10.10");
}

#[test]
fn a_keyframe_of_another_profile_makes_its_own_record() {
    let key = Keyframe::parse(KEYFRAME).unwrap().unwrap();
    let eight_bit = Params::from_config(&Bytes::from_static(&[0, 10, 0x82, 2, 2, 2, 0, 0])).unwrap();
    assert_eq!(eight_bit.with_keyframe(&key), Params::from_keyframe(&key));
}

#[test]
fn inter_frames_are_no_keyframes_and_broken_headers_are_errors() {
    // frame_marker 2, profile 0, frame_type 1.
    assert_eq!(Keyframe::parse(&[0b1000_0100]), Ok(None));
    assert_eq!(Keyframe::parse(&[0x02]), Err(Error::Malformed { codec: "VP9", field: "frame_marker" }));
    for len in 0..9 {
        assert!(Keyframe::parse(&KEYFRAME[..len]).is_err(), "{len} bytes");
    }
    let large = [&KEYFRAME[..4], &[0x0F, 0xFF, 0xFF, 0xFF, 0xFF]].concat();
    assert!(matches!(Keyframe::parse(&large), Err(Error::Unsupported { field: "width", .. })));
}

#[test]
fn records_that_are_cut_or_impossible_are_refused() {
    for len in 0..RECORD.len() {
        assert!(Params::from_config(&Bytes::from_static(&RECORD[..len])).is_err(), "{len} bytes");
    }
    for (profile, depth) in [(4, 0x82), (0, 0x92)] {
        assert!(Params::from_config(&Bytes::copy_from_slice(&[profile, 10, depth, 2, 2, 2, 0, 0])).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_keyframe_or_not(data in proptest::collection::vec(any::<u8>(), 0..32)) {
        let _ = Params::from_config(&Bytes::copy_from_slice(&data));
        if let Ok(Some(key)) = Keyframe::parse(&data) {
            prop_assert!(Params::from_config(&Params::from_keyframe(&key).config).is_ok());
        }
    }
}
