//! WebSocket against the examples of RFC 6455 and against peers that break it.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

fn request<'a>(change: &'a str, to: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    let headers: [(&str, &[u8]); 5] = [
        ("Upgrade", b"WebSocket"),
        ("Connection", b"keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", b"13"),
        ("Sec-WebSocket-Extensions", b"permessage-deflate"),
    ];
    headers.into_iter().map(|(name, value)| (name, if name == change { to } else { value })).collect()
}

/// A client's frame, masked.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = header(0, payload.len(), MASKED).as_ref().to_vec();
    frame[0] = first;
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(0, payload.len(), 0).as_ref().to_vec();
    frame[0] = first;
    frame.extend_from_slice(payload);
    frame
}

fn outcome(
    mut session: Session,
    input: &[u8],
    cut: usize,
) -> (Result<(), Error>, Vec<u8>, Vec<u8>, Option<u16>) {
    let result = input.chunks(cut).try_for_each(|piece| session.handle_input(piece));
    let sent = session.poll_transmit().unwrap_or_default().to_vec();
    let (mut data, mut closed) = (Vec::new(), None);
    while let Some(event) = session.poll_event() {
        match event {
            Event::Data(bytes) | Event::Text(bytes) => data.extend_from_slice(&bytes),
            Event::Closed { code } => closed = Some(code),
        }
    }
    (result, sent, data, closed)
}

#[test]
fn the_example_of_the_rfc_is_answered_without_extensions() {
    let answer = upgrade(request("", b""), "access-control-allow-origin: *\r\n").unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\naccess-control-allow-origin: *\r\n\r\n"
    );
}

#[rstest]
#[case("Upgrade", b"h2c", UpgradeError::NotUpgrade)]
#[case("Connection", b"close", UpgradeError::NotUpgrade)]
#[case("Sec-WebSocket-Version", b"8", UpgradeError::Version)]
#[case("Sec-WebSocket-Key", b"", UpgradeError::Key)]
#[case("Sec-WebSocket-Key", b"c2hvcnQ=", UpgradeError::Key)]
#[case("Sec-WebSocket-Key", b"not base64 at all!!!!!!!", UpgradeError::Key)]
fn a_request_that_breaks_the_handshake_is_refused(
    #[case] header: &str,
    #[case] value: &[u8],
    #[case] error: UpgradeError,
) {
    assert_eq!(upgrade(request(header, value), ""), Err(error));
    assert!(error.response().starts_with("HTTP/1.1 4") && error.response().ends_with("\r\n\r\n"));
}

#[test]
fn a_repeated_key_is_refused() {
    let mut headers = request("", b"");
    headers.push(("sec-websocket-key", KEY));
    assert_eq!(upgrade(headers, ""), Err(UpgradeError::Key));
}

#[test]
fn a_clients_own_key_is_acceptable() {
    let key = request_key(7);
    assert!(
        upgrade(request("Sec-WebSocket-Key", key.as_bytes()), "")
            .unwrap()
            .contains(&accept_key(key.as_bytes()))
    );
}

#[test]
fn headers_take_the_shortest_form() {
    assert_eq!(frame_header(0).as_ref(), [0x82, 0]);
    assert_eq!(frame_header(125).as_ref(), [0x82, 125]);
    assert_eq!(frame_header(126).as_ref(), [0x82, 126, 0, 126]);
    assert_eq!(frame_header(0xFFFF).as_ref(), [0x82, 126, 0xFF, 0xFF]);
    assert_eq!(frame_header(0x1_0000).as_ref(), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_clients_chatter_is_dropped_its_ping_answered_and_its_close_returned_however_it_is_cut() {
    let mut input = masked(FIN | TEXT, b"hello");
    input.extend(masked(BINARY, &[1; 300]));
    input.extend(masked(FIN | PING, b"are you there"));
    input.extend(masked(FIN | CONTINUATION, &[2; 200]));
    input.extend(masked(FIN | PONG, b""));
    input.extend(masked(FIN | CLOSE, &[0x03, 0xE9, b'b', b'y', b'e']));
    let mut sent = unmasked(FIN | PONG, b"are you there");
    sent.extend(unmasked(FIN | CLOSE, &[0x03, 0xE9]));
    for cut in 1..=input.len() {
        let expected = (Ok(()), sent.clone(), Vec::new(), Some(CLOSE_GOING_AWAY));
        assert_eq!(outcome(Session::server(), &input, cut), expected, "cut every {cut}");
    }
}

#[test]
fn a_client_reads_a_servers_fragments_however_they_are_cut() {
    let mut input = unmasked(BINARY, b"FLV");
    input.extend(unmasked(FIN | PING, b"p"));
    input.extend(unmasked(CONTINUATION, b""));
    input.extend(unmasked(FIN | CONTINUATION, &[9; 400]));
    input.extend(unmasked(FIN | TEXT, b"not media"));
    input.extend(frame_header(70_000).as_ref());
    input.extend([7; 70_000]);
    input.extend(unmasked(FIN | CLOSE, b""));
    let data = [b"FLV".to_vec(), vec![9; 400], vec![7; 70_000]].concat();
    for cut in (1..600).chain([70_000, input.len()]) {
        let (result, sent, read, closed) = outcome(Session::client(1), &input, cut);
        assert_eq!((result, closed), (Ok(()), Some(CLOSE_NONE)), "cut every {cut}");
        assert!(read == data, "cut every {cut}");
        let (_, _, _, heard) = outcome(Session::server(), &sent, sent.len());
        assert_eq!(heard, Some(CLOSE_NORMAL), "our masked answer is one that a server reads");
    }
}

#[rstest]
#[case::unmasked(unmasked(FIN | PING, b""))]
#[case::reserved_bits(masked(FIN | 0x40 | TEXT, b"deflated"))]
#[case::reserved_opcode(masked(FIN | 0x3, b""))]
#[case::ping_in_fragments(masked(PING, b""))]
#[case::long_ping(masked(FIN | PING, &[0; 126]))]
#[case::continuation_of_nothing(masked(FIN | CONTINUATION, b"x"))]
#[case::message_inside_another([masked(TEXT, b"a"), masked(TEXT, b"b")].concat())]
#[case::long_form_of_a_short_length(vec![FIN | TEXT, MASKED | 126, 0, 5, 0, 0, 0, 0])]
#[case::longest_form_of_a_short_length(vec![FIN | TEXT, MASKED | 127, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])]
#[case::negative_length(vec![FIN | TEXT, MASKED | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]
#[case::half_a_close_code(masked(FIN | CLOSE, &[3]))]
#[case::close_code_that_is_never_sent(masked(FIN | CLOSE, &[0x03, 0xED]))]
fn a_breach_is_closed_with_1002(#[case] input: Vec<u8>) {
    for cut in [1, input.len()] {
        let (result, sent, _, _) = outcome(Session::server(), &input, cut);
        assert!(matches!(result, Err(Error::Protocol { .. })), "{result:?}");
        assert_eq!(sent, unmasked(FIN | CLOSE, &CLOSE_PROTOCOL.to_be_bytes()));
    }
}

#[test]
fn a_server_that_masks_is_refused_by_the_client() {
    let (result, sent, _, _) = outcome(Session::client(1), &masked(FIN | BINARY, b"x"), 1);
    assert!(matches!(result, Err(Error::Protocol { at: 0, .. })));
    assert_eq!(sent.len(), 2 + 4 + 2, "the close frame is masked");
}

#[test]
fn an_endless_message_is_closed_with_1009_before_its_bytes_come() {
    let mut input = vec![FIN | BINARY, MASKED | 127];
    input.extend((1_u64 << 40).to_be_bytes());
    input.extend([0; 4]);
    let (result, sent, _, _) = outcome(Session::server(), &input, input.len());
    assert_eq!(result, Err(Error::TooLong { at: 0, len: 1 << 40 }));
    assert_eq!(sent, unmasked(FIN | CLOSE, &CLOSE_TOO_BIG.to_be_bytes()));

    let fragment = masked(CONTINUATION, &[0; 1_000]);
    let input = [masked(BINARY, b""), fragment.repeat(66)].concat();
    assert!(matches!(outcome(Session::server(), &input, 1_400).0, Err(Error::TooLong { len: 66_000, .. })));
}

#[test]
fn pings_without_reading_end_the_session_at_a_bound() {
    let mut session = Session::server();
    let ping = masked(FIN | PING, &[0; 125]);
    let count = (0..10_000).take_while(|_| session.handle_input(&ping).is_ok()).count();
    assert_eq!(count, OUTPUT_BYTES_MAX / 127);
}

#[test]
fn every_truncation_waits_for_more() {
    let input = [masked(TEXT, &[1; 300]), masked(FIN | PING, b"abc")].concat();
    for len in 0..input.len() {
        assert_eq!(
            outcome(Session::server(), &input[..len], 64),
            (Ok(()), vec![], vec![], None),
            "{len} bytes"
        );
    }
}

#[test]
fn what_comes_after_a_close_is_ignored() {
    let input = [masked(FIN | CLOSE, b""), unmasked(0xFF, b"garbage")].concat();
    assert_eq!(outcome(Session::server(), &input, 1).0, Ok(()));
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_however_they_are_cut(
        input in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x82), Just(0x89), Just(0x80), Just(2)], 0..200),
        cut in 1..50_usize,
    ) {
        for session in [Session::server as fn() -> Session, || Session::client(1)] {
            prop_assert_eq!(outcome(session(), &input, cut), outcome(session(), &input, 200));
        }
    }
}

/// A masked frame as a client sends it.
fn from_client(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 8, 9, 10];
    let mut frame = vec![opcode | if fin { 0x80 } else { 0 }];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[test]
fn texts_of_a_client_come_out_whole_however_they_were_cut() {
    let mut sent = from_client(0x1, true, b"{\"a\":1}");
    sent.extend(from_client(0x1, false, &[b'x'; 300]));
    sent.extend(from_client(0x9, true, b"between"));
    sent.extend(from_client(0x0, true, b"end"));
    for size in 1..sent.len() {
        let mut session = Session::server_of_texts();
        sent.chunks(size).for_each(|piece| session.handle_input(piece).unwrap());
        let texts: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
        let long = [&[b'x'; 300][..], b"end"].concat();
        assert_eq!(
            texts,
            [Event::Text(Bytes::from_static(b"{\"a\":1}")), Event::Text(long.into())],
            "{size}"
        );
    }
}

#[test]
fn where_text_is_spoken_binary_and_endless_messages_are_breaches() {
    let mut session = Session::server_of_texts();
    assert!(matches!(session.handle_input(&from_client(0x2, true, b"x")), Err(Error::Protocol { .. })));
    let mut session = Session::server_of_texts();
    let piece = from_client(0x0, false, &[b'x'; 60_000]);
    session.handle_input(&from_client(0x1, false, b"x")).unwrap();
    session.handle_input(&piece).unwrap();
    assert!(matches!(session.handle_input(&piece), Err(Error::TooLong { .. })));
}

#[test]
fn a_text_frame_is_read_by_a_client_of_any_library() {
    assert_eq!(&text_frame("hi")[..], b"\x81\x02hi");
    assert_eq!(&text_frame(&"x".repeat(300))[..4], [0x81, 126, 1, 44]);
}
