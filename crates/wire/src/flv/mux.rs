//! From the model to tags: sequence headers, frame headers that go before a shared payload, and whole tags of a file
//! or an HTTP stream (annex E.3, E.4; Enhanced RTMP v2).

use bytes::{BufMut, Bytes, BytesMut};
use media::codec::{Codec, data, g711};
use media::{Frame, Timestamp};

use super::{FourCc, TagKind, tag};

#[cfg(test)]
mod tests;

/// Bytes of the header of an FLV file with the first PreviousTagSize.
pub const FILE_HEADER_BYTES: usize = 13;

/// Bytes before a tag's body.
pub const TAG_HEADER_BYTES: usize = 11;

/// Bytes after a tag's body: PreviousTagSize.
pub const TAG_TRAILER_BYTES: usize = 4;

/// Bytes of a body, which 24 bits must hold.
pub const BODY_BYTES_MAX: usize = (1 << 24) - 1;

/// Bytes before a frame's payload in any body we write.
const HEAD_BYTES_MAX: usize = 16;

/// How H.265 is written in the first track. Further tracks are always enhanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hevc {
    /// fourCC `hvc1` of Enhanced RTMP: FFmpeg from 6.1, OBS, mpegts.js, VLC.
    #[default]
    Enhanced,
    /// CodecID 12, which older Chinese players read.
    Legacy,
}

/// Writes tags for one viewer, or for all that want the same. It holds no state but its options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Muxer {
    /// How H.265 is written.
    pub hevc: Hevc,
}

/// The few bytes of a body before a frame's payload. Both together are the body, so that a payload need not be copied
/// to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    len: u8,
}

impl Head {
    const EMPTY: Self = Self { bytes: [0; HEAD_BYTES_MAX], len: 0 };

    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let slot =
                self.bytes.get_mut(usize::from(self.len)).expect("HEAD_BYTES_MAX holds the longest header");
            *slot = *byte;
            self.len += 1;
        }
    }

    fn of(bytes: &[u8]) -> Self {
        let mut head = Self::EMPTY;
        head.put(bytes);
        head
    }
}

impl std::ops::Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The milliseconds of a tag's 32-bit stamp: the timeline's, wrapped.
pub fn stamp(at: Timestamp) -> u32 {
    at.millis() as u32
}

/// What goes into a body whose stamp is that of the frame's decoding time, whose milliseconds round down.
fn composition_ms(frame: &Frame) -> [u8; 3] {
    const SI24: std::ops::RangeInclusive<i64> = -(1 << 23)..=(1 << 23) - 1;
    let ms = (frame.pts().millis() - frame.dts.millis()).clamp(*SI24.start(), *SI24.end());
    let [_, bytes @ ..] = (ms as i32).to_be_bytes();
    bytes
}

/// Which message or tag kind carries frames of a codec; `None` for SEI, which travels inside its pictures.
pub fn tag_kind(codec: &Codec) -> Option<TagKind> {
    match codec {
        Codec::H264(_) | Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) | Codec::Vp8(_) => {
            Some(TagKind::Video)
        }
        Codec::Aac(_) | Codec::Opus(_) | Codec::G711(_) => Some(TagKind::Audio),
        Codec::Data(data::Format::Amf0) => Some(TagKind::Script),
        Codec::Data(data::Format::Sei) => None,
    }
}

/// How a codec is named in enhanced tags; `None` for G.711, which only legacy tags carry.
pub(super) fn fourcc(codec: &Codec) -> Option<FourCc> {
    match codec {
        Codec::H264(_) => Some(FourCc::AVC),
        Codec::H265(_) => Some(FourCc::HEVC),
        Codec::Av1(_) => Some(FourCc::AV1),
        Codec::Vp9(_) => Some(FourCc::VP9),
        Codec::Vp8(_) => Some(FourCc::VP8),
        Codec::Aac(_) => Some(FourCc::AAC),
        Codec::Opus(_) => Some(FourCc::OPUS),
        Codec::G711(_) | Codec::Data(_) => None,
    }
}

impl Muxer {
    /// The body that configures a track; `None` for data and G.711. `track` is the Enhanced RTMP track number: 0 is written
    /// without multitrack, as every player reads it.
    pub fn sequence_header(&self, codec: &Codec, track: u8) -> Option<Bytes> {
        let config = match codec {
            Codec::H264(params) => params.config.clone(),
            Codec::H265(params) => params.config.clone(),
            Codec::Av1(params) => params.config.clone(),
            Codec::Vp9(params) => params.config.clone(),
            Codec::Vp8(params) => params.config.clone(),
            Codec::Aac(params) => params.config.clone(),
            Codec::Opus(params) => params.opus_head(),
            Codec::G711(_) | Codec::Data(_) => return None,
        };
        let head = match self.legacy(codec, track) {
            Some(LEGACY_AAC) => Head::of(&[LEGACY_AAC, 0]),
            Some(codec_id) => Head::of(&[0x10 | codec_id, 0, 0, 0, 0]),
            None => enhanced(codec, track, tag::SEQUENCE_START, true),
        };
        let mut body = BytesMut::with_capacity(head.len() + config.len());
        body.put_slice(&head);
        body.put_slice(&config);
        Some(body.freeze())
    }

    /// The bytes of a body before `frame.payload`; `None` when frames of this codec have no tag (SEI, and G.711 beyond the
    /// first track). Empty for
    /// script data, whose payload is the body.
    pub fn body_header(&self, codec: &Codec, frame: &Frame, track: u8) -> Option<Head> {
        if let Codec::Data(format) = codec {
            return (*format == data::Format::Amf0).then_some(Head::EMPTY);
        }
        if let Codec::G711(params) = codec {
            return (track == 0).then(|| Head::of(&[g711_byte(params)]));
        }
        match self.legacy(codec, track) {
            Some(LEGACY_AAC) => Some(Head::of(&[LEGACY_AAC, 1])),
            Some(codec_id) => {
                let frame_type = if frame.sync { 0x10 } else { 0x20 };
                let mut head = Head::of(&[frame_type | codec_id, 1]);
                head.put(&composition_ms(frame));
                Some(head)
            }
            None => Some(enhanced_frame(codec, frame, track)),
        }
    }

    /// The legacy code of a codec: CodecID, or the whole first byte of AAC. `None` where only enhanced tags do.
    fn legacy(&self, codec: &Codec, track: u8) -> Option<u8> {
        if track != 0 {
            return None;
        }
        match codec {
            Codec::H264(_) => Some(tag::LEGACY_AVC),
            Codec::H265(_) if self.hevc == Hevc::Legacy => Some(tag::LEGACY_HEVC),
            Codec::Aac(_) => Some(LEGACY_AAC),
            Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) | Codec::Vp8(_) => None,
            Codec::Opus(_) | Codec::G711(_) | Codec::Data(_) => None,
        }
    }

    /// Appends the tag that configures a track; nothing for data.
    pub fn write_sequence_header(&self, codec: &Codec, track: u8, at: Timestamp, out: &mut BytesMut) {
        if let Some((kind, body)) = tag_kind(codec).zip(self.sequence_header(codec, track)) {
            write_tag(kind, at, &body, &[], out);
        }
    }

    /// Appends a frame's whole tag; nothing for SEI. `false` when the frame is beyond [`BODY_BYTES_MAX`] and was left
    /// out.
    pub fn write_frame(&self, codec: &Codec, frame: &Frame, track: u8, out: &mut BytesMut) -> bool {
        let Some((kind, head)) = tag_kind(codec).zip(self.body_header(codec, frame, track)) else {
            return true;
        };
        write_tag(kind, frame.dts, &head, &frame.payload, out)
    }
}

/// First byte of an AAC tag: format 10, and the 44 kHz, 16 bit, stereo it has to say whatever is coded (annex E.4.2.1).
const LEGACY_AAC: u8 = 0xAF;

/// First byte of a G.711 tag: 5.5 kHz, which is what a reader of these formats takes for 8 kHz, and 16 bit.
fn g711_byte(params: &g711::Params) -> u8 {
    tag::sound_format(params.law) << 4 | 2 | u8::from(params.channels > 1)
}

fn enhanced_frame(codec: &Codec, frame: &Frame, track: u8) -> Head {
    let with_cts = matches!(codec, Codec::H264(_) | Codec::H265(_));
    let cts = composition_ms(frame);
    if with_cts && cts != [0; 3] {
        let mut head = enhanced(codec, track, tag::CODED_FRAMES, frame.sync);
        head.put(&cts);
        return head;
    }
    let packet_type = if with_cts { tag::CODED_FRAMES_X } else { tag::CODED_FRAMES };
    enhanced(codec, track, packet_type, frame.sync)
}

/// ExVideoTagHeader or ExAudioTagHeader, as multitrack with one track for tracks beyond the first.
fn enhanced(codec: &Codec, track: u8, packet_type: u8, key: bool) -> Head {
    let audio = tag_kind(codec) == Some(TagKind::Audio);
    let (first, multitrack) = match (audio, key) {
        (true, _) => (tag::EX_AUDIO << 4, tag::AUDIO_MULTITRACK),
        (false, true) => (tag::EX_VIDEO | 0x10, tag::VIDEO_MULTITRACK),
        (false, false) => (tag::EX_VIDEO | 0x20, tag::VIDEO_MULTITRACK),
    };
    let fourcc = fourcc(codec).map_or([0; 4], |fourcc| fourcc.0);
    let mut head = Head::EMPTY;
    if track == 0 {
        head.put(&[first | packet_type]);
        head.put(&fourcc);
    } else {
        head.put(&[first | multitrack, packet_type]);
        head.put(&fourcc);
        head.put(&[track]);
    }
    head
}

/// The header of a file or stream (annex E.2) with its first PreviousTagSize.
pub fn file_header(audio: bool, video: bool) -> [u8; FILE_HEADER_BYTES] {
    let flags = u8::from(audio) << 2 | u8::from(video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// The header of a tag (annex E.4.1); the body of `body_bytes` (at most [`BODY_BYTES_MAX`]) and then
/// [`tag_trailer`] follow.
pub fn tag_header(kind: TagKind, at: Timestamp, body_bytes: usize) -> [u8; TAG_HEADER_BYTES] {
    let [_, s2, s1, s0] = (body_bytes as u32).to_be_bytes();
    let [t3, t2, t1, t0] = stamp(at).to_be_bytes();
    [kind.id(), s2, s1, s0, t2, t1, t0, t3, 0, 0, 0]
}

/// PreviousTagSize after a body of `body_bytes`.
pub fn tag_trailer(body_bytes: usize) -> [u8; TAG_TRAILER_BYTES] {
    ((TAG_HEADER_BYTES + body_bytes) as u32).to_be_bytes()
}

/// Appends a tag whose body is `head` and `payload`. `false`, and nothing written, beyond [`BODY_BYTES_MAX`].
pub fn write_tag(kind: TagKind, at: Timestamp, head: &[u8], payload: &[u8], out: &mut BytesMut) -> bool {
    let body_bytes = head.len() + payload.len();
    if body_bytes > BODY_BYTES_MAX {
        return false;
    }
    out.reserve(TAG_HEADER_BYTES + body_bytes + TAG_TRAILER_BYTES);
    out.put_slice(&tag_header(kind, at, body_bytes));
    out.put_slice(head);
    out.put_slice(payload);
    out.put_slice(&tag_trailer(body_bytes));
    true
}
