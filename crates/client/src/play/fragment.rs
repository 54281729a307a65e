//! Fragmented MP4 as far as a meter needs it (ISO 14496-12): tracks of an initialization section, samples of a part.

use bytes::Bytes;
use media::Codec;
use media::codec::Kind;
use wire::fmp4::entry_codec;

use super::meter::Sample;
use crate::stamp::Stamp;

/// Samples of one fragment; more are refused as nonsense.
const SAMPLES_MAX: u32 = 100_000;
/// A stamp lies this early in a picture or not at all.
const STAMP_BYTES_MAX: usize = 512;
/// §8.8.3.1: sample_is_non_sync_sample.
const NON_SYNC: u32 = 1 << 16;

/// A track of an initialization section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    /// track_ID.
    pub(crate) id: u32,
    /// Picture or sound.
    pub(crate) kind: Kind,
    /// Ticks a second.
    pub(crate) timescale: u32,
    /// Four characters of the sample entry, such as `avc1`.
    pub(crate) entry: String,
    /// What the entry says, if it can be used.
    pub(crate) codec: Option<Codec>,
}

/// A sample and where it belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// Its track.
    pub(crate) track: &'a Track,
    /// Decoding time.
    pub(crate) dts_micros: i64,
    /// What is to be added for the time of display.
    pub(crate) cts_micros: i64,
    /// Decoding can begin here.
    pub(crate) key: bool,
    /// Bytes it should have.
    pub(crate) bytes: usize,
    /// Those that are there: none where the data was cut.
    pub(crate) body: &'a [u8],
}

/// The tracks of an initialization section.
pub(crate) fn tracks(init: &[u8]) -> Vec<Track> {
    let Some(moov) = find(init, b"moov") else { return Vec::new() };
    boxes(moov).filter(|(name, _)| name == b"trak").filter_map(|(_, trak)| track(trak)).collect()
}

fn track(trak: &[u8]) -> Option<Track> {
    let tkhd = find(trak, b"tkhd")?;
    let mdia = find(trak, b"mdia")?;
    let mdhd = find(mdia, b"mdhd")?;
    let kind = match find(mdia, b"hdlr")?.get(8..12)? {
        b"vide" => Kind::Video,
        b"soun" => Kind::Audio,
        _ => Kind::Data,
    };
    // Version 1 has 64-bit times before the field (§8.3.2, §8.4.2).
    let times = |full: &[u8]| if full.first() == Some(&1) { 4 + 16 } else { 4 + 8 };
    let stsd = find(find(find(mdia, b"minf")?, b"stbl")?, b"stsd")?;
    let entry = boxes(stsd.get(8..)?).next()?.0;
    Some(Track {
        id: u32_at(tkhd, times(tkhd))?,
        kind,
        timescale: u32_at(mdhd, times(mdhd))?,
        entry: String::from_utf8_lossy(&entry).into_owned(),
        codec: entry_codec(&Bytes::copy_from_slice(stsd)).ok().flatten(),
    })
}

/// The samples of all fragments in `data`, track by track, in decode order within each.
pub(crate) fn samples(data: &[u8], tracks: &[Track]) -> Vec<Sample> {
    let sample = |piece: Piece<'_>| Sample {
        kind: piece.track.kind,
        dts_micros: piece.dts_micros,
        key: piece.key,
        bytes: piece.bytes,
        stamp: Stamp::find(&piece.body[..piece.body.len().min(STAMP_BYTES_MAX)]),
    };
    pieces(data, tracks).into_iter().map(sample).collect()
}

/// The same with their bytes.
pub(crate) fn pieces<'a>(data: &'a [u8], tracks: &'a [Track]) -> Vec<Piece<'a>> {
    let mut samples = Vec::new();
    let mut at = 0;
    for (name, body) in boxes(data) {
        let len = 8 + body.len();
        if &name == b"moof" {
            let after = data.get(at..).unwrap_or_default();
            for (_, traf) in boxes(body).filter(|(name, _)| name == b"traf") {
                run(traf, after, tracks, &mut samples);
            }
        }
        at += len;
    }
    samples
}

/// What `tfhd` sets for all samples of a track's fragment (§8.8.7).
struct Defaults {
    id: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

fn defaults(tfhd: &[u8]) -> Option<Defaults> {
    let flags = u32_at(tfhd, 0)? & 0x00ff_ffff;
    let mut at = 8 + if flags & 1 != 0 { 8 } else { 0 } + if flags & 2 != 0 { 4 } else { 0 };
    let mut field = |bit: u32| {
        let present = flags & bit != 0;
        let value = if present { u32_at(tfhd, at) } else { Some(0) };
        at += if present { 4 } else { 0 };
        value
    };
    Some(Defaults { id: u32_at(tfhd, 4)?, duration: field(8)?, size: field(16)?, flags: field(32)? })
}

/// Samples of one track's fragment; offsets count from the beginning of `moof` (default-base-is-moof). Stops where
/// the bytes do not fit.
fn run<'a>(traf: &[u8], moof: &'a [u8], tracks: &'a [Track], out: &mut Vec<Piece<'a>>) -> Option<()> {
    let defaults = defaults(find(traf, b"tfhd")?)?;
    let track = tracks.iter().find(|track| track.id == defaults.id && track.timescale > 0)?;
    let tfdt = find(traf, b"tfdt")?;
    let mut dts = match tfdt.first()? {
        1 => u64::from(u32_at(tfdt, 4)?) << 32 | u64::from(u32_at(tfdt, 8)?),
        _ => u64::from(u32_at(tfdt, 4)?),
    };
    for (_, trun) in boxes(traf).filter(|(name, _)| name == b"trun") {
        let flags = u32_at(trun, 0)? & 0x00ff_ffff;
        let count = u32_at(trun, 4)?.min(SAMPLES_MAX);
        let mut at = 8;
        let mut field = |present: bool, otherwise: u32| {
            let value = if present { u32_at(trun, at) } else { Some(otherwise) };
            at += if present { 4 } else { 0 };
            value
        };
        let mut offset = field(flags & 1 != 0, 0)? as usize;
        let first_flags = field(flags & 4 != 0, defaults.flags)?;
        for number in 0..count {
            let duration = field(flags & 0x100 != 0, defaults.duration)?;
            let size = field(flags & 0x200 != 0, defaults.size)? as usize;
            let usual = if number == 0 { first_flags } else { defaults.flags };
            let sample_flags = field(flags & 0x400 != 0, usual)?;
            // Signed in version 1, and writers of version 0 put negative numbers there, too.
            let cts = i64::from(field(flags & 0x800 != 0, 0)? as i32);
            let body = moof.get(offset..offset.checked_add(size)?).unwrap_or_default();
            out.push(Piece {
                track,
                dts_micros: (u128::from(dts) * 1_000_000 / u128::from(track.timescale)) as i64,
                cts_micros: cts * 1_000_000 / i64::from(track.timescale),
                key: sample_flags & NON_SYNC == 0,
                bytes: size,
                body,
            });
            dts += u64::from(duration);
            offset += size;
        }
    }
    Some(())
}

/// The boxes in `data`, name and body; ends at the first that does not fit.
fn boxes(data: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let len = u32_at(rest, 0)? as usize;
        let name = *rest.get(4..)?.first_chunk::<4>()?;
        let body = rest.get(8..len)?;
        rest = &rest[len..];
        Some((name, body))
    })
}

fn find<'a>(data: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(data).find(|(found, _)| found == name).map(|(_, body)| body)
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&(8 + body.len() as u32).to_be_bytes()[..], name, &body].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn init() -> Vec<u8> {
        let tkhd = boxed(b"tkhd", &[&words(&[0, 0, 0, 7])]);
        let mdhd = boxed(b"mdhd", &[&words(&[0, 0, 0, 90_000, 0])]);
        let hdlr = boxed(b"hdlr", &[&words(&[0, 0]), b"vide", &words(&[0, 0, 0])]);
        let stsd = boxed(b"stsd", &[&words(&[0, 1]), &boxed(b"avc1", &[])]);
        let minf = boxed(b"minf", &[&boxed(b"stbl", &[&stsd])]);
        let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &minf]);
        boxed(b"moov", &[&boxed(b"trak", &[&tkhd, &mdia])])
    }

    fn fragment() -> Vec<u8> {
        let picture = Stamp { sent_micros: 5, sequence: 6 }.to_nal();
        let tfhd = boxed(b"tfhd", &[&words(&[0x02_0008, 7, 3_000])]);
        let tfdt = boxed(b"tfdt", &[&words(&[0x0100_0000, 0, 180_000])]);
        let moof = |offset: u32| {
            let sizes = [picture.len() as u32, 0x0200_0000, 3, NON_SYNC];
            let trun = boxed(b"trun", &[&words(&[0x0601, 2, offset]), &words(&sizes)]);
            boxed(b"moof", &[&boxed(b"traf", &[&tfhd, &tfdt, &trun])])
        };
        let offset = moof(0).len() as u32 + 8;
        [moof(offset), boxed(b"mdat", &[&picture, b"abc"])].concat()
    }

    #[test]
    fn tracks_and_samples_of_a_fragment_are_read() {
        let tracks = tracks(&init());
        let track = Track { id: 7, kind: Kind::Video, timescale: 90_000, entry: "avc1".into(), codec: None };
        assert_eq!(tracks, [track]);
        let found = samples(&[boxed(b"styp", &[b"msdh"]), fragment()].concat(), &tracks);
        let shape: Vec<_> = found.iter().map(|s| (s.dts_micros, s.key, s.bytes)).collect();
        assert_eq!(shape, [(2_000_000, true, 52), (2_033_333, false, 3)]);
        assert_eq!(found[0].stamp, Some(Stamp { sent_micros: 5, sequence: 6 }));
    }

    #[test]
    fn a_cut_anywhere_is_no_panic() {
        let (init, fragment) = (init(), fragment());
        let whole = tracks(&init);
        for cut in 0..init.len() {
            tracks(&init[..cut]);
        }
        for cut in 0..fragment.len() {
            samples(&fragment[..cut], &whole);
        }
    }
}
