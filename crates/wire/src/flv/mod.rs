//! FLV: the tag bodies that RTMP messages and FLV files share (Adobe Flash Video File Format 10.1, annex E, and
//! Enhanced RTMP v2), their way into the model ([`demux`]) and out of it ([`mux`]), and the file framing ([`file`]).

pub mod demux;
pub mod file;
#[cfg(test)]
mod fixtures;
pub mod meta;
pub mod mux;
mod script;
pub mod tag;

pub use demux::{Demuxer, Event};
pub use mux::Muxer;

use media::codec;

/// Which of a connection's tags (annex E.4.1), and in RTMP which message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Tag and message type 8.
    Audio,
    /// Tag and message type 9.
    Video,
    /// Tag and message type 18.
    Script,
}

impl TagKind {
    /// The number in tag headers and RTMP message types.
    pub fn id(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }

    /// From the number in tag headers and RTMP message types.
    pub fn from_id(id: u8) -> Option<Self> {
        match id {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Script),
            _ => None,
        }
    }

    /// What the tags of this kind carry, for error messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Script => "script",
        }
    }
}

/// One track of a connection: what it is for, and its Enhanced RTMP track number. The first and usual one is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackKey {
    /// What the track is for.
    pub kind: codec::Kind,
    /// trackId of Enhanced RTMP v2 multitrack; 0 where tags name none.
    pub id: u8,
}

impl TrackKey {
    /// The picture of a connection without multitrack.
    pub const VIDEO: Self = Self { kind: codec::Kind::Video, id: 0 };
    /// The sound of a connection without multitrack.
    pub const AUDIO: Self = Self { kind: codec::Kind::Audio, id: 0 };
}

/// Four characters that name a codec in Enhanced RTMP.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// H.264.
    pub const AVC: Self = Self(*b"avc1");
    /// H.265.
    pub const HEVC: Self = Self(*b"hvc1");
    /// AV1.
    pub const AV1: Self = Self(*b"av01");
    /// VP9.
    pub const VP9: Self = Self(*b"vp09");
    /// VP8.
    pub const VP8: Self = Self(*b"vp08");
    /// AAC.
    pub const AAC: Self = Self(*b"mp4a");
    /// Opus.
    pub const OPUS: Self = Self(*b"Opus");

    /// The number that `videocodecid` and `audiocodecid` of onMetaData hold for it.
    pub fn number(self) -> u32 {
        u32::from_be_bytes(self.0)
    }
}

impl std::fmt::Display for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl std::fmt::Debug for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FourCc({self})")
    }
}
