//! TLS of HTTPS and RTMPS: the handshake, and the relay behind which a session is a plain [`Socket`]. Where the
//! certificate comes from is [`certificates`]' affair.

pub mod acme;
pub mod certificates;
pub mod files;
pub mod local_ca;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_rustls::TlsAcceptor;

pub use certificates::Certificates;

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
    /// A `tls_listen` is set without a certificate; [`Config::check`](crate::Config::check) says so earlier.
    #[error("tls.certificate and tls.key, tls.acme_domains or tls.local_ca must be set")]
    Unset,
    /// Certificate and key do not belong together, or are not supported.
    #[error("tls.certificate and tls.key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The local authority's files in `data.dir` cannot be read or written.
    #[error("the local authority in {}: {error}", path.display())]
    Keep {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The local authority cannot be made or used.
    #[error("the local authority in {}: {error}; delete that directory and a new one is made, to be trusted anew", path.display())]
    Authority {
        /// Its directory.
        path: PathBuf,
        /// Why.
        error: rcgen::Error,
    },
    /// Nothing is known by which an ACME directory could be trusted.
    #[error(
        "this system has no certificate authorities by which {directory} could be trusted; install ca-certificates, or \
         name the one to trust in tls.acme_root"
    )]
    NoRoots {
        /// `tls.acme_directory`.
        directory: String,
    },
}

/// The protocols of HTTPS, best first (RFC 7301).
pub const ALPN_HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];
/// What an ACME directory offers that looks whether a name is ours (RFC 8737 §3). It says nothing else on the connection.
pub const ALPN_ACME: &[u8] = b"acme-tls/1";

/// The one provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// An acceptor that shows the certificate which is newest at each handshake, and offers the protocols `alpn`.
pub fn acceptor(certificates: &Arc<Certificates>, alpn: &[&[u8]]) -> Result<TlsAcceptor, Error> {
    let mut server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(certificates) as Arc<dyn rustls::server::ResolvesServerCert>);
    server.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    if certificates.answers_challenges() && !alpn.is_empty() {
        server.alpn_protocols.push(ALPN_ACME.to_vec());
    }
    Ok(TlsAcceptor::from(Arc::new(server)))
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
