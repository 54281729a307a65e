//! H.264 once more as H.264 that WebRTC takes: no B-pictures, constrained baseline, the same size and time.
//!
//! The decoder puts pictures in order of display, and the stamps are put in order beside it. At each IDR it is emptied and
//! opened anew: pictures it gives when asked for the rest are never returned to its pool, which would run dry.

mod plain;
mod yuv;

#[cfg(test)]
mod tests;

use media::codec::{h264, nal};
use media::{Codec, Frame, Span, Timestamp};
use openh264::OpenH264API;
use openh264::decoder::{Decoder as Library, DecoderConfig, Flush};

pub use self::plain::{Decoder, Encoder};
pub use self::yuv::Picture;
use crate::Error;

const NAME: &str = "H.264";

/// Pictures inside the decoder. A stream may hold back 16 (ISO 14496-10 annex A.3.1, max_dec_frame_buffering); if there
/// are more, it has swallowed some.
const WAITING_MAX: usize = 17;

/// The longer and the shorter side in pixels. Beyond it the encoder refuses.
const SIDES_MAX: (u32, u32) = (3_840, 2_160);

/// Keyframes in a row that may lead to nothing before the source is given up.
pub const BROKEN_MAX: u32 = 10;

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
    /// None while a keyframe is waited for, after something broke.
    decoder: Option<Library>,
    encoder: Encoder,
    source: h264::Params,
    /// Display times of what is inside the decoder, rising. At most [`WAITING_MAX`].
    waiting: Vec<Timestamp>,
    last: Option<Timestamp>,
    broken: Broken,
}

#[derive(Debug, Default)]
struct Broken {
    units: u64,
    in_a_row: u32,
}

impl Reencoder {
    /// A re-encoder of a track with these parameters.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for what the decoder cannot do: interlaced pictures, other than 8 bits of 4:2:0, more
    /// than 3840 × 2160.
    pub fn new(source: &h264::Params, options: Options) -> Result<Self, Error> {
        check(source)?;
        Ok(Self {
            decoder: Some(open_decoder()?),
            encoder: Encoder::new(options)?,
            source: source.clone(),
            waiting: Vec::new(),
            last: None,
            broken: Broken::default(),
        })
    }

    /// Makes the next picture that comes out a keyframe.
    pub fn want_keyframe(&mut self) {
        self.encoder.want_keyframe();
    }

    /// Access units so far that did not decode and are missing from what came out.
    pub fn broken(&self) -> u64 {
        self.broken.units
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
        if let Some(changed) = self.source.changed_by(&frame.payload) {
            check(&changed)?;
            self.source = changed;
        }
        if frame.sync && (self.decoder.is_none() || h264::is_idr(&frame.payload)) {
            self.drain(out)?;
            self.decoder = Some(open_decoder()?);
        }
        let Some(decoder) = &mut self.decoder else {
            self.broken.units += 1;
            return Ok(());
        };
        let unit = annex_b(&self.source, frame);
        let at = self.waiting.partition_point(|pts| *pts <= frame.pts());
        self.waiting.insert(at, frame.pts());
        match decoder.decode(&unit) {
            Ok(Some(picture)) => {
                self.broken.in_a_row = 0;
                let picture = Picture::copy(&picture)?;
                self.put_out(&picture, out)
            }
            Ok(None) if self.waiting.len() <= WAITING_MAX => Ok(()),
            Ok(None) | Err(_) => self.handle_broken(),
        }
    }

    /// Appends the pictures that still wait, at the end of the track.
    ///
    /// # Errors
    /// [`Error::Library`] when the encoder fails.
    pub fn finish(mut self, out: &mut Vec<(Option<Codec>, Frame)>) -> Result<(), Error> {
        self.drain(out)
    }

    /// Takes what is left out of the decoder.
    fn drain(&mut self, out: &mut Vec<(Option<Codec>, Frame)>) -> Result<(), Error> {
        let Some(mut decoder) = self.decoder.take() else { return Ok(()) };
        for picture in decoder.flush_remaining().unwrap_or_default() {
            self.put_out(&Picture::copy(&picture)?, out)?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Nothing that follows can be trusted, nor can the count of pictures inside: begin again at a keyframe.
    fn handle_broken(&mut self) -> Result<(), Error> {
        self.broken.units += self.waiting.len() as u64;
        self.broken.in_a_row += 1;
        self.waiting.clear();
        self.decoder = None;
        if self.broken.in_a_row >= BROKEN_MAX {
            return Err(Error::Broken { codec: NAME, packets: self.broken.in_a_row });
        }
        Ok(())
    }

    /// Encodes the picture whose turn it is.
    fn put_out(&mut self, picture: &Picture, out: &mut Vec<(Option<Codec>, Frame)>) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let pts = self.waiting.remove(0);
        // It came too late for its turn: a stream whose stamps contradict themselves.
        if self.last.is_some_and(|last| pts <= last) {
            return Ok(());
        }
        self.last = Some(pts);
        out.extend(self.encoder.encode(picture, pts)?);
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
