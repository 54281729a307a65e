//! G.711: cut to 20 ms on the way out, taken as it is on the way in.

use bytes::Bytes;
use media::codec::g711::{Law, Params};
use media::{Codec, Frame, Packet, Span, Timestamp};

use super::read;
use crate::rtp::{Event, Packetizer, PayloadKind};

fn packets(channels: u8, bytes: usize) -> Vec<Packet> {
    let codec = Codec::G711(Params { law: Law::A, channels });
    let frame =
        Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync: true, payload: vec![0xD5; bytes].into() };
    let mut out = Vec::new();
    Packetizer::default().handle_frame(&codec, true, &frame, &mut out);
    out
}

#[test]
fn a_frame_of_a_camera_is_cut_to_packets_of_20_ms() {
    let got: Vec<(i64, usize, bool)> = packets(1, 400)
        .iter()
        .map(|packet| (packet.at.millis(), packet.payload.len(), packet.marker))
        .collect();
    assert_eq!(got, [(0, 160, false), (20, 160, false), (40, 80, false)]);
}

#[test]
fn two_channels_have_no_payload_format_in_webrtc() {
    assert_eq!(packets(2, 320), []);
}

#[test]
fn a_payload_is_a_frame_of_the_law_that_was_negotiated() {
    for (kind, law) in [(PayloadKind::Pcma, Law::A), (PayloadKind::Pcmu, Law::Mu)] {
        let payload = Bytes::from_static(&[0xD5; 160]);
        let at = Timestamp::from_millis(7);
        assert_eq!(
            read(kind, &[&payload]),
            [
                Event::Codec(Codec::G711(Params { law, channels: 1 })),
                Event::Frame { at, sync: true, payload }
            ]
        );
    }
}
