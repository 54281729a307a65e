//! What a track's frames are coded with. A codec is one file here and one arm in each container.

pub mod aac;
pub mod av1;
pub mod bits;
pub mod data;
pub mod h264;
pub mod h265;
pub mod opus;
pub mod vp9;

use std::borrow::Cow;

/// Codec parameters of a group: everything a decoder needs before the first frame.
///
/// Exhaustive on purpose: a new codec must break the build in every place that has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 / AVC.
    H264(h264::Params),
    /// H.265 / HEVC.
    H265(h265::Params),
    /// AV1.
    Av1(av1::Params),
    /// VP9.
    Vp9(vp9::Params),
    /// AAC.
    Aac(aac::Params),
    /// Opus.
    Opus(opus::Params),
    /// Messages in step with picture and sound.
    Data(data::Format),
}

/// What a track is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Messages: script data, SEI.
    Data,
}

/// Why codec parameters were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input ends inside a field.
    #[error("{codec} parameters end after {len} bytes, inside {field}")]
    Truncated {
        /// Which codec.
        codec: &'static str,
        /// Bytes that were there.
        len: usize,
        /// The field that did not fit.
        field: &'static str,
    },
    /// A field holds what the specification or our limits do not allow.
    #[error("{codec} parameters: {field} is {value}, which is not supported")]
    Unsupported {
        /// Which codec.
        codec: &'static str,
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A bitstream parser gave up.
    #[error("{codec} parameters: {field} cannot be read")]
    Malformed {
        /// Which codec.
        codec: &'static str,
        /// The structure that could not be read.
        field: &'static str,
    },
}

impl Codec {
    /// What a track of this codec is for.
    pub fn kind(&self) -> Kind {
        match self {
            Self::H264(_) | Self::H265(_) | Self::Av1(_) | Self::Vp9(_) => Kind::Video,
            Self::Aac(_) | Self::Opus(_) => Kind::Audio,
            Self::Data(_) => Kind::Data,
        }
    }

    /// The name people use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::H264(_) => "H.264",
            Self::H265(_) => "H.265",
            Self::Av1(_) => "AV1",
            Self::Vp9(_) => "VP9",
            Self::Aac(_) => "AAC",
            Self::Opus(_) => "Opus",
            Self::Data(format) => format.name(),
        }
    }

    /// The `codecs` parameter of RFC 6381, as browsers and HLS want it; `None` for data.
    pub fn rfc6381(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::H264(p) => Some(p.rfc6381().into()),
            Self::H265(p) => Some(p.rfc6381().into()),
            Self::Av1(p) => Some(p.rfc6381().into()),
            Self::Vp9(p) => Some(p.rfc6381().into()),
            Self::Aac(p) => Some(p.rfc6381().into()),
            Self::Opus(_) => Some("opus".into()),
            Self::Data(_) => None,
        }
    }

    /// Width and height in pixels, of pictures.
    pub fn resolution(&self) -> Option<(u32, u32)> {
        match self {
            Self::H264(p) => Some((p.width, p.height)),
            Self::H265(p) => Some((p.width, p.height)),
            Self::Av1(p) => Some((p.width, p.height)),
            Self::Vp9(p) => Some((p.width, p.height)),
            Self::Aac(_) | Self::Opus(_) | Self::Data(_) => None,
        }
    }

    /// Samples a second and channels, of sound.
    pub fn sound(&self) -> Option<(u32, u8)> {
        match self {
            Self::Aac(p) => Some((p.sample_rate, p.channels)),
            Self::Opus(p) => Some((opus::SAMPLE_RATE, p.channels)),
            Self::H264(_) | Self::H265(_) | Self::Av1(_) | Self::Vp9(_) | Self::Data(_) => None,
        }
    }
}
