//! Packets of one track to 48 kHz stereo for whoever mixes it: decoded, resampled, and without gaps.

use media::codec::opus;
use media::{Codec, Frame, Span, Timestamp};

use super::decode::{Decoder, Format};
use super::line::{Line, Step};
use super::mix;
use super::resample::Resampler;
use super::{BROKEN_MAX, CONCEAL_MAX, SILENCE_SAMPLES_MAX, level_db};
use crate::Error;

/// Left and right at one moment.
pub type Stereo = [f32; 2];

/// Decodes one track.
pub struct Samples {
    decoder: Decoder,
    resampler: Option<Resampler>,
    format: Option<Format>,
    line: Option<Line>,
    /// As decoded, and as two channels; kept for their capacity.
    pcm: Vec<f32>,
    stereo: Vec<f32>,
    broken_in_a_row: u32,
}

/// What one packet has brought.
#[derive(Debug, Default)]
pub struct Brought {
    /// At 48 kHz.
    pub samples: Vec<Stereo>,
    /// So many of the first of them stand in for packets that are missing before this one.
    pub made_up: usize,
    /// Counting began anew, at the source's beginning or after a pause: when the first of the samples is heard.
    pub from: Option<Timestamp>,
}

impl Brought {
    /// How loud the packet itself is, in decibels of full scale (RFC 6464 §3); `None` when it brought nothing.
    pub fn level_db(&self) -> Option<f32> {
        let own = self.samples.get(self.made_up..).filter(|own| !own.is_empty())?;
        Some(level_db(own.as_flattened()))
    }
}

impl Samples {
    /// A decoder of a track coded as `source`.
    ///
    /// # Errors
    /// When `source` is no sound, or beyond what can be decoded.
    pub fn new(source: &Codec) -> Result<Self, Error> {
        Ok(Self {
            decoder: Decoder::new(source, "samples")?,
            resampler: None,
            format: None,
            line: None,
            pcm: Vec::new(),
            stereo: Vec::new(),
            broken_in_a_row: 0,
        })
    }

    /// Takes one packet; `out` holds what it has brought and nothing else.
    ///
    /// # Errors
    /// [`Error::Broken`] after [`BROKEN_MAX`] packets in a row that do not decode; [`Error::Library`] when samples cannot
    /// be brought to our rate.
    pub fn handle_frame(&mut self, frame: &Frame, out: &mut Brought) -> Result<(), Error> {
        out.samples.clear();
        (out.made_up, out.from) = (0, None);
        let mut trim = 0;
        match self.line.as_ref().map(|line| line.step(frame.dts, self.decoder.tolerance())) {
            None => {}
            Some(Step::Anew) => self.begin_anew(),
            Some(Step::Continue) => {}
            Some(Step::Fill(samples)) => self.fill(samples, out)?,
            Some(Step::Trim(samples)) => trim = samples,
        }
        let Some(format) = self.decode(&frame.payload)? else { return Ok(()) };
        self.set_format(format, frame.dts, out)?;
        let pcm = std::mem::take(&mut self.pcm);
        let kept = pcm.get(trim * format.channels..).unwrap_or_default();
        self.push(kept, format, &mut out.samples)?;
        if let Some(line) = &mut self.line {
            line.advance(kept.len() / format.channels);
        }
        self.pcm = pcm;
        Ok(())
    }

    /// Puts a packet's samples into `pcm`, or what stands in for a broken one. `None` while there is nothing to go on.
    fn decode(&mut self, packet: &[u8]) -> Result<Option<Format>, Error> {
        self.pcm.clear();
        if let Ok(format) = self.decoder.decode(packet, &mut self.pcm) {
            self.broken_in_a_row = 0;
            return Ok(Some(format));
        }
        self.broken_in_a_row += 1;
        if self.broken_in_a_row >= BROKEN_MAX {
            return Err(Error::Broken { codec: self.decoder.name(), packets: self.broken_in_a_row });
        }
        self.pcm.clear();
        if let Some(format) = self.format {
            let samples = self.decoder.samples_of(packet, format);
            self.decoder.conceal(samples, format, &mut self.pcm);
        }
        Ok(self.format)
    }

    /// What stands in for `samples` that are missing: what the codec makes up first, then silence.
    fn fill(&mut self, samples: usize, out: &mut Brought) -> Result<(), Error> {
        let Some(format) = self.format else { return Ok(()) };
        let concealed = samples.min(CONCEAL_MAX.ticks(format.rate) as usize);
        let mut pcm = std::mem::take(&mut self.pcm);
        pcm.clear();
        self.decoder.conceal(concealed, format, &mut pcm);
        self.push(&pcm, format, &mut out.samples)?;
        let mut left = samples - concealed;
        while left > 0 {
            let now = left.min(SILENCE_SAMPLES_MAX);
            pcm.clear();
            pcm.resize(now * format.channels, 0.0);
            self.push(&pcm, format, &mut out.samples)?;
            left -= now;
        }
        self.pcm = pcm;
        out.made_up = out.samples.len();
        if let Some(line) = &mut self.line {
            line.advance(samples);
        }
        Ok(())
    }

    fn begin_anew(&mut self) {
        self.line = None;
        if let Some(resampler) = &mut self.resampler {
            resampler.clear();
        }
    }

    /// Builds what depends on the decoded sound's form when it becomes known or changes, and begins counting there.
    fn set_format(&mut self, format: Format, stamp: Timestamp, out: &mut Brought) -> Result<(), Error> {
        if self.format != Some(format) {
            self.resampler = Resampler::new(format.rate, opus::SAMPLE_RATE, 2)?;
            self.format = Some(format);
            self.line = None;
        }
        if self.line.is_none() {
            self.line = Some(Line::new(stamp, format.rate));
            let resampling = self.resampler.as_ref().map_or(0, Resampler::delay);
            let delay = Span::from_ticks(format.delay as i64, format.rate)
                + Span::from_ticks(resampling as i64, opus::SAMPLE_RATE);
            out.from = Some(stamp - delay);
        }
        Ok(())
    }

    fn push(&mut self, pcm: &[f32], format: Format, out: &mut Vec<Stereo>) -> Result<(), Error> {
        self.stereo.clear();
        mix::mix(pcm, format, 2, &mut self.stereo);
        match &mut self.resampler {
            None => out.extend_from_slice(self.stereo.as_chunks().0),
            Some(resampler) => resampler.push(&self.stereo, |chunk| {
                out.extend_from_slice(chunk.as_chunks().0);
                Ok(())
            })?,
        }
        Ok(())
    }
}
