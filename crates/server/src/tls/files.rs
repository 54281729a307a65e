//! A certificate and its key from PEM files that something else renews.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::Error;
use crate::config::Tls;

/// Reads both files; they must belong together.
pub fn read(tls: &Tls) -> Result<Arc<CertifiedKey>, Error> {
    let certificate = tls.certificate.as_deref().ok_or(Error::Unset)?;
    let key = tls.key.as_deref().ok_or(Error::Unset)?;
    let chain = certificates("tls.certificate", certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(wrong("tls.key", key))?;
    Ok(Arc::new(CertifiedKey::from_der(chain, secret, &super::provider())?))
}

/// The certificates of the PEM file that `key` names, one at least.
pub fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unread = wrong(key, path);
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match chain {
        Ok(chain) if chain.is_empty() => Err(unread(rustls::pki_types::pem::Error::NoItemsFound)),
        Ok(chain) => Ok(chain),
        Err(error) => Err(unread(error)),
    }
}

fn wrong(key: &'static str, path: &Path) -> impl FnOnce(rustls::pki_types::pem::Error) -> Error {
    move |error| Error::File { key, path: path.to_owned(), error }
}

/// When a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From then.
    pub begins: SystemTime,
    /// Until then.
    pub ends: SystemTime,
}

/// When the server's own certificate counts; read like [`read`], so that certificate and key belong together.
pub fn validity(tls: &Tls) -> Result<Validity, Error> {
    let shown = read(tls)?;
    let unread = || Error::Unusable(rustls::Error::InvalidCertificate(rustls::CertificateError::BadEncoding));
    let (_, parsed) = x509_parser::parse_x509_certificate(&shown.cert[0]).map_err(|_| unread())?;
    // Times before 1970 are of no certificate that anybody shows.
    let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let validity = parsed.validity();
    Ok(Validity { begins: at(validity.not_before.timestamp()), ends: at(validity.not_after.timestamp()) })
}

/// By what a changed file is told from the same: it may be written over, or another be put in its place. `None` where
/// there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<(u64, i64, i64, u64)>; 2]);

/// Looks at both files without reading them. Links are followed: ACME clients renew by pointing one elsewhere.
pub(super) fn stamp(tls: &Tls) -> Stamp {
    let of = |path: Option<&Path>| {
        let found = std::fs::metadata(path?).ok()?;
        Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
    };
    Stamp([of(tls.certificate.as_deref()), of(tls.key.as_deref())])
}
