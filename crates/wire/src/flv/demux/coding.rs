//! Which codec a tag names, and what to call those we do not carry.

use bytes::Bytes;
use media::codec::{Codec, g711, h264, h265, nal};
use smallvec::SmallVec;

use crate::flv::FourCc;
use crate::flv::tag::{self, Format};

/// Codecs that we carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    H264,
    H265,
    Av1,
    Vp9,
    Vp8,
    Aac,
    Opus,
    G711(g711::Params),
}

impl Coding {
    pub(super) fn of(format: Format) -> Option<Self> {
        match format {
            Format::Video(tag::LEGACY_AVC) | Format::FourCc(FourCc::AVC) => Some(Self::H264),
            Format::Video(tag::LEGACY_HEVC) | Format::FourCc(FourCc::HEVC) => Some(Self::H265),
            Format::FourCc(FourCc::AV1) => Some(Self::Av1),
            Format::FourCc(FourCc::VP9) => Some(Self::Vp9),
            Format::FourCc(FourCc::VP8) => Some(Self::Vp8),
            Format::Audio(tag::LEGACY_AAC) | Format::FourCc(FourCc::AAC) => Some(Self::Aac),
            Format::FourCc(FourCc::OPUS) => Some(Self::Opus),
            Format::G711(params) => Some(Self::G711(params)),
            Format::Video(_) | Format::Audio(_) | Format::FourCc(_) => None,
        }
    }

    pub(super) fn matches(self, codec: &Codec) -> bool {
        match codec {
            Codec::H264(_) => self == Self::H264,
            Codec::H265(_) => self == Self::H265,
            Codec::Av1(_) => self == Self::Av1,
            Codec::Vp9(_) => self == Self::Vp9,
            Codec::Vp8(_) => self == Self::Vp8,
            Codec::Aac(_) => self == Self::Aac,
            Codec::Opus(_) => self == Self::Opus,
            Codec::G711(params) => self == Self::G711(*params),
            Codec::Data(_) => false,
        }
    }

    /// Whether a payload holds a picture, and not only parameter sets, SEI and delimiters.
    pub(super) fn has_picture(self, payload: &[u8]) -> bool {
        match self {
            Self::H264 => nal::units(payload).any(|unit| (1..=5).contains(&h264::unit_type(unit))),
            Self::H265 => nal::units(payload).any(|unit| h265::unit_type(unit) < 32),
            Self::Av1 | Self::Vp9 | Self::Vp8 | Self::Aac | Self::Opus | Self::G711(_) => true,
        }
    }

    /// The SEI NAL units with user data of a payload.
    pub(super) fn user_data(self, payload: &Bytes) -> SmallVec<[Bytes; 1]> {
        match self {
            Self::H264 => h264::user_data(payload).collect(),
            Self::H265 => h265::user_data(payload).collect(),
            Self::Av1 | Self::Vp9 | Self::Vp8 | Self::Aac | Self::Opus | Self::G711(_) => SmallVec::new(),
        }
    }
}

/// The name, and the number or fourCC, of a codec that we do not carry.
pub(super) fn name(format: Format) -> String {
    match format {
        Format::Video(id) => named(video_name(id), format_args!("CodecID {id}")),
        Format::Audio(id) => named(audio_name(id), format_args!("SoundFormat {id}")),
        Format::G711(params) => named(Some(params.rfc6381()), format_args!("G.711")),
        Format::FourCc(fourcc) => named(fourcc_name(fourcc), format_args!("fourCC {fourcc}")),
    }
}

fn named(name: Option<&str>, number: std::fmt::Arguments<'_>) -> String {
    match name {
        Some(name) => format!("{name} ({number})"),
        None => number.to_string(),
    }
}

/// Annex E.4.3.1, and the numbers that encoders in the field have made up.
fn video_name(id: u8) -> Option<&'static str> {
    match id {
        1 => Some("JPEG"),
        2 => Some("Sorenson H.263"),
        3 => Some("Screen video"),
        4 => Some("On2 VP6"),
        5 => Some("On2 VP6 with alpha"),
        6 => Some("Screen video 2"),
        13 => Some("legacy AV1"),
        _ => None,
    }
}

/// Annex E.4.2.1.
fn audio_name(id: u8) -> Option<&'static str> {
    match id {
        0 | 3 => Some("PCM"),
        1 => Some("ADPCM"),
        2 => Some("MP3"),
        4..=6 => Some("Nellymoser"),
        11 => Some("Speex"),
        13 => Some("legacy Opus"),
        14 => Some("MP3 at 8 kHz"),
        _ => None,
    }
}

fn fourcc_name(fourcc: FourCc) -> Option<&'static str> {
    match &fourcc.0 {
        b"vvc1" => Some("H.266"),
        b"ac-3" => Some("AC-3"),
        b"ec-3" => Some("E-AC-3"),
        b"fLaC" => Some("FLAC"),
        b".mp3" => Some("MP3"),
        _ => None,
    }
}
