//! VP8 payloads against the descriptor of RFC 7741.

use bytes::Bytes;
use media::codec::vp8::{Keyframe, Params};
use media::{Codec, Frame, Span, Timestamp};

use super::read;
use crate::rtp::{self, Event, Packetizer, PayloadKind};

/// The header of a keyframe of 640x360.
const KEY: &[u8] = &[0x10, 0x7D, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01, 7];
const DELTA: &[u8] = &[0x11, 0x7D, 0x00, 1];

fn params() -> Params {
    Params::from_keyframe(&Keyframe::parse(KEY).unwrap().unwrap())
}

#[test]
fn frames_are_cut_and_numbered_and_only_the_first_payload_starts() {
    let key: Vec<u8> = KEY.iter().copied().chain([9; 60]).collect();
    let mut packetizer = Packetizer::new(64);
    let mut out = Vec::new();
    for (sync, payload) in [(true, key), (false, DELTA.to_vec())] {
        let frame = Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync, payload: payload.into() };
        packetizer.handle_frame(&Codec::Vp8(params()), sync, &frame, &mut out);
    }
    let got: Vec<&[u8]> = out.iter().map(|packet| &packet.payload[..]).collect();
    let first = [&[0x90, 0x80, 0x80, 0], KEY, &[9; 25]].concat();
    let second = [&[0x80, 0x80, 0x80, 0][..], &[9; 35]].concat();
    let third = [&[0x90, 0x80, 0x80, 1], DELTA].concat();
    assert_eq!(got, [&first[..], &second, &third]);
    let opens: Vec<bool> = got.iter().map(|payload| rtp::opens_group(PayloadKind::Vp8, payload)).collect();
    assert_eq!(opens, [true, false, false]);
    assert!(!rtp::is_discardable(PayloadKind::Vp8, &first));
    assert!(rtp::is_discardable(PayloadKind::Vp8, &[0x30, 0x11]));
}

#[test]
fn descriptors_with_all_their_extensions_are_read() {
    for descriptor in [
        &[0x10_u8][..],
        &[0x90, 0x00],
        &[0x90, 0x80, 0x7F],
        &[0x90, 0x80, 0xFF, 0xFF],
        &[0x90, 0xF0, 0x80, 0x01, 0x05, 0x60],
        &[0x90, 0x10, 0x05],
    ] {
        let payload = [descriptor, KEY].concat();
        let at = Timestamp::from_millis(7);
        let frame = Event::Frame { at, sync: true, payload: Bytes::from_static(KEY) };
        let events = read(PayloadKind::Vp8, &[&payload]);
        assert_eq!(events, [Event::Codec(Codec::Vp8(params())), frame], "{descriptor:x?}");
    }
}

#[test]
fn partitions_in_payloads_of_their_own_follow_the_first() {
    let first = [&[0x10], KEY].concat();
    let events = read(PayloadKind::Vp8, &[&first, &[0x11, 8], &[0x01, 9]]);
    let expected = [KEY, &[8, 9]].concat();
    assert!(matches!(events.last(), Some(Event::Frame { payload, .. }) if *payload == expected));
}

#[test]
fn a_frame_without_its_start_or_with_two_is_a_loss() {
    let first = [&[0x10], KEY].concat();
    for payloads in [&[&first[..], &first][..], &[&[0x00, 1]], &[&[0x90, 0x80]], &[&[0x10, 0x10, 1, 2]]] {
        let events = read(PayloadKind::Vp8, payloads);
        assert_eq!(events, [Event::KeyframeNeeded], "{payloads:x?}");
    }
}
