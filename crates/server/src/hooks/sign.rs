//! Signatures, by which a receiver knows that a body is ours and is as we sent it.

use aws_lc_rs::hmac;
use md5::{Digest, Md5};

use crate::config::Secret;

/// `t=<unix seconds>,v1=<hex>`: HMAC-SHA256 over `t`, a dot and the body. During a rotation there are two `v1`, one of
/// each secret, and a receiver that has either takes it.
pub(super) fn openmic(secrets: &[Secret], unix_s: u64, body: &[u8]) -> String {
    let mut header = format!("t={unix_s}");
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let mut context = hmac::Context::with_key(&key);
        context.update(unix_s.to_string().as_bytes());
        context.update(b".");
        context.update(body);
        header.push_str(",v1=");
        header.push_str(&hex(context.sign().as_ref()));
    }
    header
}

/// `md5(KEY + t)` in lower-case hexadecimal: MD5 is the contract of those receivers, not our choice.
pub(super) fn wechat(secret: &Secret, t: u64) -> String {
    let mut md5 = Md5::new();
    md5.update(secret.expose().as_bytes());
    md5.update(t.to_string().as_bytes());
    hex(&md5.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hmac and hashlib; docs/hooks.md gives receivers the same vector.
    #[test]
    fn signatures_are_those_of_the_documented_vectors() {
        let secrets = [Secret::new("0123456789abcdef"), Secret::new("fedcba9876543210")];
        let body = br#"{"event":"publish","path":"live/a"}"#;
        let current = "79e9d3de0d9fee4a3ae1d14b49dae5ff10d7f02dbd784b952a3e877280f6b8e5";
        let previous = "d741299d5880a4d80bd27c9fcfd15aa48262c6480e9427408a348ac8404afc65";
        assert_eq!(openmic(&secrets[..1], 1_700_000_000, body), format!("t=1700000000,v1={current}"));
        assert_eq!(
            openmic(&secrets, 1_700_000_000, body),
            format!("t=1700000000,v1={current},v1={previous}")
        );
        assert_eq!(
            wechat(&Secret::new("5d41402abc4b2a76b9719d911017c592"), 1_545_030_873),
            "969cec6cedd74a764dccf10ecac5fc39"
        );
    }
}
