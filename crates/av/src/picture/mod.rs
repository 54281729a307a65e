//! H.264 once more as H.264 that WebRTC takes: no B-pictures, constrained baseline, the same size and time.
//!
//! The decoder alone, the encoder alone and what makes pictures smaller stand beside it, for whoever makes several tracks
//! of one.

mod ordered;
mod plain;
mod scale;
mod yuv;

#[cfg(test)]
mod tests;

use media::codec::{h264, nal};
use media::{Codec, Frame, Span};
use openh264::OpenH264API;
use openh264::decoder::{Decoder as Library, DecoderConfig, Flush};

pub use self::ordered::{BROKEN_MAX, Ordered, Shown};
pub use self::plain::{Decoder, Encoder};
pub use self::scale::Scaler;
pub use self::yuv::Picture;
use crate::Error;

const NAME: &str = "H.264";

/// The longer and the shorter side in pixels. Beyond it the encoder refuses.
const SIDES_MAX: (u32, u32) = (3_840, 2_160);

/// How to encode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Bits a second.
    pub bitrate_bps: u32,
    /// Pictures a second that the bits are divided among; the stamps are the source's own.
    pub fps: f32,
    /// Threads of the encoder; 1 encodes on the caller's. With more, pictures are cut into slices of one RTP packet.
    pub threads: u16,
    /// A keyframe after so long, besides those that are asked for.
    pub keyframe_interval: Span,
}

/// Re-encodes one track of H.264.
pub struct Reencoder {
    decoder: Ordered,
    encoder: Encoder,
    shown: Vec<Shown>,
}

impl Reencoder {
    /// A re-encoder of a track with these parameters.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for what the decoder cannot do: interlaced pictures, other than 8 bits of 4:2:0, more
    /// than 3840 × 2160.
    pub fn new(source: &h264::Params, options: Options) -> Result<Self, Error> {
        Ok(Self { decoder: Ordered::new(source)?, encoder: Encoder::new(options)?, shown: Vec::new() })
    }

    /// Makes the next picture that comes out a keyframe.
    pub fn want_keyframe(&mut self) {
        self.encoder.want_keyframe();
    }

    /// Access units so far that did not decode and are missing from what came out.
    pub fn broken(&self) -> u64 {
        self.decoder.broken()
    }

    /// Takes one access unit and appends the pictures whose turn it is: `dts` is the display time of the input, `cts`
    /// zero. Parameters stand before the first picture and before one that needs others, which is a keyframe.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the source changes to what the decoder cannot do; [`Error::Broken`] after
    /// [`BROKEN_MAX`] attempts in a row, each from a keyframe, that decode nothing; [`Error::Library`] when the encoder fails.
    pub fn handle_frame(
        &mut self,
        frame: &Frame,
        out: &mut Vec<(Option<Codec>, Frame)>,
    ) -> Result<(), Error> {
        let decoded = self.decoder.handle_frame(frame, &mut self.shown);
        self.encode(out)?;
        decoded
    }

    /// Appends the pictures that still wait, at the end of the track.
    ///
    /// # Errors
    /// [`Error::Library`] when the encoder fails.
    pub fn finish(mut self, out: &mut Vec<(Option<Codec>, Frame)>) -> Result<(), Error> {
        self.decoder.drain(&mut self.shown)?;
        self.encode(out)
    }

    fn encode(&mut self, out: &mut Vec<(Option<Codec>, Frame)>) -> Result<(), Error> {
        for shown in self.shown.drain(..) {
            out.extend(self.encoder.encode(&shown.picture, shown.at)?);
        }
        Ok(())
    }
}

/// The unit with start codes, and before a picture one can begin at, with the parameter sets in front.
fn annex_b(source: &h264::Params, frame: &Frame) -> Vec<u8> {
    let sets = if frame.sync { source.parameter_sets() } else { h264::ParameterSets::default() };
    let mut unit = Vec::with_capacity(frame.payload.len() + 256);
    let own = nal::units(&frame.payload);
    for nal in sets.sps.iter().chain(&sets.pps).map(|set| &set[..]).chain(own) {
        unit.extend_from_slice(&[0, 0, 0, 1]);
        unit.extend_from_slice(nal);
    }
    unit
}

fn open_decoder() -> Result<Library, Error> {
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    Library::with_api_config(OpenH264API::from_source(), config)
        .map_err(|error| failed("opening the decoder", error))
}

/// What the decoder can do, by the parameter sets.
fn check(source: &h264::Params) -> Result<(), Error> {
    let unsupported = |field, value: u32| Err(Error::Unsupported { codec: NAME, field, value: value.into() });
    for sps in source.parameter_sets().sps {
        let sps = h264::Sps::parse(&sps).map_err(|error| failed("reading the parameters", error))?;
        if sps.chroma_format != 1 {
            return unsupported("chroma_format_idc", sps.chroma_format.into());
        }
        if sps.bit_depth != 8 || sps.chroma_bit_depth != 8 {
            return unsupported("bit depth", sps.bit_depth.max(sps.chroma_bit_depth).into());
        }
        if !sps.progressive {
            return unsupported("frame_mbs_only_flag", 0);
        }
        let (long, short) = (sps.width.max(sps.height), sps.width.min(sps.height));
        if long > SIDES_MAX.0 {
            return unsupported("a side in pixels of", long);
        }
        if short > SIDES_MAX.1 {
            return unsupported("a shorter side in pixels of", short);
        }
    }
    Ok(())
}

fn failed(doing: &'static str, reason: impl std::fmt::Display) -> Error {
    Error::Library { codec: NAME, doing, reason: reason.to_string() }
}
