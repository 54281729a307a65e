//! Any bytes as a frame of any codec: packets within the limit, and what they are read back as is the same when packed
//! and read once more.

#![no_main]

use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use media::codec::{av1, g711, h264, h265, opus, vp8, vp9};
use media::{Codec, Frame, Span, Timestamp};
use wire::rtp::{Depacketizer, Event, Packetizer, PayloadKind};

const PAYLOAD_BYTES_MAX: usize = 64;

/// Parameters from the front of the input, behind their length.
fn codec(kind: u8, config: &Bytes) -> Option<(PayloadKind, Codec)> {
    Some(match kind % 7 {
        0 => (PayloadKind::H264, Codec::H264(h264::Params::from_config(config).ok()?)),
        1 => (PayloadKind::H265, Codec::H265(h265::Params::from_config(config).ok()?)),
        2 => (PayloadKind::Vp9, Codec::Vp9(vp9::Params::from_config(config).ok()?)),
        3 => (PayloadKind::Av1, Codec::Av1(av1::Params::from_config(config).ok()?)),
        4 => {
            let key = vp8::Keyframe { profile: 0, width: 640, height: 360 };
            (PayloadKind::Vp8, Codec::Vp8(vp8::Params::from_keyframe(&key)))
        }
        5 => (PayloadKind::Pcmu, Codec::G711(g711::Params { law: g711::Law::Mu, channels: 1 })),
        _ => (PayloadKind::Opus { channels: 2 }, Codec::Opus(opus::Params::simple(2))),
    })
}

/// A frame through packets and back.
fn travel(kind: PayloadKind, codec: &Codec, sync: bool, payload: Bytes) -> Option<(bool, Bytes)> {
    let frame = Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync, payload };
    let mut out = Vec::new();
    Packetizer::new(PAYLOAD_BYTES_MAX).handle_frame(codec, sync, &frame, &mut out);
    let is_sound = codec.kind() == media::codec::Kind::Audio;
    assert!(is_sound || out.iter().all(|packet| packet.payload.len() <= PAYLOAD_BYTES_MAX));
    let mut depacketizer = Depacketizer::new(kind);
    let now = Instant::now();
    out.iter().for_each(|packet| depacketizer.handle_packet(now, packet));
    std::iter::from_fn(|| depacketizer.poll_event()).find_map(|event| match event {
        Event::Frame { sync, payload, .. } => Some((sync, payload)),
        Event::Codec(_) | Event::KeyframeNeeded => None,
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((&[kind, len], data)) = data.split_first_chunk::<2>() else { return };
    let (config, payload) = data.split_at(usize::from(len).min(data.len()));
    let Some((kind, codec)) = codec(kind, &Bytes::copy_from_slice(config)) else { return };
    let Some((sync, once)) = travel(kind, &codec, true, Bytes::copy_from_slice(payload)) else { return };
    if let Some((_, twice)) = travel(kind, &codec, sync, once.clone()) {
        assert_eq!(once, twice);
    }
});
