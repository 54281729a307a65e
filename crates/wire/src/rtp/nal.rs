//! What H.264 and H.265 payloads share: NAL units put behind lengths, whole or from fragments.

use bytes::{BufMut, Bytes, BytesMut};
use media::codec::nal::{LENGTH_BYTES, UNITS_MAX};

use super::Malformed;

/// An access unit under construction, in the form of the model.
#[derive(Debug, Default)]
pub(super) struct AccessUnit {
    out: BytesMut,
    /// Where the length of a unit that comes in fragments is.
    open: Option<usize>,
    count: usize,
}

impl AccessUnit {
    /// Begins a unit; its bytes follow by [`AccessUnit::push`].
    pub(super) fn begin(&mut self) -> Result<(), Malformed> {
        self.count += 1;
        if self.open.is_some() || self.count > UNITS_MAX {
            return Err(Malformed);
        }
        self.open = Some(self.out.len());
        self.out.put_u32(0);
        Ok(())
    }

    /// Bytes of the unit that is open.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.open.ok_or(Malformed)?;
        self.out.put_slice(bytes);
        Ok(())
    }

    /// Ends the open unit. `sort` sees it and says whether it stays; an empty one does not.
    pub(super) fn end(&mut self, sort: impl FnOnce(&[u8]) -> bool) -> Result<(), Malformed> {
        let at = self.open.take().ok_or(Malformed)?;
        let (length, unit) = self
            .out
            .get_mut(at..)
            .and_then(|open| open.split_first_chunk_mut::<LENGTH_BYTES>())
            .ok_or(Malformed)?;
        *length = u32::try_from(unit.len()).map_err(|_| Malformed)?.to_be_bytes();
        if unit.is_empty() || !sort(unit) {
            self.out.truncate(at);
        }
        Ok(())
    }

    /// One whole unit.
    pub(super) fn put(&mut self, unit: &[u8], sort: impl FnOnce(&[u8]) -> bool) -> Result<(), Malformed> {
        self.begin()?;
        self.push(unit)?;
        self.end(sort)
    }

    /// The payload, possibly empty.
    pub(super) fn finish(self) -> Result<Bytes, Malformed> {
        match self.open {
            Some(_) => Err(Malformed),
            None => Ok(self.out.freeze()),
        }
    }
}

/// The units of an aggregation packet, each behind a 2-byte length (RFC 6184 §5.7.1, RFC 7798 §4.4.2). An error is the
/// last item: a unit beyond the end.
pub(super) fn aggregated(mut rest: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((length, after)) = rest.split_first_chunk::<2>() else {
            rest = &[];
            return Some(Err(Malformed));
        };
        let Some((unit, after)) = after.split_at_checked(u16::from_be_bytes(*length).into()) else {
            rest = &[];
            return Some(Err(Malformed));
        };
        rest = after;
        Some(Ok(unit))
    })
}

/// Parameter sets of one kind, where a set replaces an older one of its number.
pub(super) fn replace(sets: &mut Vec<Bytes>, unit: Bytes, number: impl Fn(&[u8]) -> Option<u32>) {
    let new = number(&unit);
    match sets.iter_mut().find(|set| number(set) == new) {
        Some(set) => *set = unit,
        None => sets.push(unit),
    }
}
