//! AV1 payloads against the aggregation header of the AOM specification.

use bytes::Bytes;
use media::codec::av1::Params;
use media::{Codec, Frame, Span, Timestamp};

use super::read;
use crate::rtp::{self, Event, Packetizer, PayloadKind};

/// A sequence header of the main profile, with its size field.
const SEQUENCE: &[u8] = &[0x0A, 0x0A, 0x00, 0x00, 0x00, 0x02, 0xAF, 0xFF, 0x9B, 0x5F, 0x20, 0x08];
/// The same as an element.
const SEQUENCE_ELEMENT: &[u8] = &[0x08, 0x00, 0x00, 0x00, 0x02, 0xAF, 0xFF, 0x9B, 0x5F, 0x20, 0x08];

fn params() -> Params {
    Params::from_payload(SEQUENCE).unwrap()
}

fn payloads(sync: bool, payload: &[u8]) -> Vec<Vec<u8>> {
    let payload = Bytes::copy_from_slice(payload);
    let frame = Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync, payload };
    let mut out = Vec::new();
    Packetizer::new(64).handle_frame(&Codec::Av1(params()), false, &frame, &mut out);
    out.iter().map(|packet| packet.payload.to_vec()).collect()
}

#[test]
fn a_new_sequence_is_marked_and_has_its_header_in_front() {
    let picture: &[u8] = &[0x32, 3, 0x10, 1, 2];
    let expected = [&[0x28, 11], SEQUENCE_ELEMENT, &[0x30, 0x10, 1, 2][..]].concat();
    assert_eq!(payloads(true, &[SEQUENCE, picture].concat()), [&expected[..]]);
    assert_eq!(payloads(true, &[&[0x12, 0], picture].concat()), [&expected[..]], "from the record");
    assert_eq!(payloads(false, picture), [[0x10, 0x30, 0x10, 1, 2]]);
    assert!(rtp::opens_group(PayloadKind::Av1, &expected));
}

#[test]
fn a_long_obu_goes_on_in_the_next_payload() {
    let body: Vec<u8> = (0..100).collect();
    let got = payloads(false, &[&[0x32, 100], &body[..]].concat());
    let [first, second] = &got[..] else { panic!("{got:?}") };
    assert_eq!((first[0], first[1], first.len()), (0x50, 0x30, 62), "one element that goes on");
    assert_eq!((second[0], &second[1..]), (0x90, &body[60..]), "one element that was begun");
}

#[test]
fn more_than_three_obus_all_have_lengths() {
    let tile: &[u8] = &[0x22, 1, 7];
    assert_eq!(
        payloads(false, &[tile, tile, tile, tile].concat()),
        [[0x00, 2, 0x20, 7, 2, 0x20, 7, 2, 0x20, 7, 2, 0x20, 7]]
    );
}

#[test]
fn elements_counted_or_not_with_sizes_or_not_become_one_temporal_unit() {
    let expected = [SEQUENCE, &[0x32, 3, 0x10, 1, 2]].concat();
    let at = Timestamp::from_millis(7);
    let frame = Event::Frame { at, sync: true, payload: expected.into() };
    for payloads in [
        &[&[&[0x28, 11], SEQUENCE_ELEMENT, &[0x30, 0x10, 1, 2]].concat()[..]][..],
        &[&[&[0x08, 11], SEQUENCE_ELEMENT, &[4, 0x30, 0x10, 1, 2]].concat()],
        &[&[&[0x38, 2, 0x12, 0, 12], SEQUENCE, &[0x32, 3, 0x10, 1, 2]].concat()],
        &[&[&[0x68, 11], SEQUENCE_ELEMENT, &[0x30]].concat(), &[0xD0, 0x10], &[0x90, 1, 2]],
    ] {
        let events = read(PayloadKind::Av1, payloads);
        assert_eq!(events, [Event::Codec(Codec::Av1(params())), frame.clone()], "{payloads:x?}");
    }
}

#[test]
fn elements_that_do_not_fit_together_are_a_loss() {
    for payloads in [
        &[&[0x90_u8, 1, 2][..]][..],     // goes on from nothing
        &[&[0x50, 0x30, 0x10]],          // goes on in nothing
        &[&[0x50, 0x30], &[0x10, 0x10]], // goes on in one that begins
        &[&[0x00, 9, 0x30]],             // beyond the end
        &[&[0x30, 1, 0x30]],             // fewer than counted
        &[&[0x10, 0xB0]],                // the forbidden bit
        &[&[0x00, 0x80, 0x80, 0x80, 0x80, 1, 0x30]],
    ] {
        let events = read(PayloadKind::Av1, payloads);
        assert_eq!(events, [Event::KeyframeNeeded], "{payloads:x?}");
    }
}
