//! H.265 (ISO 23008-2) and its hvcC record (ISO 14496-15 §8.3.3.1).

mod sps;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};

pub use sps::Sps;

use super::{Error, FrameRate, nal, sets};

pub(super) const NAME: &str = "H.265";

const IRAP_FIRST: u8 = 16;
const IRAP_LAST: u8 = 23;
const IDR_W_RADL: u8 = 19;
const IDR_N_LP: u8 = 20;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const PREFIX_SEI: u8 = 39;
const SUFFIX_SEI: u8 = 40;

/// SEI message that marks a point from which pictures become right (annex D.2.8).
const SEI_RECOVERY_POINT: u32 = 6;

/// Parameter sets of one kind in a record. The standard allows 16 video, 16 sequence and 64 picture parameter sets.
const SETS_MAX: usize = 64;

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The hvcC record, with 4-byte lengths whatever the source announced.
    pub config: Bytes,
    /// Width in pixels, cropping applied.
    pub width: u32,
    /// Height in pixels, cropping applied.
    pub height: u32,
    /// general_profile_space, general_tier_flag and general_profile_idc as one byte.
    pub profile: u8,
    /// general_profile_compatibility flags.
    pub compatibility: u32,
    /// The six bytes of general constraint flags.
    pub constraints: [u8; 6],
    /// general_level_idc: thirty times the level.
    pub level: u8,
    /// Frames a second, when the VUI tells.
    pub frame_rate: Option<FrameRate>,
}

/// Parameter sets as NAL units, headers included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterSets {
    /// Video parameter sets.
    pub vps: Vec<Bytes>,
    /// Sequence parameter sets.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
}

impl Params {
    /// From an hvcC record, or from parameter sets behind Annex B start codes, which some encoders send in its place.
    ///
    /// # Errors
    /// When the record is cut, a kind of parameter set is missing, or the first sequence parameter set cannot be used.
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        if nal::starts_with_start_code(config) {
            let joined = nal::join(nal::annex_b(config));
            return parameter_sets(&joined).into_params();
        }
        let sps = ParameterSets::from_config(config)?.first_sps()?;
        let mut kept = BytesMut::from(&config[..]);
        if let Some(sizes) = kept.get_mut(LENGTH_SIZE_AT) {
            *sizes |= 3;
        }
        Ok(Self::new(kept.freeze(), &sps))
    }

    /// From bare parameter sets, NAL unit headers included, as RTP sources and in-band changes bring them.
    ///
    /// # Errors
    /// As [`Params::from_config`].
    pub fn from_parameter_sets(vps: &[Bytes], sps: &[Bytes], pps: &[Bytes]) -> Result<Self, Error> {
        ParameterSets { vps: vps.to_vec(), sps: sps.to_vec(), pps: pps.to_vec() }.into_params()
    }

    fn new(config: Bytes, sps: &Sps) -> Self {
        Self {
            config,
            width: sps.width,
            height: sps.height,
            profile: sps.profile,
            compatibility: sps.compatibility,
            constraints: sps.constraints,
            level: sps.level,
            frame_rate: sps.frame_rate,
        }
    }

    /// The parameter sets of the record.
    pub fn parameter_sets(&self) -> ParameterSets {
        ParameterSets::from_config(&self.config).unwrap_or_default()
    }

    /// What the frames after `payload` need, if parameter sets in it differ from these. `None` when nothing changes or
    /// the new sets cannot be used.
    pub fn changed_by(&self, payload: &Bytes) -> Option<Self> {
        if !nal::units(payload).any(|unit| matches!(unit_type(unit), VPS | SPS | PPS)) {
            return None;
        }
        let (found, known) = (parameter_sets(payload), self.parameter_sets());
        let [vps, sps, pps] =
            sets::changed([known.vps, known.sps, known.pps], [found.vps, found.sps, found.pps])?;
        ParameterSets { vps, sps, pps }.into_params().ok()
    }

    /// The `codecs` parameter of ISO 14496-15 annex E.3: `hvc1.1.6.L93.B0`.
    pub fn rfc6381(&self) -> String {
        let space = ["", "A", "B", "C"][usize::from(self.profile >> 6)];
        let tier = if self.profile & 0x20 == 0 { 'L' } else { 'H' };
        let compatibility = self.compatibility.reverse_bits();
        let mut name = format!("hvc1.{space}{}.{compatibility:X}.{tier}{}", self.profile & 0x1F, self.level);
        let used = self.constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for byte in self.constraints.iter().take(used) {
            write!(name, ".{byte:X}").expect("a String takes all");
        }
        name
    }
}

/// Offset of constantFrameRate, numTemporalLayers, temporalIdNested and lengthSizeMinusOne in the record.
const LENGTH_SIZE_AT: usize = 21;

impl ParameterSets {
    /// Reads an hvcC record (ISO 14496-15 §8.3.3.1.2). Lists may be empty; arrays of other NAL units are passed over.
    ///
    /// # Errors
    /// When the record is cut.
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        let truncated = |field| Error::Truncated { codec: NAME, len: config.len(), field };
        let arrays = *config.get(LENGTH_SIZE_AT + 1).ok_or(truncated("numOfArrays"))?;
        let mut rest = config.get(LENGTH_SIZE_AT + 2..).unwrap_or_default();
        let mut sets = Self::default();
        for _ in 0..arrays {
            let (kind, units) = array(config, &mut rest).ok_or(truncated("parameter set arrays"))?;
            match kind {
                VPS => sets.vps.extend(units),
                SPS => sets.sps.extend(units),
                PPS => sets.pps.extend(units),
                _ => {}
            }
        }
        Ok(sets)
    }

    fn first_sps(&self) -> Result<Sps, Error> {
        for (sets, field) in [
            (&self.vps, "number of video parameter sets"),
            (&self.sps, "number of sequence parameter sets"),
            (&self.pps, "number of picture parameter sets"),
        ] {
            if sets.is_empty() || sets.len() > SETS_MAX {
                return Err(Error::Unsupported { codec: NAME, field, value: sets.len() as u64 });
            }
        }
        self.sps.first().map_or(Err(Error::Malformed { codec: NAME, field: "sps" }), |sps| Sps::parse(sps))
    }

    fn into_params(self) -> Result<Params, Error> {
        let sps = self.first_sps()?;
        let mut out = BytesMut::new();
        out.put_slice(&[1, sps.profile]);
        out.put_u32(sps.compatibility);
        out.put_slice(&sps.constraints);
        out.put_u8(sps.level);
        // min_spatial_segmentation_idc and parallelismType unknown (0), avgFrameRate unspecified (0).
        out.put_slice(&[0xF0, 0, 0xFC, 0xFC | sps.chroma_format]);
        out.put_slice(&[0xF8 | (sps.bit_depth - 8), 0xF8 | (sps.chroma_bit_depth - 8), 0, 0]);
        out.put_u8(sps.temporal_layers << 3 | u8::from(sps.temporal_id_nested) << 2 | 3);
        out.put_u8(3);
        for (kind, sets) in [(VPS, &self.vps), (SPS, &self.sps), (PPS, &self.pps)] {
            out.put_u8(0x80 | kind);
            out.put_u16(sets.len() as u16);
            sets::put(NAME, &mut out, sets)?;
        }
        Ok(Params::new(out.freeze(), &sps))
    }
}

/// One array of the record: NAL unit type, a count, then units.
fn array(config: &Bytes, rest: &mut &[u8]) -> Option<(u8, Vec<Bytes>)> {
    let (head, mut after) = rest.split_first_chunk::<3>()?;
    let [kind, count @ ..] = *head;
    let units = sets::read(config, &mut after, u16::from_be_bytes(count).into())?;
    *rest = after;
    Some((kind & 0x3F, units))
}

/// Bytes of the length before each NAL unit that an hvcC record announces: 1–4. Four for anything else.
pub fn length_bytes(config: &[u8]) -> usize {
    if nal::starts_with_start_code(config) {
        return nal::LENGTH_BYTES;
    }
    config.get(LENGTH_SIZE_AT).map_or(nal::LENGTH_BYTES, |sizes| usize::from(sizes & 3) + 1)
}

/// nal_unit_type of a NAL unit; 63 (unspecified) for an empty one.
pub fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(63, |header| header >> 1 & 0x3F)
}

/// Whether a payload holds an IDR picture: nothing before it is needed.
pub fn is_idr(payload: &[u8]) -> bool {
    nal::units(payload).any(|unit| matches!(unit_type(unit), IDR_W_RADL | IDR_N_LP))
}

/// Whether decoding can begin at a payload: an intra random access picture (§3.62: IDR, CRA, BLA) or a recovery point.
pub fn is_random_access(payload: &[u8]) -> bool {
    nal::units(payload).any(|unit| match unit_type(unit) {
        IRAP_FIRST..=IRAP_LAST => true,
        PREFIX_SEI => nal::sei_messages(unit, 2).iter().any(|(kind, _)| *kind == SEI_RECOVERY_POINT),
        _ => false,
    })
}

/// The parameter sets in a payload, in order, as slices of it.
pub fn parameter_sets(payload: &Bytes) -> ParameterSets {
    let mut sets = ParameterSets::default();
    for unit in nal::units(payload) {
        match unit_type(unit) {
            VPS => sets.vps.push(payload.slice_ref(unit)),
            SPS => sets.sps.push(payload.slice_ref(unit)),
            PPS => sets.pps.push(payload.slice_ref(unit)),
            _ => {}
        }
    }
    sets
}

/// The SEI NAL units of a payload that carry user data, as slices of it (see [`nal::is_user_data`]).
pub fn user_data(payload: &Bytes) -> impl Iterator<Item = Bytes> {
    nal::units(payload)
        .filter(|unit| matches!(unit_type(unit), PREFIX_SEI | SUFFIX_SEI))
        .filter(|unit| nal::sei_messages(unit, 2).iter().any(|(kind, _)| nal::is_user_data(*kind)))
        .map(|unit| payload.slice_ref(unit))
}
