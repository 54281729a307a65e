//! Connections to servers, plain or TLS, and the RTMP client session driven over one.

use std::io;
#[cfg(target_os = "linux")]
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use wire::rtmp::client::{Event, Options, Purpose, Session};

use crate::url::Url;

const READ_BYTES: usize = 64 << 10;

/// A byte stream, whatever carries it.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects to the address' host, with TLS where its scheme says so. `insecure` accepts any certificate.
pub async fn connect(url: &Url, insecure: bool) -> anyhow::Result<Box<dyn Stream>> {
    let socket = TcpStream::connect((url.host.as_str(), url.port));
    let socket = socket.await.with_context(|| format!("connecting to {}", url.authority()))?;
    socket.set_nodelay(true)?;
    if !url.scheme.secure() {
        return Ok(Box::new(socket));
    }
    let name =
        ServerName::try_from(url.host.clone()).with_context(|| format!("{:?} as TLS name", url.host))?;
    let tls = TlsConnector::from(Arc::new(tls_config(insecure)?)).connect(name, socket).await;
    Ok(Box::new(tls.with_context(|| format!("TLS with {}", url.authority()))?))
}

fn tls_config(insecure: bool) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    if insecure {
        let verifier = Arc::new(AnyCertificate(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Our address on the way to the server.
#[cfg(target_os = "linux")]
pub(crate) fn local_ip(server: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Connecting a datagram socket sends nothing: it asks the routing table.
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

/// For `--insecure`: whoever holds the certificate's key is trusted, whatever name it bears.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An RTMP session and its connection.
pub struct Rtmp {
    stream: Box<dyn Stream>,
    /// The session; call [`Rtmp::flush`] after commands.
    pub session: Session,
    buffer: Vec<u8>,
    out: BytesMut,
}

impl Rtmp {
    /// Connects and waits for the server's consent.
    pub async fn open(url: &Url, purpose: Purpose, insecure: bool) -> anyhow::Result<Self> {
        Self::over(connect(url, insecure).await?, url, purpose).await
    }

    /// Waits for the server's consent over a connection that stands.
    pub async fn over(stream: Box<dyn Stream>, url: &Url, purpose: Purpose) -> anyhow::Result<Self> {
        let names = url.rtmp_names()?;
        let mut options = Options::for_url(purpose, &url.to_string()).context("no RTMP address")?;
        (options.app, options.stream, options.tc_url) = (names.app, names.stream, names.tc_url);
        if purpose == Purpose::Publish {
            options.fourccs = ["hvc1", "av01", "vp09", "Opus"].map(str::to_owned).to_vec();
        }
        let set_up_max = options.set_up_max;
        let seed = crate::stamp::now_micros() ^ u64::from(std::process::id());
        let session = Session::new(Instant::now(), options, seed);
        let mut rtmp = Self { stream, session, buffer: vec![0; READ_BYTES], out: BytesMut::new() };
        let ready = tokio::time::timeout(set_up_max, rtmp.set_up()).await;
        ready.with_context(|| format!("{url}: no consent within {} s", set_up_max.as_secs()))??;
        Ok(rtmp)
    }

    async fn set_up(&mut self) -> anyhow::Result<()> {
        self.flush().await?;
        while !self.session.is_ready() {
            self.read().await?;
        }
        Ok(())
    }

    /// Sends what waits. Cancel safe: what is not yet written stays.
    pub async fn flush(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.session.poll_transmit() {
            self.out.extend_from_slice(&bytes);
        }
        while !self.out.is_empty() {
            self.stream.write_buf(&mut self.out).await?;
        }
        self.stream.flush().await
    }

    /// Reads once and answers what must be answered; events wait in [`Rtmp::poll_event`]. Cancel safe: what was read
    /// is handled before the next await, and what is to be answered stays.
    pub async fn read(&mut self) -> anyhow::Result<()> {
        let len = self.stream.read(&mut self.buffer).await.context("reading RTMP")?;
        if len == 0 {
            bail!("the server closed the connection");
        }
        let handled = self.session.handle_input(Instant::now(), &self.buffer[..len]);
        self.flush().await.context("answering")?;
        Ok(handled?)
    }

    /// What the server did.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.session.poll_event()
    }

    /// Says goodbye, so that the server does not wait for a return, and closes.
    pub async fn finish(mut self) -> io::Result<()> {
        self.session.finish();
        self.flush().await?;
        self.stream.shutdown().await
    }
}
