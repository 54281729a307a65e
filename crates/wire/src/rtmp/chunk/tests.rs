//! Chunks against hand-made bytes, against every cut, and against peers that lie about sizes.

use proptest::prelude::*;

use super::*;
use crate::rtmp::message::{TYPE_AUDIO, TYPE_VIDEO};

/// All messages of `bytes`, fed in pieces of `cut` bytes.
fn read_all(bytes: &[u8], cut: usize) -> Result<Vec<Message>, Error> {
    let (mut reader, mut messages) = (Reader::new(), Vec::new());
    for mut piece in bytes.chunks(cut.max(1)) {
        while let Some(message) = reader.read(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty(), "the reader takes all it is given");
    }
    Ok(messages)
}

/// [`read_all`], which must not depend on the cut.
fn read(bytes: &[u8]) -> Result<Vec<Message>, Error> {
    let whole = read_all(bytes, bytes.len());
    for cut in 1..bytes.len().min(64) {
        assert_eq!(read_all(bytes, cut), whole, "cut every {cut} bytes");
    }
    whole
}

fn message(csid: u32, timestamp_ms: u32, type_id: u8, payload: &[u8]) -> Message {
    let header = Header { csid, timestamp_ms, type_id, stream_id: 1 };
    Message { header, payload: Bytes::copy_from_slice(payload) }
}

fn written(message: &Message, chunk_size: u32) -> Vec<u8> {
    let mut out = BytesMut::new();
    message_into(&mut out, &message.header, &[&message.payload], chunk_size).unwrap();
    out.to_vec()
}

fn set_chunk_size(size: u32) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..], &size.to_be_bytes()].concat()
}

#[test]
fn the_four_formats_read_as_the_specification_draws_them() {
    // §5.3.2.1: one stream of audio, 1000 ms, then differences of 20 ms, told less and less.
    let bytes = [
        &b"\x03\x00\x03\xE8\x00\x00\x02\x08\x01\x00\x00\x00ab"[..],
        b"\x43\x00\x00\x14\x00\x00\x01\x09c",
        b"\x83\x00\x00\x15d",
        b"\xC3e",
    ]
    .concat();
    let expected = [
        message(3, 1_000, TYPE_AUDIO, b"ab"),
        message(3, 1_020, TYPE_VIDEO, b"c"),
        message(3, 1_041, TYPE_VIDEO, b"d"),
        message(3, 1_062, TYPE_VIDEO, b"e"),
    ];
    assert_eq!(read(&bytes), Ok(expected.to_vec()));
}

#[test]
fn a_long_message_is_written_as_the_specification_draws_it() {
    // §5.3.2.2: 307 bytes in chunks of 128, 128 and 51.
    let long = message(4, 1_000, TYPE_VIDEO, &[7; 307]);
    let bytes = written(&long, 128);
    assert_eq!(bytes[..12], *b"\x04\x00\x03\xE8\x00\x01\x33\x09\x01\x00\x00\x00");
    assert_eq!((bytes[12 + 128], bytes[12 + 128 + 1 + 128]), (0xC4, 0xC4));
    assert_eq!(bytes.len(), 12 + 307 + 2);
    assert_eq!(read(&bytes), Ok(vec![long]));
}

#[test]
fn chunk_stream_ids_take_their_shortest_of_three_forms() {
    for (csid, basic) in [
        (2, &b"\x02"[..]),
        (63, b"\x3F"),
        (64, b"\x00\x00"),
        (319, b"\x00\xFF"),
        (320, b"\x01\x00\x01"),
        (65_599, b"\x01\xFF\xFF"),
    ] {
        let one = message(csid, 5, TYPE_AUDIO, &[1; 200]);
        let bytes = written(&one, 128);
        assert!(bytes.starts_with(basic), "{csid}");
        assert_eq!(read(&bytes), Ok(vec![one]), "{csid}");
    }
}

#[test]
fn timestamps_from_2_to_the_24_are_extended_on_every_chunk() {
    for timestamp in [0xFF_FFFE, 0xFF_FFFF, 0x100_0000, u32::MAX] {
        let one = message(6, timestamp, TYPE_VIDEO, &[9; 300]);
        let bytes = written(&one, 128);
        let extended = if timestamp >= 0xFF_FFFF { 3 * 4 } else { 0 };
        assert_eq!(bytes.len(), 12 + 300 + 2 + extended);
        assert_eq!(read(&bytes), Ok(vec![one]), "{timestamp:#x}");
    }
}

#[test]
fn encoders_that_do_not_repeat_the_extended_timestamp_are_understood() {
    for payload in [[9_u8; 130], [0x01; 130], [0x02; 130]] {
        let one = message(6, 0x0102_0304, TYPE_VIDEO, &payload);
        let next = message(6, 0x0102_0305, TYPE_VIDEO, b"next");
        let mut bytes = written(&one, 128);
        bytes.drain(12 + 4 + 128 + 1..12 + 4 + 128 + 1 + 4);
        bytes.extend(written(&next, 128));
        assert_eq!(read(&bytes), Ok(vec![one, next]), "payload of {}", payload[0]);
    }
}

#[test]
fn a_chunk_size_changed_inside_a_message_holds_from_its_next_chunk() {
    let long = message(6, 0, TYPE_VIDEO, &(0..=255).cycle().take(1_000).collect::<Vec<u8>>());
    let small = written(&long, 128);
    let (first, _) = small.split_at(12 + 128);
    let mut bytes = first.to_vec();
    bytes.extend(set_chunk_size(500));
    bytes.push(0xC6);
    bytes.extend(&long.payload[128..628]);
    bytes.extend(set_chunk_size(0x7FFF_FFFF));
    bytes.push(0xC6);
    bytes.extend(&long.payload[628..]);
    assert_eq!(read(&bytes), Ok(vec![long]));
}

#[test]
fn messages_of_several_chunk_streams_interleave() {
    let (video, audio) = (message(6, 40, TYPE_VIDEO, &[1; 200]), message(4, 41, TYPE_AUDIO, &[2; 150]));
    let (v, a) = (written(&video, 128), written(&audio, 128));
    let bytes = [&v[..140], &a[..140], &a[140..], &v[140..]].concat();
    assert_eq!(read(&bytes), Ok(vec![audio, video]));
}

#[test]
fn an_aborted_message_is_dropped_and_its_stream_goes_on() {
    let (long, next) = (message(6, 0, TYPE_VIDEO, &[1; 200]), message(6, 40, TYPE_VIDEO, b"next"));
    let abort = b"\x02\x00\x00\x00\x00\x00\x04\x02\x00\x00\x00\x00\x00\x00\x00\x06";
    let bytes = [&written(&long, 128)[..140], abort, &written(&next, 128)].concat();
    assert_eq!(read(&bytes), Ok(vec![next]));
}

#[test]
fn timestamps_wrap_with_their_differences() {
    let bytes =
        [&written(&message(4, u32::MAX - 10, TYPE_AUDIO, b"a"), 128)[..], b"\x84\x00\x00\x14b"].concat();
    let stamps: Vec<u32> = read(&bytes).unwrap().iter().map(|message| message.header.timestamp_ms).collect();
    assert_eq!(stamps, [u32::MAX - 10, 9]);
}

#[test]
fn a_stream_opened_by_format_1_counts_from_zero() {
    let bytes = b"\x42\x00\x00\x05\x00\x00\x01\x08a";
    let header = Header { csid: 2, timestamp_ms: 5, type_id: TYPE_AUDIO, stream_id: 0 };
    assert_eq!(read(bytes), Ok(vec![Message { header, payload: Bytes::from_static(b"a") }]));
}

#[test]
fn a_header_without_a_predecessor_or_inside_a_message_is_refused() {
    assert_eq!(read(b"\xC4"), Err(Error::NoHeader { csid: 4, at: 0 }));
    assert_eq!(read(b"\x84\x00\x00\x01"), Err(Error::NoHeader { csid: 4, at: 0 }));
    let cut = written(&message(6, 0, TYPE_VIDEO, &[1; 200]), 128)[..140].to_vec();
    let bytes = [&cut[..], &written(&message(6, 0, TYPE_VIDEO, b"x"), 128)].concat();
    assert_eq!(read(&bytes), Err(Error::Interrupted { csid: 6, at: 140 }));
}

#[test]
fn chunk_sizes_of_zero_and_from_2_to_the_31_are_refused() {
    for size in [0, 1 << 31, u32::MAX] {
        assert_eq!(read(&set_chunk_size(size)), Err(Error::ChunkSize { size, at: 16 }));
    }
    for size in [1, 1 << 24, i32::MAX as u32] {
        assert_eq!(read(&set_chunk_size(size)), Ok(vec![]));
    }
    assert!(matches!(
        read(b"\x02\0\0\0\0\0\x01\x01\0\0\0\0x"),
        Err(Error::Control { type_id: 1, len: 1, .. })
    ));
}

#[test]
fn the_65th_chunk_stream_is_refused() {
    let open = |count: u32| (2..2 + count).flat_map(|csid| written(&message(csid, 0, TYPE_AUDIO, b"a"), 128));
    assert_eq!(read_all(&open(64).collect::<Vec<_>>(), 4_096).map(|messages| messages.len()), Ok(64));
    let refused = read_all(&open(65_000).collect::<Vec<_>>(), 4_096);
    assert!(matches!(refused, Err(Error::TooManyStreams { csid: 66, .. })));
}

#[test]
fn a_message_beyond_8_mb_is_refused_by_its_header() {
    let header = |len: u32| [&[6, 0, 0, 0][..], &len.to_be_bytes()[1..], &[9, 1, 0, 0, 0]].concat();
    assert_eq!(read(&header(8 << 20)), Ok(vec![]));
    let len = (16 << 20) - 1;
    assert_eq!(read(&header(len)), Err(Error::MessageTooLong { csid: 6, at: 0, len }));
}

#[test]
fn memory_follows_the_bytes_that_came_not_the_length_that_was_claimed() {
    let mut reader = Reader::new();
    let claim = [&[6, 0, 0, 0, 0x80, 0, 0, 9, 1, 0, 0, 0][..], &[1; 100]].concat();
    assert_eq!(reader.read(&mut &claim[..]), Ok(None));
    assert!(reader.streams[0].payload.capacity() <= RESERVE_BYTES_MAX);
}

#[test]
fn a_long_message_ends_in_a_buffer_of_exactly_its_size() {
    let long = message(6, 0, TYPE_VIDEO, &vec![3; 1_000_000]);
    let mut bytes = &written(&long, 60_000)[..];
    let mut reader = Reader::new();
    reader.chunk_size = 60_000;
    while bytes.len() > 100 {
        let (mut piece, rest) = bytes.split_at(50_000.min(bytes.len() - 1));
        assert_eq!(reader.read(&mut piece), Ok(None));
        bytes = rest;
    }
    assert_eq!(reader.streams[0].payload.capacity(), 1_000_000);
    assert_eq!(reader.read(&mut bytes), Ok(Some(long)));
    assert_eq!(reader.partial_bytes, 0);
}

#[test]
fn unfinished_messages_of_all_chunk_streams_share_one_bound() {
    let mut reader = Reader::new();
    reader.chunk_size = 7 << 20;
    let almost = vec![0; 7 << 20];
    let mut feed = |csid: u8| {
        let header = [csid, 0, 0, 0, 0x80, 0, 0, 9, 1, 0, 0, 0];
        reader.read(&mut &header[..]).and_then(|_| reader.read(&mut &almost[..]))
    };
    assert_eq!(feed(6), Ok(None));
    assert!(matches!(feed(7), Err(Error::PartialTooLarge { csid: 7, .. })));
}

#[test]
fn a_message_that_no_header_can_announce_is_not_written() {
    let mut out = BytesMut::new();
    let header = message(6, 0, TYPE_VIDEO, b"").header;
    let half = vec![0; 8 << 20];
    assert_eq!(message_into(&mut out, &header, &[&half, &half], 128), Err(TooLong { len: 16 << 20 }));
    assert!(out.is_empty());
}

#[test]
fn every_truncation_waits_for_more() {
    let bytes = [written(&message(400, u32::MAX, TYPE_VIDEO, &[1; 300]), 128), b"\xC6".to_vec()].concat();
    for len in 0..bytes.len() - 2 {
        assert_eq!(read_all(&bytes[..len], 11), Ok(vec![]), "{len} bytes");
    }
}

prop_compose! {
    fn any_message()(
        csid in prop_oneof![2..70_u32, 300..340_u32, Just(65_599)],
        timestamp_ms in prop_oneof![any::<u32>(), 0xFF_FFF0..0x100_0010_u32],
        type_id in 8..10_u8,
        stream_id in any::<u32>(),
        payload in prop::collection::vec(any::<u8>(), 0..600),
    ) -> Message {
        Message { header: Header { csid, timestamp_ms, type_id, stream_id }, payload: payload.into() }
    }
}

proptest! {
    #[test]
    fn what_is_written_in_parts_reads_as_the_same_messages_however_it_is_cut(
        messages in prop::collection::vec(any_message(), 1..8),
        chunk_size in 1..700_u32,
        split in 0..600_usize,
        cut in 1..100_usize,
    ) {
        let mut out = BytesMut::from(&set_chunk_size(chunk_size)[..]);
        for Message { header, payload } in &messages {
            let (first, second) = payload.split_at(split.min(payload.len()));
            message_into(&mut out, header, &[first, &[], second], chunk_size).unwrap();
        }
        prop_assert_eq!(read_all(&out, cut), Ok(messages));
    }

    #[test]
    fn any_bytes_give_the_same_however_they_are_cut(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 1..400),
        cut in 1..50_usize,
    ) {
        prop_assert_eq!(read_all(&bytes, cut), read_all(&bytes, bytes.len()));
    }
}
