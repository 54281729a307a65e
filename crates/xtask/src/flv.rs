//! Just enough FLV to cut, join and rewrite fixtures. Deliberately not the server's own parser: a fixture made by
//! the code under test would agree with its mistakes. (Adobe FLV 10.1 Annex E.)

use anyhow::Context;

/// Signature, version, "has audio and video", header length, and the size of the tag before the first: none.
const HEADER: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

/// Tag types.
pub(crate) const VIDEO: u8 = 9;
pub(crate) const SCRIPT: u8 = 18;

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// 8 audio, 9 video, 18 script.
    pub(crate) kind: u8,
    /// Milliseconds.
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

/// All tags of a file.
pub(crate) fn read(file: &[u8]) -> anyhow::Result<Vec<Tag>> {
    let mut rest = file.strip_prefix(b"FLV").and_then(|f| f.get(HEADER.len() - 3..)).context("not FLV")?;
    let mut tags = vec![];
    while let [kind, a, b, c, t1, t2, t3, t0, _, _, _, after @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let body = after.get(..length).with_context(|| format!("tag {} is cut", tags.len()))?;
        tags.push(Tag {
            kind: *kind,
            timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
            body: body.to_vec(),
        });
        rest =
            after.get(length + 4..).with_context(|| format!("tag {} has no size behind it", tags.len()))?;
    }
    Ok(tags)
}

/// A file of these tags.
pub(crate) fn write(tags: &[Tag]) -> Vec<u8> {
    let mut file = HEADER.to_vec();
    for tag in tags {
        let length = tag.body.len() as u32;
        let [t0, t1, t2, t3] = tag.timestamp.to_be_bytes();
        file.push(tag.kind);
        file.extend(&length.to_be_bytes()[1..]);
        file.extend([t1, t2, t3, t0, 0, 0, 0]);
        file.extend(&tag.body);
        file.extend((length + 11).to_be_bytes());
    }
    file
}

/// Whether this is an H.264 video tag with a picture in it, rather than parameters.
pub(crate) fn is_picture(tag: &Tag) -> bool {
    tag.kind == VIDEO && tag.body.get(1) == Some(&1)
}

/// Whether this is an enhanced video tag of packet type Metadata (4), colours and the like.
pub(crate) fn is_video_metadata(tag: &Tag) -> bool {
    tag.kind == VIDEO && tag.body.first().is_some_and(|head| head & 0x8f == 0x84)
}

/// Enhanced RTMP's `hvc1` video tags in the older form with CodecID 12, as encoders wrote it before 2023.
///
/// Enhanced: `1 frame-type:3 packet-type:4`, `hvc1`, then for CodedFrames (1) a composition time of 3 bytes, for
/// CodedFramesX (3) none (Enhanced RTMP v2, "Enhanced Video"). Older: `frame-type:4 12:4`, packet type 0
/// (parameters), 1 (pictures) or 2 (end), composition time of 3 bytes.
pub(crate) fn hevc_to_legacy(tag: &mut Tag) -> anyhow::Result<()> {
    let [head, b'h', b'v', b'c', b'1', data @ ..] = &tag.body[..] else {
        anyhow::bail!("not an hvc1 tag: {:02x?}", tag.body.get(..5));
    };
    let frame_type = head & 0x70;
    let (packet_type, time, data): (u8, &[u8], &[u8]) = match head & 0x0f {
        0 => (0, &[0; 3], data),
        1 => (1, &data[..3], &data[3..]),
        2 => (2, &[0; 3], data),
        3 => (1, &[0; 3], data),
        other => anyhow::bail!("packet type {other} has no older form"),
    };
    tag.body = [&[frame_type | 12, packet_type], time, data].concat();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_a_cut_file_is_refused() {
        let tags = [
            Tag { kind: SCRIPT, timestamp: 0, body: vec![2, 0, 0] },
            Tag { kind: VIDEO, timestamp: 0x0102_0304, body: vec![7; 300] },
        ];
        let file = write(&tags);
        assert_eq!(read(&file).unwrap(), tags);
        assert!(read(&file[..file.len() - 5]).is_err());
    }

    #[test]
    fn an_enhanced_picture_without_composition_time_gets_one_of_zero() {
        let mut tag = Tag { kind: VIDEO, timestamp: 0, body: b"\x93hvc1\0\0\0\x01\x26".to_vec() };
        hevc_to_legacy(&mut tag).unwrap();
        assert_eq!(tag.body, [0x1c, 1, 0, 0, 0, 0, 0, 0, 1, 0x26]);
    }
}
