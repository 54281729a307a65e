//! RTP payload formats, both ways: frames into the packets of WebRTC viewers ([`Packetizer`]) and the packets of WebRTC
//! publishers into frames ([`Depacketizer`]). One file a codec. Headers, encryption, feedback and numbering on the wire
//! belong to the session that sends; here a packet is a payload and its place in the order.

mod av1;
mod clock;
mod depacketizer;
mod g711;
mod h264;
mod h265;
pub mod limits;
mod nal;
mod opus;
mod packetizer;
pub mod red;
mod runs;
#[cfg(test)]
mod tests;
mod vp8;
mod vp9;

pub use clock::Clock;
pub use depacketizer::{Depacketizer, Event};
pub use packetizer::Packetizer;

use media::codec;

/// What the payloads of a track are, as it was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// H.264 in packetization mode 0 or 1 (RFC 6184).
    H264,
    /// H.265 without decoding order numbers (RFC 7798).
    H265,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// AV1 (AOM, "RTP Payload Format For AV1").
    Av1,
    /// Opus (RFC 7587).
    Opus {
        /// Channels to decode to, 1 or 2: what `sprop-stereo` or the encoder's configuration says. Payloads do not.
        channels: u8,
    },
    /// G.711 µ-law of one channel (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law of one channel.
    Pcma,
}

impl PayloadKind {
    /// What a track of these payloads is for.
    pub fn kind(self) -> codec::Kind {
        match self {
            Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1 => codec::Kind::Video,
            Self::Opus { .. } | Self::Pcmu | Self::Pcma => codec::Kind::Audio,
        }
    }
}

/// Whether decoding can begin with this payload: it holds the parameter sets in front of a random access picture, or
/// that picture's first bytes. Always true for sound.
///
/// More than one packet of a picture may say so (parameter sets, then the picture itself): a ring that is joined here
/// opens one group for all packets with the same [`media::Packet::at`].
pub fn opens_group(kind: PayloadKind, payload: &[u8]) -> bool {
    match kind {
        PayloadKind::H264 => h264::opens_group(payload),
        PayloadKind::H265 => h265::opens_group(payload),
        PayloadKind::Vp8 => vp8::opens_group(payload),
        PayloadKind::Vp9 => vp9::opens_group(payload),
        PayloadKind::Av1 => av1::opens_group(payload),
        PayloadKind::Opus { .. } | PayloadKind::Pcmu | PayloadKind::Pcma => true,
    }
}

/// Whether the payload itself tells that no other frame needs its frame. Formats that cannot tell say no.
pub fn is_discardable(kind: PayloadKind, payload: &[u8]) -> bool {
    match kind {
        PayloadKind::H264 => h264::is_discardable(payload),
        PayloadKind::H265 => h265::is_discardable(payload),
        PayloadKind::Vp8 => vp8::is_discardable(payload),
        PayloadKind::Vp9 | PayloadKind::Av1 => false,
        PayloadKind::Opus { .. } | PayloadKind::Pcmu | PayloadKind::Pcma => false,
    }
}

/// Whether a payload can only be the first of its picture, so that nothing in front of it is missing.
fn begins_picture(kind: PayloadKind, payload: &[u8]) -> bool {
    match kind {
        PayloadKind::H264 => h264::begins_picture(payload),
        PayloadKind::H265 => h265::begins_picture(payload),
        PayloadKind::Vp8 => vp8::begins_picture(payload),
        PayloadKind::Vp9 => vp9::begins_picture(payload),
        PayloadKind::Av1 => av1::opens_group(payload),
        PayloadKind::Opus { .. } | PayloadKind::Pcmu | PayloadKind::Pcma => true,
    }
}

/// The `profile-level-id` parameter of RFC 6184 §8.1: six hexadecimal digits.
pub fn h264_profile_level_id(params: &codec::h264::Params) -> String {
    format!("{:02x}{:02x}{:02x}", params.profile, params.constraints, params.level)
}

/// The payloads of a frame do not fit together as their format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// One frame put together from its packets.
#[derive(Debug, PartialEq, Eq)]
struct Picture {
    sync: bool,
    payload: bytes::Bytes,
}
