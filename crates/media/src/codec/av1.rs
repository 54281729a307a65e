//! AV1 and its av1C record (AV1 Codec ISO Media File Format Binding §2.3).

mod sequence;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};

pub use sequence::Sequence;

use super::bits::Reader;
use super::{Error, FrameRate};

pub(super) const NAME: &str = "AV1";

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// OBUs in one temporal unit. A picture of 64 tile groups with metadata stays far below.
pub const OBUS_MAX: usize = 1_024;

/// Bytes of an av1C record before its OBUs.
pub const RECORD_BYTES: usize = 4;

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The av1C record, with the sequence header.
    pub config: Bytes,
    /// Largest width in pixels.
    pub width: u32,
    /// Largest height in pixels.
    pub height: u32,
    /// seq_profile: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// seq_level_idx of operating point 0.
    pub level: u8,
    /// seq_tier of operating point 0: false Main, true High.
    pub high_tier: bool,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// Frames a second, when the sequence header tells.
    pub frame_rate: Option<FrameRate>,
}

impl Params {
    /// From an av1C record.
    ///
    /// # Errors
    /// When it is cut, or carries no usable sequence header (which the binding allows: then wait for a keyframe and
    /// use [`Params::from_payload`]).
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        let truncated = |field| Error::Truncated { codec: NAME, len: config.len(), field };
        let head = *config.first_chunk::<RECORD_BYTES>().ok_or(truncated("av1C"))?;
        if head[0] != 0x81 {
            return Err(Error::Unsupported {
                codec: NAME,
                field: "marker and version",
                value: head[0].into(),
            });
        }
        let obus = config.get(RECORD_BYTES..).unwrap_or_default();
        let header = sequence_header(obus).ok_or(truncated("sequence header OBU"))?;
        Ok(Self::new(config.clone(), &Sequence::parse(header.payload)?))
    }

    /// From the sequence header in a keyframe, as RTP sources have it. `None` when there is no usable one.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let header = sequence_header(payload)?;
        let sequence = Sequence::parse(header.payload).ok()?;
        let mut out = BytesMut::new();
        let flag = |set: bool, bit: u8| u8::from(set) << bit;
        out.put_u8(0x81);
        out.put_u8(sequence.profile << 5 | sequence.level);
        out.put_u8(
            flag(sequence.high_tier, 7)
                | flag(sequence.bit_depth > 8, 6)
                | flag(sequence.bit_depth == 12, 5)
                | flag(sequence.monochrome, 4)
                | flag(sequence.subsampling_x, 3)
                | flag(sequence.subsampling_y, 2)
                | sequence.sample_position,
        );
        out.put_u8(0);
        header.write(&mut out);
        Some(Self::new(out.freeze(), &sequence))
    }

    fn new(config: Bytes, sequence: &Sequence) -> Self {
        Self {
            config,
            width: sequence.width,
            height: sequence.height,
            profile: sequence.profile,
            level: sequence.level,
            high_tier: sequence.high_tier,
            bit_depth: sequence.bit_depth,
            frame_rate: sequence.frame_rate,
        }
    }

    /// What the frames from `payload` on need, if its sequence header differs from this one's.
    pub fn changed_by(&self, payload: &[u8]) -> Option<Self> {
        let found = sequence_header(payload)?;
        let known = sequence_header(self.config.get(RECORD_BYTES..).unwrap_or_default());
        if known.is_some_and(|known| known.payload == found.payload) {
            return None;
        }
        Self::from_payload(payload)
    }

    /// The `codecs` parameter of AV1-ISOBMFF §5: `av01.P.LLT.DD`.
    pub fn rfc6381(&self) -> String {
        let tier = if self.high_tier { 'H' } else { 'M' };
        format!("av01.{}.{:02}{tier}.{:02}", self.profile, self.level, self.bit_depth)
    }
}

/// One open bitstream unit (AV1 bitstream §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// The header byte.
    header: u8,
    /// Temporal and spatial layer, if told.
    extension: Option<u8>,
    /// What follows header and size.
    pub payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// obu_type: 1 sequence header, 2 temporal delimiter, 3 frame header, 6 frame …
    pub fn kind(&self) -> u8 {
        self.header >> 3 & 0xF
    }

    /// The header byte as it is without a size field, and the byte of temporal and spatial layer, if told.
    pub fn header(&self) -> (u8, Option<u8>) {
        (self.header & !2, self.extension)
    }

    fn has_size(&self) -> bool {
        self.header & 2 != 0
    }

    /// Reads one from the front of `rest`, which moves past it. Without a size field it takes all that is left.
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let (header, mut after) = rest.split_first()?;
        if header & 0x80 != 0 {
            return None;
        }
        let mut extension = None;
        if header & 4 != 0 {
            let (byte, tail) = after.split_first()?;
            extension = Some(*byte);
            after = tail;
        }
        let len = if header & 2 != 0 { leb128(&mut after)? } else { after.len() };
        let (payload, after) = after.split_at_checked(len)?;
        *rest = after;
        Some(Self { header: *header, extension, payload })
    }

    /// Appends it with a size field.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_u8(self.header | 2);
        out.extend(self.extension);
        let mut len = self.payload.len();
        while len >= 0x80 {
            out.put_u8(len as u8 | 0x80);
            len >>= 7;
        }
        out.put_u8(len as u8);
        out.put_slice(self.payload);
    }
}

/// §4.10.5, at most 32 bits.
fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..56).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok().map(|value| value as usize);
        }
    }
    None
}

/// The OBUs of a payload; stops at one that does not fit.
pub fn obus(payload: &[u8]) -> impl Iterator<Item = Obu<'_>> {
    let mut rest = payload;
    std::iter::from_fn(move || Obu::read(&mut rest))
}

fn sequence_header(payload: &[u8]) -> Option<Obu<'_>> {
    obus(payload).find(|obu| obu.kind() == SEQUENCE_HEADER)
}

/// Brings a temporal unit to the form of the model: every OBU with a size, no temporal delimiters. One that is already
/// in form is shared, not copied; a delimiter in front is sliced off.
///
/// # Errors
/// [`Error::Malformed`] when OBUs do not fit the payload, or there are more than [`OBUS_MAX`].
pub fn normalize(payload: &Bytes) -> Result<Bytes, Error> {
    let mut rest: &[u8] = payload;
    let mut front = payload.as_ref();
    let mut count = 0;
    let mut in_form = true;
    while !rest.is_empty() {
        let obu = Obu::read(&mut rest).ok_or(Error::Malformed { codec: NAME, field: "OBU sizes" })?;
        count += 1;
        if count > OBUS_MAX {
            return Err(Error::Malformed { codec: NAME, field: "number of OBUs" });
        }
        if count == 1 && obu.kind() == TEMPORAL_DELIMITER {
            front = rest;
        } else {
            in_form &= obu.kind() != TEMPORAL_DELIMITER && obu.has_size();
        }
    }
    if in_form {
        return Ok(if front.is_empty() { Bytes::new() } else { payload.slice_ref(front) });
    }
    let mut out = BytesMut::with_capacity(payload.len() + 8);
    obus(payload).filter(|obu| obu.kind() != TEMPORAL_DELIMITER).for_each(|obu| obu.write(&mut out));
    Ok(out.freeze())
}

/// Whether decoding can begin at a payload: it has a sequence header and its first frame is a shown key frame
/// (AV1-ISOBMFF §2.4, sync samples).
pub fn is_keyframe(payload: &[u8]) -> bool {
    let Some(header) = sequence_header(payload) else { return false };
    if header.payload.first().is_some_and(|byte| byte & 0x08 != 0) {
        return true; // reduced_still_picture_header: frame headers have no type, every frame is a key frame.
    }
    let frame = obus(payload).find(|obu| matches!(obu.kind(), FRAME_HEADER | FRAME));
    frame.is_some_and(|frame| {
        let mut r = Reader::new(NAME, frame.payload);
        // show_existing_frame 0, frame_type 0 (KEY_FRAME), show_frame 1 (§5.9.2).
        r.bits(4, "frame header") == Ok(0b0001)
    })
}
