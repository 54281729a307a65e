//! Signed addresses: `txSecret` with `txTime`, which back-ends of Mini Programs make already, and the one `auth` token
//! that no client takes for somebody else's.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest, Md5};
use media::Path;

use super::secret::{Secret, equal, hex, unhex};
use crate::sessions::Action;

/// What the first form of the token begins with.
pub(crate) const VERSION: &str = "v1.";
/// Digits of a time: sixteen are all that 64 bits hold.
const TIME_DIGITS_MAX: usize = 16;
/// The digits of `txTime`, from 1978 to 2106. The contract marks stream and time off by nothing: with any number of digits
/// a signature for `room1` would be one for `room` until a time that begins with a 1 and never comes.
const TX_TIME_DIGITS: usize = 8;
const MD5_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
/// Keeps a signature of this purpose from being one for another of the same key.
const CONTEXT: &str = "openmic address v1";

/// Why a signature does not let anybody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It cannot be read, or no key of ours made it for this action and stream.
    #[error("the signature is wrong for this address")]
    Signature,
    /// It was right.
    #[error("the signature has expired")]
    Expired,
}

/// `txSecret` and `txTime` of an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tx<'a> {
    /// 32 hexadecimal digits.
    pub secret: &'a str,
    /// The expiry in seconds since 1970, hexadecimal.
    pub time: &'a str,
}

/// What is signed by an `auth` token.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Publish or play.
    pub action: Action,
    /// Which broadcast.
    pub path: &'a Path,
}

/// The expiry as `txTime` writes it.
pub fn tx_time(expiry: u64) -> String {
    format!("{expiry:X}")
}

/// `txSecret`: MD5 of key, stream and time, one behind the other. MD5 is the contract's choice; its weakness to chosen
/// collisions gives nobody a signature of a key that he lacks.
pub fn tx_secret(key: &str, stream: &str, time: &str) -> String {
    hex(&tx_digest(key, stream, time))
}

fn tx_digest(key: &str, stream: &str, time: &str) -> [u8; MD5_BYTES] {
    let mut md5 = Md5::new();
    for part in [key, stream, time] {
        md5.update(part.as_bytes());
    }
    md5.finalize().into()
}

impl Tx<'_> {
    /// Whether one of `keys` signed it for `stream`, and for longer than `now`.
    pub fn check<'k>(
        &self,
        mut keys: impl Iterator<Item = &'k Secret>,
        stream: &str,
        now: u64,
    ) -> Result<(), Wrong> {
        let expiry = time(self.time).filter(|_| self.time.len() == TX_TIME_DIGITS).ok_or(Wrong::Signature)?;
        let theirs = unhex::<MD5_BYTES>(self.secret).ok_or(Wrong::Signature)?;
        // Some back-ends write the address in lower case after they have signed it.
        let upper = self.time.to_ascii_uppercase();
        let signed = keys.any(|key| {
            let is_of = |time: &str| equal(&tx_digest(key.expose(), stream, time), &theirs);
            is_of(self.time) | is_of(&upper)
        });
        fresh(signed, expiry, now)
    }
}

/// The token of an address until `expiry`, in seconds since 1970.
pub(crate) fn auth(key: &Secret, subject: Subject<'_>, expiry: u64) -> String {
    let time = format!("{expiry:x}");
    let mac = URL_SAFE_NO_PAD.encode(mac(key, subject, &time));
    format!("{VERSION}{time}.{mac}")
}

/// Whether one of `keys` made `token` for this subject, and for longer than `now`.
pub fn check_auth<'k>(
    token: &str,
    mut keys: impl Iterator<Item = &'k Secret>,
    subject: Subject<'_>,
    now: u64,
) -> Result<(), Wrong> {
    let (digits, theirs) =
        token.strip_prefix(VERSION).and_then(|rest| rest.split_once('.')).ok_or(Wrong::Signature)?;
    let expiry = time(digits).ok_or(Wrong::Signature)?;
    let mut bytes = [0; MAC_BYTES];
    match URL_SAFE_NO_PAD.decode_slice(theirs, &mut bytes) {
        Ok(MAC_BYTES) => {}
        Ok(_) | Err(_) => return Err(Wrong::Signature),
    }
    let signed = keys.any(|key| equal(mac(key, subject, digits).as_ref(), &bytes));
    fresh(signed, expiry, now)
}

/// HMAC-SHA256 of purpose, action, path and expiry as written, a line each; no path has a line break in it.
fn mac(key: &Secret, subject: Subject<'_>, time: &str) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let text = format!("{CONTEXT}\n{}\n{}\n{time}", subject.action.name(), subject.path);
    hmac::sign(&key, text.as_bytes())
}

/// The expiry is looked at last: that an address was right once is known only of one that was signed.
fn fresh(signed: bool, expiry: u64, now: u64) -> Result<(), Wrong> {
    match (signed, now <= expiry) {
        (true, true) => Ok(()),
        (true, false) => Err(Wrong::Expired),
        (false, _) => Err(Wrong::Signature),
    }
}

fn time(digits: &str) -> Option<u64> {
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_length = (1..=TIME_DIGITS_MAX).contains(&digits.len());
    (is_hex && has_length).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: u64 = 1_469_762_325;

    fn key(text: &str) -> Secret {
        text.to_owned().into()
    }

    fn check(key: &Secret, secret: &str, time: &str, stream: &str, now: u64) -> Result<(), Wrong> {
        Tx { secret, time }.check([key].into_iter(), stream, now)
    }

    fn subject(path: &Path) -> Subject<'_> {
        Subject { action: Action::Publish, path }
    }

    #[test]
    fn the_contracts_own_vectors_come_out() {
        for (key, stream, expiry, time, secret) in [
            ("txrtmp", "11212122", EXPIRY, "579ACB15", "2133c689c452f0bf81b1a88261f1d9a6"),
            (
                "69e0daf7234b01f257a7adb9f807ae9f",
                "8888_123456",
                1_473_595_687,
                "57D54927",
                "d11db8a63c4f20517144fceb533cb4a7",
            ),
        ] {
            assert_eq!((tx_time(expiry), tx_secret(key, stream, time)), (time.to_owned(), secret.to_owned()));
            let key = self::key(key);
            assert_eq!(check(&key, secret, time, stream, expiry), Ok(()));
            assert_eq!(check(&key, &secret.to_uppercase(), time, stream, expiry), Ok(()));
            assert_eq!(check(&key, secret, &time.to_lowercase(), stream, expiry), Ok(()));
            assert_eq!(check(&key, secret, time, stream, expiry + 1), Err(Wrong::Expired));
        }
    }

    #[test]
    fn a_time_that_was_signed_in_lower_case_is_taken_in_lower_case() {
        let key = key("txrtmp");
        let secret = tx_secret("txrtmp", "a", "579acb15");
        assert_eq!(check(&key, &secret, "579acb15", "a", 0), Ok(()));
    }

    #[test]
    fn a_signature_is_for_one_stream_one_time_and_one_key() {
        let (right, other) = (key("txrtmp"), key("rxrtmp"));
        let (secret, time) = ("2133c689c452f0bf81b1a88261f1d9a6", "579ACB15");
        let wrong = Err(Wrong::Signature);
        assert_eq!(check(&other, secret, time, "11212122", 0), wrong);
        assert_eq!(check(&right, secret, time, "11212123", 0), wrong);
        assert_eq!(check(&right, secret, "679ACB15", "11212122", 0), wrong);
        assert_eq!(check(&right, secret, "2579ACB15", "1121212", 0), wrong, "a digit moved from the stream");
        assert_eq!(check(&right, secret, "79ACB15", "112121225", 0), wrong, "a digit moved into the stream");
        for end in 0..secret.len() {
            assert_eq!(check(&right, &secret[..end], time, "11212122", 0), wrong, "cut at {end}");
        }
        for odd in ["", "x", "-579ACB15", "+579ACB15", "0x579ACB15", "00000000000000001", "579ACB15 "] {
            assert_eq!(check(&right, secret, odd, "11212122", 0), wrong, "{odd:?}");
        }
    }

    #[test]
    fn a_token_is_the_same_in_every_language() {
        // Made with Python: hmac.new(KEY, b"openmic address v1\npublish\nlive/a\n579acb15", "sha256").
        let path = Path::new("live/a").unwrap();
        let token = auth(&key("69e0daf7234b01f257a7adb9f807ae9f"), subject(&path), EXPIRY);
        assert_eq!(token, "v1.579acb15.ptjrjRrszxCaXBh0ZgpbYREgBdmf2L-IW4V59yInkfg");
    }

    #[test]
    fn a_token_is_for_one_action_one_path_and_one_time_and_every_cut_of_it_is_refused() {
        let (key, other) = (key("69e0daf7234b01f257a7adb9f807ae9f"), key("79e0daf7234b01f257a7adb9f807ae9f"));
        let (path, sibling, elsewhere) =
            (Path::new("live/a").unwrap(), Path::new("live/b").unwrap(), Path::new("other/a").unwrap());
        let token = auth(&key, subject(&path), EXPIRY);
        let check =
            |token: &str, key: &Secret, subject, now| check_auth(token, [key].into_iter(), subject, now);
        assert_eq!(check(&token, &key, subject(&path), EXPIRY), Ok(()));
        assert_eq!(check(&token, &key, subject(&path), EXPIRY + 1), Err(Wrong::Expired));
        let wrong = Err(Wrong::Signature);
        assert_eq!(check(&token, &other, subject(&path), EXPIRY), wrong);
        assert_eq!(check(&token, &key, subject(&sibling), EXPIRY), wrong);
        assert_eq!(check(&token, &key, subject(&elsewhere), EXPIRY), wrong);
        assert_eq!(check(&token, &key, Subject { action: Action::Play, path: &path }, EXPIRY), wrong);
        assert_eq!(check(&token.replace("579acb15", "679acb15"), &key, subject(&path), EXPIRY), wrong);
        for end in 0..token.len() {
            assert_eq!(check(&token[..end], &key, subject(&path), EXPIRY), wrong, "cut at {end}");
        }
        for more in ["=", "A", ".", "AAAA"] {
            assert_eq!(check(&format!("{token}{more}"), &key, subject(&path), EXPIRY), wrong, "{more}");
        }
    }
}
