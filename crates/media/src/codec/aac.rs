//! AAC: the AudioSpecificConfig of ISO 14496-3 §1.6.2.1.

use bytes::Bytes;

/// What an AAC decoder needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The AudioSpecificConfig as the source sent it.
    pub config: Bytes,
    /// Audio object type of the core: 2 is LC, 5 HE (SBR), 29 HE v2 (PS).
    pub object_type: u8,
    /// Samples a second of the output, in Hz (twice the core's with SBR).
    pub sample_rate: u32,
    /// Samples a second of the core coder, in Hz; a frame holds `frame_samples` of these.
    pub core_sample_rate: u32,
    /// Output channels.
    pub channels: u8,
    /// Samples of the core a frame holds: 1024, or 960.
    pub frame_samples: u32,
}

impl Params {
    /// The `codecs` parameter of RFC 6381.
    pub fn rfc6381(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}
