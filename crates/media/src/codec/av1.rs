//! AV1 and its av1C record (AV1-ISOBMFF §2.3).

use bytes::Bytes;

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The decoder configuration record as containers carry it.
    pub config: Bytes,
    /// Width in pixels, cropping applied.
    pub width: u32,
    /// Height in pixels, cropping applied.
    pub height: u32,
}

impl Params {
    /// The `codecs` parameter of RFC 6381.
    pub fn rfc6381(&self) -> String {
        String::new()
    }
}
