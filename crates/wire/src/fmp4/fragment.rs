//! One CMAF chunk: a `moof` with a run of samples for each track, and the `mdat` with their payloads.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{patch, write, write_full};

/// `sample_depends_on` 2: a sample that needs no other (ISO 14496-12 §8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on` 1 and `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0101_0000;

/// `tfhd`: offsets count from the start of the `moof`.
const BASE_IS_MOOF: u32 = 0x02_0000;
/// `tfhd`: all samples last `default_sample_duration`.
const DEFAULT_DURATION: u32 = 0x08;
/// `tfhd`: all samples have `default_sample_flags`.
const DEFAULT_FLAGS: u32 = 0x20;

/// `trun`: offset of the first payload, and sizes.
const OFFSET_AND_SIZES: u32 = 0x201;
/// `trun`: each sample has its duration.
const DURATIONS: u32 = 0x100;
/// `trun`: each sample has its flags.
const FLAGS: u32 = 0x400;
/// `trun`: each sample has its composition offset, signed in version 1.
const OFFSETS: u32 = 0x800;

/// A sample, in ticks of its track's clock ([`super::timescale`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Ticks until the next sample's decoding.
    pub duration: u32,
    /// Ticks from decoding to display; may be negative.
    pub cts: i32,
    /// Decoding may begin here.
    pub sync: bool,
    /// The coded bytes.
    pub payload: Bytes,
}

/// Consecutive samples of one track.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The track's `track_ID` in the init segment.
    pub track: u32,
    /// When the first sample is decoded, in ticks; later ones follow by their durations.
    pub decode_time: u64,
    /// The samples; an empty run is left out.
    pub samples: &'a [Sample],
}

/// Writes one `moof` and `mdat` with `runs`; `sequence` rises by one with each fragment of a file
/// (ISO 14496-12 §8.8.5). The one copy of the payloads is made here.
pub fn fragment(sequence: u32, runs: &[Run<'_>]) -> Bytes {
    let payload: usize = runs.iter().flat_map(|run| run.samples).map(|sample| sample.payload.len()).sum();
    let count: usize = runs.iter().map(|run| run.samples.len()).sum();
    let mut out = BytesMut::with_capacity(payload + count * 16 + runs.len() * 96 + 64);
    let mut offsets = Vec::with_capacity(runs.len());
    write(&mut out, b"moof", |out| {
        write_full(out, b"mfhd", (0, 0), |out| out.put_u32(sequence));
        for run in runs.iter().filter(|run| !run.samples.is_empty()) {
            write(out, b"traf", |out| offsets.push(traf(out, run)));
        }
    });
    let mut at = out.len() + 8;
    for (offset, run) in offsets.into_iter().zip(runs.iter().filter(|run| !run.samples.is_empty())) {
        patch(&mut out, offset, u32::try_from(at).expect("a fragment is bounded far below 4 GB"));
        at += run.samples.iter().map(|sample| sample.payload.len()).sum::<usize>();
    }
    write(&mut out, b"mdat", |out| {
        for sample in runs.iter().flat_map(|run| run.samples) {
            out.put_slice(&sample.payload);
        }
    });
    out.freeze()
}

/// Writes the boxes of a run and returns where its data offset is to be filled in.
fn traf(out: &mut BytesMut, run: &Run<'_>) -> usize {
    let first = run.samples.first();
    let duration = first.map(|s| s.duration).filter(|&d| run.samples.iter().all(|s| s.duration == d));
    let sync = first.map(|s| s.sync).filter(|&sync| run.samples.iter().all(|s| s.sync == sync));
    let composed = run.samples.iter().any(|sample| sample.cts != 0);

    let tfhd = BASE_IS_MOOF | duration.map_or(0, |_| DEFAULT_DURATION) | sync.map_or(0, |_| DEFAULT_FLAGS);
    write_full(out, b"tfhd", (0, tfhd), |out| {
        out.put_u32(run.track);
        if let Some(duration) = duration {
            out.put_u32(duration);
        }
        if let Some(sync) = sync {
            out.put_u32(sample_flags(sync));
        }
    });
    write_full(out, b"tfdt", (1, 0), |out| out.put_u64(run.decode_time));

    let trun = OFFSET_AND_SIZES
        | if duration.is_none() { DURATIONS } else { 0 }
        | if sync.is_none() { FLAGS } else { 0 }
        | if composed { OFFSETS } else { 0 };
    let mut offset = 0;
    write_full(out, b"trun", (1, trun), |out| {
        out.put_u32(u32::try_from(run.samples.len()).expect("a part's samples are counted"));
        offset = out.len();
        out.put_u32(0);
        for sample in run.samples {
            if duration.is_none() {
                out.put_u32(sample.duration);
            }
            out.put_u32(u32::try_from(sample.payload.len()).expect("a frame is bounded far below 4 GB"));
            if sync.is_none() {
                out.put_u32(sample_flags(sample.sync));
            }
            if composed {
                out.put_i32(sample.cts);
            }
        }
    });
    offset
}

fn sample_flags(sync: bool) -> u32 {
    if sync { SYNC } else { NON_SYNC }
}
