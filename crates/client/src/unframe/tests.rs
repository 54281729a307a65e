//! Every framing is read the same however the bytes are cut.

use super::*;

/// Two tags: a picture longer than the kept head, and an empty script tag.
fn flv() -> Vec<u8> {
    let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    bytes.extend_from_slice(&[9, 0, 1, 44, 0x00, 0x00, 0x21, 0x01, 0, 0, 0]);
    bytes.extend((0..300_u32).map(|n| n as u8));
    bytes.extend_from_slice(&[0, 0, 1, 55]);
    bytes.extend_from_slice(&[18, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0, 0, 0, 11]);
    bytes
}

fn tags(flv: &mut Flv, data: &[u8]) -> Vec<(u8, u32, u32, Vec<u8>)> {
    let mut found = vec![];
    flv.feed(data, |tag| found.push((tag.kind, tag.timestamp_ms, tag.len, tag.head.to_vec()))).unwrap();
    found
}

fn payload(unframe: &mut Unframe, data: &[u8]) -> Vec<u8> {
    let mut all = vec![];
    unframe
        .feed(data, |bytes| {
            all.extend_from_slice(bytes);
            Ok::<(), Error>(())
        })
        .unwrap();
    all
}

#[test]
fn flv_tags_are_the_same_at_every_cut() {
    let bytes = flv();
    let whole = tags(&mut Flv::default(), &bytes);
    assert_eq!(whole.len(), 2);
    assert_eq!((whole[0].0, whole[0].1, whole[0].2, whole[0].3.len()), (9, 0x0100_0021, 300, HEAD_BYTES));
    assert_eq!(whole[1], (18, 7, 0, vec![]));
    for cut in 0..=bytes.len() {
        let mut flv = Flv::default();
        let mut found = tags(&mut flv, &bytes[..cut]);
        found.extend(tags(&mut flv, &bytes[cut..]));
        assert_eq!(found, whole, "cut at {cut}");
    }
}

#[test]
fn what_is_not_flv_is_refused() {
    assert_eq!(Flv::default().feed(b"<html>404</html>", |_| ()), Err(Error::FlvHeader));
    let mut bytes = flv();
    bytes[13] = 7;
    assert_eq!(Flv::default().feed(&bytes, |_| ()), Err(Error::FlvTag(7)));
}

#[test]
fn chunks_are_the_same_at_every_cut() {
    let body = b"5\r\nhello\r\n0A;x=y\r\n, chunked!\r\n0\r\n\r\n";
    for cut in 0..=body.len() {
        let mut unframe = Unframe::Chunked(Chunked::default());
        let mut all = payload(&mut unframe, &body[..cut]);
        all.extend(payload(&mut unframe, &body[cut..]));
        assert_eq!(all, b"hello, chunked!", "cut at {cut}");
        assert!(matches!(unframe, Unframe::Chunked(chunked) if chunked.ended()));
    }
}

#[test]
fn a_chunk_size_that_is_no_number_or_too_long_is_refused() {
    for body in [&b"xyz\r\n"[..], b"123456789\r\n"] {
        let mut unframe = Unframe::Chunked(Chunked::default());
        assert_eq!(unframe.feed(body, |_| Ok::<(), Error>(())), Err(Error::ChunkSize));
    }
}

#[test]
fn websocket_messages_are_the_same_at_every_cut_and_pings_are_counted() {
    let mut frames = vec![0x82, 3, 1, 2, 3, 0x89, 2, 9, 9, 0x02, 126, 0, 200];
    frames.extend([4; 200]);
    frames.extend([0x80, 127, 0, 0, 0, 0, 0, 0, 0, 2, 5, 6, 0x88, 0]);
    for cut in 0..=frames.len() {
        let mut unframe = Unframe::WebSocket(WebSocket::default());
        let mut all = payload(&mut unframe, &frames[..cut]);
        all.extend(payload(&mut unframe, &frames[cut..]));
        assert_eq!(
            (all.len(), &all[..4], &all[203..]),
            (205, &[1, 2, 3, 4][..], &[5, 6][..]),
            "cut at {cut}"
        );
        let Unframe::WebSocket(mut websocket) = unframe else { panic!("changed its kind") };
        assert!(websocket.closed());
        assert_eq!((websocket.take_pings(), websocket.take_pings()), (1, 0));
    }
}

#[test]
fn a_masked_or_endless_frame_from_a_server_is_refused() {
    for frame in [&[0x82, 0x83][..], &[0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0]] {
        let mut unframe = Unframe::WebSocket(WebSocket::default());
        assert_eq!(unframe.feed(frame, |_| Ok::<(), Error>(())), Err(Error::WebSocket));
    }
}
