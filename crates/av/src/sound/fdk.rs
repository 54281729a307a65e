//! AAC by Fraunhofer's library: every kind decoded, LC encoded.
//!
//! It decodes LC too, though there is a decoder of LC in Rust: that one can know neither implicit SBR (which shows
//! only in the sound) nor more than two channels, and a broken first packet leaves it with a layout that refuses all
//! that follow. One decoder for all is tested with all.

use bytes::Bytes;
use fdk_aac::dec::{self, DecoderError};
use fdk_aac::enc::{self, AudioObjectType, BitRate, ChannelMode};
use media::codec::aac;

use super::decode::{Format, Order};
use super::mix::CHANNELS_MAX;
use crate::Error;

/// A frame of 1,024 samples, doubled by SBR.
const FRAME_SAMPLES_MAX: usize = 2_048;

/// Samples of a frame of all channels. ELD with SBR and upsampling stays below.
const DECODED_MAX: usize = 2 * FRAME_SAMPLES_MAX * CHANNELS_MAX;

/// Rates of ISO 14496-3 table 1.18, in Hz. Others may be written out, but nothing records with them, and resampling
/// from one that shares no factor with ours would take a filter of its size.
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// An access unit that ends inside its first element: the library takes it as lost and conceals it.
const LOST: &[u8] = &[0x00];

/// A decoder of any AAC.
pub(super) struct Decoder {
    decoder: dec::Decoder,
    frame_samples: usize,
    pcm: Vec<i16>,
}

impl Decoder {
    pub(super) fn new(params: &aac::Params) -> Result<Self, Error> {
        for rate in [params.sample_rate, params.core_sample_rate] {
            if !RATES.contains(&rate) {
                let value = rate.into();
                return Err(Error::Unsupported { codec: "AAC", field: "sample rate", value });
            }
        }
        let mut decoder = dec::Decoder::new(dec::Transport::Raw);
        decoder.config_raw(&params.config).map_err(|error| failed("decoder's configuration", error))?;
        let sbr = (params.sample_rate / params.core_sample_rate).max(1) as usize;
        Ok(Self { decoder, frame_samples: params.frame_samples as usize * sbr, pcm: vec![0; DECODED_MAX] })
    }

    /// Samples of one frame.
    pub(super) fn frame_samples(&self) -> usize {
        self.frame_samples
    }

    /// Appends the samples of one access unit.
    pub(super) fn decode(&mut self, unit: &[u8], out: &mut Vec<f32>) -> Result<Format, Error> {
        if unit.is_empty() {
            return Err(failed("decoding", "an empty access unit"));
        }
        let taken = self.decoder.fill(unit).map_err(|error| failed("decoding", error))?;
        let result = self.decoder.decode_frame(&mut self.pcm);
        if let Err(error) = result {
            return Err(failed("decoding", error));
        }
        if taken < unit.len() {
            return Err(failed("decoding", "an access unit beyond the decoder's buffer"));
        }
        let format = self.format()?;
        self.take(format, out);
        Ok(format)
    }

    /// Appends what the library makes up for `samples`, at most: whole frames, cut by the caller.
    pub(super) fn conceal(&mut self, samples: usize, format: Format, out: &mut Vec<f32>) {
        let end = out.len() + samples * format.channels;
        while out.len() < end {
            if self.decoder.fill(LOST).is_err() {
                break;
            }
            let concealed = match self.decoder.decode_frame(&mut self.pcm) {
                Ok(()) => true,
                Err(error) => is_concealed(error),
            };
            if !concealed || self.format() != Ok(format) {
                break;
            }
            self.take(format, out);
        }
        out.truncate(end);
    }

    fn format(&self) -> Result<Format, Error> {
        let info = self.decoder.stream_info();
        let unsupported = |field, value: i32| Error::Unsupported {
            codec: "AAC",
            field,
            value: value.unsigned_abs().into(),
        };
        let rate = RATES
            .into_iter()
            .find(|rate| i64::from(*rate) == i64::from(info.sampleRate))
            .ok_or(unsupported("sample rate", info.sampleRate))?;
        let channels = usize::try_from(info.numChannels)
            .ok()
            .filter(|channels| (1..=CHANNELS_MAX).contains(channels))
            .ok_or(unsupported("channels", info.numChannels))?;
        Ok(Format { rate, channels, order: Order::Wave, delay: info.outputDelay as usize })
    }

    fn take(&mut self, format: Format, out: &mut Vec<f32>) {
        let frame = usize::try_from(self.decoder.stream_info().frameSize).unwrap_or(0);
        self.frame_samples = frame;
        let pcm = self.pcm.get(..frame * format.channels).unwrap_or_default();
        out.extend(pcm.iter().map(|sample| f32::from(*sample) / 32_768.0));
    }
}

/// The library's decode errors, after which its output holds concealed sound.
fn is_concealed(error: DecoderError) -> bool {
    [
        DecoderError::TRANSPORT_ERROR,
        DecoderError::PARSE_ERROR,
        DecoderError::UNSUPPORTED_EXTENSION_PAYLOAD,
        DecoderError::DECODE_FRAME_ERROR,
        DecoderError::CRC_ERROR,
        DecoderError::INVALID_CODE_BOOK,
        DecoderError::UNSUPPORTED_PREDICTION,
        DecoderError::UNSUPPORTED_CCE,
        DecoderError::UNSUPPORTED_LFE,
        DecoderError::UNSUPPORTED_GAIN_CONTROL_DATA,
        DecoderError::UNSUPPORTED_SBA,
        DecoderError::TNS_READ_ERROR,
        DecoderError::RVLC_ERROR,
    ]
    .contains(&error)
}

/// An encoder of LC.
pub(super) struct Encoder {
    encoder: enc::Encoder,
    info: enc::InfoStruct,
    pcm: Vec<i16>,
}

impl Encoder {
    pub(super) fn new(rate: u32, channels: usize, bitrate_bps: u32) -> Result<Self, Error> {
        let encoder = enc::Encoder::new(enc::EncoderParams {
            bit_rate: BitRate::Cbr(bitrate_bps),
            sample_rate: rate,
            transport: enc::Transport::Raw,
            channels: if channels == 1 { ChannelMode::Mono } else { ChannelMode::Stereo },
            audio_object_type: AudioObjectType::Mpeg4LowComplexity,
        })
        .map_err(|error| failed("encoder's configuration", error))?;
        let info = encoder.info().map_err(|error| failed("encoder's configuration", error))?;
        Ok(Self { encoder, info, pcm: Vec::new() })
    }

    /// What a decoder needs.
    pub(super) fn params(&self) -> Result<aac::Params, Error> {
        let config = self.info.confBuf.get(..self.info.confSize as usize).unwrap_or_default();
        aac::Params::from_config(&Bytes::copy_from_slice(config))
            .map_err(|error| failed("encoder's configuration", error))
    }

    pub(super) fn frame_samples(&self) -> usize {
        self.info.frameLength as usize
    }

    /// Samples by which the sound lags, from here to what a decoder puts out.
    pub(super) fn delay(&self) -> usize {
        self.info.nDelay as usize
    }

    /// One frame of interleaved samples to one access unit.
    pub(super) fn encode(&mut self, samples: &[f32]) -> Result<Option<Bytes>, Error> {
        self.pcm.clear();
        self.pcm.extend(samples.iter().map(|sample| (sample * 32_767.0).round() as i16));
        let mut unit = vec![0; self.info.maxOutBufBytes as usize];
        let done = self.encoder.encode(&self.pcm, &mut unit).map_err(|error| failed("encoding", error))?;
        unit.truncate(done.output_size);
        Ok(Some(unit).filter(|unit| !unit.is_empty()).map(Bytes::from))
    }
}

fn failed(doing: &'static str, reason: impl std::fmt::Display) -> Error {
    Error::Library { codec: "AAC", doing, reason: reason.to_string() }
}
