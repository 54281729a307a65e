//! A peer that has the right keys and seals packets that no honest machine would send.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use str0m::config::CryptoProvider;
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// What GCM adds (RFC 7714 §12).
const TAG_BYTES: usize = 16;
/// Feedback messages and reports, by format and type (RFC 3550 §12.1, RFC 4585 §6, RFC 3611 §2).
const RTCP: [(u8, u8); 12] = [
    (15, 205), // TWCC
    (15, 206), // REMB
    (1, 202),  // SDES
    (31, 202),
    (0, 207), // XR
    (31, 207),
    (1, 205), // NACK
    (1, 206), // PLI
    (4, 206), // FIR
    (31, 200),
    (31, 201),
    (0, 204),
];

/// Forges what one peer sends while it is switched on.
#[derive(Debug, Default)]
pub struct Forger {
    on: AtomicBool,
    seed: AtomicU64,
    made: Mutex<Vec<Vec<u8>>>,
}

impl Forger {
    /// One for a peer; it lives as long as the test's process.
    pub fn leaked(seed: u64) -> &'static Self {
        Box::leak(Box::new(Self { seed: AtomicU64::new(seed), ..Self::default() }))
    }

    /// The cryptography of a peer that forges.
    pub fn provider(&'static self) -> CryptoProvider {
        CryptoProvider { srtp_provider: Handle(self).leaked(), ..str0m_aws_lc_rs::default_provider() }
    }

    /// Forges from now on, or no longer.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// How many packets were forged so far.
    pub fn count(&self) -> u64 {
        self.seed.load(Ordering::Relaxed) >> 32
    }

    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seals something else than it was told to; what the machine sends itself will not be authentic.
    fn seal(
        &self,
        header: &[u8],
        body: &[u8],
        output: &mut [u8],
        mut encrypt: impl FnMut(&[u8], &[u8], &mut [u8]) -> Result<(), CryptoError>,
    ) -> Result<(), CryptoError> {
        if !self.on.load(Ordering::Relaxed) {
            return encrypt(header, body, output);
        }
        let seed = self.seed.fetch_add((1 << 32) + 1, Ordering::Relaxed) & 0xFFFF_FFFF;
        let is_rtcp = header.len() == 12 && (192..=223).contains(&header[1]);
        let (header, body) = if is_rtcp { rtcp(seed, header) } else { rtp(seed, header, body) };
        let mut sealed = vec![0; body.len() + TAG_BYTES];
        encrypt(&header, &body, &mut sealed)?;
        let datagram = match is_rtcp {
            true => [&header[..8], &sealed, &header[8..]].concat(),
            false => [header, sealed].concat(),
        };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(datagram);
        Ok(())
    }
}

/// Bytes by a seed (the multiplier of Knuth's MMIX).
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let draw = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(draw).collect()
}

/// A packet of media with something wrong.
fn rtp(seed: u64, header: &[u8], body: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut header, mut body) = (header.to_vec(), body.to_vec());
    match seed % 8 {
        // RFC 3550 §5.1: padding longer than the packet, of nothing, and of no length.
        0 => {
            header[0] |= 0x20;
            body.push(0xFF);
        }
        1 => (header[0], body) = (header[0] | 0x20, vec![]),
        2 => (header[0], body) = (header[0] | 0x20, vec![0]),
        // A retransmission (RFC 4588 §4) without the number that it repeats.
        3 => body = vec![],
        4 => body = vec![seed as u8],
        5 => body = noise(seed, body.len()),
        // Contributors and an extension that are not there.
        6 => header[0] |= 0x0F,
        _ => body = noise(seed, 1_200),
    }
    (header, body)
}

/// A report or a feedback message of noise, its length right, zero or beyond the datagram.
fn rtcp(seed: u64, header: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut header = header.to_vec();
    let (format, kind) = RTCP[seed as usize % RTCP.len()];
    let mut body = noise(seed, (seed as usize / 3 % 40) * 4);
    if kind == 206 && format == 15 && body.len() > 12 {
        body[4..8].copy_from_slice(b"REMB");
    }
    let words = (8 + body.len()) / 4 - 1;
    let told = [words, 0, 0xFFFF, words + 1][seed as usize / RTCP.len() % 4] as u16;
    header[0] = 0x80 | format | if seed % 5 == 4 { 0x20 } else { 0 };
    header[1] = kind;
    header[2..4].copy_from_slice(&told.to_be_bytes());
    (header, body)
}

/// The forger as str0m asks for it: everything of it lives as long as the process.
#[derive(Debug)]
struct Handle(&'static Forger);

impl Handle {
    fn leaked(&self) -> &'static Self {
        Box::leak(Box::new(Self(self.0)))
    }
}

/// What seals packets with the right keys: the cipher of the honest provider.
fn honest() -> &'static dyn SrtpProvider {
    str0m_aws_lc_rs::default_provider().srtp_provider
}

impl SrtpProvider for Handle {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        honest().aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        self.leaked()
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        self.leaked()
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        honest().srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        honest().srtp_aes_256_ecb_round(key, input, output);
    }
}

/// One direction's cipher.
#[derive(Debug)]
struct Forging<C> {
    cipher: C,
    forger: &'static Forger,
}

impl SupportedAeadAes128Gcm for Handle {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        let cipher = honest().aead_aes_128_gcm().create_cipher(key, encrypt);
        Box::new(Forging { cipher, forger: self.0 })
    }
}

impl SupportedAeadAes256Gcm for Handle {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        let cipher = honest().aead_aes_256_gcm().create_cipher(key, encrypt);
        Box::new(Forging { cipher, forger: self.0 })
    }
}

/// The same for both lengths of keys.
macro_rules! forging {
    ($cipher:ident) => {
        impl $cipher for Forging<Box<dyn $cipher>> {
            fn encrypt(
                &mut self,
                iv: &[u8; 12],
                header: &[u8],
                body: &[u8],
                output: &mut [u8],
            ) -> Result<(), CryptoError> {
                let Self { cipher, forger } = self;
                forger.seal(header, body, output, |header, body, output| {
                    cipher.encrypt(iv, header, body, output)
                })
            }

            fn decrypt(
                &mut self,
                iv: &[u8; 12],
                headers: &[&[u8]],
                body: &[u8],
                output: &mut [u8],
            ) -> Result<usize, CryptoError> {
                self.cipher.decrypt(iv, headers, body, output)
            }
        }
    };
}

forging!(AeadAes128GcmCipher);
forging!(AeadAes256GcmCipher);
