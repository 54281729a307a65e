//! One coded picture, sound packet or message.

use bytes::Bytes;

use crate::time::{Span, Timestamp};

/// One coded picture, sound packet or message, in decode order.
///
/// `payload` has one form per codec, whatever protocol brought it:
///
/// | codec | payload |
/// |---|---|
/// | H.264, H.265 | NAL units, each behind a 4-byte big-endian length (ISO 14496-15 with `lengthSizeMinusOne` 3) |
/// | AV1 | OBUs with sizes, without temporal delimiters (AV1-ISOBMFF §2.4) |
/// | VP9 | one superframe |
/// | VP8 | one frame |
/// | AAC | one raw access unit, without ADTS |
/// | Opus | one packet |
/// | G.711 | samples, interleaved; 20 ms by custom |
/// | data | see [`crate::codec::data::Format`] |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the frame is decoded. Rises strictly within a track.
    pub dts: Timestamp,
    /// What is to be added to `dts` for the time of display; may be negative.
    pub cts: Span,
    /// Decoding may begin here: an IDR or random access picture. Always true for sound and data.
    pub sync: bool,
    /// The coded bytes, shared by every reader.
    pub payload: Bytes,
}

impl Frame {
    /// When the frame is shown or heard.
    pub fn pts(&self) -> Timestamp {
        self.dts + self.cts
    }
}
