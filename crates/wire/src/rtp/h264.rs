//! H.264 payloads (RFC 6184): single NAL units, STAP-A and FU-A, which is packetization mode 1.

use bytes::Bytes;
use media::Codec;
use media::codec::bits::Reader as Bits;
use media::codec::h264::{self, ParameterSets, Params, Sps, unit_type};
use media::codec::nal as units;
use smallvec::smallvec;

use super::nal::{self, AccessUnit, END, Format, START};
use super::packetizer::Sink;
use super::{Malformed, Picture};

const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// The F and NRI bits of a NAL unit header.
const REF_IDC: u8 = 0x60;
const FORBIDDEN: u8 = 0x80;

const FORMAT: Format = Format { header_bytes: 1, aggregate, fragment };

/// Writes an access unit; parameter sets in front where viewers begin. Returns whether no other picture needs it.
pub(super) fn write(params: &Params, opens: bool, payload: &[u8], sink: &mut Sink<'_>) -> bool {
    let sets = params.parameter_sets();
    let known = |unit: &&[u8]| sets.sps.iter().chain(&sets.pps).any(|set| set == unit);
    let sent: Vec<&[u8]> =
        units::units(payload).filter(|unit| is_carried(unit_type(unit)) && !known(unit)).collect();
    if sent.is_empty() {
        return false;
    }
    let front = sets.sps.iter().chain(&sets.pps).map(|set| &set[..]).filter(|_| opens);
    FORMAT.write(front.chain(sent.iter().copied()), sink);
    is_unreferenced(sent.iter().copied())
}

/// Delimiters and filler are for byte streams; the types outside 1–23 mean payload structures here (§5.2, table 1), so
/// that a unit of one would be read as something else.
fn is_carried(kind: u8) -> bool {
    (1..STAP_A).contains(&kind) && !matches!(kind, ACCESS_UNIT_DELIMITER | FILLER)
}

/// STAP-A (§5.7.1): the F bits of all units, and the highest NRI.
fn aggregate(units: &[&[u8]]) -> nal::Header {
    let headers = || units.iter().filter_map(|unit| unit.first());
    let forbidden = headers().fold(0, |bits, header| bits | header & FORBIDDEN);
    let ref_idc = headers().map(|header| header & REF_IDC).max().unwrap_or(0);
    smallvec![forbidden | ref_idc | STAP_A]
}

/// FU-A (§5.8).
fn fragment(unit: &[u8], flags: u8) -> nal::Header {
    let header = unit.first().copied().unwrap_or(0);
    smallvec![header & (FORBIDDEN | REF_IDC) | FU_A, flags | header & 0x1F]
}

/// Whether there are slices, none of which other pictures refer to, and nothing else that others need.
fn is_unreferenced<'a>(units: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut slices = 0;
    for unit in units {
        match unit_type(unit) {
            SLICE..=IDR if unit.first().is_some_and(|header| header & REF_IDC == 0) => slices += 1,
            SLICE..=IDR | SPS | PPS => return false,
            _ => {}
        }
    }
    slices > 0
}

/// See [`super::opens_group`]: a sequence parameter set, or the first slice of an IDR picture.
pub(super) fn opens_group(payload: &[u8]) -> bool {
    match unit_type(payload) {
        STAP_A => nal::aggregated(payload.get(1..).unwrap_or_default())
            .map_while(Result::ok)
            .any(|unit| opens(unit_type(unit), unit.get(1))),
        FU_A => payload.get(1).is_some_and(|fu| fu & START != 0 && opens(fu & 0x1F, payload.get(2))),
        kind => opens(kind, payload.get(1)),
    }
}

/// `first_mb_in_slice` 0 is a one bit (§7.3.3 of ISO 14496-10): without it every slice of a picture would open a group.
fn opens(kind: u8, body: Option<&u8>) -> bool {
    match kind {
        SPS => true,
        IDR => body.is_some_and(|byte| byte & 0x80 != 0),
        _ => false,
    }
}

/// Whether a payload can only be the first of its picture (§7.4.1.2.3 of ISO 14496-10).
pub(super) fn begins_picture(payload: &[u8]) -> bool {
    let first = match unit_type(payload) {
        STAP_A => payload.get(3..).map_or(0, unit_type),
        kind => kind,
    };
    matches!(first, SPS | ACCESS_UNIT_DELIMITER)
}

/// See [`super::is_discardable`].
pub(super) fn is_discardable(payload: &[u8]) -> bool {
    match unit_type(payload) {
        STAP_A => {
            is_unreferenced(nal::aggregated(payload.get(1..).unwrap_or_default()).map_while(Result::ok))
        }
        FU_A => match payload {
            [indicator, fu, ..] => is_unreferenced([&[indicator & !0x1F | fu & 0x1F][..]].into_iter()),
            _ => false,
        },
        _ => is_unreferenced([payload].into_iter()),
    }
}

/// Puts access units together and keeps the parameter sets that came with them.
#[derive(Debug, Default)]
pub(super) struct Reader {
    sets: ParameterSets,
    params: Option<Params>,
}

impl Reader {
    /// The parameters, once both kinds of sets have come.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.params.clone().map(Codec::H264)
    }

    /// The payloads of one access unit. `Ok(None)` when no picture is in them.
    pub(super) fn read<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Picture>, Malformed> {
        let mut unit = AccessUnit::default();
        let mut found = ParameterSets::default();
        let mut sort = |unit: &[u8]| match unit_type(unit) {
            SPS => {
                nal::replace(&mut found.sps, Bytes::copy_from_slice(unit), sps_number);
                false
            }
            PPS => {
                nal::replace(&mut found.pps, Bytes::copy_from_slice(unit), pps_number);
                false
            }
            kind => is_carried(kind),
        };
        for payload in payloads {
            read_payload(payload, &mut unit, &mut sort)?;
        }
        let payload = unit.finish()?;
        self.take(found);
        let sync = h264::is_random_access(&payload);
        let has_picture = units::units(&payload).any(|unit| matches!(unit_type(unit), SLICE..=IDR));
        Ok(has_picture.then_some(Picture { sync, payload }))
    }

    /// A unit with both kinds of sets says all that holds from now on; single ones are added to what is known.
    fn take(&mut self, found: ParameterSets) {
        if found.sps.is_empty() && found.pps.is_empty() {
            return;
        }
        let before = self.sets.clone();
        if !found.sps.is_empty() && !found.pps.is_empty() {
            self.sets = found;
        } else {
            found.sps.into_iter().for_each(|set| nal::replace(&mut self.sets.sps, set, sps_number));
            found.pps.into_iter().for_each(|set| nal::replace(&mut self.sets.pps, set, pps_number));
        }
        if self.sets != before {
            // Sets that cannot be used leave the old ones in force, as for in-band changes of other protocols.
            self.params = Params::from_parameter_sets(&self.sets.sps, &self.sets.pps)
                .ok()
                .or_else(|| self.params.take());
        }
    }
}

fn sps_number(unit: &[u8]) -> Option<u32> {
    Sps::parse(unit).ok().map(|sps| sps.id.into())
}

/// pic_parameter_set_id is the first field (§7.3.2.2 of ISO 14496-10), and at most 255: it lies in the first bytes.
fn pps_number(unit: &[u8]) -> Option<u32> {
    let head = units::rbsp(unit.get(1..unit.len().min(8))?);
    Bits::new("H.264", &head).ue_max(255, "pic_parameter_set_id").ok()
}

fn read_payload(
    payload: &[u8],
    out: &mut AccessUnit,
    mut sort: impl FnMut(&[u8]) -> bool,
) -> Result<(), Malformed> {
    let Some((header, rest)) = payload.split_first() else { return Ok(()) };
    match header & 0x1F {
        1..STAP_A => out.put(payload, sort),
        STAP_A => nal::aggregated(rest).try_for_each(|unit| out.put(unit?, &mut sort)),
        FU_A => {
            let (fu, body) = rest.split_first().ok_or(Malformed)?;
            if fu & START != 0 {
                out.begin()?;
                out.push(&[header & (FORBIDDEN | REF_IDC) | fu & 0x1F])?;
            }
            out.push(body)?;
            if fu & END != 0 { out.end(sort) } else { Ok(()) }
        }
        // §5.2, table 1: undefined, to be ignored.
        0 | 30 | 31 => Ok(()),
        // STAP-B, MTAP and FU-B belong to the interleaved mode, which is never negotiated.
        _ => Err(Malformed),
    }
}
