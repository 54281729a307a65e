//! One RTP packet's worth of a coded picture or sound: what WebRTC publishers send and WebRTC viewers get.

use std::sync::Arc;

use crate::time::Timestamp;
use crate::track;

/// What the payloads of a track of packets are: all that is known of a source before its first keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RTP Payload Format For AV1, version 1.0.
    Av1,
    /// RFC 7587.
    Opus,
}

impl Format {
    /// Ticks a second of its RTP timestamps.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1 => 90_000,
            Self::Opus => 48_000,
        }
    }

    /// Pictures, not sound.
    pub const fn is_video(self) -> bool {
        matches!(self, Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1)
    }
}

/// One RTP payload and the facts of its header that forwarding needs. The payload is what RFC 6184, 7798, 7741, 9628 or
/// the AV1 payload specification says for the track's [`Format`]; header, encryption and numbering belong to each viewer.
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
    type Head = Format;

    fn bytes(&self) -> usize {
        self.payload.len()
    }

    fn dts(&self) -> Timestamp {
        self.at
    }
}
