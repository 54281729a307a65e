//! What H.264 and H.265 payloads share: NAL units cut into aggregates and fragments, and put behind lengths
//! again.

use bytes::{BufMut, Bytes, BytesMut};
use media::codec::nal::{LENGTH_BYTES, UNITS_MAX};
use smallvec::SmallVec;

use super::Malformed;
use super::packetizer::{Sink, pieces};

/// Bits of a fragment's second header (RFC 6184 §5.8, RFC 7798 §4.4.3): the first fragment …
pub(super) const START: u8 = 0x80;
/// … and the last.
pub(super) const END: u8 = 0x40;

/// How a codec writes aggregates and fragments.
pub(super) struct Format {
    /// Bytes of a NAL unit header, which an aggregate's header has too; a fragment's has one more.
    pub(super) header_bytes: usize,
    /// The header of an aggregate of these units.
    pub(super) aggregate: fn(units: &[&[u8]]) -> Header,
    /// The header of a fragment of this unit with [`START`] or [`END`].
    pub(super) fragment: fn(unit: &[u8], flags: u8) -> Header,
}

/// A payload header: two bytes of a unit and one of a fragment at most.
pub(super) type Header = SmallVec<[u8; 4]>;

impl Format {
    /// Writes the units of an access unit: small ones together, long ones in fragments.
    pub(super) fn write<'a>(&self, units: impl Iterator<Item = &'a [u8]>, sink: &mut Sink<'_>) {
        let mut packed: Vec<&[u8]> = Vec::new();
        let mut size = self.header_bytes;
        for unit in units {
            size += 2 + unit.len();
            if size > sink.payload_max {
                self.flush(&mut packed, sink);
                size = self.header_bytes + 2 + unit.len();
            }
            if unit.len() > sink.payload_max {
                self.fragments(unit, sink);
                size = self.header_bytes;
            } else {
                packed.push(unit);
            }
        }
        self.flush(&mut packed, sink);
    }

    /// What was collected as an aggregate; a single unit as itself.
    fn flush(&self, packed: &mut Vec<&[u8]>, sink: &mut Sink<'_>) {
        match packed.as_slice() {
            [] => {}
            [unit] => sink.put(&[unit]),
            several => {
                let header = (self.aggregate)(several);
                let lengths: Vec<[u8; 2]> =
                    several.iter().map(|unit| (unit.len() as u16).to_be_bytes()).collect();
                let mut parts: Vec<&[u8]> = vec![&header];
                for (length, unit) in lengths.iter().zip(several) {
                    parts.extend([&length[..], unit]);
                }
                sink.put(&parts);
            }
        }
        packed.clear();
    }

    fn fragments(&self, unit: &[u8], sink: &mut Sink<'_>) {
        let body = unit.get(self.header_bytes..).unwrap_or_default();
        let mut pieces = pieces(body, sink.payload_max - self.header_bytes - 1).peekable();
        let mut start = START;
        while let Some(piece) = pieces.next() {
            let end = if pieces.peek().is_none() { END } else { 0 };
            sink.put(&[&(self.fragment)(unit, start | end), piece]);
            start = 0;
        }
    }
}

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
