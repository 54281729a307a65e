//! TLS of HTTPS and RTMPS: the certificate, the handshake, and the relay behind which a session is a plain
//! [`Socket`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::socket::Socket;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of `[tls]` cannot be read or holds no PEM of its kind.
    #[error("{key} = {}: {error}", path.display())]
    File {
        /// `tls.certificate` or `tls.key`.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        error: rustls::pki_types::pem::Error,
    },
    /// A `tls_listen` is set without the files; [`Config::check`] says so earlier.
    #[error("tls.certificate and tls.key must be set")]
    Unset,
    /// Certificate and key do not belong together, or are not supported.
    #[error("tls.certificate and tls.key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The protocols of HTTPS, best first (RFC 7301).
pub const ALPN_HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];

/// An acceptor with the configuration's certificate that offers the protocols `alpn`.
pub fn acceptor(config: &Config, alpn: &[&[u8]]) -> Result<TlsAcceptor, Error> {
    let certificate = config.tls.certificate.as_deref().ok_or(Error::Unset)?;
    let key = config.tls.key.as_deref().ok_or(Error::Unset)?;
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(wrong("tls.key", key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    server.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unread = wrong("tls.certificate", path);
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

/// A plain socket for a session, and the future that carries its bytes to and from `stream` until both have
/// ended. The caller runs the future.
pub fn relay<S>(stream: S) -> std::io::Result<(Socket, impl Future<Output = ()> + Send)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (session, mut outside) = UnixStream::pair()?;
    let mut stream = stream;
    let carry = async move {
        // The session learns of the peer's end, and the peer of the session's, by the closed pair; why it
        // ended is of no interest to either.
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut outside).await;
    };
    Ok((Socket::Pair(session), carry))
}
