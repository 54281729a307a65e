//! Questions for lost packets, where the library lets none be asked. It lets feedback of one's own be sent, of a kind that
//! differs from a generic NACK in two bytes (RFC 4585 §6.2.1, §6.4): this cipher changes them on the way out.

use str0m::Rtc;
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoError, SrtpProvider,
    SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};
use str0m::rtp::Ssrc;

use super::ask;

/// Stands before the entries of what is meant as a NACK. No other feedback of ours has it.
const MARK: [u8; 4] = *b"oNCK";
/// First bytes of application layer feedback, and of a generic NACK.
const APPLICATION: [u8; 2] = [0x80 | 15, 206];
const NACK: [u8; 2] = [0x80 | 1, 205];
/// Of a feedback packet: its header and both names of streams; then the mark, then at least one entry.
const MARK_AT: usize = 12;
const ENTRIES_AT: usize = 16;
const LEAST: usize = 20;

/// Asks the peer in the name of `own`, which is always the same, to send these packets of its stream again.
pub(super) fn ask(rtc: &mut Rtc, own: Ssrc, stream: Ssrc, sequences: &[u64]) {
    let mut api = rtc.direct_api();
    // What stands first in a compound packet begins in clear, where the cipher does not get at it. This says nothing.
    api.send_app_specific_feedback(own, stream, []);
    api.send_app_specific_feedback(own, stream, [MARK.as_slice(), &ask::entries(sequences)].concat());
}

/// A compound packet, but for its first eight bytes, with our feedback as it is meant; `None` if there is none in it. In place
/// of the mark the first entry stands twice, which asks for nothing more.
fn meant(plain: &[u8]) -> Option<Vec<u8>> {
    let is_ours = |at: &usize| {
        let packet = plain.get(*at..).unwrap_or_default();
        packet.len() >= LEAST
            && packet.starts_with(&APPLICATION)
            && packet.get(MARK_AT..ENTRIES_AT) == Some(&MARK)
    };
    let mut ours = (0..plain.len()).step_by(4).filter(is_ours).peekable();
    ours.peek()?;
    let mut meant = plain.to_vec();
    for at in ours {
        if let Some(packet) = meant.get_mut(at..at + LEAST) {
            packet.copy_within(ENTRIES_AT.., MARK_AT);
            packet.iter_mut().zip(NACK).for_each(|(byte, nack)| *byte = nack);
        }
    }
    Some(meant)
}

/// The usual ciphers, but they send our feedback as it is meant.
#[derive(Debug)]
pub(super) struct Asking;

impl SrtpProvider for Asking {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Suite
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Suite
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Suite
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        real().srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        real().srtp_aes_256_ecb_round(key, input, output);
    }
}

/// Makes the ciphers.
#[derive(Debug)]
struct Suite;

/// One of them around the real one.
#[derive(Debug)]
struct Around<C: ?Sized>(Box<C>);

fn real() -> &'static dyn SrtpProvider {
    str0m_aws_lc_rs::default_provider().srtp_provider
}

impl SupportedAes128CmSha1_80 for Suite {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        Box::new(Around(real().aes_128_cm_sha1_80().create_cipher(key, encrypt)))
    }
}

impl SupportedAeadAes128Gcm for Suite {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Around(real().aead_aes_128_gcm().create_cipher(key, encrypt)))
    }
}

impl SupportedAeadAes256Gcm for Suite {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Around(real().aead_aes_256_gcm().create_cipher(key, encrypt)))
    }
}

impl Aes128CmSha1_80Cipher for Around<dyn Aes128CmSha1_80Cipher> {
    fn encrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        match meant(input) {
            Some(meant) => self.0.encrypt(iv, &meant, output),
            None => self.0.encrypt(iv, input, output),
        }
    }

    fn decrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.0.decrypt(iv, input, output)
    }
}

/// Both sizes of key say the same in the same words.
macro_rules! gcm {
    ($cipher:ident) => {
        impl $cipher for Around<dyn $cipher> {
            fn encrypt(
                &mut self,
                iv: &[u8; 12],
                aad: &[u8],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<(), CryptoError> {
                match meant(input) {
                    Some(meant) => self.0.encrypt(iv, aad, &meant, output),
                    None => self.0.encrypt(iv, aad, input, output),
                }
            }

            fn decrypt(
                &mut self,
                iv: &[u8; 12],
                aads: &[&[u8]],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<usize, CryptoError> {
                self.0.decrypt(iv, aads, input, output)
            }
        }
    };
}

gcm!(AeadAes128GcmCipher);
gcm!(AeadAes256GcmCipher);

#[cfg(test)]
mod tests {
    use super::*;

    fn feedback(payload: &[u8]) -> Vec<u8> {
        let words = 2 + payload.len() / 4;
        let head = [APPLICATION[0], APPLICATION[1], 0, words as u8];
        [&head[..], &[0, 0, 0, 1], &[0, 0, 0, 2], payload].concat()
    }

    #[test]
    fn what_is_meant_as_a_nack_becomes_one_of_the_same_length_wherever_it_stands() {
        let asked = feedback(b"oNCK\x00\x07\x80\x01\x00\x18\x00\x00");
        let nack =
            [&[0x81, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2][..], &[0, 7, 0x80, 1], &[0, 7, 0x80, 1, 0, 24, 0, 0]]
                .concat();
        assert_eq!(meant(&asked), Some(nack.clone()));
        let other = feedback(b"REMB\x01\x00\x00\x00\x00\x00\x00\x00");
        assert_eq!(
            meant(&[&other[8..], &asked, &other, &asked].concat()),
            Some([&other[8..], &nack, &other, &nack].concat())
        );
    }

    #[test]
    fn nothing_else_is_touched() {
        for payload in
            [&b"REMB\x01\x00\x00\x00\x00\x00\x00\x00"[..], b"oNCK", b"", b"oNC\x00\x00\x00\x00\x00"]
        {
            assert_eq!(meant(&feedback(payload)), None, "{payload:?}");
        }
        let mut picture_lost = feedback(b"oNCK\x00\x07\x00\x00");
        picture_lost[0] = 0x81;
        assert_eq!(meant(&picture_lost), None);
        let ours = feedback(b"oNCK\x00\x07\x00\x00");
        for cut in 0..ours.len() {
            assert_eq!(meant(&ours[..cut]), None, "{cut}");
        }
    }
}
