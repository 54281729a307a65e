//! Reads a whole progressive MP4 file (ISO 14496-12): its sample tables become frames in decode order.
//!
//! The file is given as bytes, mapped or read by the caller; payloads are slices of it.

mod entry;
mod table;

use std::sync::Arc;

use bytes::Bytes;
use media::codec::{av1, h264, h265, nal};
use media::{Codec, Frame, Span, Timestamp};

use table::Placed;

/// Tracks of a file; the rest is left out.
const TRACKS_MAX: usize = 16;

/// Samples of all tracks: 12 hours of pictures and sound, 40 bytes of memory each.
pub const SAMPLES_MAX: usize = 4 << 20;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A box reaches beyond what contains it, or is shorter than its own header.
    #[error("MP4: the box at byte {at} does not fit its container")]
    Box {
        /// Where it begins, counted from the start of what contains it.
        at: usize,
    },
    /// A box that every file has is missing.
    #[error("MP4: there is no {0} box")]
    Missing(&'static str),
    /// A box ends inside a field.
    #[error("MP4: {0} ends inside a field")]
    Truncated(&'static str),
    /// A table does not fit the others or the file.
    #[error("MP4: {table} does not cover sample {sample}")]
    Table {
        /// The table's box.
        table: &'static str,
        /// The sample, from 0.
        sample: usize,
    },
    /// More samples than [`SAMPLES_MAX`].
    #[error("MP4: {claimed} samples, at most {SAMPLES_MAX} are read")]
    TooManySamples {
        /// What the tables claim.
        claimed: usize,
    },
    /// No track with a codec that we know.
    #[error("MP4: no track of H.264, H.265, AV1, VP9, AAC or Opus; the file has {found}")]
    NoTrack {
        /// The sample entries that were there.
        found: String,
    },
    /// A fragmented file: its samples are not in the tables.
    #[error(
        "MP4: the file is fragmented; rewrite it with `ffmpeg -i FILE -c copy -movflags faststart OUT.mp4`"
    )]
    Fragmented,
    /// A track's decoder record cannot be used.
    #[error("MP4: {0}")]
    Codec(#[from] media::codec::Error),
}

/// A frame of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which track, as a number from 0 in the order of the file.
    pub track: usize,
    /// What it is coded with.
    pub codec: Arc<Codec>,
    /// The frame. The earliest decode time of the file is zero.
    pub frame: Frame,
}

/// One sample's place.
#[derive(Clone, Debug)]
struct Sample {
    track: u8,
    sync: bool,
    cts: i32,
    dts: i64,
    placed: Placed,
}

/// How the payloads of a sample entry become those of the model.
#[derive(Clone, Debug)]
struct Entered {
    codec: Arc<Codec>,
    /// Bytes of the length before each NAL unit, of H.264 and H.265.
    length_bytes: usize,
}

/// A file whose tables have been read.
#[derive(Clone, Debug)]
pub struct File {
    bytes: Bytes,
    entries: Vec<Vec<Entered>>,
    samples: Vec<Sample>,
}

/// The codec of a track's first sample entry, of the body of `stsd`; `None` for one that we do not know.
///
/// # Errors
/// When its decoder record cannot be used.
pub fn codec(stsd: &Bytes) -> Result<Option<Codec>, Error> {
    let entered = entry::read(stsd, &mut Vec::new())?;
    Ok(entered.first().map(|entered| Codec::clone(&entered.codec)))
}

impl File {
    /// Reads the tables of `bytes`, a whole file.
    ///
    /// # Errors
    /// See [`Error`]. A track of another kind (subtitles, time code) is left out without one.
    pub fn parse(bytes: &Bytes) -> Result<Self, Error> {
        let moov = find(bytes, b"moov")?.ok_or(Error::Missing("moov"))?;
        let mvhd = find(&moov, b"mvhd")?.ok_or(Error::Missing("mvhd"))?;
        let movie_hz = table::timescale(&mvhd, "mvhd")?;
        let (mut entries, mut samples, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for trak in children(&moov)
            .filter_map(|child| child.map(|(kind, b)| (kind == *b"trak").then_some(b)).transpose())
        {
            let track = table::Track::read(&trak?, movie_hz)?;
            let entered = entry::read(&track.stsd, &mut found)?;
            if entered.is_empty() || entries.len() == TRACKS_MAX {
                continue;
            }
            track.samples(entries.len() as u8, bytes.len(), &mut samples)?;
            entries.push(entered);
        }
        if entries.is_empty() {
            return Err(Error::NoTrack { found: found.join(", ") });
        }
        if samples.is_empty() && find(&moov, b"mvex")?.is_some() {
            return Err(Error::Fragmented);
        }
        order(&mut samples);
        Ok(Self { bytes: bytes.clone(), entries, samples })
    }

    /// The first codec of each track.
    pub fn tracks(&self) -> impl Iterator<Item = &Arc<Codec>> {
        self.entries.iter().filter_map(|track| track.first()).map(|entered| &entered.codec)
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// True for a file without frames.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// From the first frame's decode time to the end of the last one, so that a loop can go on from there.
    pub fn duration(&self) -> Span {
        let end =
            self.samples.iter().map(|sample| sample.dts.saturating_add(sample.placed.micros.into())).max();
        Span::from_micros(end.unwrap_or(0))
    }

    /// The frames by decode time, those of the same time by track.
    ///
    /// An item is an error when a picture's NAL units do not fit the sample.
    pub fn frames(&self) -> impl Iterator<Item = Result<Entry, Error>> + '_ {
        self.samples.iter().map(|sample| self.entry(sample))
    }

    fn entry(&self, sample: &Sample) -> Result<Entry, Error> {
        let track = usize::from(sample.track);
        let Placed { offset, size, entry, .. } = sample.placed;
        // Ranges were held against the file, and entries against the list, when the tables were read.
        let payload = self.bytes.slice(offset..offset + size as usize);
        let entered = self
            .entries
            .get(track)
            .and_then(|entries| entries.get(usize::from(entry)))
            .ok_or(Error::Table { table: "stsc", sample: 0 })?;
        let payload = match &*entered.codec {
            Codec::H264(_) => nal::normalize("H.264", &payload, entered.length_bytes)?,
            Codec::H265(_) => nal::normalize("H.265", &payload, entered.length_bytes)?,
            Codec::Av1(_) => av1::normalize(&payload)?,
            Codec::Vp9(_) | Codec::Vp8(_) => payload,
            Codec::Aac(_) | Codec::Opus(_) | Codec::G711(_) | Codec::Data(_) => payload,
        };
        let frame = Frame {
            dts: Timestamp::from_micros(sample.dts),
            cts: Span::from_micros(sample.cts.into()),
            sync: sample.sync,
            payload,
        };
        Ok(Entry { track, codec: entered.codec.clone(), frame })
    }
}

/// Sorts by decode time and moves the first to zero.
fn order(samples: &mut [Sample]) {
    samples.sort_by_key(|sample| (sample.dts, sample.track));
    let first = samples.first().map_or(0, |sample| sample.dts);
    for sample in samples {
        sample.dts = sample.dts.saturating_sub(first);
    }
}

/// Bytes of the NAL unit lengths that a record announces.
fn length_bytes(codec: &Codec, record: &[u8]) -> usize {
    match codec {
        Codec::H264(_) => h264::length_bytes(record),
        Codec::H265(_) => h265::length_bytes(record),
        Codec::Av1(_) | Codec::Vp9(_) | Codec::Vp8(_) => 0,
        Codec::Aac(_) | Codec::Opus(_) | Codec::G711(_) | Codec::Data(_) => 0,
    }
}

/// The body of the first box of `kind` directly in `container`.
fn find(container: &Bytes, kind: &[u8; 4]) -> Result<Option<Bytes>, Error> {
    for child in children(container) {
        let (found, body) = child?;
        if found == *kind {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

/// The boxes in `container`: kind and body (ISO 14496-12 §4.2). Ends after the first error. Fewer than eight bytes
/// at the end are padding (QuickTime ends lists with a zero word).
fn children(container: &Bytes) -> impl Iterator<Item = Result<([u8; 4], Bytes), Error>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = container.get(at..)?;
        let (size, kind) = (rest.first_chunk::<4>()?, rest.get(4..8)?);
        let kind = <[u8; 4]>::try_from(kind).ok()?;
        let (header, size) = match u32::from_be_bytes(*size) {
            0 => (8, rest.len()),
            1 => match rest.get(8..16).and_then(|large| large.first_chunk::<8>()) {
                Some(large) => (16, usize::try_from(u64::from_be_bytes(*large)).unwrap_or(usize::MAX)),
                None => (16, 0),
            },
            size => (8, size as usize),
        };
        let start = at;
        at = container.len();
        if size < header || size > rest.len() {
            return Some(Err(Error::Box { at: start }));
        }
        at = start + size;
        Some(Ok((kind, container.slice(start + header..start + size))))
    })
}
