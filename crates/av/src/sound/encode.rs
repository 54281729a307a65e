//! Samples to packets of the target's codec.

use bytes::Bytes;
use media::Codec;
use media::codec::opus;
use opus_rs::{Application, OpusEncoder};

use super::Target;
use super::decode::OPUS_LOOKAHEAD;
#[cfg(feature = "fdk")]
use super::fdk;
use crate::Error;

/// Samples of a packet of Opus: 20 ms.
const OPUS_FRAME: usize = 960;

/// The longest frame of Opus (RFC 6716 §3.2.1), with its head.
const OPUS_BYTES_MAX: usize = 1_276;

/// What WebRTC's own endpoints and RFC 7587 §6.1 name: beyond it nothing is gained, below it nothing is left.
const OPUS_BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;

/// Rates of AAC that every player takes.
#[cfg(feature = "fdk")]
const AAC_RATES: [u32; 3] = [32_000, 44_100, 48_000];

/// An encoder, and the samples that do not fill a frame yet.
pub(super) struct Encoder {
    coder: Coder,
    codec: Codec,
    rate: u32,
    channels: usize,
    /// Less than one frame, interleaved.
    pending: Vec<f32>,
}

enum Coder {
    Opus(Box<OpusEncoder>),
    #[cfg(feature = "fdk")]
    Aac(fdk::Encoder),
}

impl Encoder {
    pub(super) fn new(source: &Codec, target: Target) -> Result<Self, Error> {
        match target {
            Target::Opus { channels, bitrate_bps } => Self::opus(channels.count(), bitrate_bps),
            Target::Aac { bitrate_bps } => Self::aac(source, bitrate_bps),
        }
    }

    fn opus(channels: usize, bitrate_bps: u32) -> Result<Self, Error> {
        let rate = opus::SAMPLE_RATE;
        // `Audio` and not `Voip`, which filters music and sounds worse at the rates we use.
        let mut coder = OpusEncoder::new(rate as i32, channels, Application::Audio).map_err(opus_failed)?;
        coder.bitrate_bps = bitrate_bps.clamp(*OPUS_BITRATES.start(), *OPUS_BITRATES.end()) as i32;
        let params = opus::Params { pre_skip: OPUS_LOOKAHEAD as u16, ..opus::Params::simple(channels as u8) };
        Ok(Self {
            coder: Coder::Opus(Box::new(coder)),
            codec: Codec::Opus(params),
            rate,
            channels,
            pending: Vec::new(),
        })
    }

    #[cfg(feature = "fdk")]
    fn aac(source: &Codec, bitrate_bps: u32) -> Result<Self, Error> {
        let (rate, channels) = source.sound().ok_or(Error::Codec { codec: source.name(), target: "AAC" })?;
        let rate = AAC_RATES.into_iter().find(|known| *known == rate).unwrap_or(opus::SAMPLE_RATE);
        let channels = usize::from(channels).min(2);
        let coder = fdk::Encoder::new(rate, channels, bitrate_bps)?;
        let codec = Codec::Aac(coder.params()?);
        Ok(Self { coder: Coder::Aac(coder), codec, rate, channels, pending: Vec::new() })
    }

    #[cfg(not(feature = "fdk"))]
    fn aac(_: &Codec, _: u32) -> Result<Self, Error> {
        Err(Error::LeftOut { codec: "AAC", feature: "fdk" })
    }

    pub(super) fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Samples a second that it takes.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Channels that it takes.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Samples of a packet.
    pub(super) fn frame_samples(&self) -> usize {
        match &self.coder {
            Coder::Opus(_) => OPUS_FRAME,
            #[cfg(feature = "fdk")]
            Coder::Aac(coder) => coder.frame_samples(),
        }
    }

    /// Samples by which what a decoder puts out lags behind what was put in.
    pub(super) fn delay(&self) -> usize {
        match &self.coder {
            Coder::Opus(_) => OPUS_LOOKAHEAD,
            #[cfg(feature = "fdk")]
            Coder::Aac(coder) => coder.delay(),
        }
    }

    /// Forgets samples that do not fill a frame.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    /// Takes interleaved samples and hands out each packet that is complete, with its count of samples.
    pub(super) fn push(&mut self, samples: &[f32], emit: &mut dyn FnMut(Bytes, usize)) -> Result<(), Error> {
        self.pending.extend_from_slice(samples);
        let frame = self.frame_samples();
        let mut at = 0;
        while let Some(input) = self.pending.get(at..at + frame * self.channels) {
            if let Some(packet) = self.coder.encode(input, frame)? {
                emit(packet, frame);
            }
            at += frame * self.channels;
        }
        self.pending.drain(..at);
        Ok(())
    }
}

impl Coder {
    fn encode(&mut self, input: &[f32], frame: usize) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Opus(coder) => {
                let mut packet = vec![0; OPUS_BYTES_MAX];
                let len = coder.encode(input, frame, &mut packet).map_err(opus_failed)?;
                packet.truncate(len);
                Ok(Some(packet.into()))
            }
            #[cfg(feature = "fdk")]
            Self::Aac(coder) => coder.encode(input),
        }
    }
}

fn opus_failed(reason: &str) -> Error {
    Error::Library { codec: "Opus", doing: "encoding", reason: reason.to_owned() }
}
