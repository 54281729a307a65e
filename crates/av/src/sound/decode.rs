//! Packets of any codec of sound to samples.

use media::codec::{aac, g711, opus};
use media::{Codec, Span};
use opus_rs::OpusDecoder;
use opus_rs::multistream::{ChannelMappingTable, MultistreamDecoder};

#[cfg(feature = "fdk")]
use super::fdk;
use super::g711 as g711_law;
use super::mix::CHANNELS_MAX;
use crate::Error;

/// Stamps of an encoder that counts samples are exact, and one lost packet of Opus is 20 ms: half of it tells.
const OPUS_TOLERANCE: Span = Span::from_millis(10);

/// Stamps of RTMP are whole milliseconds by clocks of all kinds (see [`media::timeline::SampleClock`]).
#[cfg(feature = "fdk")]
const AAC_TOLERANCE: Span = media::timeline::SampleClock::DRIFT_MAX;

/// What libopus' encoders look ahead, in samples at 48 kHz. Who sends RTP stamps a packet with the time of its first
/// sample in (RFC 7587 §4.2), so that what comes out of a decoder lags by this much; containers account for it by
/// their pre-skip, and stamp what comes out (RFC 7845 §4).
pub(super) const OPUS_LOOKAHEAD: usize = 312;

/// Opus packets are asked for concealment in steps of 2.5 ms.
const OPUS_STEP: usize = 120;

/// The form of decoded sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// Samples a second.
    pub(super) rate: u32,
    /// Channels, 1–8.
    pub(super) channels: usize,
    pub(super) order: Order,
    /// Samples by which what the decoder puts out lags behind the stamps.
    pub(super) delay: usize,
}

/// Which order more than two channels come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Of WAVE files: left, right, centre, low frequencies, surround.
    #[cfg_attr(not(feature = "fdk"), expect(dead_code, reason = "AAC alone comes in it"))]
    Wave,
    /// Of Vorbis, and of Opus' mapping family 1 (RFC 7845 §5.1.1.2).
    Vorbis,
}

/// A decoder of one of the codecs.
pub(super) enum Decoder {
    Opus(Box<OpusDecoder>, Format),
    Streams(Box<MultistreamDecoder>, Format),
    G711(g711::Law, Format),
    #[cfg(feature = "fdk")]
    Aac(fdk::Decoder),
}

impl Decoder {
    pub(super) fn new(source: &Codec, target: &'static str) -> Result<Self, Error> {
        if let Some((_, channels)) = source.sound()
            && usize::from(channels) > CHANNELS_MAX
        {
            let codec = source.name();
            return Err(Error::Unsupported { codec, field: "channels", value: channels.into() });
        }
        match source {
            Codec::Aac(params) => Self::aac(params),
            Codec::Opus(params) => Self::opus(params),
            Codec::G711(params) => Ok(Self::g711(*params)),
            Codec::H264(_)
            | Codec::H265(_)
            | Codec::Av1(_)
            | Codec::Vp8(_)
            | Codec::Vp9(_)
            | Codec::Data(_) => Err(Error::Codec { codec: source.name(), target }),
        }
    }

    fn g711(params: g711::Params) -> Self {
        let channels = usize::from(params.channels.max(1));
        let format = Format { rate: g711::SAMPLE_RATE, channels, order: Order::Vorbis, delay: 0 };
        Self::G711(params.law, format)
    }

    #[cfg(feature = "fdk")]
    fn aac(params: &aac::Params) -> Result<Self, Error> {
        fdk::Decoder::new(params).map(Self::Aac)
    }

    #[cfg(not(feature = "fdk"))]
    fn aac(_: &aac::Params) -> Result<Self, Error> {
        Err(Error::LeftOut { codec: "AAC", feature: "fdk" })
    }

    fn opus(params: &opus::Params) -> Result<Self, Error> {
        let channels = usize::from(params.channels);
        let delay = if params.pre_skip == 0 { OPUS_LOOKAHEAD } else { 0 };
        let format = Format { rate: opus::SAMPLE_RATE, channels, order: Order::Vorbis, delay };
        if params.mapping_family == 0 {
            let decoder = OpusDecoder::new(opus::SAMPLE_RATE as i32, channels).map_err(failed)?;
            return Ok(Self::Opus(Box::new(decoder), format));
        }
        let unsupported = |field, value: u8| Error::Unsupported { codec: "Opus", field, value: value.into() };
        if params.mapping_family != 1 {
            return Err(unsupported("channel mapping family", params.mapping_family));
        }
        let table = ChannelMappingTable::parse(1, params.channels, &params.mapping_table)
            .ok_or(unsupported("length of the mapping table", params.mapping_table.len() as u8))?;
        // The library trusts its table.
        let decoded = u16::from(table.stream_count) + u16::from(table.coupled_count);
        if usize::from(table.stream_count) > CHANNELS_MAX || table.coupled_count > table.stream_count {
            return Err(unsupported("stream count", table.stream_count));
        }
        if let Some(index) =
            table.mapping.iter().find(|index| **index != 255 && u16::from(**index) >= decoded)
        {
            return Err(unsupported("channel mapping", *index));
        }
        let decoder = MultistreamDecoder::new(opus::SAMPLE_RATE as i32, table).map_err(failed)?;
        Ok(Self::Streams(Box::new(decoder), format))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Opus(..) | Self::Streams(..) => "Opus",
            Self::G711(..) => "G.711",
            #[cfg(feature = "fdk")]
            Self::Aac(_) => "AAC",
        }
    }

    /// How far a stamp may be from the count of samples before the source means it.
    pub(super) fn tolerance(&self) -> Span {
        match self {
            Self::Opus(..) | Self::Streams(..) | Self::G711(..) => OPUS_TOLERANCE,
            #[cfg(feature = "fdk")]
            Self::Aac(_) => AAC_TOLERANCE,
        }
    }

    /// Appends the samples of one packet to `out`, interleaved, and tells their form.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<Format, Error> {
        match self {
            Self::Opus(decoder, format) => {
                let samples = opus_samples(packet)?;
                let space = room(out, samples * format.channels);
                let decoded = decoder.decode(packet, samples, space).map_err(failed)?;
                out.truncate(decoded * format.channels);
                Ok(*format)
            }
            Self::Streams(decoder, format) => {
                let samples = opus_samples(packet)?;
                let space = room(out, samples * format.channels);
                let decoded = decoder.decode(packet, samples, space).map_err(failed)?;
                out.truncate(decoded * format.channels);
                Ok(*format)
            }
            Self::G711(law, format) => {
                g711_law::decode(*law, packet, out);
                Ok(*format)
            }
            #[cfg(feature = "fdk")]
            Self::Aac(decoder) => decoder.decode(packet, out),
        }
    }

    /// Samples a packet stands for that does not decode.
    pub(super) fn samples_of(&self, packet: &[u8], format: Format) -> usize {
        match self {
            Self::Opus(..) | Self::Streams(..) => {
                opus::packet_samples(packet).unwrap_or(format.rate / 50) as usize
            }
            Self::G711(..) => packet.len() / format.channels,
            #[cfg(feature = "fdk")]
            Self::Aac(decoder) => decoder.frame_samples(),
        }
    }

    /// Appends exactly `samples` that stand in for what is missing: what the codec makes up, silence where it cannot.
    pub(super) fn conceal(&mut self, samples: usize, format: Format, out: &mut Vec<f32>) {
        let end = out.len() + samples * format.channels;
        match self {
            Self::Opus(decoder, _) => {
                // In packets of 20 ms: the library's buffers are no larger for a lost packet.
                let mut left = samples - samples % OPUS_STEP;
                while left > 0 {
                    let now = left.min(opus::SAMPLE_RATE as usize / 50);
                    let start = out.len();
                    out.resize(start + now * format.channels, 0.0);
                    if decoder.decode(&[], now, &mut out[start..]).is_err() {
                        break;
                    }
                    left -= now;
                }
            }
            Self::Streams(..) | Self::G711(..) => {}
            #[cfg(feature = "fdk")]
            Self::Aac(decoder) => decoder.conceal(samples, format, out),
        }
        out.resize(end, 0.0);
    }
}

fn opus_samples(packet: &[u8]) -> Result<usize, Error> {
    opus::packet_samples(packet).map(|samples| samples as usize).ok_or_else(|| failed("no frames"))
}

/// `len` zeros at the front of `out`, which is empty.
fn room(out: &mut Vec<f32>, len: usize) -> &mut [f32] {
    out.clear();
    out.resize(len, 0.0);
    out
}

fn failed(reason: &str) -> Error {
    Error::Library { codec: "Opus", doing: "decoding", reason: reason.to_owned() }
}
