//! The cryptography of WebRTC: aws-lc, with a DTLS handshake that does not sit out a second for a lost packet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feedback::Asking;
use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};

/// First retransmission of a DTLS flight; it doubles from there. The specification's one second (RFC 9147 §5.8.2) costs
/// a viewer on a lossy network seconds before its first picture, and a path this short of time is rare.
const FLIGHT_RTO: Duration = Duration::from_millis(60);
/// Doubling from 60 ms, the last of these is sent after some 15 s.
const FLIGHT_RETRIES: usize = 8;

/// Everything from aws-lc, DTLS by [`Quick`].
pub(super) fn provider() -> Arc<CryptoProvider> {
    static QUICK: Quick = Quick;
    Arc::new(CryptoProvider { dtls_provider: &QUICK, ..str0m_aws_lc_rs::default_provider() })
}

/// The same for publishers, who can be asked for lost packets ([`super::feedback`]).
pub(super) fn asking() -> Arc<CryptoProvider> {
    static QUICK: Quick = Quick;
    static ASKING: Asking = Asking;
    let all = str0m_aws_lc_rs::default_provider();
    Arc::new(CryptoProvider { dtls_provider: &QUICK, srtp_provider: &ASKING, ..all })
}

#[derive(Debug)]
struct Quick;

impl DtlsProvider for Quick {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m_aws_lc_rs::default_provider().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let cert = dimpl::DtlsCertificate {
            certificate: cert.certificate.clone(),
            private_key: cert.private_key.clone(),
        };
        // ICE has checked that the peer is where it says; a cookie would cost a round trip.
        let mut config = dimpl::Config::builder()
            .with_crypto_provider(str0m_aws_lc_rs::dimpl_crypto_provider())
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_RTO)
            .flight_retries(FLIGHT_RETRIES);
        if let Some(mtu) = mtu {
            config = config.mtu(mtu);
        }
        let config = config.build().map_err(|error| CryptoError::Other(error.to_string()))?;
        let config = Arc::new(config);
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, cert, now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, cert, now),
            _ => dimpl::Dtls::new_12(config, cert, now),
        };
        Ok(Box::new(Instance(dtls)))
    }
}

struct Instance(dimpl::Dtls);

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buf)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
