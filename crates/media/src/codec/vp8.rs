//! VP8 (RFC 6386). Its keyframes tell all that a decoder needs; containers want a vpcC record all the same (VP Codec ISO
//! Media File Format Binding 1.0).

use bytes::Bytes;

use super::bits::Reader;
use super::{Error, checked_size};

const NAME: &str = "VP8";

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The record as `vpcC` carries it: version and flags, then the fields.
    pub config: Bytes,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The bitstream's version, 0–3, which the record calls profile.
    pub profile: u8,
}

/// What the header of a keyframe tells (RFC 6386 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyframe {
    /// Version, 0–3.
    pub profile: u8,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Params {
    /// From a keyframe; no other source knows the size.
    pub fn from_keyframe(key: &Keyframe) -> Self {
        // Level 1, for VP8 has none; 8 bits, 4:2:0; colours unspecified; no initialization data.
        let config = [1, 0, 0, 0, key.profile, 10, 8 << 4 | 1 << 1, 2, 2, 2, 0, 0];
        Self {
            config: Bytes::copy_from_slice(&config),
            width: key.width,
            height: key.height,
            profile: key.profile,
        }
    }

    /// The `codecs` parameter of the binding's section 5: `vp08.PP.LL.DD`.
    pub fn rfc6381(&self) -> String {
        format!("vp08.{:02}.10.08", self.profile)
    }
}

impl Keyframe {
    /// Reads the header at the front of a frame. `Ok(None)` when it is no keyframe.
    ///
    /// # Errors
    /// When the header is cut or describes a picture beyond [`crate::codec::PICTURE_SIDE_MAX`].
    pub fn parse(payload: &[u8]) -> Result<Option<Self>, Error> {
        // The tag's bits count from the least significant one, unlike the reader's.
        let Some(&tag) = payload.first() else {
            return Err(Error::Truncated { codec: NAME, len: 0, field: "frame tag" });
        };
        if tag & 1 != 0 {
            return Ok(None);
        }
        let profile = tag >> 1 & 7;
        if profile > 3 {
            return Err(Error::Unsupported { codec: NAME, field: "version", value: profile.into() });
        }
        let mut r = Reader::new(NAME, payload);
        r.skip(24, "frame tag")?;
        if r.bits(24, "start code")? != 0x9D_01_2A {
            return Err(Error::Malformed { codec: NAME, field: "start code" });
        }
        // The upper two bits ask for upscaling after decoding, which no decoder of today does.
        let mut side = |field| r.bits(16, field).map(|bits| u64::from((bits as u16).swap_bytes() & 0x3FFF));
        let (width, height) = checked_size(NAME, (side("width")?, side("height")?), (0, 0))?;
        Ok(Some(Self { profile, width, height }))
    }
}

/// Whether a payload is a keyframe.
pub fn is_keyframe(payload: &[u8]) -> bool {
    matches!(Keyframe::parse(payload), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 0, shown, first partition of 1,000 bytes; 640x360 with the horizontal scale set.
    const KEY: [u8; 10] = [0x10, 0x7D, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x42, 0x68, 0x01];

    #[test]
    fn a_keyframe_tells_size_and_version() {
        let key = Keyframe::parse(&KEY).unwrap().unwrap();
        assert_eq!(key, Keyframe { profile: 0, width: 640, height: 360 });
        let params = Params::from_keyframe(&key);
        assert_eq!(params.rfc6381(), "vp08.00.10.08");
        assert_eq!(params.config[..], [1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0]);
    }

    #[test]
    fn other_frames_are_none_and_broken_headers_are_errors() {
        assert_eq!(Keyframe::parse(&[0x11, 0x7D, 0x00]), Ok(None));
        for len in 0..KEY.len() {
            assert!(Keyframe::parse(&KEY[..len]).is_err(), "{len} bytes");
        }
        for (at, byte) in [(0, 0x18), (3, 0x9C), (7, 0x40)] {
            let mut key = KEY;
            key[at] = byte;
            // Width 0x4080 less its scale is 128, which is a size; the others are broken.
            assert_eq!(Keyframe::parse(&key).is_err(), at != 7, "byte {at}");
        }
        let mut empty = KEY;
        (empty[6], empty[7]) = (0, 0);
        assert!(Keyframe::parse(&empty).is_err(), "no width");
    }
}
