//! The framing of FLV files and HTTP streams (annex E.2–E.4), read incrementally.

use bytes::{Buf, Bytes, BytesMut};

use super::TagKind;

#[cfg(test)]
mod tests;

/// A peer cannot make us hold more than one body of this size: a keyframe of 8K at any sane rate is smaller.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// DataOffset beyond the nine bytes of version 1 that we are ready to skip.
const HEADER_BYTES_MAX: u32 = 4_096;

const FILE_HEADER_BYTES: usize = 9;
const TAG_HEADER_BYTES: usize = 11;
const TRAILER_BYTES: usize = 4;

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Which kind.
    pub kind: TagKind,
    /// The raw 32-bit stamp in milliseconds.
    pub timestamp_ms: u32,
    /// What [`super::Demuxer::handle_tag`] takes.
    pub body: Bytes,
}

/// What the header says is in the file. Many writers are wrong about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// TypeFlagsAudio.
    pub audio: bool,
    /// TypeFlagsVideo.
    pub video: bool,
}

/// Why bytes are not FLV. Nothing after it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first bytes are not `FLV` and a known version.
    #[error("not FLV: begins with {found:02x?}")]
    Signature {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// DataOffset is less than the header or more than we skip.
    #[error("FLV header claims {offset} bytes")]
    DataOffset {
        /// What it claims.
        offset: u32,
    },
    /// A tag type that is not defined: the framing is lost.
    #[error("FLV tag at byte {at}: type {kind} is not defined")]
    TagType {
        /// Offset in the stream.
        at: u64,
        /// The type.
        kind: u8,
    },
    /// An encrypted tag (annex F).
    #[error("FLV tag at byte {at} is encrypted")]
    Encrypted {
        /// Offset in the stream.
        at: u64,
    },
    /// A body beyond [`BODY_BYTES_MAX`].
    #[error("FLV tag at byte {at}: body of {len} bytes, more than {BODY_BYTES_MAX}")]
    TooLong {
        /// Offset in the stream.
        at: u64,
        /// What the tag claims.
        len: usize,
    },
}

/// Reads a stream that comes in pieces: give it bytes, then poll until there is no tag.
///
/// It holds what was given and not polled; a caller that polls after each input keeps it below one tag and one input.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    header: Option<Header>,
    /// Bytes to pass over before the next tag.
    skip: usize,
    /// Offset of the buffer's front in the stream.
    at: u64,
}

impl Reader {
    /// At the front of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn handle_input(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The header, once it was read by [`Reader::poll_tag`].
    pub fn header(&self) -> Option<Header> {
        self.header
    }

    /// The next whole tag, or `None` until more bytes come.
    ///
    /// # Errors
    /// When the bytes are not FLV, or not within our limits; the stream cannot go on then.
    pub fn poll_tag(&mut self) -> Result<Option<Tag>, Error> {
        if self.header.is_none() && !self.read_header()? {
            return Ok(None);
        }
        if !self.skipped() {
            return Ok(None);
        }
        let Some(&[kind, l2, l1, l0, t2, t1, t0, t3, ..]) = self.buffer.first_chunk::<TAG_HEADER_BYTES>()
        else {
            return Ok(None);
        };
        let at = self.at;
        if kind & 0x20 != 0 {
            return Err(Error::Encrypted { at });
        }
        let kind = TagKind::from_id(kind).ok_or(Error::TagType { at, kind })?;
        let len = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if len > BODY_BYTES_MAX {
            return Err(Error::TooLong { at, len });
        }
        if self.buffer.len() < TAG_HEADER_BYTES + len {
            return Ok(None);
        }
        self.advance(TAG_HEADER_BYTES);
        let body = self.buffer.split_to(len).freeze();
        self.at += len as u64;
        self.skip = TRAILER_BYTES;
        Ok(Some(Tag { kind, timestamp_ms: u32::from_be_bytes([t3, t2, t1, t0]), body }))
    }

    fn read_header(&mut self) -> Result<bool, Error> {
        let Some(&[f, l, v, version, flags, offset @ ..]) = self.buffer.first_chunk::<FILE_HEADER_BYTES>()
        else {
            return Ok(false);
        };
        if [f, l, v, version] != *b"FLV\x01" {
            return Err(Error::Signature { found: [f, l, v, version] });
        }
        let offset = u32::from_be_bytes(offset);
        if !(FILE_HEADER_BYTES as u32..=HEADER_BYTES_MAX).contains(&offset) {
            return Err(Error::DataOffset { offset });
        }
        self.header = Some(Header { audio: flags & 4 != 0, video: flags & 1 != 0 });
        // PreviousTagSize0 follows. Its value, as of all of them, is of no use to us and often wrong.
        self.skip = offset as usize + TRAILER_BYTES;
        Ok(true)
    }

    /// Passes over what is to be skipped; `false` while some of it has not come.
    fn skipped(&mut self) -> bool {
        let now = self.skip.min(self.buffer.len());
        self.advance(now);
        self.skip -= now;
        self.skip == 0
    }

    fn advance(&mut self, count: usize) {
        self.buffer.advance(count);
        self.at += count as u64;
    }
}
