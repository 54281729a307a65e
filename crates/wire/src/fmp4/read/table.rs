//! The sample tables of a track (ISO 14496-12 §8.6, §8.7) and its edit list.

use bytes::{Buf, Bytes};

use super::{Error, SAMPLES_MAX, Sample, children, find};

/// Longest sample and widest composition offset in ticks that are worth believing: an hour.
const SECONDS_MAX: i64 = 3_600;

/// Where a sample's bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) offset: usize,
    pub(super) size: u32,
    /// Which sample entry, from 0.
    pub(super) entry: u8,
    /// What the tables say it lasts, in microseconds.
    pub(super) micros: u32,
}

/// The boxes of a track that say where its samples are.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) stsd: Bytes,
    hz: u32,
    /// What is to be added to media times, in microseconds, by the edit list.
    shift: i64,
    stts: Bytes,
    ctts: Option<Bytes>,
    stss: Option<Bytes>,
    stsc: Bytes,
    stsz: Bytes,
    /// Chunk offsets, and whether they have 64 bits.
    chunks: (Bytes, bool),
}

impl Track {
    pub(super) fn read(trak: &Bytes, movie_hz: u32) -> Result<Self, Error> {
        let mdia = find(trak, b"mdia")?.ok_or(Error::Missing("mdia"))?;
        let mdhd = find(&mdia, b"mdhd")?.ok_or(Error::Missing("mdhd"))?;
        let minf = find(&mdia, b"minf")?.ok_or(Error::Missing("minf"))?;
        let stbl = find(&minf, b"stbl")?.ok_or(Error::Missing("stbl"))?;
        let need = |kind, name| find(&stbl, kind)?.ok_or(Error::Missing(name));
        let hz = timescale(&mdhd, "mdhd")?;
        let chunks = match find(&stbl, b"co64")? {
            Some(co64) => (co64, true),
            None => (need(b"stco", "stco")?, false),
        };
        Ok(Self {
            stsd: need(b"stsd", "stsd")?,
            hz,
            shift: edits(trak, movie_hz, hz)?,
            stts: need(b"stts", "stts")?,
            ctts: find(&stbl, b"ctts")?,
            stss: find(&stbl, b"stss")?,
            stsc: need(b"stsc", "stsc")?,
            stsz: need(b"stsz", "stsz")?,
            chunks,
        })
    }

    /// Appends all samples to `out`. None reaches beyond `file_bytes`; times rise strictly.
    pub(super) fn samples(&self, track: u8, file_bytes: usize, out: &mut Vec<Sample>) -> Result<(), Error> {
        let sizes = Sizes::read(&self.stsz)?;
        if sizes.count > SAMPLES_MAX - out.len().min(SAMPLES_MAX) {
            return Err(Error::TooManySamples { claimed: sizes.count });
        }
        let ticks_max = i64::from(self.hz) * SECONDS_MAX;
        let mut durations = runs(&self.stts, "stts")?;
        let mut offsets = self.ctts.as_ref().map(|ctts| runs(ctts, "ctts")).transpose()?;
        let mut syncs =
            self.stss.as_ref().map(|stss| words(stss, "stss")).transpose()?.map(Iterator::peekable);
        let mut chunks = Chunks::new(&self.stsc, &self.chunks)?;
        let (mut tick, mut last) = (0_i64, i64::MIN);
        for sample in 0..sizes.count {
            let missing = |table| Error::Table { table, sample };
            let size = sizes.get(sample).ok_or(missing("stsz"))?;
            let duration = i64::from(durations.next().ok_or(missing("stts"))?).min(ticks_max);
            let cts = match &mut offsets {
                // Version 0 is unsigned, but writers put negative numbers there, too.
                Some(offsets) => {
                    i64::from(offsets.next().ok_or(missing("ctts"))? as i32).clamp(-ticks_max, ticks_max)
                }
                None => 0,
            };
            let sync = match &mut syncs {
                Some(syncs) => {
                    syncs.next_if(|&number| number as usize <= sample + 1) == Some(sample as u32 + 1)
                }
                None => true,
            };
            let (offset, entry) = chunks.next(size).ok_or(missing("stco"))?;
            if offset.checked_add(size as usize).is_none_or(|end| end > file_bytes) {
                return Err(missing("the file"));
            }
            let dts = self.micros(tick).saturating_add(self.shift).max(last.saturating_add(1));
            last = dts;
            let micros = u32::try_from(self.micros(duration)).unwrap_or(u32::MAX);
            let cts = i32::try_from(self.micros(cts)).unwrap_or(0);
            out.push(Sample { track, sync, cts, dts, placed: Placed { offset, size, entry, micros } });
            tick = tick.saturating_add(duration);
        }
        Ok(())
    }

    fn micros(&self, ticks: i64) -> i64 {
        media::Span::from_ticks(ticks, self.hz).micros()
    }
}

/// The clock rate of `mvhd` or `mdhd`, which begin alike.
pub(super) fn timescale(header: &Bytes, name: &'static str) -> Result<u32, Error> {
    let mut body = header.clone();
    let long = body.try_get_u32().map_err(|_| Error::Truncated(name))? >> 24 == 1;
    let skip = if long { 16 } else { 8 };
    if body.len() < skip {
        return Err(Error::Truncated(name));
    }
    body.advance(skip);
    match body.try_get_u32() {
        Ok(hz) if hz > 0 => Ok(hz),
        Ok(_) | Err(_) => Err(Error::Truncated(name)),
    }
}

/// What the edit list adds to media times: empty edits delay a track, the first real one says which media time is
/// the beginning (encoder delay, the offset of the first picture). Later edits are not followed.
fn edits(trak: &Bytes, movie_hz: u32, hz: u32) -> Result<i64, Error> {
    let Some(elst) = find(trak, b"edts")?.map(|edts| find(&edts, b"elst")).transpose()?.flatten() else {
        return Ok(0);
    };
    let mut body = elst;
    let cut = |_| Error::Truncated("elst");
    let long = body.try_get_u32().map_err(cut)? >> 24 == 1;
    let count = body.try_get_u32().map_err(cut)?;
    let mut delay = 0_i64;
    for _ in 0..count.min(16) {
        let (duration, start) = if long {
            (body.try_get_u64().map_err(cut)?, body.try_get_i64().map_err(cut)?)
        } else {
            (body.try_get_u32().map_err(cut)?.into(), body.try_get_i32().map_err(cut)?.into())
        };
        body.try_get_u32().map_err(cut)?;
        let bounded = |ticks: i64, hz: u32| ticks.clamp(0, i64::from(hz) * SECONDS_MAX);
        if start >= 0 {
            return Ok(delay - media::Span::from_ticks(bounded(start, hz), hz).micros());
        }
        let duration = bounded(i64::try_from(duration).unwrap_or(i64::MAX), movie_hz);
        delay += media::Span::from_ticks(duration, movie_hz).micros();
    }
    Ok(delay)
}

/// A full box's table of 32-bit words: version, count, then the words, no more than are there.
fn words<'a>(table: &'a Bytes, name: &'static str) -> Result<impl Iterator<Item = u32> + 'a, Error> {
    let (head, rest) = table.split_at_checked(8).ok_or(Error::Truncated(name))?;
    let count = head.last_chunk::<4>().map_or(0, |count| u32::from_be_bytes(*count)) as usize;
    Ok(rest
        .chunks_exact(4)
        .take(count)
        .filter_map(|word| word.first_chunk().map(|word| u32::from_be_bytes(*word))))
}

/// A table of pairs, a count and a value, as one value a sample (`stts`, `ctts`).
fn runs<'a>(table: &'a Bytes, name: &'static str) -> Result<impl Iterator<Item = u32> + 'a, Error> {
    let (head, rest) = table.split_at_checked(8).ok_or(Error::Truncated(name))?;
    let count = head.last_chunk::<4>().map_or(0, |count| u32::from_be_bytes(*count)) as usize;
    Ok(rest.chunks_exact(8).take(count).flat_map(|pair| {
        let mut pair = pair;
        let (count, value) = (pair.get_u32(), pair.get_u32());
        std::iter::repeat_n(value, count as usize)
    }))
}

/// `stsz`: one size for all, or one each.
struct Sizes<'a> {
    common: u32,
    count: usize,
    each: &'a [u8],
}

impl<'a> Sizes<'a> {
    fn read(stsz: &'a Bytes) -> Result<Self, Error> {
        let (mut head, each) = stsz.split_at_checked(12).ok_or(Error::Truncated("stsz"))?;
        head.advance(4);
        let (common, count) = (head.get_u32(), head.get_u32() as usize);
        if common == 0 && each.len() / 4 < count {
            return Err(Error::Truncated("stsz"));
        }
        Ok(Self { common, count, each })
    }

    fn get(&self, sample: usize) -> Option<u32> {
        if self.common > 0 {
            return Some(self.common);
        }
        self.each.get(sample * 4..)?.first_chunk().map(|size| u32::from_be_bytes(*size))
    }
}

/// Walks the chunks: `stsc` says how many samples each has and which entry they use, `stco` where it is.
struct Chunks<'a> {
    stsc: &'a [u8],
    offsets: &'a [u8],
    long: bool,
    /// The chunk, from 1; 0 before the first.
    chunk: u32,
    per_chunk: u32,
    entry: u32,
    left: u32,
    at: u64,
}

impl<'a> Chunks<'a> {
    fn new(stsc: &'a Bytes, (offsets, long): &'a (Bytes, bool)) -> Result<Self, Error> {
        let stsc = stsc.get(8..).ok_or(Error::Truncated("stsc"))?;
        let offsets = offsets.get(8..).ok_or(Error::Truncated("stco"))?;
        Ok(Self { stsc, offsets, long: *long, chunk: 0, per_chunk: 0, entry: 0, left: 0, at: 0 })
    }

    /// Place of the next sample, and its entry from 0.
    fn next(&mut self, size: u32) -> Option<(usize, u8)> {
        while self.left == 0 {
            self.next_chunk()?;
        }
        self.left -= 1;
        let at = usize::try_from(self.at).ok()?;
        self.at = self.at.checked_add(size.into())?;
        Some((at, u8::try_from(self.entry.checked_sub(1)?).ok()?))
    }

    fn next_chunk(&mut self) -> Option<()> {
        self.chunk = self.chunk.checked_add(1)?;
        let first = |table: &[u8]| table.first_chunk().map(|first| u32::from_be_bytes(*first));
        if first(self.stsc).is_some_and(|first| first <= self.chunk) {
            let (mut run, rest) = self.stsc.split_at_checked(12)?;
            run.advance(4);
            (self.per_chunk, self.entry, self.stsc) = (run.get_u32(), run.get_u32(), rest);
        }
        let (offset, rest) = self.offsets.split_at_checked(if self.long { 8 } else { 4 })?;
        self.at = offset.iter().fold(0, |at, &byte| at << 8 | u64::from(byte));
        self.offsets = rest;
        self.left = self.per_chunk;
        Some(())
    }
}

/// The boxes of a sample entry behind its fixed fields.
pub(super) fn boxes_after(entry: &Bytes, fixed: usize) -> Result<Vec<([u8; 4], Bytes)>, Error> {
    if entry.len() < fixed {
        return Err(Error::Truncated("sample entry"));
    }
    children(&entry.slice(fixed..)).collect()
}
