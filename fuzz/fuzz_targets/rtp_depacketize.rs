//! Any packets of one publisher, of any kind and in any order: frames or losses, never a panic, and what comes out can be
//! packed again within the limit.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use media::{Codec, Frame, Packet, Span, Timestamp};
use wire::rtp::{self, Depacketizer, Event, Packetizer, PayloadKind};

const KINDS: [PayloadKind; 8] = [
    PayloadKind::H264,
    PayloadKind::H265,
    PayloadKind::Vp9,
    PayloadKind::Av1,
    PayloadKind::Vp8,
    PayloadKind::Opus { channels: 2 },
    PayloadKind::Pcmu,
    PayloadKind::Pcma,
];

const PAYLOAD_BYTES_MAX: usize = 100;

/// Packets as number, time and marker, length, payload.
fn packets(mut data: &[u8]) -> impl Iterator<Item = Packet> + '_ {
    std::iter::from_fn(move || {
        let (&[sequence, at, len], rest) = data.split_first_chunk::<3>()?;
        let (payload, rest) = rest.split_at(usize::from(len).min(rest.len()));
        data = rest;
        Some(Packet {
            at: Timestamp::from_millis(i64::from(at >> 1)),
            sequence: sequence.into(),
            marker: at & 1 != 0,
            discardable: false,
            payload: payload.into(),
        })
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    let kind = KINDS[usize::from(kind) % KINDS.len()];
    let mut depacketizer = Depacketizer::new(kind);
    let mut packetizer = Packetizer::new(PAYLOAD_BYTES_MAX);
    let mut now = Instant::now();
    let mut codec: Option<Codec> = None;
    for packet in packets(data) {
        let _ = rtp::is_discardable(kind, &packet.payload);
        now += Duration::from_millis(5);
        depacketizer.handle_timeout(now);
        depacketizer.handle_packet(now, &packet);
        while let Some(event) = depacketizer.poll_event() {
            match event {
                Event::Codec(new) => codec = Some(new),
                Event::Frame { at, sync, payload } => {
                    let codec = codec.as_ref().expect("a codec comes first");
                    let frame = Frame { dts: at, cts: Span::ZERO, sync, payload };
                    let mut out = Vec::new();
                    packetizer.handle_frame(codec, sync, &frame, &mut out);
                    let is_sound = codec.kind() == media::codec::Kind::Audio;
                    assert!(is_sound || out.iter().all(|packet| packet.payload.len() <= PAYLOAD_BYTES_MAX));
                }
                Event::KeyframeNeeded => {}
            }
        }
    }
});
