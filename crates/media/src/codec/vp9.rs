//! VP9 and its vpcC record (VP Codec ISO Media File Format Binding 1.0).

#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

use super::bits::Reader;
use super::{Error, checked_size};

const NAME: &str = "VP9";

/// Version 1, no flags: the full-box header that precedes the record in `vpcC`, and in FLV as FFmpeg writes it.
const FULL_BOX: [u8; 4] = [1, 0, 0, 0];

/// Bytes of the record behind [`FULL_BOX`] without initialization data, which VP9 has none of.
const RECORD_BYTES: usize = 8;

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The record as `vpcC` carries it: version and flags, then the fields.
    pub config: Bytes,
    /// Width in pixels; 0 until a keyframe told it, for the record does not.
    pub width: u32,
    /// Height in pixels; 0 until a keyframe told it.
    pub height: u32,
    /// Profile, 0–3.
    pub profile: u8,
    /// Ten times the level; 10 when the encoder does not know.
    pub level: u8,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
}

/// What the uncompressed header of a keyframe tells (VP9 bitstream §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyframe {
    /// Profile, 0–3.
    pub profile: u8,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// chromaSubsampling of the record: 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub subsampling: u8,
    /// Whether samples use the full range.
    pub full_range: bool,
}

impl Params {
    /// From a VPCodecConfigurationRecord, with or without the full-box header. Sizes stay 0 until
    /// [`Params::with_keyframe`].
    ///
    /// # Errors
    /// When the record is cut, or profile or bit depth do not exist.
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        let record = config.strip_prefix(&FULL_BOX).unwrap_or(config);
        let Some(record) = record.first_chunk::<RECORD_BYTES>() else {
            let field = "VPCodecConfigurationRecord";
            return Err(Error::Truncated { codec: NAME, len: config.len(), field });
        };
        let [profile, level, depth, ..] = *record;
        let bit_depth = depth >> 4;
        if profile > 3 {
            return Err(Error::Unsupported { codec: NAME, field: "profile", value: profile.into() });
        }
        if !matches!(bit_depth, 8 | 10 | 12) {
            return Err(Error::Unsupported { codec: NAME, field: "bitDepth", value: bit_depth.into() });
        }
        let mut kept = BytesMut::with_capacity(FULL_BOX.len() + RECORD_BYTES);
        kept.extend_from_slice(&FULL_BOX);
        kept.extend_from_slice(record);
        Ok(Self { config: kept.freeze(), width: 0, height: 0, profile, level, bit_depth })
    }

    /// From a keyframe alone, as RTP sources have it. Level 1 is what encoders write that do not know theirs.
    pub fn from_keyframe(key: &Keyframe) -> Self {
        let depth = key.bit_depth << 4 | key.subsampling << 1 | u8::from(key.full_range);
        let [a, b, c, d] = FULL_BOX;
        // Colour primaries, transfer and matrix 2: unspecified. No initialization data.
        let config = [a, b, c, d, key.profile, 10, depth, 2, 2, 2, 0, 0];
        Self {
            config: Bytes::copy_from_slice(&config),
            width: key.width,
            height: key.height,
            profile: key.profile,
            level: 10,
            bit_depth: key.bit_depth,
        }
    }

    /// These parameters for the pictures from a keyframe on. A keyframe of another profile or depth than the record
    /// says makes a record of its own.
    pub fn with_keyframe(&self, key: &Keyframe) -> Self {
        if (key.profile, key.bit_depth) != (self.profile, self.bit_depth) {
            return Self::from_keyframe(key);
        }
        Self { width: key.width, height: key.height, ..self.clone() }
    }

    /// The `codecs` parameter of the binding's section 5: `vp09.PP.LL.DD`.
    pub fn rfc6381(&self) -> String {
        format!("vp09.{:02}.{:02}.{:02}", self.profile, self.level, self.bit_depth)
    }
}

impl Keyframe {
    /// Reads the header at the front of a frame or superframe. `Ok(None)` when it is no keyframe.
    ///
    /// # Errors
    /// When the header is cut or describes a picture beyond [`crate::codec::PICTURE_SIDE_MAX`].
    pub fn parse(payload: &[u8]) -> Result<Option<Self>, Error> {
        let mut r = Reader::new(NAME, payload);
        if r.bits(2, "frame_marker")? != 2 {
            return Err(Error::Malformed { codec: NAME, field: "frame_marker" });
        }
        let profile = r.byte(1, "profile_low_bit")? | r.byte(1, "profile_high_bit")? << 1;
        if profile == 3 {
            r.flag("reserved_zero")?;
        }
        let shows_existing = r.flag("show_existing_frame")?;
        if shows_existing || r.flag("frame_type")? {
            return Ok(None);
        }
        r.skip(2, "show_frame")?;
        if r.bits(24, "frame_sync_code")? != 0x49_83_42 {
            return Err(Error::Malformed { codec: NAME, field: "frame_sync_code" });
        }
        let bit_depth = match profile {
            2 | 3 if r.flag("ten_or_twelve_bit")? => 12,
            2 | 3 => 10,
            _ => 8,
        };
        let (subsampling, full_range) = colour(&mut r, profile)?;
        let width = u64::from(r.bits(16, "frame_width_minus_1")?) + 1;
        let height = u64::from(r.bits(16, "frame_height_minus_1")?) + 1;
        let (width, height) = checked_size(NAME, (width, height), (0, 0))?;
        Ok(Some(Self { profile, bit_depth, width, height, subsampling, full_range }))
    }
}

/// color_config (§6.2.2) behind the bit depth.
fn colour(r: &mut Reader<'_>, profile: u8) -> Result<(u8, bool), Error> {
    const RGB: u32 = 7;
    let odd = profile & 1 == 1;
    if r.bits(3, "color_space")? == RGB {
        if !odd {
            return Err(Error::Malformed { codec: NAME, field: "color_space" });
        }
        r.flag("reserved_zero")?;
        return Ok((3, true));
    }
    let full_range = r.flag("color_range")?;
    if !odd {
        return Ok((1, full_range));
    }
    let (x, y) = (r.flag("subsampling_x")?, r.flag("subsampling_y")?);
    r.flag("reserved_zero")?;
    let subsampling = match (x, y) {
        (true, true) => 1,
        (true, false) => 2,
        (false, _) => 3,
    };
    Ok((subsampling, full_range))
}

/// Whether a payload begins with a keyframe.
pub fn is_keyframe(payload: &[u8]) -> bool {
    matches!(Keyframe::parse(payload), Ok(Some(_)))
}
