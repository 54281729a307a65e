//! H.264 (ISO 14496-10) and its avcC record (ISO 14496-15 §5.3.3.1).

mod sps;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};

pub use sps::Sps;

use super::bits::Reader;
use super::{Error, FrameRate, nal, sets};

pub(super) const NAME: &str = "H.264";

const SLICE: u8 = 1;
const SLICE_PARTITION_A: u8 = 2;
const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;

/// SEI message that marks a point from which pictures become right (annex D.1.8).
const SEI_RECOVERY_POINT: u32 = 6;

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The avcC record, with 4-byte lengths whatever the source announced.
    pub config: Bytes,
    /// Width in pixels, cropping applied.
    pub width: u32,
    /// Height in pixels, cropping applied.
    pub height: u32,
    /// profile_idc: 66 Baseline, 77 Main, 100 High …
    pub profile: u8,
    /// The constraint flags of the profile.
    pub constraints: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// Frames a second, when the VUI tells.
    pub frame_rate: Option<FrameRate>,
}

/// Parameter sets as NAL units, headers included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterSets {
    /// Sequence parameter sets.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
}

impl Params {
    /// From an avcC record, or from parameter sets behind Annex B start codes, which some encoders send in its place.
    ///
    /// # Errors
    /// When the record is cut, has no sequence or no picture parameter set, or its first sequence parameter set
    /// cannot be used.
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        if nal::starts_with_start_code(config) {
            let joined = nal::join(nal::annex_b(config));
            return parameter_sets(&joined).into_params();
        }
        let sets = ParameterSets::from_config(config)?;
        let sps = sets.first_sps()?;
        // The record may carry more than we understand (extensions), so it is kept and only the length size set.
        let mut kept = BytesMut::from(&config[..]);
        if let Some(length_size) = kept.get_mut(4) {
            *length_size = 0xFF;
        }
        Ok(Self::new(kept.freeze(), &sps))
    }

    /// From bare parameter sets, NAL unit headers included, as RTP sources and in-band changes bring them.
    ///
    /// # Errors
    /// As [`Params::from_config`].
    pub fn from_parameter_sets(sps: &[Bytes], pps: &[Bytes]) -> Result<Self, Error> {
        ParameterSets { sps: sps.to_vec(), pps: pps.to_vec() }.into_params()
    }

    fn new(config: Bytes, sps: &Sps) -> Self {
        Self {
            config,
            width: sps.width,
            height: sps.height,
            profile: sps.profile,
            constraints: sps.constraints,
            level: sps.level,
            frame_rate: sps.frame_rate,
        }
    }

    /// The parameter sets of the record.
    pub fn parameter_sets(&self) -> ParameterSets {
        ParameterSets::from_config(&self.config).unwrap_or_default()
    }

    /// What the frames after `payload` need, if parameter sets in it differ from these: some encoders change size
    /// without a new configuration record. `None` when nothing changes or the new sets cannot be used.
    pub fn changed_by(&self, payload: &Bytes) -> Option<Self> {
        if !nal::units(payload).any(|unit| matches!(unit_type(unit), SPS | PPS)) {
            return None;
        }
        let (found, known) = (parameter_sets(payload), self.parameter_sets());
        let [sps, pps] = sets::changed([known.sps, known.pps], [found.sps, found.pps])?;
        ParameterSets { sps, pps }.into_params().ok()
    }

    /// The `codecs` parameter of RFC 6381 §3.3: `avc1.PPCCLL`.
    pub fn rfc6381(&self) -> String {
        format!("avc1.{:02X}{:02X}{:02X}", self.profile, self.constraints, self.level)
    }
}

impl ParameterSets {
    /// Reads an avcC record (ISO 14496-15 §5.3.3.1.2). Either list may be empty.
    ///
    /// # Errors
    /// When the record is cut or of another version than 1.
    pub fn from_config(config: &Bytes) -> Result<Self, Error> {
        let truncated = |field| Error::Truncated { codec: NAME, len: config.len(), field };
        let version = *config.first().ok_or(truncated("configurationVersion"))?;
        if version != 1 {
            return Err(Error::Unsupported {
                codec: NAME,
                field: "configurationVersion",
                value: version.into(),
            });
        }
        let mut rest = config.get(5..).ok_or(truncated("lengthSizeMinusOne"))?;
        let sps = set_list(config, &mut rest, 0x1F).ok_or(truncated("sequence parameter sets"))?;
        let pps = set_list(config, &mut rest, 0xFF).ok_or(truncated("picture parameter sets"))?;
        Ok(Self { sps, pps })
    }

    fn first_sps(&self) -> Result<Sps, Error> {
        let missing = |field| Error::Unsupported { codec: NAME, field, value: 0 };
        let sps = self.sps.first().ok_or(missing("number of sequence parameter sets"))?;
        if self.pps.iter().all(|pps| unit_type(pps) != PPS) {
            return Err(missing("number of picture parameter sets"));
        }
        Sps::parse(sps)
    }

    fn into_params(self) -> Result<Params, Error> {
        let sps = self.first_sps()?;
        let mut out = BytesMut::new();
        out.put_slice(&[1, sps.profile, sps.constraints, sps.level, 0xFF]);
        put_list(&mut out, &self.sps, 0x1F, 0xE0)?;
        put_list(&mut out, &self.pps, 0xFF, 0)?;
        // Editions since 2013 want the tail for all but Baseline, Main and Extended.
        if !matches!(sps.profile, 66 | 77 | 88) {
            let depths = [0xF8 | (sps.bit_depth - 8), 0xF8 | (sps.chroma_bit_depth - 8)];
            out.put_slice(&[0xFC | sps.chroma_format, depths[0], depths[1], 0]);
        }
        Ok(Params::new(out.freeze(), &sps))
    }
}

/// A count byte under `mask`, then sets.
fn set_list(config: &Bytes, rest: &mut &[u8], mask: u8) -> Option<Vec<Bytes>> {
    let (count, mut after) = rest.split_first()?;
    let sets = sets::read(config, &mut after, usize::from(count & mask))?;
    *rest = after;
    Some(sets)
}

fn put_list(out: &mut BytesMut, sets: &[Bytes], count_max: usize, reserved: u8) -> Result<(), Error> {
    if sets.len() > count_max {
        return Err(Error::Unsupported { codec: NAME, field: "parameter sets", value: sets.len() as u64 });
    }
    out.put_u8(reserved | sets.len() as u8);
    sets::put(NAME, out, sets)
}

/// Bytes of the length before each NAL unit that an avcC record announces: 1–4. Four for anything else.
pub fn length_bytes(config: &[u8]) -> usize {
    match config {
        [1, _, _, _, sizes, ..] => usize::from(sizes & 3) + 1,
        _ => nal::LENGTH_BYTES,
    }
}

/// nal_unit_type of a NAL unit; 0 (unspecified) for an empty one.
pub fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1F)
}

/// Whether a payload holds an IDR picture: nothing before it is needed.
pub fn is_idr(payload: &[u8]) -> bool {
    nal::units(payload).any(|unit| unit_type(unit) == IDR)
}

/// Whether decoding can begin at a payload: an IDR picture, a recovery point (intra refresh, open groups), or a
/// picture of I slices only. After a recovery point the first pictures may be incomplete.
pub fn is_random_access(payload: &[u8]) -> bool {
    let mut slices = 0;
    let mut intra = true;
    for unit in nal::units(payload) {
        match unit_type(unit) {
            IDR => return true,
            SEI if has_recovery_point(unit) => return true,
            SLICE | SLICE_PARTITION_A => {
                slices += 1;
                intra = intra && is_intra_slice(unit);
            }
            _ => {}
        }
    }
    slices > 0 && intra
}

/// Whether no other picture refers to this one (nal_ref_idc 0 in all its slices, §7.4.1): it can be left out without
/// harm to those that follow, as B-pictures mostly can.
pub fn is_disposable(payload: &[u8]) -> bool {
    let mut slices = nal::units(payload).filter(|unit| (SLICE..=IDR).contains(&unit_type(unit))).peekable();
    slices.peek().is_some() && slices.all(|slice| slice.first().is_some_and(|header| header >> 5 & 3 == 0))
}

fn has_recovery_point(unit: &[u8]) -> bool {
    nal::sei_messages(unit, 1).iter().any(|(kind, _)| *kind == SEI_RECOVERY_POINT)
}

/// slice_type of the slice header (§7.3.3): I and SI, single or for the whole picture.
fn is_intra_slice(unit: &[u8]) -> bool {
    // Both codes are at the very front: twelve bytes hold the longest of them.
    let head = nal::rbsp(unit.get(1..unit.len().min(16)).unwrap_or_default());
    let mut r = Reader::new(NAME, &head);
    r.ue("first_mb_in_slice").is_ok() && matches!(r.ue("slice_type"), Ok(2 | 4 | 7 | 9))
}

/// The parameter sets in a payload, in order, as slices of it.
pub fn parameter_sets(payload: &Bytes) -> ParameterSets {
    let mut sets = ParameterSets::default();
    for unit in nal::units(payload) {
        match unit_type(unit) {
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
        .filter(|unit| unit_type(unit) == SEI)
        .filter(|unit| nal::sei_messages(unit, 1).iter().any(|(kind, _)| nal::is_user_data(*kind)))
        .map(|unit| payload.slice_ref(unit))
}
