//! Headers of all kinds, and what is not one.

use proptest::prelude::*;

use super::*;

fn part(body: &Body) -> &Part {
    assert_eq!(body.parts.len(), 1, "{body:?}");
    &body.parts[0]
}

#[test]
fn legacy_video_headers_are_read() {
    let body = video(&Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 2])).unwrap();
    assert_eq!(
        (body.key, part(&body).packet, &part(&body).data[..]),
        (true, Packet::SequenceStart, &[1_u8, 2][..])
    );
    let body = video(&Bytes::from_static(&[0x2C, 1, 0xFF, 0xFF, 0xFE, 9])).unwrap();
    assert_eq!((body.key, part(&body).format), (false, Format::Video(12)));
    assert_eq!(part(&body).packet, Packet::Frame { cts_ms: -2 });
    let end = video(&Bytes::from_static(&[0x17, 2])).unwrap();
    assert_eq!(part(&end).packet, Packet::SequenceEnd, "some encoders leave the composition time out");
}

#[test]
fn commands_to_the_player_have_no_parts() {
    assert!(video(&Bytes::from_static(&[0x57, 0])).unwrap().parts.is_empty());
    assert!(video(&Bytes::from_static(&[0xD1, 0])).unwrap().parts.is_empty());
}

#[test]
fn enhanced_headers_carry_composition_time_only_where_codecs_reorder() {
    let cases: [(&[u8], Packet, &[u8]); 5] = [
        (b"\x90hvc1cfg", Packet::SequenceStart, b"cfg"),
        (b"\x91hvc1\xFF\xFF\xFFx", Packet::Frame { cts_ms: -1 }, b"x"),
        (b"\x93hvc1x", Packet::Frame { cts_ms: 0 }, b"x"),
        (b"\x91av01x", Packet::Frame { cts_ms: 0 }, b"x"),
        (b"\x94vp09amf", Packet::Description, b"amf"),
    ];
    for (bytes, packet, data) in cases {
        let body = video(&Bytes::from_static(bytes)).unwrap();
        assert_eq!((part(&body).packet, &part(&body).data[..]), (packet, data), "{bytes:x?}");
    }
    let body = audio(&Bytes::from_static(b"\x91Opus\xFC")).unwrap();
    assert_eq!((part(&body).format, body.key), (Format::FourCc(FourCc::OPUS), true));
}

#[test]
fn mod_ex_headers_add_nanoseconds_and_unknown_ones_are_passed_over() {
    // ModEx, 3 bytes, type 0, then ModEx, 1 byte, type 5, then CodedFramesX.
    let bytes = b"\x97\x02\x0B\x71\xB0\x07\x00\xEE\x53avc1x";
    let body = video(&Bytes::from_static(bytes)).unwrap();
    assert_eq!((body.offset_ns, part(&body).packet), (750_000, Packet::Frame { cts_ms: 0 }));
    // 256 and more bytes announce themselves by 0xFF and 16 bits.
    let mut long = vec![0x97, 0xFF, 0x01, 0x00];
    long.extend_from_slice(&[0; 257]);
    long.extend_from_slice(b"\x53avc1x");
    assert_eq!(part(&video(&long.into()).unwrap()).data, &b"x"[..]);
    let endless = [&[0x97][..], &[0, 0, 0x57].repeat(20)].concat();
    assert!(matches!(video(&endless.into()), Err(Error::TooMany { .. })));
}

#[test]
fn multitrack_bodies_fall_into_their_tracks() {
    let one = audio(&Bytes::from_static(b"\x95\x01mp4a\x03xy")).unwrap();
    assert_eq!((part(&one).track, &part(&one).data[..]), (3, &b"xy"[..]));
    let many = audio(&Bytes::from_static(b"\x95\x11mp4a\x00\x00\x00\x01x\x01\x00\x00\x02yz")).unwrap();
    let found: Vec<_> = many.parts.iter().map(|part| (part.track, part.data.to_vec())).collect();
    assert_eq!(found, [(0, b"x".to_vec()), (1, b"yz".to_vec())]);
    let codecs = b"\x96\x21hvc1\x00\x00\x00\x04\x00\x00\x05xav01\x01\x00\x00\x01y";
    let codecs = video(&Bytes::from_static(codecs)).unwrap();
    let found: Vec<_> = codecs.parts.iter().map(|part| (part.format, part.packet)).collect();
    let frame = |cts_ms| Packet::Frame { cts_ms };
    assert_eq!(found, [(Format::FourCc(FourCc::HEVC), frame(5)), (Format::FourCc(FourCc::AV1), frame(0))]);
}

#[test]
fn more_tracks_than_the_limit_and_undefined_numbers_are_refused() {
    let mut many = b"\x95\x11mp4a".to_vec();
    (0..17).for_each(|id| many.extend_from_slice(&[id, 0, 0, 1, 9]));
    assert!(matches!(audio(&many.into()), Err(Error::TooMany { field: "tracks", max: 16, .. })));
    for (bytes, field) in [(&b"\x95\x31mp4a"[..], "multitrackType"), (b"\x93Opusx", "audioPacketType")] {
        let error = audio(&Bytes::from_static(bytes)).unwrap_err();
        assert!(matches!(error, Error::Undefined { field: found, .. } if found == field), "{error}");
    }
    assert!(matches!(
        video(&Bytes::from_static(&[0x17, 3, 0, 0, 0])),
        Err(Error::Undefined { field: "AVCPacketType", .. })
    ));
}

#[test]
fn every_cut_inside_a_header_is_an_error_that_says_where() {
    let video_headers: [&[u8]; 4] =
        [&[0x17, 1, 0, 0, 0], b"\x91hvc1\x00\x00\x00", b"\x97\x02\x00\x00\x00\x03hvc1", b"\x96\x00hvc1\x01"];
    for header in video_headers {
        for len in 0..header.len() {
            let error = video(&Bytes::copy_from_slice(&header[..len])).unwrap_err();
            assert!(
                matches!(error, Error::Truncated { len: found, .. } if found == len),
                "{header:x?} {len} {error}"
            );
        }
        assert!(video(&Bytes::copy_from_slice(header)).is_ok(), "{header:x?}");
    }
    assert!(audio(&Bytes::new()).is_err());
    assert!(audio(&Bytes::from_static(&[0xAF])).is_err());
}

proptest! {
    #[test]
    fn parts_are_slices_of_any_body(data in proptest::collection::vec(any::<u8>(), 0..128), first in any::<u8>()) {
        let body = Bytes::from([&[first][..], &data].concat());
        for parsed in [video(&body), audio(&body)].into_iter().flatten() {
            let total: usize = parsed.parts.iter().map(|part| part.data.len()).sum();
            prop_assert!(total < body.len());
        }
    }
}
