//! What no honest peer sends: nothing panics, nothing grows, and what comes out can be packed again.

use std::time::{Duration, Instant};

use media::{Codec, Frame, Packet, Span, Timestamp};
use proptest::prelude::*;

use super::{frame_of, journey, read};
use crate::rtp::limits::{PENDING_RUNS_MAX, VIDEO_WAIT};
use crate::rtp::{Depacketizer, Event, Packetizer, PayloadKind, is_discardable, opens_group};

const KINDS: [PayloadKind; 7] = [
    PayloadKind::H264,
    PayloadKind::H265,
    PayloadKind::Vp9,
    PayloadKind::Av1,
    PayloadKind::Vp8,
    PayloadKind::Opus { channels: 2 },
    PayloadKind::Pcmu,
];

/// Packs what came out, and finds it unchanged on the other side.
fn pack_again(kind: PayloadKind, events: &[Event]) {
    let mut codec: Option<Codec> = None;
    for event in events {
        match event {
            Event::Codec(new) => codec = Some(new.clone()),
            Event::Frame { at, sync, payload } => {
                let frame = Frame { dts: *at, cts: Span::ZERO, sync: *sync, payload: payload.clone() };
                let codec = codec.as_ref().expect("a codec comes first");
                let mut out = Vec::new();
                Packetizer::new(100).handle_frame(codec, *sync, &frame, &mut out);
                let is_sound = kind.kind() == media::codec::Kind::Audio;
                assert!(is_sound || out.iter().all(|packet| packet.payload.len() <= 100));
            }
            Event::KeyframeNeeded => {}
        }
    }
}

#[test]
fn payloads_cut_at_every_byte_are_frames_or_losses() {
    for track in journey::tracks() {
        for packet in journey::packets(&track).iter().take(40) {
            for len in 0..packet.payload.len() {
                let cut = &packet.payload[..len];
                let events = read(track.kind, &[cut]);
                pack_again(track.kind, &events);
                let _ = (opens_group(track.kind, cut), is_discardable(track.kind, cut));
            }
        }
    }
}

#[test]
fn every_other_packet_alone_is_given_up_before_it_costs_much() {
    for kind in KINDS {
        let mut depacketizer = Depacketizer::new(kind);
        let now = Instant::now();
        for number in 0..20_000 {
            let packet = Packet {
                at: Timestamp::from_millis(number),
                sequence: number as u64 * 2,
                marker: false,
                discardable: false,
                payload: [0x41, 1, 2][..].into(),
            };
            depacketizer.handle_packet(now, &packet);
            assert!(depacketizer.pending_runs() <= PENDING_RUNS_MAX);
        }
    }
}

#[test]
fn one_endless_frame_is_given_up_at_the_largest_size() {
    let mut depacketizer = Depacketizer::new(PayloadKind::H264);
    let now = Instant::now();
    let mut packet = frame_of(&[&[0x7C, 0x85, 0x88], &[]]).remove(0);
    let mut needed = 0;
    for _ in 0..20_000 {
        depacketizer.handle_packet(now, &packet);
        packet.sequence += 1;
        packet.payload = [0x7C; 1_100][..].into();
        needed += std::iter::from_fn(|| depacketizer.poll_event()).count();
    }
    assert_eq!(needed, 1, "a keyframe is asked for once");
}

#[test]
fn numbers_at_the_end_of_counting_do_no_harm() {
    for kind in KINDS {
        let mut depacketizer = Depacketizer::new(kind);
        let now = Instant::now();
        for sequence in [u64::MAX, u64::MAX - 1, 0, u64::MAX] {
            let packet = Packet { sequence, ..frame_of(&[&[0x78, 1, 2]]).remove(0) };
            depacketizer.handle_packet(now, &packet);
        }
        depacketizer.handle_timeout(now + VIDEO_WAIT);
    }
}

proptest! {
    #[test]
    fn any_payloads_in_any_order_are_frames_or_losses(
        kind in 0..KINDS.len(),
        packets in proptest::collection::vec(
            (0_u64..24, 0_i64..6, any::<bool>(), payload()),
            1..40,
        ),
    ) {
        let kind = KINDS[kind];
        let mut depacketizer = Depacketizer::new(kind);
        let mut now = Instant::now();
        let mut events = Vec::new();
        for (sequence, at, marker, payload) in packets {
            let at = Timestamp::from_millis(at);
            let packet = Packet { at, sequence, marker, discardable: false, payload: payload.into() };
            now += Duration::from_millis(10);
            depacketizer.handle_packet(now, &packet);
            events.extend(std::iter::from_fn(|| depacketizer.poll_event()));
        }
        pack_again(kind, &events);
        // Time always brings it to rest: only requests for a keyframe are left.
        depacketizer.handle_timeout(now + VIDEO_WAIT);
        prop_assert!(depacketizer.poll_timeout().is_none_or(|at| at > now + VIDEO_WAIT));
    }
}

/// Bytes that look like each format's headers more often than chance has it.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        Just(vec![0x67, 0x42, 0xC0, 0x1E, 0xDA, 0x79, 0x08, 0x40]),
        Just(vec![0x68, 0xCE, 0x3C, 0x80]),
        Just(vec![0x65, 0x88]),
        Just(vec![0x7C, 0x85]),
        Just(vec![0x7C, 0x45]),
        Just(vec![0x78, 0, 2]),
        Just(vec![0x62, 0x01, 0x93]),
        Just(vec![0x8A, 0x80, 0x00, 0x82, 0x49, 0x83, 0x42]),
        Just(vec![0x0C, 0x82, 0x49, 0x83, 0x42, 0x40, 0x27, 0xF0, 0x16, 0x70]),
        Just(vec![0x68, 0x0B, 0x08, 0, 0, 0, 2, 0xAF, 0xFF, 0x9B, 0x5F, 0x20, 0x08]),
        Just(vec![0xD0]),
        Just(vec![0x90, 0x80, 0x80, 0x01, 0x10, 0x7D, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01]),
        Just(vec![]),
    ];
    (head, proptest::collection::vec(any::<u8>(), 0..12)).prop_map(|(head, tail)| [head, tail].concat())
}
