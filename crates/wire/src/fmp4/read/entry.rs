//! Sample entries (ISO 14496-12 §8.5.2): which codec a track's samples are in, and its record.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use media::Codec;
use media::codec::{aac, av1, h264, h265, opus, vp8, vp9};

use super::table::boxes_after;
use super::{Entered, Error, children, length_bytes};

/// Sample entries of a track; a file that changes its codec more often is not one.
const ENTRIES_MAX: usize = 64;

/// Fixed fields of VisualSampleEntry.
const VISUAL_BYTES: usize = 78;

/// Fixed fields of AudioSampleEntry, without those of QuickTime's versions 1 and 2.
const SOUND_BYTES: usize = 28;

/// The entries of `stsd`; empty when the track is of no codec we know. Kinds go into `found`, for the error.
pub(super) fn read(stsd: &Bytes, found: &mut Vec<String>) -> Result<Vec<Entered>, Error> {
    if stsd.len() < 8 {
        return Err(Error::Truncated("stsd"));
    }
    let mut entered = Vec::new();
    for child in children(&stsd.slice(8..)).take(ENTRIES_MAX) {
        let (kind, body) = child?;
        if found.len() < ENTRIES_MAX {
            found.push(kind.escape_ascii().to_string());
        }
        match entry(kind, &body)? {
            Some(entry) => entered.push(entry),
            // Entries are numbered, so one that is unknown makes the track unknown.
            None => return Ok(Vec::new()),
        }
    }
    Ok(entered)
}

fn entry(kind: [u8; 4], body: &Bytes) -> Result<Option<Entered>, Error> {
    let (codec, record) = match &kind {
        b"avc1" | b"avc3" => {
            let record = record(body, VISUAL_BYTES, b"avcC", "avcC")?;
            (Codec::H264(h264::Params::from_config(&record)?), record)
        }
        b"hvc1" | b"hev1" => {
            let record = record(body, VISUAL_BYTES, b"hvcC", "hvcC")?;
            (Codec::H265(h265::Params::from_config(&record)?), record)
        }
        b"av01" => {
            let record = record(body, VISUAL_BYTES, b"av1C", "av1C")?;
            (Codec::Av1(av1::Params::from_config(&record)?), record)
        }
        b"vp09" => {
            let record = record(body, VISUAL_BYTES, b"vpcC", "vpcC")?;
            let mut params = vp9::Params::from_config(&record)?;
            (params.width, params.height) = size(body)?;
            (Codec::Vp9(params), record)
        }
        b"vp08" => {
            let record = record(body, VISUAL_BYTES, b"vpcC", "vpcC")?;
            let (width, height) = size(body)?;
            // Behind the full box's header; VP8 knows four profiles.
            let profile = record.get(4).map_or(0, |profile| profile & 3);
            let key = vp8::Keyframe { profile, width, height };
            (Codec::Vp8(vp8::Params::from_keyframe(&key)), record)
        }
        b"mp4a" => match sound(body)? {
            Some(record) => (Codec::Aac(aac::Params::from_config(&record)?), record),
            None => return Ok(None),
        },
        b"Opus" => {
            let record = record(body, SOUND_BYTES, b"dOps", "dOps")?;
            (Codec::Opus(opus::Params::from_dops(&record)?), record)
        }
        // `alaw` and `ulaw` too: files have a sample for each byte of them, which would be a frame for each.
        _ => return Ok(None),
    };
    let length_bytes = length_bytes(&codec, &record);
    Ok(Some(Entered { codec: Arc::new(codec), length_bytes }))
}

/// The body of the box that holds a codec's record.
fn record(entry: &Bytes, fixed: usize, kind: &[u8; 4], name: &'static str) -> Result<Bytes, Error> {
    let boxes = boxes_after(entry, fixed)?;
    boxes.into_iter().find(|(found, _)| found == kind).map(|(_, body)| body).ok_or(Error::Missing(name))
}

/// Width and height of a VisualSampleEntry.
fn size(entry: &Bytes) -> Result<(u32, u32), Error> {
    let mut fields = entry.get(24..28).ok_or(Error::Truncated("sample entry"))?;
    Ok((fields.get_u16().into(), fields.get_u16().into()))
}

/// The AudioSpecificConfig of an `mp4a` entry; `None` when it is not AAC (MP3 has the same entry).
fn sound(entry: &Bytes) -> Result<Option<Bytes>, Error> {
    let version = entry.get(8..10).ok_or(Error::Truncated("sample entry"))?;
    let fixed = SOUND_BYTES
        + match version {
            [0, 1] => 16,
            [0, 2] => 36,
            _ => 0,
        };
    let esds = record(entry, fixed, b"esds", "esds")?;
    if esds.len() < 4 {
        return Err(Error::Truncated("esds"));
    }
    let (tag, mut es) = descriptor(&mut esds.slice(4..))?;
    if tag != 3 {
        return Err(Error::Missing("ES descriptor"));
    }
    skip_es_fields(&mut es)?;
    let (tag, mut decoder) = descriptor(&mut es)?;
    if tag != 4 {
        return Err(Error::Missing("decoder configuration"));
    }
    let object = decoder.try_get_u8().map_err(|_| Error::Truncated("esds"))?;
    // MPEG-4 audio, and the three profiles of MPEG-2 AAC.
    if !matches!(object, 0x40 | 0x66..=0x68) {
        return Ok(None);
    }
    if decoder.len() < 12 {
        return Err(Error::Truncated("esds"));
    }
    decoder.advance(12);
    match descriptor(&mut decoder)? {
        (5, config) => Ok(Some(config)),
        _ => Err(Error::Missing("AudioSpecificConfig")),
    }
}

/// ES_ID and the optional fields that its flags announce (ISO 14496-1 §7.2.6.5).
fn skip_es_fields(es: &mut Bytes) -> Result<(), Error> {
    let cut = |_| Error::Truncated("esds");
    es.try_get_u16().map_err(cut)?;
    let flags = es.try_get_u8().map_err(cut)?;
    if flags & 0x80 != 0 {
        es.try_get_u16().map_err(cut)?;
    }
    if flags & 0x40 != 0 {
        let url = usize::from(es.try_get_u8().map_err(cut)?);
        if es.len() < url {
            return Err(Error::Truncated("esds"));
        }
        es.advance(url);
    }
    if flags & 0x20 != 0 {
        es.try_get_u16().map_err(cut)?;
    }
    Ok(())
}

/// A descriptor's tag and body; its size has up to four groups of seven bits (ISO 14496-1 §8.3.3).
fn descriptor(from: &mut Bytes) -> Result<(u8, Bytes), Error> {
    let cut = |_| Error::Truncated("esds");
    let tag = from.try_get_u8().map_err(cut)?;
    let mut size = 0_usize;
    for _ in 0..4 {
        let byte = from.try_get_u8().map_err(cut)?;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    if size > from.len() {
        return Err(Error::Truncated("esds"));
    }
    Ok((tag, from.split_to(size)))
}
