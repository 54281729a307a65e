//! Files in any pieces, and what is not one.

use proptest::prelude::*;

use super::*;
use crate::flv::fixtures;

/// Polls all there is after each piece.
fn read(pieces: &[&[u8]]) -> Result<Vec<Tag>, Error> {
    let mut reader = Reader::new();
    let mut tags = Vec::new();
    for piece in pieces {
        reader.handle_input(piece);
        while let Some(tag) = reader.poll_tag()? {
            tags.push(tag);
        }
    }
    Ok(tags)
}

#[test]
fn every_cut_of_a_real_file_gives_the_same_tags() {
    let file = fixtures::AVC_AAC;
    let whole = read(&[file]).unwrap();
    assert_eq!(whole.len(), 1 + 2 + 18 + 30 + 1, "metadata, two configurations, frames, end of sequence");
    for cut in 0..=file.len() {
        assert_eq!(read(&[&file[..cut], &file[cut..]]).unwrap(), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = file.chunks(1).collect();
    assert_eq!(read(&bytes).unwrap(), whole);
}

#[test]
fn a_truncated_file_gives_the_tags_that_are_whole() {
    let file = fixtures::AVC_AAC;
    let whole = read(&[file]).unwrap();
    for len in (0..file.len()).step_by(7) {
        let tags = read(&[&file[..len]]).unwrap();
        assert_eq!(tags, whole[..tags.len()], "{len} bytes");
    }
}

#[test]
fn the_header_says_what_is_inside_and_may_be_longer() {
    let mut reader = Reader::new();
    reader.handle_input(&[b'F', b'L', b'V', 1, 4, 0, 0, 0, 11, 7, 7, 0, 0, 0, 0]);
    reader.handle_input(&[8, 0, 0, 1, 0x00, 0x00, 0x02, 0x80, 0, 0, 0, 0xAA]);
    let tag = reader.poll_tag().unwrap().unwrap();
    assert_eq!(reader.header(), Some(Header { audio: true, video: false }));
    assert_eq!((tag.timestamp_ms, &tag.body[..]), (0x8000_0002, &[0xAA_u8][..]));
}

#[test]
fn what_is_not_flv_or_beyond_the_limits_is_refused_with_its_place() {
    let tag = |bytes: [u8; 11]| read(&[&fixtures::AVC_AAC[..13], &bytes]).unwrap_err();
    assert!(matches!(read(&[b"GET / HTTP/1.1"]), Err(Error::Signature { .. })));
    assert_eq!(read(&[b"FLV\x01\x05\x00\x00\x00\x08"]), Err(Error::DataOffset { offset: 8 }));
    assert_eq!(read(&[b"FLV\x01\x05\xFF\x00\x00\x09"]), Err(Error::DataOffset { offset: 0xFF00_0009 }));
    assert_eq!(tag([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Error::TagType { at: 13, kind: 7 });
    assert_eq!(tag([0x29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Error::Encrypted { at: 13 });
    let too_long = Error::TooLong { at: 13, len: 0x80_00_01 };
    assert_eq!(tag([9, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0]), too_long);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut file = fixtures::AVC_AAC.to_vec();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len())).collect();
        ends.sort_unstable();
        ends.push(file.len());
        let mut start = 0;
        let pieces: Vec<&[u8]> =
            ends.into_iter().map(|end| &file[std::mem::replace(&mut start, end)..end]).collect();
        prop_assert_eq!(read(&pieces), read(&[&file]));
    }
}
