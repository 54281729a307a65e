//! NAL units of H.264 and H.265: the payload form of the model (each behind a 4-byte length), its conversion from
//! other forms, and RBSP bytes.

use bytes::{BufMut, Bytes, BytesMut};

use super::Error;

/// Bytes of the length before each NAL unit in a [`crate::Frame`]'s payload.
pub const LENGTH_BYTES: usize = 4;

/// NAL units in one access unit. 8K pictures of 600 slices with SEI stay below; a payload of empty units does not.
pub const UNITS_MAX: usize = 4_096;

/// The NAL units of a payload in the form of the model. Stops at a length that points beyond the payload; empty units
/// are left out.
#[derive(Clone, Debug)]
pub struct Units<'a> {
    rest: &'a [u8],
}

/// Iterates over the NAL units of `payload`, headers included, lengths not.
pub fn units(payload: &[u8]) -> Units<'_> {
    Units { rest: payload }
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (length, rest) = self.rest.split_first_chunk::<LENGTH_BYTES>()?;
            let (unit, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            self.rest = rest;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

/// Brings an access unit to the form of the model. `length_bytes` is what the configuration record announced (1–4).
///
/// A payload that is already in form is shared, not copied. Annex B start codes, which some encoders send in spite of
/// their record, are recognised by the lengths not fitting. Empty units are dropped: they crash some decoders.
///
/// # Errors
/// [`Error::Malformed`] when lengths do not fit the payload, or there are more than [`UNITS_MAX`] units.
pub fn normalize(codec: &'static str, payload: &Bytes, length_bytes: usize) -> Result<Bytes, Error> {
    let malformed = Error::Malformed { codec, field: "NAL unit lengths" };
    match survey(payload, length_bytes) {
        Some(survey) if survey.units > UNITS_MAX => Err(malformed),
        Some(survey) if survey.in_form && length_bytes == LENGTH_BYTES => Ok(payload.clone()),
        Some(_) => Ok(join(split(payload, length_bytes))),
        None if starts_with_start_code(payload) => {
            if annex_b(payload).nth(UNITS_MAX).is_some() {
                return Err(malformed);
            }
            Ok(join(annex_b(payload)))
        }
        None => Err(malformed),
    }
}

struct Survey {
    units: usize,
    /// No empty unit, so that nothing has to be dropped.
    in_form: bool,
}

/// Walks the lengths; `None` when they do not end exactly with the payload.
fn survey(payload: &[u8], length_bytes: usize) -> Option<Survey> {
    let mut rest = payload;
    let mut survey = Survey { units: 0, in_form: true };
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(length_bytes)?;
        let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        rest = after.get(length..)?;
        survey.units += 1;
        survey.in_form &= length != 0;
    }
    Some(survey)
}

/// Units behind lengths of any size, after [`survey`] has found that they fit.
fn split(payload: &[u8], length_bytes: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_at_checked(length_bytes)?;
        let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let (unit, after) = after.split_at_checked(length)?;
        rest = after;
        Some(unit)
    })
    .filter(|unit| !unit.is_empty())
    .fuse()
}

/// Puts each unit behind a 4-byte length.
pub fn join<'a>(units: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut out = BytesMut::new();
    for unit in units {
        out.put_u32(unit.len() as u32);
        out.put_slice(unit);
    }
    out.freeze()
}

/// Whether `data` begins as a byte stream of ISO 14496-10 annex B does.
pub fn starts_with_start_code(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1])
}

/// The NAL units of a byte stream (ISO 14496-10 annex B), without start codes and trailing zeros.
pub fn annex_b(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        let current = rest?;
        let end = current.windows(3).position(|window| window == [0, 0, 1]).unwrap_or(current.len());
        rest = current.get(end + 3..);
        Some(trim_zeros(current.get(..end).unwrap_or_default()))
    })
    .filter(|unit| !unit.is_empty())
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    let start = data.windows(3).position(|window| window == [0, 0, 1])?;
    data.get(start + 3..)
}

fn trim_zeros(unit: &[u8]) -> &[u8] {
    let len = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    unit.get(..len).unwrap_or(unit)
}

/// The RBSP of NAL unit bytes: emulation prevention bytes removed (ISO 14496-10 §7.4.1).
pub fn rbsp(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut zeros = 0;
    for &byte in data {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// The messages of an SEI NAL unit whose header takes `header_bytes`: type and payload (ISO 14496-10 §7.3.2.3.1).
/// A message that does not fit ends the list.
pub fn sei_messages(unit: &[u8], header_bytes: usize) -> Vec<(u32, Vec<u8>)> {
    let rbsp = rbsp(unit.get(header_bytes..).unwrap_or_default());
    let mut rest = rbsp.as_slice();
    let mut messages = Vec::new();
    // Two bytes are the least a message takes; a single one is rbsp_trailing_bits.
    while rest.len() > 2 {
        let Some((kind, len)) = sei_number(&mut rest).zip(sei_number(&mut rest)) else { break };
        let Some((payload, after)) = rest.split_at_checked(len as usize) else { break };
        messages.push((kind, payload.to_vec()));
        rest = after;
    }
    messages
}

/// `ff` bytes add 255 each, the first other byte ends the number.
fn sei_number(rest: &mut &[u8]) -> Option<u32> {
    let mut sum = 0_u32;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        sum = sum.checked_add(u32::from(*byte))?;
        if *byte != 0xFF {
            return Some(sum);
        }
    }
}

/// Whether an SEI message carries what applications put there: registered (4) and unregistered (5) user data, and the
/// numbers 242 and 243 that Tencent's encoders use.
pub fn is_user_data(kind: u32) -> bool {
    matches!(kind, 4 | 5 | 242 | 243)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_payload_in_form_is_shared_and_not_copied() {
        let payload = Bytes::from_static(&[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41]);
        let same = normalize("H.264", &payload, 4).unwrap();
        assert_eq!(same.as_ptr(), payload.as_ptr());
        assert_eq!(units(&same).collect::<Vec<_>>(), [&[0x65_u8, 1][..], &[0x41]]);
    }

    #[test]
    fn lengths_of_one_two_and_three_bytes_become_four() {
        let expected = [0, 0, 0, 2, 0x65, 9, 0, 0, 0, 1, 0x41];
        for (size, input) in [
            (1, &[2, 0x65, 9, 1, 0x41][..]),
            (2, &[0, 2, 0x65, 9, 0, 1, 0x41]),
            (3, &[0, 0, 2, 0x65, 9, 0, 0, 1, 0x41]),
        ] {
            let got = normalize("H.264", &Bytes::copy_from_slice(input), size).unwrap();
            assert_eq!(&got[..], expected, "length size {size}");
        }
    }

    #[test]
    fn start_codes_where_lengths_were_announced_are_converted() {
        let annexb =
            Bytes::from_static(&[0, 0, 0, 1, 0x67, 7, 7, 0, 0, 1, 0x68, 8, 0, 0, 0, 1, 0x65, 5, 0, 0]);
        let got = normalize("H.264", &annexb, 4).unwrap();
        assert_eq!(units(&got).collect::<Vec<_>>(), [&[0x67_u8, 7, 7][..], &[0x68, 8], &[0x65, 5]]);
    }

    #[test]
    fn empty_units_are_dropped_and_lengths_beyond_the_end_are_an_error() {
        let empty = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 1, 0x65]);
        assert_eq!(&normalize("H.264", &empty, 4).unwrap()[..], [0, 0, 0, 1, 0x65]);
        let long = Bytes::from_static(&[0, 0, 0, 9, 0x65]);
        let error = Error::Malformed { codec: "H.264", field: "NAL unit lengths" };
        assert_eq!(normalize("H.264", &long, 4), Err(error.clone()));
        assert_eq!(normalize("H.264", &Bytes::from(vec![0; 4 * (UNITS_MAX + 1)]), 4), Err(error));
    }

    #[test]
    fn emulation_prevention_is_removed_from_sei_before_its_messages_are_read() {
        // Type 5, 6 bytes of which two zeros and a one are escaped; then type 242, one byte; trailing bits.
        let unit = [0x06, 5, 6, 9, 0, 0, 3, 1, 8, 7, 242, 1, 0xAB, 0x80];
        let messages = sei_messages(&unit, 1);
        assert_eq!(messages, [(5, vec![9, 0, 0, 1, 8, 7]), (242, vec![0xAB])]);
        assert!(messages.iter().all(|(kind, _)| is_user_data(*kind)));
    }

    proptest! {
        #[test]
        fn any_bytes_normalize_to_a_walkable_payload_or_an_error(
            data in proptest::collection::vec(prop_oneof![3 => Just(0_u8), 1 => Just(1), 1 => Just(3), 2 => any::<u8>()], 0..200),
            size in 1_usize..=4,
        ) {
            let _ = sei_messages(&data, 1);
            if let Ok(payload) = normalize("H.264", &Bytes::from(data), size) {
                let walked: usize = units(&payload).map(|unit| unit.len() + LENGTH_BYTES).sum();
                prop_assert_eq!(walked, payload.len());
            }
        }
    }
}
