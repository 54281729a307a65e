//! A certificate of the test's own, a server that shows it, and a client that trusts it alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use ::aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::CertifiedKey;
use server::Config;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    WantsVerifier,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::rtmp::PATIENCE;

/// What a client of these tests speaks over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream of any kind.
pub type BoxedStream = Box<dyn Stream>;

/// A key and its certificate for `localhost` and 127.0.0.1, in a folder that goes with it.
pub struct Identity {
    folder: PathBuf,
    certificate: Mutex<CertificateDer<'static>>,
}

impl Identity {
    /// Makes one and writes its files.
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("openmic-tls-{}-{made}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let certificate = Mutex::new(write(&folder));
        Self { folder, certificate }
    }

    /// Writes another key and certificate over those there are.
    pub fn renew(&self) {
        *self.certificate.lock().expect("no test panics with it") = write(&self.folder);
    }

    /// The PEM file of the certificate.
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// The PEM file of its key.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    /// The certificate that is in the files now.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.lock().expect("no test panics with it").clone()
    }

    /// Accepts connections with it, for a server of the test's own.
    pub fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_file(self.key_file()).expect("it was just written");
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate()], key)
            .expect("they belong together");
        TlsAcceptor::from(Arc::new(server))
    }

    /// Makes a server show it on free ports for HTTPS and RTMPS.
    pub fn show(&self, config: &mut Config) {
        let free = Some(([127, 0, 0, 1], 0).into());
        (config.http.tls_listen, config.rtmp.tls_listen) = (free, free);
        config.tls.certificate = Some(self.certificate_file());
        config.tls.key = Some(self.key_file());
    }

    /// A connection whose client offers the protocols `alpn`.
    pub async fn connect(&self, server: SocketAddr, alpn: &[&str]) -> TlsStream<TcpStream> {
        let handshake = trusting(self.certificate(), server, "localhost", alpn);
        handshake.await.expect("a handshake")
    }
}

fn write(folder: &Path) -> CertificateDer<'static> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).expect("two names");
    std::fs::write(folder.join("certificate.pem"), cert.pem()).expect("the folder is writable");
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).expect("the folder is writable");
    cert.der().clone()
}

/// A connection to `name`, whom `authority` alone may vouch for.
pub async fn trusting(
    authority: CertificateDer<'static>,
    server: SocketAddr,
    name: &str,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority).expect("a certificate of our own");
    let client = builder().with_root_certificates(roots).with_no_client_auth();
    connect(client, server, name, alpn).await
}

/// A connection to `name`, whoever vouches for it, as an ACME directory makes it.
pub async fn any_certificate(
    server: SocketAddr,
    name: &str,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let client =
        builder().dangerous().with_custom_certificate_verifier(Arc::new(Believing)).with_no_client_auth();
    connect(client, server, name, alpn).await
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.3")
}

async fn connect(
    mut client: ClientConfig,
    server: SocketAddr,
    name: &str,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    client.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(server).await.expect("the server listens");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let handshake = TlsConnector::from(Arc::new(client)).connect(name, stream);
    timeout(PATIENCE, handshake).await.expect("the server answers")
}

#[derive(Debug)]
struct Believing;

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 is spoken here".into()))
    }

    /// By hand, for rustls will not look into a certificate with the critical extension of a challenge.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let wrong = || Error::General("not signed by the certificate's key".into());
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| wrong())?;
        let point = parsed.public_key().subject_public_key.data.as_ref();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
        key.verify(message, signed.signature()).map_err(|_| wrong())?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // A folder that is left behind harms no test.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
