//! VP9 payloads against the descriptor of RFC 9628.

use bytes::Bytes;
use media::codec::vp9::{Keyframe, Params};
use media::{Codec, Frame, Span, Timestamp};

use super::read;
use crate::rtp::{self, Event, Packetizer, PayloadKind};

/// The header of a keyframe: profile 0, 8 bits, BT.709, 640x360.
const KEY: &[u8] = &[0x82, 0x49, 0x83, 0x42, 0x40, 0x27, 0xF0, 0x16, 0x70];
/// A frame that is predicted.
const DELTA: &[u8] = &[0x86, 1, 2, 3];

fn params() -> Params {
    Params::from_keyframe(&Keyframe::parse(KEY).unwrap().unwrap())
}

#[test]
fn a_keyframe_tells_its_size_and_pictures_are_numbered() {
    let params = params();
    assert_eq!((params.width, params.height), (640, 360));
    let key: Vec<u8> = KEY.iter().copied().chain([9; 60]).collect();
    let mut packetizer = Packetizer::new(64);
    let mut out = Vec::new();
    for (sync, payload) in [(true, key), (false, DELTA.to_vec())] {
        let frame = Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync, payload: payload.into() };
        packetizer.handle_frame(&Codec::Vp9(params.clone()), sync, &frame, &mut out);
    }
    let got: Vec<&[u8]> = out.iter().map(|packet| &packet.payload[..]).collect();
    let first = [&[0x8A, 0x80, 0, 0x10, 0x02, 0x80, 0x01, 0x68], KEY, &[9; 26]].concat();
    let second = [&[0x84, 0x80, 0][..], &[9; 34]].concat();
    let third = [&[0xCC, 0x80, 1], DELTA].concat();
    assert_eq!(got, [&first[..], &second, &third]);
    assert_eq!(out.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [false, true, true]);
    let opens: Vec<bool> = got.iter().map(|payload| rtp::opens_group(PayloadKind::Vp9, payload)).collect();
    assert_eq!(opens, [true, false, false]);
}

#[test]
fn descriptors_of_both_modes_with_layers_and_structures_are_read() {
    for descriptor in [
        &[0x0C_u8][..],                                                // nothing but begin and end
        &[0x8C, 0x05],                                                 // 7 bits of picture number
        &[0xAC, 0x80, 0x05, 0x00, 0x07],                               // layers and TL0PICIDX
        &[0xBC, 0x80, 0x05, 0x00],                                     // flexible: no TL0PICIDX
        &[0x8E, 0x05, 0x18, 2, 0x80, 1, 0x68, 2, 0x04, 1, 0x08, 1, 2], // structure with a size and a group of two
    ] {
        let payload = [descriptor, KEY].concat();
        let events = read(PayloadKind::Vp9, &[&payload]);
        let at = Timestamp::from_millis(7);
        let frame = Event::Frame { at, sync: true, payload: Bytes::from_static(KEY) };
        assert_eq!(events, [Event::Codec(Codec::Vp9(params())), frame], "{descriptor:x?}");
    }
}

#[test]
fn layers_of_a_picture_become_one_superframe_with_an_index() {
    let base = [&[0xAC, 0x80, 0x05, 0x00, 0x07], KEY].concat();
    let upper: &[u8] = &[0xEC, 0x80, 0x05, 0x03, 0x07, 0x86, 1, 2, 3];
    // The same in flexible mode, with three references.
    let flexible: &[u8] = &[0xFC, 0x80, 0x05, 0x03, 0x03, 0x05, 0x02, 0x86, 1, 2, 3];
    let events = read(PayloadKind::Vp9, &[&base, upper]);
    assert_eq!(read(PayloadKind::Vp9, &[&base, flexible]), events);
    let expected = [KEY, DELTA, &[0xD9, 9, 0, 0, 0, 4, 0, 0, 0, 0xD9]].concat();
    assert!(
        matches!(&events[..], [Event::Codec(_), Event::Frame { sync: true, payload, .. }] if *payload == expected)
    );
    assert!(rtp::opens_group(PayloadKind::Vp9, &base));
    assert!(!rtp::opens_group(PayloadKind::Vp9, upper));
}

#[test]
fn a_frame_without_its_begin_or_end_is_a_loss() {
    for payloads in [&[&[0x04_u8, 0x82][..]][..], &[&[0x08, 0x82]], &[&[0x08, 0x82], &[0x0C, 0x82]]] {
        assert_eq!(read(PayloadKind::Vp9, payloads), [Event::KeyframeNeeded], "{payloads:x?}");
    }
}
