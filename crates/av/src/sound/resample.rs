//! From one rate to another by rubato's FFT resampler, whose delay is known to the sample.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use crate::Error;

/// Samples resampled at a time: about the packet of either codec, so that no packet waits for the next one.
const CHUNK_SAMPLES: usize = 480;

/// Turns interleaved samples of one rate into those of another.
pub(super) struct Resampler {
    fft: Fft<f32>,
    channels: usize,
    /// Samples that do not fill a chunk yet; less than one chunk.
    pending: Vec<f32>,
    output: Vec<f32>,
    rates: (u32, u32),
}

impl Resampler {
    /// `None` when both rates are the same.
    pub(super) fn new(from: u32, to: u32, channels: usize) -> Result<Option<Self>, Error> {
        if from == to {
            return Ok(None);
        }
        let fft = Fft::new_custom(
            from as usize,
            to as usize,
            CHUNK_SAMPLES,
            1,
            channels,
            rubato::WindowFunction::BlackmanHarris2,
            FixedSync::Input,
        )
        .map_err(failed)?;
        let output = vec![0.0; fft.output_frames_max() * channels];
        Ok(Some(Self { fft, channels, pending: Vec::new(), output, rates: (from, to) }))
    }

    /// Samples of the new rate by which what comes out lags behind.
    pub(super) fn delay(&self) -> usize {
        self.fft.output_delay()
    }

    /// Samples of the old rate after which everything has come out.
    pub(super) fn delay_in(&self) -> usize {
        let (from, to) = self.rates;
        self.fft.output_delay() * from as usize / to as usize + self.fft.input_frames_max()
    }

    /// Forgets samples that have not come out.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.fft.reset();
    }

    /// Takes interleaved samples and hands out those of the new rate, chunk by chunk.
    pub(super) fn push(
        &mut self,
        samples: &[f32],
        mut emit: impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.pending.extend_from_slice(samples);
        let mut at = 0;
        loop {
            let frames = self.fft.input_frames_next();
            let Some(input) = self.pending.get(at..at + frames * self.channels) else { break };
            let space = self.output.len() / self.channels;
            let input = InterleavedSlice::new(input, self.channels, frames).map_err(failed)?;
            let mut output =
                InterleavedSlice::new_mut(&mut self.output, self.channels, space).map_err(failed)?;
            let (_, written) =
                self.fft.process_into_buffer(&input, &mut output, None::<&Indexing>).map_err(failed)?;
            emit(self.output.get(..written * self.channels).unwrap_or_default())?;
            at += frames * self.channels;
        }
        self.pending.drain(..at);
        Ok(())
    }
}

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::Library { codec: "PCM", doing: "resampling", reason: reason.to_string() }
}
