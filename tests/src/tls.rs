//! A certificate of the test's own, a server that shows it, and a client that trusts it alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::CertifiedKey;
use server::Config;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::rtmp::PATIENCE;

/// What a client of these tests speaks over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream of any kind.
pub type BoxedStream = Box<dyn Stream>;

/// A key and its certificate for `localhost` and 127.0.0.1, in a folder that goes with it.
pub struct Identity {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
}

impl Identity {
    /// Makes one and writes its files.
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("openmic-tls-{}-{made}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).expect("two names");
        std::fs::write(folder.join("certificate.pem"), cert.pem()).expect("the folder is writable");
        std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).expect("the folder is writable");
        Self { folder, certificate: cert.der().clone() }
    }

    /// Makes a server show it on free ports for HTTPS and RTMPS.
    pub fn show(&self, config: &mut Config) {
        let free = Some(([127, 0, 0, 1], 0).into());
        (config.http.tls_listen, config.rtmp.tls_listen) = (free, free);
        config.tls.certificate = Some(self.folder.join("certificate.pem"));
        config.tls.key = Some(self.folder.join("key.pem"));
    }

    /// A connection whose client offers the protocols `alpn`.
    pub async fn connect(&self, server: SocketAddr, alpn: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate of our own");
        let mut client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(server).await.expect("the server listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let handshake = TlsConnector::from(Arc::new(client)).connect(name, stream);
        timeout(PATIENCE, handshake).await.expect("the server answers").expect("a handshake")
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // A folder that is left behind harms no test.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
