//! Tag bodies: the headers of audio and video tags, legacy (annex E.4.2, E.4.3) and enhanced (Enhanced RTMP v2,
//! "ExAudioTagHeader", "ExVideoTagHeader"), without a look at what is coded.

use bytes::{Buf, Bytes};
use media::codec::g711;
use smallvec::SmallVec;

use super::{FourCc, TagKind};

#[cfg(test)]
mod tests;

/// Tracks in one multitrack body. OBS sends up to 6 sounds and 5 renditions; trackId would allow 256.
pub const TRACKS_MAX: usize = 16;

/// ModEx headers before the body. Only one kind is defined, so more than a few is a peer that makes us loop.
const MOD_EX_MAX: usize = 8;

pub(super) const EX_VIDEO: u8 = 0x80;
pub(super) const EX_AUDIO: u8 = 9;
const FRAME_COMMAND: u8 = 5;
pub(super) const LEGACY_AVC: u8 = 7;
pub(super) const LEGACY_HEVC: u8 = 12;
pub(super) const LEGACY_AAC: u8 = 10;
const LEGACY_ALAW: u8 = 7;
const LEGACY_MULAW: u8 = 8;

/// Packet types that audio and video share (Enhanced RTMP v2).
pub(super) const SEQUENCE_START: u8 = 0;
pub(super) const CODED_FRAMES: u8 = 1;
const SEQUENCE_END: u8 = 2;
pub(super) const CODED_FRAMES_X: u8 = 3;
/// Metadata of pictures, MultichannelConfig of sound.
const DESCRIPTION: u8 = 4;
const VIDEO_MPEG2TS_START: u8 = 5;
pub(super) const VIDEO_MULTITRACK: u8 = 6;
pub(super) const AUDIO_MULTITRACK: u8 = 5;
const MOD_EX: u8 = 7;

const MULTITRACK_ONE: u8 = 0;
const MULTITRACK_MANY: u8 = 1;
const MULTITRACK_MANY_CODECS: u8 = 2;

/// An audio or video tag body taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The encoder says that decoding can begin here. Always true for sound.
    pub key: bool,
    /// What the ModEx header adds to the tag's timestamp, in nanoseconds (0–999,999 by specification).
    pub offset_ns: u32,
    /// One part a track; none for commands to the player and empty "seek" frames.
    pub parts: SmallVec<[Part; 1]>,
}

/// What a body holds for one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// trackId; 0 without multitrack.
    pub track: u8,
    /// What it is coded with.
    pub format: Format,
    /// What it is.
    pub packet: Packet,
    /// Its bytes, a slice of the body.
    pub data: Bytes,
}

/// How a tag names its codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CodecID of a legacy video tag (annex E.4.3.1): 7 AVC, 12 HEVC by convention.
    Video(u8),
    /// SoundFormat of a legacy audio tag (annex E.4.2.1): 10 AAC.
    Audio(u8),
    /// SoundFormat 7 or 8, whose channels no configuration tells but the tag itself (SoundType).
    G711(g711::Params),
    /// fourCC of an enhanced tag.
    FourCc(FourCc),
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The configuration record.
    SequenceStart,
    /// A frame, shown `cts_ms` milliseconds after its decoding time.
    Frame {
        /// Composition time, signed.
        cts_ms: i32,
    },
    /// No frame follows before another configuration.
    SequenceEnd,
    /// Colour information or channel layout.
    Description,
    /// Configuration for MPEG-TS carriage (AV1).
    Mpeg2TsStart,
}

/// Why a tag body cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body ends inside its header.
    #[error("{} tag ends after {len} bytes, inside {field}", kind.name())]
    Truncated {
        /// Which tag.
        kind: TagKind,
        /// Bytes of the body.
        len: usize,
        /// The field that did not fit.
        field: &'static str,
    },
    /// A number the specification does not define.
    #[error("{} tag: {field} is {value}, which is not defined", kind.name())]
    Undefined {
        /// Which tag.
        kind: TagKind,
        /// The field.
        field: &'static str,
        /// Its value.
        value: u8,
    },
    /// More than [`TRACKS_MAX`] tracks or [`MOD_EX_MAX`] extensions.
    #[error("{} tag: more than {max} {field}", kind.name())]
    TooMany {
        /// Which tag.
        kind: TagKind,
        /// What there is too much of.
        field: &'static str,
        /// The limit.
        max: usize,
    },
}

/// Takes a video body apart.
///
/// # Errors
/// When the body ends inside its header or uses numbers the specification does not define.
pub fn video(body: &Bytes) -> Result<Body, Error> {
    let mut r = Reader { kind: TagKind::Video, len: body.len(), rest: body.clone() };
    let first = r.u8("frame type")?;
    if first & EX_VIDEO != 0 {
        return enhanced_video(&mut r, first);
    }
    let frame_type = first >> 4;
    if frame_type == FRAME_COMMAND {
        return Ok(Body { key: false, offset_ns: 0, parts: SmallVec::new() });
    }
    let id = first & 0xF;
    let packet = match id {
        LEGACY_AVC | LEGACY_HEVC => legacy_packet(&mut r)?,
        _ => Packet::Frame { cts_ms: 0 },
    };
    let part = Part { track: 0, format: Format::Video(id), packet, data: r.rest };
    Ok(Body { key: frame_type == 1, offset_ns: 0, parts: SmallVec::from_iter([part]) })
}

/// AVCPacketType and CompositionTime (annex E.4.3.1).
fn legacy_packet(r: &mut Reader) -> Result<Packet, Error> {
    let packet_type = r.u8("AVCPacketType")?;
    // An end of sequence of some encoders is cut short behind its type.
    if packet_type == SEQUENCE_END {
        return Ok(Packet::SequenceEnd);
    }
    let cts_ms = r.i24("CompositionTime")?;
    match packet_type {
        SEQUENCE_START => Ok(Packet::SequenceStart),
        CODED_FRAMES => Ok(Packet::Frame { cts_ms }),
        value => Err(Error::Undefined { kind: TagKind::Video, field: "AVCPacketType", value }),
    }
}

fn enhanced_video(r: &mut Reader, first: u8) -> Result<Body, Error> {
    let (mut packet_type, offset_ns) = r.mod_ex(first & 0xF)?;
    let frame_type = first >> 4 & 7;
    let mut parts = SmallVec::new();
    if frame_type != FRAME_COMMAND || packet_type == DESCRIPTION {
        let tracks = r.tracks(&mut packet_type, VIDEO_MULTITRACK)?;
        r.parts(tracks, &mut parts, |r, fourcc| match packet_type {
            SEQUENCE_START => Ok(Packet::SequenceStart),
            // Only codecs that reorder by composition time carry one.
            CODED_FRAMES if matches!(fourcc, FourCc::AVC | FourCc::HEVC) => {
                Ok(Packet::Frame { cts_ms: r.i24("compositionTimeOffset")? })
            }
            CODED_FRAMES | CODED_FRAMES_X => Ok(Packet::Frame { cts_ms: 0 }),
            SEQUENCE_END => Ok(Packet::SequenceEnd),
            DESCRIPTION => Ok(Packet::Description),
            VIDEO_MPEG2TS_START => Ok(Packet::Mpeg2TsStart),
            value => Err(Error::Undefined { kind: TagKind::Video, field: "videoPacketType", value }),
        })?;
    }
    Ok(Body { key: frame_type == 1, offset_ns, parts })
}

/// Takes an audio body apart.
///
/// # Errors
/// As [`video`].
pub fn audio(body: &Bytes) -> Result<Body, Error> {
    let mut r = Reader { kind: TagKind::Audio, len: body.len(), rest: body.clone() };
    let first = r.u8("SoundFormat")?;
    let format = first >> 4;
    if format == EX_AUDIO {
        return enhanced_audio(&mut r, first);
    }
    let packet = match format {
        LEGACY_AAC => match r.u8("AACPacketType")? {
            0 => Packet::SequenceStart,
            1 => Packet::Frame { cts_ms: 0 },
            value => return Err(Error::Undefined { kind: TagKind::Audio, field: "AACPacketType", value }),
        },
        _ => Packet::Frame { cts_ms: 0 },
    };
    let channels = 1 + (first & 1);
    let format = match format {
        LEGACY_ALAW => Format::G711(g711::Params { law: g711::Law::A, channels }),
        LEGACY_MULAW => Format::G711(g711::Params { law: g711::Law::Mu, channels }),
        _ => Format::Audio(format),
    };
    let part = Part { track: 0, format, packet, data: r.rest };
    Ok(Body { key: true, offset_ns: 0, parts: SmallVec::from_iter([part]) })
}

/// SoundFormat of G.711.
pub(super) fn sound_format(law: g711::Law) -> u8 {
    match law {
        g711::Law::A => LEGACY_ALAW,
        g711::Law::Mu => LEGACY_MULAW,
    }
}

fn enhanced_audio(r: &mut Reader, first: u8) -> Result<Body, Error> {
    let (mut packet_type, offset_ns) = r.mod_ex(first & 0xF)?;
    let mut parts = SmallVec::new();
    let tracks = r.tracks(&mut packet_type, AUDIO_MULTITRACK)?;
    r.parts(tracks, &mut parts, |_, _| match packet_type {
        SEQUENCE_START => Ok(Packet::SequenceStart),
        CODED_FRAMES => Ok(Packet::Frame { cts_ms: 0 }),
        SEQUENCE_END => Ok(Packet::SequenceEnd),
        DESCRIPTION => Ok(Packet::Description),
        value => Err(Error::Undefined { kind: TagKind::Audio, field: "audioPacketType", value }),
    })?;
    Ok(Body { key: true, offset_ns, parts })
}

/// How tracks share a body.
enum Tracks {
    Single(FourCc),
    One(FourCc),
    Many(FourCc),
    ManyCodecs,
}

struct Reader {
    kind: TagKind,
    len: usize,
    rest: Bytes,
}

impl Reader {
    fn truncated(&self, field: &'static str) -> Error {
        Error::Truncated { kind: self.kind, len: self.len, field }
    }

    fn u8(&mut self, field: &'static str) -> Result<u8, Error> {
        self.rest.try_get_u8().map_err(|_| self.truncated(field))
    }

    fn u24(&mut self, field: &'static str) -> Result<u32, Error> {
        self.rest.try_get_uint(3).map(|value| value as u32).map_err(|_| self.truncated(field))
    }

    fn i24(&mut self, field: &'static str) -> Result<i32, Error> {
        self.u24(field).map(|value| (value << 8) as i32 >> 8)
    }

    fn fourcc(&mut self) -> Result<FourCc, Error> {
        let number = self.rest.try_get_u32().map_err(|_| self.truncated("fourCC"))?;
        Ok(FourCc(number.to_be_bytes()))
    }

    fn take(&mut self, len: usize, field: &'static str) -> Result<Bytes, Error> {
        if self.rest.len() < len {
            return Err(self.truncated(field));
        }
        Ok(self.rest.split_to(len))
    }

    /// ModEx headers before the body: the packet type behind them, and the sum of nanosecond offsets. Types we do not
    /// know are passed over, which is what they are made for.
    fn mod_ex(&mut self, mut packet_type: u8) -> Result<(u8, u32), Error> {
        const TIMESTAMP_OFFSET_NANO: u8 = 0;
        let mut offset_ns = 0_u32;
        let mut count = 0;
        while packet_type == MOD_EX {
            count += 1;
            if count > MOD_EX_MAX {
                return Err(Error::TooMany { kind: self.kind, field: "ModEx headers", max: MOD_EX_MAX });
            }
            let mut len = usize::from(self.u8("modExDataSize")?) + 1;
            if len == 256 {
                let long = self.rest.try_get_u16().map_err(|_| self.truncated("modExDataSize"))?;
                len = usize::from(long) + 1;
            }
            let mut data = self.take(len, "modExData")?;
            let types = self.u8("modExType")?;
            packet_type = types & 0xF;
            if types >> 4 == TIMESTAMP_OFFSET_NANO && data.len() >= 3 {
                offset_ns = offset_ns.saturating_add(data.get_uint(3) as u32);
            }
        }
        Ok((packet_type, offset_ns))
    }

    /// The multitrack header, if `packet_type` is `multitrack`; it becomes that of the parts.
    fn tracks(&mut self, packet_type: &mut u8, multitrack: u8) -> Result<Tracks, Error> {
        if *packet_type != multitrack {
            return Ok(Tracks::Single(self.fourcc()?));
        }
        let types = self.u8("multitrackType")?;
        *packet_type = types & 0xF;
        match types >> 4 {
            MULTITRACK_ONE => Ok(Tracks::One(self.fourcc()?)),
            MULTITRACK_MANY => Ok(Tracks::Many(self.fourcc()?)),
            MULTITRACK_MANY_CODECS => Ok(Tracks::ManyCodecs),
            value => Err(Error::Undefined { kind: self.kind, field: "multitrackType", value }),
        }
    }

    fn parts(
        &mut self,
        tracks: Tracks,
        parts: &mut SmallVec<[Part; 1]>,
        packet: impl Fn(&mut Self, FourCc) -> Result<Packet, Error>,
    ) -> Result<(), Error> {
        let shared = match tracks {
            Tracks::Single(fourcc) => return self.part(0, fourcc, parts, packet),
            Tracks::One(fourcc) => {
                let track = self.u8("trackId")?;
                return self.part(track, fourcc, parts, packet);
            }
            Tracks::Many(fourcc) => Some(fourcc),
            Tracks::ManyCodecs => None,
        };
        while !self.rest.is_empty() {
            if parts.len() == TRACKS_MAX {
                return Err(Error::TooMany { kind: self.kind, field: "tracks", max: TRACKS_MAX });
            }
            let fourcc = shared.map_or_else(|| self.fourcc(), Ok)?;
            let track = self.u8("trackId")?;
            let len = self.u24("sizeOfTrack")? as usize;
            let rest = self.take(len, "track data")?;
            let mut track_reader = Self { kind: self.kind, len: self.len, rest };
            track_reader.part(track, fourcc, parts, &packet)?;
        }
        Ok(())
    }

    fn part(
        &mut self,
        track: u8,
        fourcc: FourCc,
        parts: &mut SmallVec<[Part; 1]>,
        packet: impl Fn(&mut Self, FourCc) -> Result<Packet, Error>,
    ) -> Result<(), Error> {
        let packet = packet(self, fourcc)?;
        let data = std::mem::take(&mut self.rest);
        parts.push(Part { track, format: Format::FourCc(fourcc), packet, data });
        Ok(())
    }
}
