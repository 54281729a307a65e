//! Whom we believe that a server is who it says: the certificate authorities of this machine, and the operator's own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// A connector that believes this machine's authorities and those of `further`, a PEM file.
///
/// It reads files: call it where blocking is allowed.
pub(super) fn connector(further: Option<PathBuf>) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = further {
        roots.add_parsable_certificates(read(&path)?);
    }
    if roots.is_empty() {
        let what = "this machine has no certificate authorities (on Debian: apt install ca-certificates), and \
            outbound.ca names none";
        return Err(io::Error::other(what));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let named = |error: rustls::pki_types::pem::Error| {
        io::Error::other(format!("outbound.ca = {}: {error}", path.display()))
    };
    CertificateDer::pem_file_iter(path).map_err(named)?.collect::<Result<_, _>>().map_err(named)
}
