//! Opus (RFC 6716) and its configuration in containers: `OpusHead` (RFC 7845 §5.1), `dOps` (Opus in ISOBMFF §4.3.2).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Error;
use crate::time::Span;

const NAME: &str = "Opus";
const MAGIC: &[u8; 8] = b"OpusHead";

/// Opus always decodes to this rate, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;

/// The longest packet (RFC 6716 §3.2.5 R5): 120 ms.
pub const PACKET_SAMPLES_MAX: u32 = 5_760;

/// What an Opus decoder needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Output channels, 1–255.
    pub channels: u8,
    /// Samples at 48 kHz that a decoder discards at the start.
    pub pre_skip: u16,
    /// Rate of the original sound in Hz, for information; 0 when unknown.
    pub input_sample_rate: u32,
    /// Gain in Q7.8 dB that a decoder applies.
    pub output_gain: i16,
    /// Channel mapping family and, for families other than 0, the table of RFC 7845 §5.1.1.
    pub mapping_family: u8,
    /// Stream count, coupled count and mapping; empty for family 0.
    pub mapping_table: Bytes,
}

impl Params {
    /// Mono or stereo of mapping family 0, as RTP sources have it (RFC 7587).
    pub fn simple(channels: u8) -> Self {
        Self {
            channels,
            pre_skip: 0,
            input_sample_rate: SAMPLE_RATE,
            output_gain: 0,
            mapping_family: 0,
            mapping_table: Bytes::new(),
        }
    }

    /// From an `OpusHead` packet (RFC 7845 §5.1), as Enhanced RTMP and Matroska carry it.
    ///
    /// # Errors
    /// When it is cut, of an unknown version, or its channels do not fit its mapping.
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        let mut rest = config.clone();
        if !rest.starts_with(MAGIC) {
            return Err(Error::Malformed { codec: NAME, field: "OpusHead" });
        }
        rest.advance(MAGIC.len());
        let truncated = |field| Error::Truncated { codec: NAME, len: config.len(), field };
        let version = rest.try_get_u8().map_err(|_| truncated("version"))?;
        if version & 0xF0 != 0 {
            return Err(Error::Unsupported { codec: NAME, field: "version", value: version.into() });
        }
        let channels = rest.try_get_u8().map_err(|_| truncated("channel count"))?;
        let pre_skip = rest.try_get_u16_le().map_err(|_| truncated("pre-skip"))?;
        let input_sample_rate = rest.try_get_u32_le().map_err(|_| truncated("input sample rate"))?;
        let output_gain = rest.try_get_i16_le().map_err(|_| truncated("output gain"))?;
        let family = rest.try_get_u8().map_err(|_| truncated("channel mapping family"))?;
        Self { channels, pre_skip, input_sample_rate, output_gain, ..Self::simple(channels) }
            .with_mapping(family, rest)
    }

    /// From the body of a `dOps` box (Encapsulation of Opus in ISOBMFF §4.3.2), whose numbers are big-endian.
    ///
    /// # Errors
    /// As [`Params::from_config`].
    pub fn from_dops(body: &Bytes) -> Result<Self, Error> {
        let mut rest = body.clone();
        let truncated = |field| Error::Truncated { codec: NAME, len: body.len(), field };
        let version = rest.try_get_u8().map_err(|_| truncated("version"))?;
        if version != 0 {
            return Err(Error::Unsupported { codec: NAME, field: "version", value: version.into() });
        }
        let channels = rest.try_get_u8().map_err(|_| truncated("OutputChannelCount"))?;
        let pre_skip = rest.try_get_u16().map_err(|_| truncated("PreSkip"))?;
        let input_sample_rate = rest.try_get_u32().map_err(|_| truncated("InputSampleRate"))?;
        let output_gain = rest.try_get_i16().map_err(|_| truncated("OutputGain"))?;
        let family = rest.try_get_u8().map_err(|_| truncated("ChannelMappingFamily"))?;
        Self { channels, pre_skip, input_sample_rate, output_gain, ..Self::simple(channels) }
            .with_mapping(family, rest)
    }

    /// Takes the table of RFC 7845 §5.1.1 from `rest` and holds it against the channel count.
    fn with_mapping(mut self, family: u8, mut rest: Bytes) -> Result<Self, Error> {
        let bad = |field, value: u8| Error::Unsupported { codec: NAME, field, value: value.into() };
        self.mapping_family = family;
        if self.channels == 0 || (family == 0 && self.channels > 2) {
            return Err(bad("channel count", self.channels));
        }
        if family == 0 {
            return Ok(self);
        }
        let len = 2 + usize::from(self.channels);
        if rest.len() < len {
            return Err(Error::Truncated { codec: NAME, len: rest.len(), field: "channel mapping table" });
        }
        self.mapping_table = rest.split_to(len);
        let streams = self.mapping_table.first().copied().unwrap_or(0);
        let coupled = self.mapping_table.get(1).copied().unwrap_or(0);
        if streams == 0 || coupled > streams || u16::from(streams) + u16::from(coupled) > 255 {
            return Err(bad("stream count", streams));
        }
        Ok(self)
    }

    /// As an `OpusHead` packet (RFC 7845 §5.1).
    pub fn opus_head(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(19 + self.mapping_table.len());
        out.put_slice(MAGIC);
        out.put_slice(&[1, self.channels]);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.input_sample_rate);
        out.put_i16_le(self.output_gain);
        out.put_u8(self.mapping_family);
        out.put_slice(&self.mapping_table);
        out.freeze()
    }

    /// As the body of a `dOps` box.
    pub fn dops(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(11 + self.mapping_table.len());
        out.put_slice(&[0, self.channels]);
        out.put_u16(self.pre_skip);
        out.put_u32(self.input_sample_rate);
        out.put_i16(self.output_gain);
        out.put_u8(self.mapping_family);
        out.put_slice(&self.mapping_table);
        out.freeze()
    }

    /// The `codecs` parameter of RFC 6381, registered by Opus in ISOBMFF §4.3.5.
    pub fn rfc6381(&self) -> &'static str {
        "opus"
    }
}

/// Samples at 48 kHz in a packet, from its first two bytes (RFC 6716 §3.1, §3.2). `None` for an empty packet, one
/// that counts no frames, or one beyond [`PACKET_SAMPLES_MAX`].
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        config @ 0..12 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..16 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3F),
    };
    Some(frame * frames).filter(|samples| (1..=PACKET_SAMPLES_MAX).contains(samples))
}

/// How long a packet sounds; see [`packet_samples`].
pub fn packet_duration(packet: &[u8]) -> Option<Span> {
    packet_samples(packet).map(|samples| Span::from_ticks(samples.into(), SAMPLE_RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FFmpeg 9: `-c:a libopus` of one channel into FLV.
    const HEAD: &[u8] = b"OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00";

    #[test]
    fn an_opus_head_is_read_and_written_back_to_the_bit() {
        let params = Params::from_config(&Bytes::from_static(HEAD)).unwrap();
        assert_eq!((params.channels, params.pre_skip, params.input_sample_rate), (1, 312, 48_000));
        assert_eq!(params.opus_head(), HEAD);
        assert_eq!(Params::from_dops(&params.dops()), Ok(params));
    }

    #[test]
    fn five_channels_bring_their_mapping_table() {
        let mut head = HEAD[..18].to_vec();
        head[9] = 6;
        head.extend_from_slice(&[1, 4, 2, 0, 4, 1, 2, 3, 5]);
        let params = Params::from_config(&head.clone().into()).unwrap();
        assert_eq!((params.channels, params.mapping_family, params.mapping_table.len()), (6, 1, 8));
        assert_eq!(params.opus_head(), head);
        assert_eq!(Params::from_dops(&params.dops()), Ok(params));
    }

    #[test]
    fn every_cut_and_every_impossible_mapping_is_an_error() {
        for len in 0..HEAD.len() {
            assert!(Params::from_config(&Bytes::from_static(&HEAD[..len])).is_err(), "{len} bytes");
        }
        for (at, byte) in [(8, 0x10), (9, 0), (9, 3), (18, 1)] {
            let mut head = HEAD.to_vec();
            head[at] = byte;
            assert!(Params::from_config(&head.into()).is_err(), "byte {at} = {byte}");
        }
    }

    #[test]
    fn the_toc_tells_how_long_a_packet_sounds() {
        for (packet, samples) in [
            (&[0x78_u8, 0][..], Some(960)), // CELT 20 ms wideband… configuration 15
            (&[0x00, 0], Some(480)),        // SILK 10 ms
            (&[0x18, 0], Some(2_880)),      // SILK 60 ms
            (&[0x81, 0], Some(240)),        // CELT 2.5 ms, two frames
            (&[0xFB, 0x03], Some(2_880)),   // three frames of 20 ms
            (&[0xFB, 0x06], Some(5_760)),   // 120 ms, the most
            (&[0xFB, 0x07], None),          // 140 ms
            (&[0xFB, 0x00], None),
            (&[0xFB], None),
            (&[], None),
        ] {
            assert_eq!(packet_samples(packet), samples, "{packet:x?}");
        }
        assert_eq!(packet_duration(&[0xF8]), Some(Span::from_millis(20)));
    }
}
