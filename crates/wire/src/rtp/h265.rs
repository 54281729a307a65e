//! H.265 payloads (RFC 7798): single NAL units, aggregation packets and fragmentation units, without the decoding order
//! numbers that `sprop-max-don-diff` would bring.

use bytes::Bytes;
use media::Codec;
use media::codec::bits::Reader as Bits;
use media::codec::h265::{self, ParameterSets, Params, unit_type};
use media::codec::nal as units;
use smallvec::smallvec;

use super::nal::{self, AccessUnit, END, Format, START};
use super::packetizer::Sink;
use super::{Malformed, Picture};

const SLICE_LAST: u8 = 31;
/// The last of the types that tell by an even number that no picture of their sub-layer refers to them (table 7-1).
const SUB_LAYER_LAST: u8 = 14;
const IRAP_FIRST: u8 = 16;
const IRAP_LAST: u8 = 23;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const ACCESS_UNIT_DELIMITER: u8 = 35;
const FILLER: u8 = 38;
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;

/// Bytes of a NAL unit header.
const HEADER_BYTES: usize = 2;

const FORMAT: Format = Format { header_bytes: HEADER_BYTES, aggregate, fragment };

/// Writes an access unit; parameter sets in front where viewers begin. Returns whether no other picture needs it.
pub(super) fn write(params: &Params, opens: bool, payload: &[u8], sink: &mut Sink<'_>) -> bool {
    let sets = params.parameter_sets();
    let all = || sets.vps.iter().chain(&sets.sps).chain(&sets.pps);
    let sent: Vec<&[u8]> = units::units(payload)
        .filter(|unit| is_carried(unit_type(unit)))
        .filter(|unit| unit.len() > HEADER_BYTES && !all().any(|set| set == unit))
        .collect();
    if sent.is_empty() {
        return false;
    }
    let front = all().map(|set| &set[..]).filter(|_| opens);
    FORMAT.write(front.chain(sent.iter().copied()), sink);
    is_unreferenced(sent.iter().copied())
}

/// Delimiters and filler are for byte streams; types from 48 on mean payload structures here (§4.4), so that a unit of
/// one would be read as something else.
fn is_carried(kind: u8) -> bool {
    kind < AGGREGATION && !matches!(kind, ACCESS_UNIT_DELIMITER | FILLER)
}

/// §4.4.2: the F bits of all units, the lowest layer and the lowest temporal identifier.
fn aggregate(units: &[&[u8]]) -> nal::Header {
    let headers = || units.iter().filter_map(|unit| unit.first_chunk::<HEADER_BYTES>());
    let forbidden = headers().fold(0, |bits, header| bits | header[0] & 0x80);
    let layer = headers().map(|[high, low]| (high & 1) << 5 | low >> 3).min().unwrap_or(0);
    let temporal = headers().map(|header| header[1] & 7).min().unwrap_or(1);
    smallvec![forbidden | AGGREGATION << 1 | layer >> 5, layer << 3 | temporal]
}

/// §4.4.3.
fn fragment(unit: &[u8], flags: u8) -> nal::Header {
    let [high, low] = unit.first_chunk::<HEADER_BYTES>().copied().unwrap_or_default();
    smallvec![high & 0x81 | FRAGMENTATION << 1, low, flags | unit_type(unit)]
}

/// Whether there are slices, none of which other pictures refer to, and nothing else that others need. Strictly a type
/// tells it for its own temporal sub-layer only; encoders give such pictures the highest one.
fn is_unreferenced<'a>(units: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut slices = 0;
    for unit in units {
        match unit_type(unit) {
            kind @ 0..=SUB_LAYER_LAST if kind % 2 == 0 => slices += 1,
            0..=SLICE_LAST | VPS | SPS | PPS => return false,
            _ => {}
        }
    }
    slices > 0
}

/// See [`super::opens_group`]: a video or sequence parameter set, or the first slice of a random access picture.
pub(super) fn opens_group(payload: &[u8]) -> bool {
    match unit_type(payload) {
        AGGREGATION => nal::aggregated(payload.get(HEADER_BYTES..).unwrap_or_default())
            .map_while(Result::ok)
            .any(|unit| opens(unit_type(unit), unit.get(HEADER_BYTES))),
        FRAGMENTATION => payload.get(2).is_some_and(|fu| fu & START != 0 && opens(fu & 0x3F, payload.get(3))),
        kind => opens(kind, payload.get(HEADER_BYTES)),
    }
}

/// `first_slice_segment_in_pic_flag` is the first bit of a slice (§7.3.6.1 of ISO 23008-2).
fn opens(kind: u8, body: Option<&u8>) -> bool {
    match kind {
        VPS | SPS => true,
        IRAP_FIRST..=IRAP_LAST => body.is_some_and(|byte| byte & 0x80 != 0),
        _ => false,
    }
}

/// Whether a payload can only be the first of its picture (§7.4.2.4.4 of ISO 23008-2).
pub(super) fn begins_picture(payload: &[u8]) -> bool {
    let first = match unit_type(payload) {
        AGGREGATION => payload.get(HEADER_BYTES + 2..).map_or(AGGREGATION, unit_type),
        kind => kind,
    };
    matches!(first, VPS | ACCESS_UNIT_DELIMITER)
}

/// See [`super::is_discardable`].
pub(super) fn is_discardable(payload: &[u8]) -> bool {
    match unit_type(payload) {
        AGGREGATION => {
            let rest = payload.get(HEADER_BYTES..).unwrap_or_default();
            is_unreferenced(nal::aggregated(rest).map_while(Result::ok))
        }
        FRAGMENTATION => {
            payload.get(2).is_some_and(|fu| is_unreferenced([&[(fu & 0x3F) << 1][..]].into_iter()))
        }
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
    /// The parameters, once all three kinds of sets have come.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.params.clone().map(Codec::H265)
    }

    /// The payloads of one access unit. `Ok(None)` when no picture is in them.
    pub(super) fn read<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Picture>, Malformed> {
        let mut unit = AccessUnit::default();
        let mut found = ParameterSets::default();
        let mut sort = |unit: &[u8]| {
            let sets = match unit_type(unit) {
                VPS => &mut found.vps,
                SPS => &mut found.sps,
                PPS => &mut found.pps,
                kind => return unit.len() > HEADER_BYTES && is_carried(kind),
            };
            nal::replace(sets, Bytes::copy_from_slice(unit), number);
            false
        };
        for payload in payloads {
            read_payload(payload, &mut unit, &mut sort)?;
        }
        let payload = unit.finish()?;
        self.take(found);
        let sync = h265::is_random_access(&payload);
        let has_picture = units::units(&payload).any(|unit| unit_type(unit) <= SLICE_LAST);
        Ok(has_picture.then_some(Picture { sync, payload }))
    }

    /// A unit with all kinds of sets says all that holds from now on; single ones are added to what is known.
    fn take(&mut self, found: ParameterSets) {
        if found == ParameterSets::default() {
            return;
        }
        let before = self.sets.clone();
        if !found.vps.is_empty() && !found.sps.is_empty() && !found.pps.is_empty() {
            self.sets = found;
        } else {
            found.vps.into_iter().for_each(|set| nal::replace(&mut self.sets.vps, set, number));
            found.sps.into_iter().for_each(|set| nal::replace(&mut self.sets.sps, set, number));
            found.pps.into_iter().for_each(|set| nal::replace(&mut self.sets.pps, set, number));
        }
        if self.sets != before {
            // Sets that cannot be used leave the old ones in force, as for in-band changes of other protocols.
            self.params = Params::from_parameter_sets(&self.sets.vps, &self.sets.sps, &self.sets.pps)
                .ok()
                .or_else(|| self.params.take());
        }
    }
}

/// The number of a parameter set. A stream has one sequence parameter set at a time: in front of its own number stands a
/// whole profile, and a new one for another number replaces it all the same.
fn number(unit: &[u8]) -> Option<u32> {
    let head = units::rbsp(unit.get(HEADER_BYTES..unit.len().min(8))?);
    let mut bits = Bits::new("H.265", &head);
    match unit_type(unit) {
        VPS => bits.bits(4, "vps_video_parameter_set_id").ok(),
        PPS => bits.ue_max(63, "pps_pic_parameter_set_id").ok(),
        _ => Some(0),
    }
}

fn read_payload(
    payload: &[u8],
    out: &mut AccessUnit,
    mut sort: impl FnMut(&[u8]) -> bool,
) -> Result<(), Malformed> {
    let Some((&[high, low], rest)) = payload.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Malformed);
    };
    match unit_type(payload) {
        0..AGGREGATION => out.put(payload, sort),
        AGGREGATION => nal::aggregated(rest).try_for_each(|unit| out.put(unit?, &mut sort)),
        FRAGMENTATION => {
            let (fu, body) = rest.split_first().ok_or(Malformed)?;
            if fu & START != 0 {
                out.begin()?;
                out.push(&[high & 0x81 | (fu & 0x3F) << 1, low])?;
            }
            out.push(body)?;
            if fu & END != 0 { out.end(sort) } else { Ok(()) }
        }
        // PACI (§4.4.4) is optional to receive, and what is above is for the future.
        _ => Ok(()),
    }
}
