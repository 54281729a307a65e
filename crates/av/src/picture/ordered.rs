//! One track of H.264 to pictures in the order in which they are shown.
//!
//! The library puts pictures in order of display, and the stamps are put in order beside it. At each IDR it is emptied and
//! opened anew: pictures it gives when asked for the rest are never returned to its pool, which would run dry.

use media::codec::h264;
use media::{Frame, Timestamp};
use openh264::decoder::Decoder as Library;

use super::{NAME, Picture, annex_b, check, open_decoder};
use crate::Error;

/// Pictures inside the decoder. A stream may hold back 16 (ISO 14496-10 annex A.3.1, max_dec_frame_buffering); if there
/// are more, it has swallowed some.
const WAITING_MAX: usize = 17;

/// Keyframes in a row that may lead to nothing before the source is given up.
pub const BROKEN_MAX: u32 = 10;

/// A picture whose turn it is.
pub struct Shown {
    /// It.
    pub picture: Picture,
    /// When it is shown, on the source's timeline.
    pub at: Timestamp,
    /// A keyframe of the source: whoever encodes anew and makes one of it, too, has the source's groups.
    pub sync: bool,
}

/// Decodes one track, B-pictures or not.
pub struct Ordered {
    /// None while a keyframe is waited for, after something broke.
    library: Option<Library>,
    source: h264::Params,
    /// Display times of what is inside the decoder, rising, and which are keyframes. At most [`WAITING_MAX`].
    waiting: Vec<(Timestamp, bool)>,
    last: Option<Timestamp>,
    broken: Broken,
}

#[derive(Debug, Default)]
struct Broken {
    units: u64,
    in_a_row: u32,
}

impl Ordered {
    /// A decoder of a track with these parameters.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for what the library cannot do: interlaced pictures, other than 8 bits of 4:2:0, more
    /// than 3840 × 2160.
    pub fn new(source: &h264::Params) -> Result<Self, Error> {
        check(source)?;
        Ok(Self {
            library: Some(open_decoder()?),
            source: source.clone(),
            waiting: Vec::new(),
            last: None,
            broken: Broken::default(),
        })
    }

    /// Whether such a track can be decoded.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn check(source: &h264::Params) -> Result<(), Error> {
        check(source)
    }

    /// Access units so far that did not decode and are missing from what came out.
    pub fn broken(&self) -> u64 {
        self.broken.units
    }

    /// Takes one access unit and appends the pictures whose turn it is.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the source changes to what the decoder cannot do; [`Error::Broken`] after
    /// [`BROKEN_MAX`] attempts in a row, each from a keyframe, that decode nothing.
    pub fn handle_frame(&mut self, frame: &Frame, out: &mut Vec<Shown>) -> Result<(), Error> {
        if let Some(changed) = self.source.changed_by(&frame.payload) {
            check(&changed)?;
            self.source = changed;
        }
        if frame.sync && (self.library.is_none() || h264::is_idr(&frame.payload)) {
            self.drain(out)?;
            self.library = Some(open_decoder()?);
        }
        let Some(library) = &mut self.library else {
            self.broken.units += 1;
            return Ok(());
        };
        let unit = annex_b(&self.source, frame);
        let at = self.waiting.partition_point(|(pts, _)| *pts <= frame.pts());
        self.waiting.insert(at, (frame.pts(), frame.sync));
        match library.decode(&unit) {
            Ok(Some(picture)) => {
                self.broken.in_a_row = 0;
                let picture = Picture::copy(&picture)?;
                self.put_out(picture, out);
                Ok(())
            }
            Ok(None) if self.waiting.len() <= WAITING_MAX => Ok(()),
            Ok(None) | Err(_) => self.handle_broken(),
        }
    }

    /// Appends what is left inside; a keyframe must follow.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for pictures that are too small to encode.
    pub fn drain(&mut self, out: &mut Vec<Shown>) -> Result<(), Error> {
        let Some(mut library) = self.library.take() else { return Ok(()) };
        for picture in library.flush_remaining().unwrap_or_default() {
            let picture = Picture::copy(&picture)?;
            self.put_out(picture, out);
        }
        self.waiting.clear();
        Ok(())
    }

    /// Nothing that follows can be trusted, nor can the count of pictures inside: begin again at a keyframe.
    fn handle_broken(&mut self) -> Result<(), Error> {
        self.broken.units += self.waiting.len() as u64;
        self.broken.in_a_row += 1;
        self.waiting.clear();
        self.library = None;
        if self.broken.in_a_row >= BROKEN_MAX {
            return Err(Error::Broken { codec: NAME, packets: self.broken.in_a_row });
        }
        Ok(())
    }

    fn put_out(&mut self, picture: Picture, out: &mut Vec<Shown>) {
        if self.waiting.is_empty() {
            return;
        }
        let (at, sync) = self.waiting.remove(0);
        // It came too late for its turn: a stream whose stamps contradict themselves.
        if self.last.is_some_and(|last| at <= last) {
            return;
        }
        self.last = Some(at);
        out.push(Shown { picture, at, sync });
    }
}
