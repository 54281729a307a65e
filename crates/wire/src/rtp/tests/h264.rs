//! H.264 payloads against the layouts of RFC 6184.

use bytes::Bytes;
use media::codec::h264::Params;
use media::{Codec, Frame, Packet, Span, Timestamp};

use super::read;
use crate::rtp::{self, Event, Packetizer, PayloadKind};

/// Parameter sets of the constrained baseline profile, as small as sets get.
const SPS: &[u8] = &[0x67, 0x42, 0xC0, 0x1E, 0xDA, 0x79, 0x08, 0x40];
const PPS: &[u8] = &[0x68, 0xCE, 0x3C, 0x80];

fn params() -> Params {
    Params::from_parameter_sets(&[Bytes::from_static(SPS)], &[Bytes::from_static(PPS)]).unwrap()
}

fn frame(sync: bool, units: &[&[u8]]) -> Frame {
    let payload = media::codec::nal::join(units.iter().copied());
    Frame { dts: Timestamp::from_millis(40), cts: Span::from_millis(20), sync, payload }
}

fn packets(payload_max: usize, frame: &Frame) -> Vec<Packet> {
    let mut out = Vec::new();
    Packetizer::new(payload_max).handle_frame(&Codec::H264(params()), false, frame, &mut out);
    out
}

#[test]
fn a_keyframe_goes_with_its_parameter_sets_in_one_stap_a() {
    let packets =
        packets(1_000, &frame(true, &[&[0x09, 0xF0], SPS, PPS, &[0x06, 5, 0x80], &[0x65, 0x88, 1]]));
    let [packet] = &packets[..] else { panic!("{packets:?}") };
    let expected =
        [&[0x78, 0, 8], SPS, &[0, 4], PPS, &[0, 3, 0x06, 5, 0x80], &[0, 3, 0x65, 0x88, 1][..]].concat();
    assert_eq!(packet.payload[..], expected);
    assert!(packet.marker && !packet.discardable);
    assert_eq!(packet.at, Timestamp::from_millis(60), "the time of display");
    assert!(rtp::opens_group(PayloadKind::H264, &packet.payload));
}

#[test]
fn units_of_types_that_mean_payload_structures_are_left_out() {
    let packets = packets(1_000, &frame(false, &[&[0x78, 0, 1, 0x65], &[0x60, 1], &[0x41, 0x9A]]));
    let payloads: Vec<&[u8]> = packets.iter().map(|packet| &packet.payload[..]).collect();
    assert_eq!(payloads, [[0x41, 0x9A]]);
}

#[test]
fn a_long_unit_is_cut_into_fu_a_of_nearly_equal_size() {
    let unit: Vec<u8> = [0x41].into_iter().chain(0..150).collect();
    let packets = packets(64, &frame(false, &[&unit]));
    let heads: Vec<(u8, u8, usize)> =
        packets.iter().map(|packet| (packet.payload[0], packet.payload[1], packet.payload.len())).collect();
    assert_eq!(heads, [(0x5C, 0x81, 52), (0x5C, 0x01, 52), (0x5C, 0x41, 52)]);
    assert_eq!(packets.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(packets.iter().map(|packet| packet.sequence).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn only_a_picture_whose_slices_nobody_refers_to_is_discardable() {
    for (units, discardable) in [
        (&[&[0x01_u8, 0x9A][..], &[0x01, 0x1A]][..], true),
        (&[&[0x06, 5, 0x80], &[0x01, 0x9A]], true),
        (&[&[0x01, 0x9A], &[0x21, 0x1A]], false),
        (&[&[0x06, 5, 0x80]], false),
    ] {
        let packets = packets(1_000, &frame(false, units));
        assert_eq!(packets[0].discardable, discardable, "{units:x?}");
        assert_eq!(rtp::is_discardable(PayloadKind::H264, &packets[0].payload), discardable, "{units:x?}");
    }
    assert!(rtp::is_discardable(PayloadKind::H264, &[0x1C, 0x81, 0x9A]));
    assert!(!rtp::is_discardable(PayloadKind::H264, &[0x3C, 0x01, 0x9A]));
}

#[test]
fn a_group_opens_at_parameter_sets_and_at_the_first_slice_of_an_idr_picture() {
    for (payload, opens) in [
        (&[0x67_u8, 0x42][..], true),
        (&[0x65, 0x88], true),
        (&[0x65, 0x08], false), // a later slice
        (&[0x41, 0x9A], false),
        (&[0x7C, 0x85, 0x88], true),
        (&[0x7C, 0x05, 0x88], false), // a later fragment
        (&[0x7C, 0x81, 0x88], false),
        (&[0x78, 0, 2, 0x09, 0xF0, 0, 2, 0x67, 0x42], true),
        (&[0x78, 0, 2, 0x09, 0xF0, 0, 9, 0x67, 0x42], false), // does not fit
        (&[0x7C], false),
        (&[], false),
    ] {
        assert_eq!(rtp::opens_group(PayloadKind::H264, payload), opens, "{payload:x?}");
    }
}

#[test]
fn single_units_aggregates_and_fragments_become_one_payload_without_sets_and_delimiters() {
    let payloads: [&[u8]; 5] = [
        &[&[0x78, 0, 2, 0x09, 0xF0, 0, 8], SPS, &[0, 4], PPS].concat(),
        &[0x06, 5, 0x80],
        &[0x7C, 0x85, 0x88, 1],
        &[0x7C, 0x05, 2],
        &[0x7C, 0x45, 3],
    ];
    let payload = Bytes::from_static(&[0, 0, 0, 3, 0x06, 5, 0x80, 0, 0, 0, 5, 0x65, 0x88, 1, 2, 3]);
    let at = Timestamp::from_millis(7);
    assert_eq!(
        read(PayloadKind::H264, &payloads),
        [Event::Codec(Codec::H264(params())), Event::Frame { at, sync: true, payload }]
    );
}

#[test]
fn fragments_that_do_not_fit_together_are_a_loss() {
    let sets = [&[0x78, 0, 8], SPS, &[0, 4], PPS].concat();
    for payloads in [
        &[&[0x7C, 0x85, 0x88][..], &[0x7C, 0x05, 1]][..], // no end
        &[&[0x7C, 0x05, 0x88], &[0x7C, 0x45, 1]],         // no start
        &[&[0x7C, 0x85, 0x88], &[0x7C, 0x85, 1], &[0x7C, 0x45, 1]], // two starts
        &[&[0x7C, 0x85, 0x88], &[0x65, 0x88, 1]],         // another unit between
        &[&[0x78, 0, 9, 0x65, 0x88]],                     // beyond the end
        &[&[0x79, 0, 0, 0, 1, 0x65]],                     // STAP-B
    ] {
        let all: Vec<&[u8]> = std::iter::once(&sets[..]).chain(payloads.iter().copied()).collect();
        let events = read(PayloadKind::H264, &all);
        assert_eq!(events.last(), Some(&Event::KeyframeNeeded), "{payloads:x?}");
        assert!(!events.iter().any(|event| matches!(event, Event::Frame { .. })), "{payloads:x?}");
    }
}

#[test]
fn a_keyframe_without_parameter_sets_is_shown_only_when_older_ones_are_known() {
    let events = read(PayloadKind::H264, &[&[0x09, 0xF0], &[0x65, 0x88, 1]]);
    assert_eq!(events, [Event::KeyframeNeeded]);
}

#[test]
fn the_profile_is_told_as_session_descriptions_write_it() {
    assert_eq!(rtp::h264_profile_level_id(&params()), "42c01e");
}
