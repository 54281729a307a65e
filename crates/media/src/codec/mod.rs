//! What a track's frames are coded with. A codec is one file here and one arm in each container.

pub mod aac;
pub mod av1;
pub mod bits;
pub mod data;
pub mod g711;
pub mod h264;
pub mod h265;
pub mod nal;
pub mod opus;
mod sets;
pub mod vp8;
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
    /// VP8.
    Vp8(vp8::Params),
    /// AAC.
    Aac(aac::Params),
    /// Opus.
    Opus(opus::Params),
    /// G.711.
    G711(g711::Params),
    /// Messages in step with picture and sound.
    Data(data::Format),
}

/// Width or height of a picture, in pixels. The largest level of H.265 and AV1 allows 16,888; a peer that claims more
/// would make decoders behind us allocate gigabytes.
pub const PICTURE_SIDE_MAX: u32 = 16_384;

/// Frames a second as a fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    /// Frames …
    pub numerator: u32,
    /// … in so many seconds; never 0.
    pub denominator: u32,
}

impl FrameRate {
    /// Reduced to lowest terms; `None` when either side is 0, does not fit or the rate is beyond 1,000 a second, as
    /// encoders with a variable rate claim (90,000 a second).
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if numerator == 0 || denominator == 0 || numerator / denominator > 1_000 {
            return None;
        }
        let divisor = gcd(numerator, denominator);
        Some(Self {
            numerator: u32::try_from(numerator / divisor).ok()?,
            denominator: u32::try_from(denominator / divisor).ok()?,
        })
    }

    /// Frames a second.
    pub fn fps(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Coded size less cropping, if something is left and it keeps within [`PICTURE_SIDE_MAX`].
fn checked_size(codec: &'static str, coded: (u64, u64), crop: (u64, u64)) -> Result<(u32, u32), Error> {
    let side = |coded: u64, crop: u64, field| {
        if coded > PICTURE_SIDE_MAX.into() {
            return Err(Error::Unsupported { codec, field, value: coded });
        }
        match coded.checked_sub(crop) {
            Some(side) if side > 0 => Ok(side as u32),
            _ => Err(Error::Unsupported { codec, field: "cropping", value: crop }),
        }
    };
    Ok((side(coded.0, crop.0, "width")?, side(coded.1, crop.1, "height")?))
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
            Self::H264(_) | Self::H265(_) | Self::Av1(_) | Self::Vp9(_) | Self::Vp8(_) => Kind::Video,
            Self::Aac(_) | Self::Opus(_) | Self::G711(_) => Kind::Audio,
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
            Self::Vp8(_) => "VP8",
            Self::Aac(_) => "AAC",
            Self::Opus(_) => "Opus",
            Self::G711(params) => match params.law {
                g711::Law::A => "G.711 A-law",
                g711::Law::Mu => "G.711 µ-law",
            },
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
            Self::Vp8(p) => Some(p.rfc6381().into()),
            Self::Aac(p) => Some(p.rfc6381().into()),
            Self::Opus(_) => Some("opus".into()),
            Self::G711(p) => Some(p.rfc6381().into()),
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
            Self::Vp8(p) => Some((p.width, p.height)),
            Self::Aac(_) | Self::Opus(_) | Self::G711(_) | Self::Data(_) => None,
        }
    }

    /// Frames a second, of pictures whose parameters tell.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        match self {
            Self::H264(p) => p.frame_rate,
            Self::H265(p) => p.frame_rate,
            Self::Av1(p) => p.frame_rate,
            Self::Vp9(_) | Self::Vp8(_) | Self::Aac(_) | Self::Opus(_) | Self::G711(_) | Self::Data(_) => {
                None
            }
        }
    }

    /// Samples a second and channels, of sound.
    pub fn sound(&self) -> Option<(u32, u8)> {
        match self {
            Self::Aac(p) => Some((p.sample_rate, p.channels)),
            Self::Opus(p) => Some((opus::SAMPLE_RATE, p.channels)),
            Self::G711(p) => Some((g711::SAMPLE_RATE, p.channels)),
            Self::H264(_) | Self::H265(_) | Self::Av1(_) | Self::Vp9(_) | Self::Vp8(_) | Self::Data(_) => {
                None
            }
        }
    }
}
