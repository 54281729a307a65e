//! Opus payloads (RFC 7587 §4.2): one packet of the codec each, as it is.

use bytes::Bytes;
use media::codec::opus;

use super::packetizer::Sink;
use super::{Malformed, Picture};

/// One packet, without fragmentation: the format has none. The longest is 120 ms of 510 kbit/s, far over a datagram, but
/// encoders send 20 ms of at most a quarter of that rate.
pub(super) fn write(packet: &[u8], sink: &mut Sink<'_>) {
    if !packet.is_empty() {
        sink.put(&[packet]);
    }
}

/// The packet in a payload. One that does not say how long it sounds would make a decoder fail.
pub(super) fn read(payload: &[u8]) -> Result<Picture, Malformed> {
    opus::packet_samples(payload).ok_or(Malformed)?;
    Ok(Picture { sync: true, payload: Bytes::copy_from_slice(payload) })
}
