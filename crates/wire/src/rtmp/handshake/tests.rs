//! Both ends against each other, against a real client's signature, and against peers that are no RTMP.

use rstest::rstest;

use super::*;

/// C0, C1, C2 of `ffmpeg -f flv rtmp://…`, and what followed.
const FFMPEG: &[u8] = include_bytes!("../fixtures/ffmpeg-publish.bin");

fn shake(client: &mut Client, server: &mut Server, cut: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut up, mut down) = (client.hello(), Vec::new());
    let hello = up.clone();
    let mut progress = (Progress::More, Progress::More);
    let mut answer = Vec::new();
    while progress != (Progress::Done, Progress::Done) {
        for mut piece in std::mem::take(&mut up).chunks(cut) {
            progress.0 = server.handle_input(&mut piece, &mut down).unwrap();
        }
        answer.extend_from_slice(&down);
        for mut piece in std::mem::take(&mut down).chunks(cut) {
            progress.1 = client.handle_input(&mut piece, &mut up).unwrap();
        }
    }
    (hello, answer)
}

fn packet(bytes: &[u8]) -> &[u8; PACKET_BYTES] {
    bytes.first_chunk().unwrap()
}

#[rstest]
fn both_ends_agree_however_the_bytes_are_cut(
    #[values(true, false)] digest: bool,
    #[values(1, 1_000, 1_537, 4_000)] cut: usize,
) {
    let (hello, answer) = shake(&mut Client::new(1, digest), &mut Server::new(2), cut);
    assert_eq!(answer.len(), 1 + 2 * PACKET_BYTES);
    let (s1, s2) = (packet(&answer[1..]), packet(&answer[1 + PACKET_BYTES..]));
    let signed = find_digest(s1, Signer::Server);
    assert_eq!(signed.map(|(scheme, _)| scheme), digest.then_some(Scheme::One));
    assert_eq!(s2[..] == hello[1..], !digest, "the simple answer is an echo");
}

#[test]
fn ffmpegs_signature_is_found_and_answered_with_ours() {
    let c1 = packet(&FFMPEG[1..]);
    let (scheme, digest) = find_digest(c1, Signer::Client).expect("ffmpeg signs");
    let mut out = Vec::new();
    let mut input = FFMPEG;
    assert_eq!(Server::new(7).handle_input(&mut input, &mut out), Ok(Progress::Done));
    assert_eq!(input.len(), FFMPEG.len() - 1 - 2 * PACKET_BYTES, "chunks are left alone");
    let (s1, s2) = (packet(&out[1..]), packet(&out[1 + PACKET_BYTES..]));
    assert_eq!(find_digest(s1, Signer::Server).map(|(scheme, _)| scheme), Some(scheme));
    let key = hmac(&[SERVER_KEY, &KEY_TAIL].concat(), &[&digest]);
    assert_eq!(s2[PACKET_BYTES - 32..], hmac(&key, &[&s2[..PACKET_BYTES - 32]]));
}

#[rstest]
fn both_schemes_are_found_and_a_forged_one_is_taken_for_the_simple_handshake(
    #[values(Scheme::Zero, Scheme::One)] scheme: Scheme,
) {
    let mut c1 = noise(5);
    c1[4..8].copy_from_slice(&CLIENT_VERSION);
    sign(&mut c1, scheme, Signer::Client);
    assert_eq!(find_digest(&c1, Signer::Client).map(|(found, _)| found), Some(scheme));
    assert_eq!(find_digest(packet(&answer(&c1, 9).0), Signer::Server).map(|(found, _)| found), Some(scheme));
    c1[PACKET_BYTES - 1] ^= 1;
    assert_eq!(find_digest(&c1, Signer::Client), None);
    assert_eq!(answer(&c1, 9).1, c1);
}

#[test]
fn rtmpe_and_other_protocols_are_refused_at_their_first_byte() {
    let first = |byte: u8| Server::new(1).handle_input(&mut &[byte][..], &mut Vec::new());
    assert_eq!(first(6), Err(Error::Encrypted));
    for version in [0, 2, 4, b'G', 0x16] {
        assert_eq!(first(version), Err(Error::Version { version }));
    }
    assert_eq!(first(3), Ok(Progress::More));
    assert_eq!(
        Client::new(1, true).handle_input(&mut &b"H"[..], &mut Vec::new()),
        Err(Error::Version { version: b'H' })
    );
}

#[test]
fn a_truncated_handshake_is_never_done() {
    for len in (0..1 + 2 * PACKET_BYTES).step_by(16).chain([1_536, 1_537, 3_072]) {
        let mut out = Vec::new();
        assert_eq!(Server::new(1).handle_input(&mut &FFMPEG[..len], &mut out), Ok(Progress::More));
        assert_eq!(out.is_empty(), len < 1 + PACKET_BYTES);
    }
}
