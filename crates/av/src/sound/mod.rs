//! Sound from one codec to another: decode, mix down, resample, encode, with stamps that keep the sound in step with
//! the picture.
//!
//! The stamp of a packet, coming in or going out, is the time of the first sample that a plain decoder puts out for
//! it. What our own decoder, resampler and encoder add to that is subtracted.

mod decode;
mod encode;
#[cfg(feature = "fdk")]
mod fdk;
mod g711;
mod line;
mod mix;
mod plain;
mod resample;
mod samples;
#[cfg(test)]
#[cfg(feature = "fdk")]
mod tests;

use media::{Codec, Frame, Span, Timestamp};

use self::decode::{Decoder, Format};
use self::encode::Encoder;
use self::line::{Line, Step};
pub use self::plain::{Read, Reader, Writer};
use self::resample::Resampler;
pub use self::samples::{Brought, Samples, Stereo};
use crate::Error;

/// Packets in a row that may be broken before the source is given up: a second and more of any codec, which is no
/// longer an accident of the network.
pub const BROKEN_MAX: u32 = 50;

/// A gap is concealed by the decoder for so long; beyond it, what it would make up is heard as a drone.
const CONCEAL_MAX: Span = Span::from_millis(100);

/// What is put into a gap at a time. Bounds the buffer, whatever the gap.
const SILENCE_SAMPLES_MAX: usize = 4_800;

/// What comes out of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Opus in packets of 20 ms, as WebRTC takes it.
    Opus {
        /// Channels; a mono source is doubled for stereo, a stereo source mixed down for mono.
        channels: Channels,
        /// Bits a second; RFC 7587 §3.1.1 advises 28,000–40,000 for mono music, twice that for stereo.
        bitrate_bps: u32,
    },
    /// AAC LC in frames of 1,024 samples, mono or stereo as the source, at its rate if players take that everywhere
    /// (32, 44.1 or 48 kHz) and at 48 kHz if not.
    Aac {
        /// Bits a second.
        bitrate_bps: u32,
    },
}

/// How many channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One.
    Mono,
    /// Two.
    Stereo,
}

impl Channels {
    /// As a number.
    pub fn count(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

/// Converts one sound track: a packet of the source's codec in, packets of the target's codec out.
pub struct Converter {
    decoder: Decoder,
    encoder: Encoder,
    resampler: Option<Resampler>,
    /// Of what the decoder gave last; a change rebuilds what comes after it.
    format: Option<Format>,
    line: Option<Line>,
    out: Out,
    /// Decoded and mixed samples, interleaved; kept for its capacity.
    pcm: Vec<f32>,
    mixed: Vec<f32>,
    broken: u64,
    broken_in_a_row: u32,
    level_db: Option<f32>,
}

/// The stamps of what comes out.
#[derive(Debug, Default)]
struct Out {
    /// Where counting began: the time of the first sample in, less all delays.
    start: Timestamp,
    /// Samples out since then.
    samples: i64,
    /// The time of the first sample in: nothing before it is of use.
    from: Timestamp,
    last: Option<Timestamp>,
}

impl Converter {
    /// A converter of a track coded as `source`.
    ///
    /// # Errors
    /// When `source` is no sound, has more than 8 channels or an unusual rate, or this build lacks one of the codecs.
    pub fn new(source: &Codec, target: Target) -> Result<Self, Error> {
        let decoder = Decoder::new(source, target.name())?;
        let encoder = Encoder::new(source, target)?;
        Ok(Self {
            decoder,
            encoder,
            resampler: None,
            format: None,
            line: None,
            out: Out::default(),
            pcm: Vec::new(),
            mixed: Vec::new(),
            broken: 0,
            broken_in_a_row: 0,
            level_db: None,
        })
    }

    /// What the frames that come out are coded with.
    pub fn codec(&self) -> &Codec {
        self.encoder.codec()
    }

    /// Packets so far that did not decode and were concealed.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// How loud the newest packet is, in decibels of full scale (RFC 6464 §3: of the root of the mean square); `None` before
    /// the first.
    pub fn level_db(&self) -> Option<f32> {
        self.level_db
    }

    /// Takes one packet and appends what it completes to `out`, without gaps except where the source paused for more
    /// than a second.
    ///
    /// # Errors
    /// [`Error::Broken`] after [`BROKEN_MAX`] packets in a row that do not decode; [`Error::Library`] when the encoder
    /// fails, which no input brings about.
    pub fn handle_frame(&mut self, frame: &Frame, out: &mut Vec<Frame>) -> Result<(), Error> {
        let mut trim = 0;
        match self.line.as_ref().map(|line| line.step(frame.dts, self.decoder.tolerance())) {
            None | Some(Step::Anew) => {
                self.flush(out)?;
                self.line = None;
            }
            Some(Step::Continue) => {}
            Some(Step::Fill(samples)) => self.fill(samples, out)?,
            Some(Step::Trim(samples)) => trim = samples,
        }
        self.pcm.clear();
        let format = match self.decoder.decode(&frame.payload, &mut self.pcm) {
            Ok(format) => {
                self.broken_in_a_row = 0;
                format
            }
            Err(_) => match self.conceal_broken(&frame.payload)? {
                Some(format) => format,
                None => return Ok(()),
            },
        };
        self.set_format(format, frame.dts, out)?;
        let pcm = std::mem::take(&mut self.pcm);
        let kept = pcm.get(trim * format.channels..).unwrap_or_default();
        self.level_db = Some(level_db(kept));
        self.push(kept, out)?;
        if let Some(line) = &mut self.line {
            line.advance(kept.len() / format.channels);
        }
        self.pcm = pcm;
        Ok(())
    }

    /// Puts what the decoder makes up in place of a broken packet into `pcm`. `None` while there is nothing to go on:
    /// nothing was decoded yet.
    fn conceal_broken(&mut self, packet: &[u8]) -> Result<Option<Format>, Error> {
        self.broken += 1;
        self.broken_in_a_row += 1;
        if self.broken_in_a_row >= BROKEN_MAX {
            return Err(Error::Broken { codec: self.decoder.name(), packets: self.broken_in_a_row });
        }
        let Some(format) = self.format else { return Ok(None) };
        let samples = self.decoder.samples_of(packet, format);
        self.pcm.clear();
        self.decoder.conceal(samples, format, &mut self.pcm);
        Ok(Some(format))
    }

    /// Fills a gap of `samples`: the decoder's concealment first, then silence.
    fn fill(&mut self, samples: usize, out: &mut Vec<Frame>) -> Result<(), Error> {
        let Some(format) = self.format else { return Ok(()) };
        let concealed = samples.min(CONCEAL_MAX.ticks(format.rate) as usize);
        let mut pcm = std::mem::take(&mut self.pcm);
        pcm.clear();
        self.decoder.conceal(concealed, format, &mut pcm);
        self.push(&pcm, out)?;
        let mut left = samples - concealed;
        while left > 0 {
            let now = left.min(SILENCE_SAMPLES_MAX);
            pcm.clear();
            pcm.resize(now * format.channels, 0.0);
            self.push(&pcm, out)?;
            left -= now;
        }
        self.pcm = pcm;
        if let Some(line) = &mut self.line {
            line.advance(samples);
        }
        Ok(())
    }

    /// Builds what depends on the decoded sound's form when it becomes known or changes, and begins counting there.
    fn set_format(&mut self, format: Format, stamp: Timestamp, out: &mut Vec<Frame>) -> Result<(), Error> {
        if self.format != Some(format) {
            self.flush(out)?;
            self.line = None;
            self.resampler = Resampler::new(format.rate, self.encoder.rate(), self.encoder.channels())?;
            self.format = Some(format);
        }
        if self.line.is_none() {
            self.line = Some(Line::new(stamp, format.rate));
            self.out.from = stamp;
            self.out.samples = 0;
            let delay_in = Span::from_ticks(format.delay as i64, format.rate);
            let delay_out = self.resampler.as_ref().map_or(0, Resampler::delay) + self.encoder.delay();
            self.out.start = stamp - delay_in - Span::from_ticks(delay_out as i64, self.encoder.rate());
        }
        Ok(())
    }

    /// Pushes out what is still on its way, so that the sound before a pause ends and nothing of it is heard after.
    fn flush(&mut self, out: &mut Vec<Frame>) -> Result<(), Error> {
        let (Some(_), Some(format)) = (&self.line, self.format) else { return Ok(()) };
        let behind = self.resampler.as_ref().map_or(0, Resampler::delay_in) + format.delay;
        let behind = behind
            + (self.encoder.delay() + self.encoder.frame_samples()) * format.rate as usize
                / self.encoder.rate() as usize;
        self.push(&vec![0.0; behind * format.channels], out)?;
        self.encoder.clear();
        if let Some(resampler) = &mut self.resampler {
            resampler.clear();
        }
        Ok(())
    }

    /// Decoded samples on to the encoder.
    fn push(&mut self, pcm: &[f32], out: &mut Vec<Frame>) -> Result<(), Error> {
        let Some(format) = self.format else { return Ok(()) };
        let Self { encoder, resampler, mixed, out: clock, .. } = self;
        mixed.clear();
        mix::mix(pcm, format, encoder.channels(), mixed);
        let rate = encoder.rate();
        let mut emit = |payload, samples| {
            let dts = clock.start + Span::from_ticks(clock.samples, rate);
            clock.samples += samples as i64;
            if dts >= clock.from && clock.last.is_none_or(|last| dts > last) {
                clock.last = Some(dts);
                out.push(Frame { dts, cts: Span::ZERO, sync: true, payload });
            }
        };
        match resampler {
            None => encoder.push(mixed, &mut emit),
            Some(resampler) => resampler.push(mixed, |chunk| encoder.push(chunk, &mut emit)),
        }
    }
}

impl Target {
    /// The name of the codec.
    fn name(self) -> &'static str {
        match self {
            Self::Opus { .. } => "Opus",
            Self::Aac { .. } => "AAC",
        }
    }
}

/// Decibels of full scale of these samples.
fn level_db(samples: &[f32]) -> f32 {
    /// Less is nothing: −127 dB is the least that can be told (RFC 6464 §3).
    const POWER_MIN: f32 = 2e-13;
    let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32;
    10.0 * power.max(POWER_MIN).log10()
}
