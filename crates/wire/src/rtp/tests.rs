//! Both ways, on the fixtures of the whole project and on bytes made by hand.

mod av1;
mod g711;
mod h264;
mod h265;
mod hostile;
mod journey;
mod vp8;
mod vp9;

use std::time::Instant;

use media::{Packet, Timestamp};

use super::{Depacketizer, Event, PayloadKind};

/// The packets of one frame, the last one marked.
fn frame_of(payloads: &[&[u8]]) -> Vec<Packet> {
    let packets = payloads.iter().enumerate().map(|(sequence, payload)| Packet {
        at: Timestamp::from_millis(7),
        sequence: 65_535 + sequence as u64,
        marker: sequence + 1 == payloads.len(),
        discardable: false,
        payload: (*payload).into(),
    });
    packets.collect()
}

/// What comes of one frame's payloads.
fn read(kind: PayloadKind, payloads: &[&[u8]]) -> Vec<Event> {
    let mut depacketizer = Depacketizer::new(kind);
    let now = Instant::now();
    frame_of(payloads).iter().for_each(|packet| depacketizer.handle_packet(now, packet));
    std::iter::from_fn(|| depacketizer.poll_event()).collect()
}
