//! Lists of parameter sets, as the records of H.264 and H.265 carry them and as streams bring new ones.

use bytes::{BufMut, Bytes, BytesMut};

use super::Error;

/// Reads `count` sets, each behind a 2-byte length, as slices of `config`. Empty ones are left out. `None`, and `rest`
/// as it was, when they are cut.
pub(super) fn read(config: &Bytes, rest: &mut &[u8], count: usize) -> Option<Vec<Bytes>> {
    let (mut after, mut sets) = (*rest, Vec::new());
    for _ in 0..count {
        let (length, tail) = after.split_first_chunk::<2>()?;
        let (set, tail) = tail.split_at_checked(u16::from_be_bytes(*length).into())?;
        if !set.is_empty() {
            sets.push(config.slice_ref(set));
        }
        after = tail;
    }
    *rest = after;
    Some(sets)
}

/// Writes sets, each behind a 2-byte length.
///
/// # Errors
/// When one is too long for that.
pub(super) fn put(codec: &'static str, out: &mut BytesMut, sets: &[Bytes]) -> Result<(), Error> {
    for set in sets {
        let length = u16::try_from(set.len()).map_err(|_| Error::Unsupported {
            codec,
            field: "parameter set length",
            value: set.len() as u64,
        })?;
        out.put_u16(length);
        out.put_slice(set);
    }
    Ok(())
}

/// What holds after a stream brought sets: for each kind those found, or those `known` where none was. `None` when it
/// brought nothing new.
pub(super) fn changed<const N: usize>(
    known: [Vec<Bytes>; N],
    found: [Vec<Bytes>; N],
) -> Option<[Vec<Bytes>; N]> {
    let is_known = |(known, found): (&Vec<Bytes>, &Vec<Bytes>)| found.iter().all(|set| known.contains(set));
    if known.iter().zip(&found).all(is_known) {
        return None;
    }
    let mut now = known;
    for (known, found) in now.iter_mut().zip(found) {
        if !found.is_empty() {
            *known = found;
        }
    }
    Some(now)
}
