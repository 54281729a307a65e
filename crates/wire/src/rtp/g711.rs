//! G.711 payloads (RFC 3551 §4.5.14): bytes as they are, 20 ms in each.

use bytes::Bytes;
use media::Span;
use media::codec::g711::{Params, SAMPLE_RATE};

use super::packetizer::Sink;
use super::{Malformed, Picture};

/// 20 ms, which is what every receiver expects (RFC 3551 §4.2).
const PACKET_SAMPLES: usize = 160;

/// What cameras put into one frame may be 40 ms or a second; it is cut. The last packet may be shorter. WebRTC knows one
/// channel only, so of two nothing is sent.
pub(super) fn write(params: &Params, payload: &[u8], sink: &mut Sink<'_>) {
    if params.channels != 1 {
        return;
    }
    for (index, samples) in payload.chunks(PACKET_SAMPLES).enumerate() {
        let before = index * PACKET_SAMPLES;
        sink.put_later(Span::from_ticks(before as i64, SAMPLE_RATE), &[samples]);
    }
}

/// The samples of a payload.
pub(super) fn read(payload: &[u8]) -> Result<Picture, Malformed> {
    Ok(Picture { sync: true, payload: Bytes::copy_from_slice(payload) })
}
