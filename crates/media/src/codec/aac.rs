//! AAC: the AudioSpecificConfig of ISO 14496-3 §1.6.2.1, and the ADTS headers (§1.A.2) some encoders leave on.

#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::Error;
use super::bits::Reader;

const NAME: &str = "AAC";

/// Rates of samplingFrequencyIndex (ISO 14496-3 table 1.18), in Hz.
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Output rate in Hz. Beyond it nothing records, and packet times would be finer than the timeline's microseconds.
const SAMPLE_RATE_MAX: u32 = 192_000;

const MAIN: u8 = 1;
const LTP: u8 = 4;
const SBR: u8 = 5;
const ER_LC: u8 = 17;
const LD: u8 = 23;
const PS: u8 = 29;
const ELD: u8 = 39;

/// What an AAC decoder needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The AudioSpecificConfig as the source sent it.
    pub config: Bytes,
    /// Audio object type of the core: 2 is LC, 5 HE (SBR), 29 HE v2 (PS).
    pub object_type: u8,
    /// Samples a second of the output, in Hz (twice the core's with SBR).
    pub sample_rate: u32,
    /// Samples a second of the core coder, in Hz; a frame holds `frame_samples` of these.
    pub core_sample_rate: u32,
    /// Output channels.
    pub channels: u8,
    /// Samples of the core a frame holds: 1024, or 960; 512 or 480 of the low-delay types.
    pub frame_samples: u32,
}

impl Params {
    /// From an AudioSpecificConfig (ISO 14496-3 §1.6.2.1).
    ///
    /// SBR and PS are known when signalled explicitly, in front or by the backward-compatible extension; implicit
    /// SBR shows only in the coded sound, and such a stream is described by its core.
    ///
    /// # Errors
    /// When it is cut, or an object type, rate or channel configuration is reserved or beyond what we carry.
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        let mut r = Reader::new(NAME, config);
        let mut object_type = object_type(&mut r)?;
        let core_sample_rate = sample_rate(&mut r)?;
        let channel_config = r.byte(4, "channelConfiguration")?;
        let mut extended_rate = core_sample_rate;
        let mut extension = None;
        if object_type == SBR || object_type == PS {
            extension = Some(object_type);
            extended_rate = sample_rate(&mut r)?;
            object_type = self::object_type(&mut r)?;
        }
        let frame_samples = frame_samples(&mut r, object_type)?;
        let mut channels = channels(&mut r, object_type, channel_config)?;
        if extension.is_none() && object_type <= LTP {
            (extension, extended_rate) = backward_compatible(&mut r, core_sample_rate);
        }
        if extension == Some(PS) && channels == 1 {
            channels = 2;
        }
        Ok(Self {
            config: config.clone(),
            object_type: extension.unwrap_or(object_type),
            sample_rate: extended_rate,
            core_sample_rate,
            channels,
            frame_samples,
        })
    }

    /// From an ADTS header, for encoders that send no configuration.
    ///
    /// # Errors
    /// When the header's rate or channel configuration is reserved, or the channels are told in the sound only.
    pub fn from_adts(header: &Adts) -> Result<Self, Error> {
        if header.channel_config == 0 {
            let field = "channel_configuration of ADTS";
            return Err(Error::Unsupported { codec: NAME, field, value: 0 });
        }
        let Adts { object_type, rate_index, channel_config, .. } = *header;
        let config = [object_type << 3 | rate_index >> 1, (rate_index & 1) << 7 | channel_config << 3];
        Self::from_config(&Bytes::copy_from_slice(&config))
    }

    /// The `codecs` parameter of RFC 6381 §3.3.
    pub fn rfc6381(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}

/// §1.6.3.1: five bits, or an escape and six more.
fn object_type(r: &mut Reader<'_>) -> Result<u8, Error> {
    let mut kind = r.byte(5, "audioObjectType")?;
    if kind == 31 {
        kind = 32 + r.byte(6, "audioObjectTypeExt")?;
    }
    match kind {
        MAIN..=LTP | SBR | ER_LC | LD | PS | ELD => Ok(kind),
        kind => Err(Error::Unsupported { codec: NAME, field: "audioObjectType", value: kind.into() }),
    }
}

/// §1.6.3.3: an index, or an escape and the rate.
fn sample_rate(r: &mut Reader<'_>) -> Result<u32, Error> {
    let index = r.byte(4, "samplingFrequencyIndex")?;
    let rate = if index == 15 {
        r.bits(24, "samplingFrequency")?
    } else {
        RATES.get(usize::from(index)).copied().unwrap_or(0)
    };
    if rate == 0 || rate > SAMPLE_RATE_MAX {
        return Err(Error::Unsupported { codec: NAME, field: "samplingFrequency", value: rate.into() });
    }
    Ok(rate)
}

/// The first bit of GASpecificConfig (§4.4.1) and ELDSpecificConfig (§4.6.20) alike.
fn frame_samples(r: &mut Reader<'_>, object_type: u8) -> Result<u32, Error> {
    let short = r.flag("frameLengthFlag")?;
    Ok(match (object_type, short) {
        (LD | ELD, false) => 512,
        (LD | ELD, true) => 480,
        (_, false) => 1_024,
        (_, true) => 960,
    })
}

/// Output channels (table 1.19), from the program config element where the table says 0.
fn channels(r: &mut Reader<'_>, object_type: u8, channel_config: u8) -> Result<u8, Error> {
    if object_type != ELD {
        if r.flag("dependsOnCoreCoder")? {
            r.skip(14, "coreCoderDelay")?;
        }
        let extension = r.flag("extensionFlag")?;
        if channel_config == 0 {
            return program_channels(r);
        }
        if extension && (object_type == ER_LC || object_type == LD) {
            r.skip(3, "aacSectionDataResilienceFlag")?;
        }
    }
    match channel_config {
        1..=6 => Ok(channel_config),
        7 | 12 | 14 => Ok(8),
        11 => Ok(7),
        value => Err(Error::Unsupported { codec: NAME, field: "channelConfiguration", value: value.into() }),
    }
}

/// Channels of a program_config_element (§4.4.1.1).
fn program_channels(r: &mut Reader<'_>) -> Result<u8, Error> {
    r.skip(4 + 2 + 4, "program_config_element")?;
    let front = r.byte(4, "num_front_channel_elements")?;
    let side = r.byte(4, "num_side_channel_elements")?;
    let back = r.byte(4, "num_back_channel_elements")?;
    let lfe = r.byte(2, "num_lfe_channel_elements")?;
    let data = r.bits(3, "num_assoc_data_elements")?;
    let coupling = r.bits(4, "num_valid_cc_elements")?;
    for field in ["mono_mixdown_element_number", "stereo_mixdown_element_number"] {
        if r.flag(field)? {
            r.skip(4, field)?;
        }
    }
    if r.flag("matrix_mixdown_idx_present")? {
        r.skip(3, "matrix_mixdown_idx")?;
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        channels += 1 + u8::from(r.flag("element_is_cpe")?);
        r.skip(4, "element_tag_select")?;
    }
    r.skip((usize::from(lfe) + data as usize) * 4 + coupling as usize * 5, "element_tag_select")?;
    r.align();
    let comment = r.bits(8, "comment_field_bytes")?;
    r.skip(comment as usize * 8, "comment_field_data")?;
    if channels == 0 {
        return Err(Error::Unsupported { codec: NAME, field: "channels of the program", value: 0 });
    }
    Ok(channels)
}

/// SBR and PS behind the sync words of §1.6.5. Whatever else is there is ignored, as by a decoder that does not know
/// them.
fn backward_compatible(r: &mut Reader<'_>, core_rate: u32) -> (Option<u8>, u32) {
    let mut sbr = || -> Result<Option<u32>, Error> {
        if r.remaining() < 16 || r.bits(11, "syncExtensionType")? != 0x2B7 || object_type(r)? != SBR {
            return Ok(None);
        }
        if !r.flag("sbrPresentFlag")? {
            return Ok(None);
        }
        sample_rate(r).map(Some)
    };
    let Ok(Some(rate)) = sbr() else { return (None, core_rate) };
    let ps = r.remaining() >= 12
        && r.bits(11, "syncExtensionType") == Ok(0x548)
        && r.flag("psPresentFlag") == Ok(true);
    (Some(if ps { PS } else { SBR }), rate)
}

/// An ADTS header (§1.A.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adts {
    /// Audio object type, 1–4.
    pub object_type: u8,
    /// samplingFrequencyIndex.
    pub rate_index: u8,
    /// channelConfiguration.
    pub channel_config: u8,
    /// Bytes of the header, checksum included: 7 or 9.
    pub header_bytes: usize,
    /// Bytes of header and access unit.
    pub frame_bytes: usize,
}

impl Adts {
    /// The header at the front of `data`; `None` when there is none, or its frame is longer than `data`.
    ///
    /// A raw access unit never looks like one: it would begin with the end marker.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let head = data.first_chunk::<7>()?;
        if head[0] != 0xFF || head[1] & 0xF6 != 0xF0 {
            return None;
        }
        let header_bytes = if head[1] & 1 == 1 { 7 } else { 9 };
        let frame_bytes =
            usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
        let adts = Self {
            object_type: (head[2] >> 6) + 1,
            rate_index: head[2] >> 2 & 0xF,
            channel_config: (head[2] & 1) << 2 | head[3] >> 6,
            header_bytes,
            frame_bytes,
        };
        (header_bytes < frame_bytes && frame_bytes <= data.len()).then_some(adts)
    }
}

/// The access units of a packet: itself, or those behind ADTS headers if it begins with one.
pub fn access_units(packet: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = packet.clone();
    let plain = Adts::parse(packet).is_none().then(|| packet.clone()).filter(|packet| !packet.is_empty());
    let split = plain.is_none();
    plain.into_iter().chain(std::iter::from_fn(move || {
        let adts = Adts::parse(&rest).filter(|_| split)?;
        let unit = rest.split_to(adts.frame_bytes);
        Some(unit.slice(adts.header_bytes..))
    }))
}
