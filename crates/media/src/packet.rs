//! One RTP packet's worth of a coded picture or sound: what WebRTC publishers send and WebRTC viewers get.

use std::sync::Arc;

use crate::codec::Codec;
use crate::time::Timestamp;
use crate::track;

/// One RTP payload and the facts of its header that forwarding needs. The payload is what RFC 6184, 7798, 7741, 9628 or
/// the AV1 payload specification says for the track's codec; header, encryption and numbering belong to each viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When its frame is shown or heard. All packets of a frame say the same.
    pub at: Timestamp,
    /// Its place in the source's order, counted by 1 from anywhere. A missing number is a packet that was lost or is
    /// still to come: packets are kept in the order in which they arrived.
    pub sequence: u64,
    /// The last packet of its frame (RFC 3550 §5.1 M bit, as video payload formats use it).
    pub marker: bool,
    /// No other frame needs this one: a congested viewer may go without.
    pub discardable: bool,
    /// The payload, shared by every reader.
    pub payload: Arc<[u8]>,
}

impl track::Item for Packet {
    type Head = Codec;

    fn bytes(&self) -> usize {
        self.payload.len()
    }

    fn dts(&self) -> Timestamp {
        self.at
    }
}
