//! Text that nobody reads by accident: it has no `Display`, its `Debug` says nothing, and its memory is wiped.

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A key or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself, for what signs with it or shows it once to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// 128 random bits as hexadecimal digits: the shape that back-ends of signed addresses expect of a key.
    pub(crate) fn random_hex() -> Self {
        Self(Zeroizing::new(hex(&random::<16>())))
    }

    /// 256 random bits as base64url.
    pub(crate) fn random_base64() -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<32>())))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

/// Bytes of the system's random source.
pub(crate) fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).expect("the system's random source does not fail after start");
    bytes
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that exactly `N` pairs of hexadecimal digits of either case mean.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = (value(pair[0])? << 4 | value(pair[1])?) as u8;
    }
    Some(bytes)
}

/// SHA-256 of `text` as hexadecimal digits: what is kept of a token that must only be recognised.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// Compares without telling by its duration where the first difference is: aws-lc looks at every byte whatever the
/// others were (`CRYPTO_memcmp`). How long a secret is, which is nobody's secret, shows.
pub(crate) fn equal(ours: &[u8], theirs: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(ours, theirs).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_read_back_in_either_case_and_nothing_else_does() {
        assert_eq!(unhex::<4>("00fF10aB"), Some([0, 0xFF, 0x10, 0xAB]));
        assert_eq!(hex(&[0, 0xFF, 0x10, 0xAB]), "00ff10ab");
        for wrong in ["", "00ff10a", "00ff10abc", "00ff10ag", "+0ff10ab", "00ff10é"] {
            assert_eq!(unhex::<4>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn two_secrets_are_never_the_same_and_show_nothing_of_themselves() {
        let (one, other) = (Secret::random_base64(), Secret::random_base64());
        assert_ne!(one.expose(), other.expose());
        assert_eq!((one.expose().len(), Secret::random_hex().expose().len()), (43, 32));
        assert_eq!(format!("{one:?}"), "Secret(..)");
    }

    #[test]
    fn only_what_is_equal_to_its_last_byte_is_equal() {
        assert!(equal(b"abc", b"abc"));
        for other in [&b"abd"[..], b"bbc", b"ab", b"abcd", b""] {
            assert!(!equal(b"abc", other));
        }
    }
}
