//! H.265 payloads against the layouts of RFC 7798.

use bytes::Bytes;
use media::codec::h265::Params;
use media::{Codec, Frame, Span, Timestamp};

use super::read;
use crate::rtp::{self, Event, Packetizer, PayloadKind};

/// Parameter sets of the main profile.
const VPS: &[u8] = &[
    0x40, 0x01, 0x0C, 0x01, 0xFF, 0xFF, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
    0x00, 0x03, 0x00, 0x3C, 0x95, 0x98, 0x09,
];
const SPS: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
    0x3C, 0xA0, 0x0D, 0x08, 0x0F, 0x16, 0x59, 0x59, 0xA4, 0x93, 0x2B, 0x80, 0x40, 0x00, 0x00, 0x03, 0x00,
    0x40, 0x00, 0x00, 0x07, 0x82,
];
const PPS: &[u8] = &[0x44, 0x01, 0xC1, 0x72, 0xB4, 0x62, 0x40];

fn params() -> Params {
    let set = |set: &'static [u8]| [Bytes::from_static(set)];
    Params::from_parameter_sets(&set(VPS), &set(SPS), &set(PPS)).unwrap()
}

fn payloads(sync: bool, units: &[&[u8]]) -> Vec<Vec<u8>> {
    let payload = media::codec::nal::join(units.iter().copied());
    let frame = Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync, payload };
    let mut out = Vec::new();
    Packetizer::new(64).handle_frame(&Codec::H265(params()), false, &frame, &mut out);
    out.iter().map(|packet| packet.payload.to_vec()).collect()
}

#[test]
fn parameter_sets_go_in_front_of_a_keyframe_and_small_units_share_a_payload() {
    let got = payloads(true, &[&[0x46, 0x01, 0x50], VPS, SPS, PPS, &[0x26, 0x01, 0xAF, 9]]);
    // Two of the three sets and the picture fit beside another; the sequence parameter set does not fit the first.
    let second = [&[0x60, 0x01, 0, 39][..], SPS, &[0, 7], PPS, &[0, 4, 0x26, 0x01, 0xAF, 9]].concat();
    assert_eq!(got, [VPS.to_vec(), second]);
    assert!(got.iter().all(|payload| rtp::opens_group(PayloadKind::H265, payload)));
}

#[test]
fn a_long_unit_is_cut_into_fragmentation_units() {
    // Layer 0, temporal identifier 3 (2 plus one): both bytes of the header are kept.
    let unit: Vec<u8> = [0x02, 0x03].into_iter().chain(0..100).collect();
    let got = payloads(false, &[&unit]);
    let heads: Vec<(&[u8], usize)> = got.iter().map(|payload| (&payload[..3], payload.len())).collect();
    assert_eq!(heads, [(&[0x62, 0x03, 0x81][..], 53), (&[0x62, 0x03, 0x41], 53)]);
}

#[test]
fn a_picture_of_units_and_fragments_becomes_one_payload() {
    let sets = [&[0x60, 0x01, 0, 24][..], VPS, &[0, 39], SPS, &[0, 7], PPS].concat();
    let fragments: [&[u8]; 2] = [&[0x62, 0x01, 0x93, 0xAF, 1], &[0x62, 0x01, 0x53, 2]];
    let events = read(PayloadKind::H265, &[&sets, fragments[0], fragments[1], &[0x50, 0x01, 5, 0x80]]);
    let payload = Bytes::from_static(&[0, 0, 0, 5, 0x26, 0x01, 0xAF, 1, 2, 0, 0, 0, 4, 0x50, 0x01, 5, 0x80]);
    let at = Timestamp::from_millis(7);
    assert_eq!(events, [Event::Codec(Codec::H265(params())), Event::Frame { at, sync: true, payload }]);
}

#[test]
fn groups_open_at_sets_and_first_slices_and_pictures_nobody_refers_to_are_discardable() {
    for (payload, opens, discardable) in [
        (&[0x40_u8, 0x01, 0x0C][..], true, false),
        (&[0x42, 0x01, 0x01], true, false),
        (&[0x44, 0x01, 0xC1], false, false),
        (&[0x2A, 0x01, 0x80], true, false),        // CRA
        (&[0x2A, 0x01, 0x40], false, false),       // a later slice of it
        (&[0x62, 0x01, 0x93, 0xAF], true, false),  // a fragment of IDR_W_RADL
        (&[0x62, 0x01, 0x13, 0xAF], false, false), // a later one
        (&[0x02, 0x01, 0x80], false, false),       // TRAIL_R
        (&[0x00, 0x01, 0x80], false, true),        // TRAIL_N
        (&[0x62, 0x01, 0x00, 0x80], false, true),  // a fragment of one
        (&[0x60, 0x01, 0, 3, 0x50, 0x01, 5, 0, 3, 0x00, 0x01, 0x80], false, true),
        (&[0x50, 0x01, 5], false, false), // SEI alone
        (&[0x62, 0x01], false, false),
        (&[], false, false),
    ] {
        assert_eq!(rtp::opens_group(PayloadKind::H265, payload), opens, "{payload:x?}");
        assert_eq!(rtp::is_discardable(PayloadKind::H265, payload), discardable, "{payload:x?}");
    }
}
