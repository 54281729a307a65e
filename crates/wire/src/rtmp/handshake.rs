//! The handshake (§5.2), both ends: the simple one, and the one with digests that Flash Player 9 brought and that
//! ffmpeg, librtmp and H.264-aware clients still try first. RTMPE (version 6) is refused.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

#[cfg(test)]
mod tests;

/// Bytes of C1, C2, S1 and S2.
pub const PACKET_BYTES: usize = 1_536;
/// Bytes of C0 or S0.
const VERSION_BYTES: usize = 1;
const VERSION: u8 = 3;
const VERSION_RTMPE: u8 = 6;

const DIGEST_BYTES: usize = 32;
/// A digest lies this far into its block at most: 764 bytes less 4 of offset and 32 of digest.
const DIGEST_OFFSET_MODULUS: usize = 728;

/// What both keys end with.
const KEY_TAIL: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57, 0x6E,
    0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];
const SERVER_KEY: &[u8] = b"Genuine Adobe Flash Media Server 001";
const CLIENT_KEY: &[u8] = b"Genuine Adobe Flash Player 001";

/// Versions in bytes 4..8 of S1 and C1. ffmpeg checks digests from a second byte of 3 on; zero means "simple".
const SERVER_VERSION: [u8; 4] = [0x0D, 0x0E, 0x0A, 0x0D];
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];

/// Why a handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Version 6: the peer asks for Adobe's encryption, whose keys are public and protect nothing. RTMPS does.
    #[error("the peer asks for RTMPE; use RTMPS")]
    Encrypted,
    /// Any other version; text protocols (HTTP on this port) end here too.
    #[error("handshake version {version}, expected 3")]
    Version {
        /// The first byte of the connection.
        version: u8,
    },
}

/// Where the digest lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Key block first, digest block from byte 772.
    Zero,
    /// Digest block first, from byte 8.
    One,
}

/// Who signs, which decides the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signer {
    Server,
    Client,
}

/// The server's end. Feed [`Server::handle_input`] until it says [`Progress::Done`].
#[derive(Debug)]
pub struct Server {
    seed: u64,
    step: Step,
}

/// The client's end; [`Client::hello`] goes out first.
#[derive(Debug)]
pub struct Client {
    seed: u64,
    step: Step,
    /// The digest of our C1, where we sent one.
    digest: Option<[u8; DIGEST_BYTES]>,
}

#[derive(Debug)]
enum Step {
    /// Gathering version and first packet.
    First(Vec<u8>),
    /// Skipping what is left of the second packet: an echo or a signature that proves nothing we rely on.
    Second { left: usize },
}

/// How far the handshake has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All input is consumed and more is needed.
    More,
    /// Finished; what is left of the input are chunks.
    Done,
}

impl Server {
    /// `seed` fills the packets; it need not be secret, only different from connection to connection.
    pub const fn new(seed: u64) -> Self {
        Self { seed, step: Step::First(Vec::new()) }
    }

    /// Consumes from `input` and appends our answer to `out`.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut impl Extend<u8>) -> Result<Progress, Error> {
        let seed = self.seed;
        self.step.advance(input, |c1| {
            let (s1, s2) = answer(c1, seed);
            out.extend([VERSION]);
            out.extend(s1);
            out.extend(s2);
        })
    }
}

impl Client {
    /// With `digest` the client signs its packet; servers that know no digests take it for random bytes.
    pub fn new(seed: u64, digest: bool) -> Self {
        let digest = digest.then_some([0; DIGEST_BYTES]);
        Self { seed, step: Step::First(Vec::new()), digest }
    }

    /// C0 and C1.
    pub fn hello(&mut self) -> Vec<u8> {
        let mut c1 = noise(self.seed);
        if self.digest.is_some() {
            c1[4..8].copy_from_slice(&CLIENT_VERSION);
            self.digest = Some(sign(&mut c1, Scheme::One, Signer::Client));
        }
        let mut hello = vec![VERSION];
        hello.extend_from_slice(&c1);
        hello
    }

    /// Consumes from `input` and appends our answer to `out`.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut impl Extend<u8>) -> Result<Progress, Error> {
        let (seed, digest) = (self.seed, self.digest);
        self.step.advance(input, |s1| {
            let signed = digest.and_then(|_| find_digest(s1, Signer::Server));
            out.extend(match signed {
                Some((_, theirs)) => signed_echo(&theirs, seed, Signer::Client),
                None => *s1,
            });
        })
    }
}

impl Step {
    fn advance(
        &mut self,
        input: &mut &[u8],
        answer: impl FnOnce(&[u8; PACKET_BYTES]),
    ) -> Result<Progress, Error> {
        if let Step::First(gathered) = self {
            let wanted = VERSION_BYTES + PACKET_BYTES - gathered.len();
            let (now, later) = input.split_at(wanted.min(input.len()));
            gathered.extend_from_slice(now);
            *input = later;
            check_version(gathered)?;
            let Some(packet) = gathered.get(VERSION_BYTES..).and_then(|rest| rest.first_chunk()) else {
                return Ok(Progress::More);
            };
            answer(packet);
            *self = Step::Second { left: PACKET_BYTES };
        }
        if let Step::Second { left } = self {
            let skipped = input.len().min(*left);
            *input = &input[skipped..];
            *left -= skipped;
            if *left == 0 {
                return Ok(Progress::Done);
            }
        }
        Ok(Progress::More)
    }
}

fn check_version(gathered: &[u8]) -> Result<(), Error> {
    match gathered.first() {
        None | Some(&VERSION) => Ok(()),
        Some(&VERSION_RTMPE) => Err(Error::Encrypted),
        Some(&version) => Err(Error::Version { version }),
    }
}

/// S1 and S2: signed in the client's scheme where its packet is signed, else the simple ones (S2 echoes C1).
fn answer(c1: &[u8; PACKET_BYTES], seed: u64) -> ([u8; PACKET_BYTES], [u8; PACKET_BYTES]) {
    let mut s1 = noise(seed);
    match find_digest(c1, Signer::Client) {
        Some((scheme, theirs)) => {
            s1[4..8].copy_from_slice(&SERVER_VERSION);
            sign(&mut s1, scheme, Signer::Server);
            (s1, signed_echo(&theirs, seed.rotate_left(32), Signer::Server))
        }
        None => (s1, *c1),
    }
}

/// The scheme and digest of a signed packet. Time (bytes 0..4) is zero or a clock, so only the version tells cheaply
/// that a packet cannot be signed.
fn find_digest(packet: &[u8; PACKET_BYTES], signer: Signer) -> Option<(Scheme, [u8; DIGEST_BYTES])> {
    if packet[4..8] == [0; 4] {
        return None;
    }
    [Scheme::One, Scheme::Zero].into_iter().find_map(|scheme| {
        let at = digest_offset(packet, scheme);
        let found: [u8; DIGEST_BYTES] = *packet[at..].first_chunk()?;
        (digest(packet, at, signer) == found).then_some((scheme, found))
    })
}

/// Writes the digest of `packet` into it.
fn sign(packet: &mut [u8; PACKET_BYTES], scheme: Scheme, signer: Signer) -> [u8; DIGEST_BYTES] {
    let at = digest_offset(packet, scheme);
    let digest = digest(packet, at, signer);
    packet[at..at + DIGEST_BYTES].copy_from_slice(&digest);
    digest
}

/// The second packet of the digest handshake: noise, signed with a key that the peer's digest makes.
fn signed_echo(theirs: &[u8; DIGEST_BYTES], seed: u64, signer: Signer) -> [u8; PACKET_BYTES] {
    let mut packet = noise(seed);
    let key = hmac(&[signer.key(), &KEY_TAIL].concat(), &[theirs]);
    let (body, tail) = packet.split_at_mut(PACKET_BYTES - DIGEST_BYTES);
    tail.copy_from_slice(&hmac(&key, &[body]));
    packet
}

/// Where the digest of `packet` starts: at most 12 + 727 or 776 + 727, so it always fits.
fn digest_offset(packet: &[u8; PACKET_BYTES], scheme: Scheme) -> usize {
    let block = match scheme {
        Scheme::One => 8,
        Scheme::Zero => 772,
    };
    let sum: usize = packet[block..block + 4].iter().map(|&byte| usize::from(byte)).sum();
    block + 4 + sum % DIGEST_OFFSET_MODULUS
}

/// HMAC-SHA256 of the packet without the 32 bytes at `at`.
fn digest(packet: &[u8; PACKET_BYTES], at: usize, signer: Signer) -> [u8; DIGEST_BYTES] {
    hmac(signer.key(), &[&packet[..at], &packet[at + DIGEST_BYTES..]])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

impl Signer {
    const fn key(self) -> &'static [u8] {
        match self {
            Signer::Server => SERVER_KEY,
            Signer::Client => CLIENT_KEY,
        }
    }
}

/// A packet of pseudo-random bytes (SplitMix64), time and version zero. The field is filler (§5.2.3), not a secret.
fn noise(seed: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    let mut state = seed;
    for word in packet[8..].chunks_exact_mut(8) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    packet
}
