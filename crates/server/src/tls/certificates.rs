//! The certificate that is shown at each handshake, and how a newer one takes its place while the server runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::MissedTickBehavior;

use super::acme::Acme;
use super::files::{self, Stamp};
use super::local_ca::{self, Authority};
use super::{ALPN_ACME, Error};
use crate::config::{Config, Source, Tls};

/// How often files are looked at, and the local authority's certificate against the clock and our addresses.
const LOOK: Duration = Duration::from_secs(60);

/// Shows the newest certificate.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwapOption<CertifiedKey>,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    /// With the files as they were when they were last read.
    Files(Mutex<Stamp>),
    Authority(Box<local_ca::Issued>),
    Acme(Box<Acme>),
}

/// A certificate that was read or made and is not shown yet.
pub(crate) struct Prepared(Option<(Arc<CertifiedKey>, Option<Stamp>)>);

impl Certificates {
    /// What the configuration asks for; `None` where it asks for no certificate.
    pub fn open(config: &Config) -> Result<Option<Arc<Self>>, Error> {
        let (current, origin) = match config.tls.source() {
            None => return Ok(None),
            Some(Source::Files) => {
                // Before they are read, so that what is written meanwhile is noticed.
                let stamp = files::stamp(&config.tls);
                (Some(files::read(&config.tls)?), Origin::Files(Mutex::new(stamp)))
            }
            Some(Source::LocalCa) => {
                let issued = local_ca::Issued::new(Authority::open(config)?);
                let leaf = issued.leaf(config, SystemTime::now())?;
                (Some(leaf), Origin::Authority(Box::new(issued)))
            }
            Some(Source::Acme) => (None, Origin::Acme(Box::new(Acme::new(config)?))),
        };
        Ok(Some(Arc::new(Self { current: ArcSwapOption::new(current), origin })))
    }

    /// Until when the certificate shown is good; `None` where there is none yet, or ACME keeps it.
    pub fn expires(&self) -> Option<SystemTime> {
        let current = self.current.load_full()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(current.cert.first()?).ok()?;
        let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// The authority that whoever connects has to trust, where this server is its own.
    pub fn authority(&self) -> Option<&Authority> {
        match &self.origin {
            Origin::Authority(issued) => Some(issued.authority()),
            Origin::Files(_) | Origin::Acme(_) => None,
        }
    }

    /// Whether a directory may come to look if a name is ours.
    pub(super) fn answers_challenges(&self) -> bool {
        matches!(self.origin, Origin::Acme(_))
    }

    /// Reads or makes what another configuration asks for. Nothing is shown yet.
    pub(crate) fn prepare(&self, config: &Config) -> Result<Prepared, Error> {
        match &self.origin {
            Origin::Files(_) => {
                let stamp = files::stamp(&config.tls);
                Ok(Prepared(Some((files::read(&config.tls)?, Some(stamp)))))
            }
            Origin::Authority(issued) => Ok(Prepared(Some((issued.leaf(config, SystemTime::now())?, None)))),
            Origin::Acme(_) => Ok(Prepared(None)),
        }
    }

    /// Shows it from the next handshake on.
    pub(crate) fn show(&self, prepared: Prepared) {
        let Prepared(Some((certificate, stamp))) = prepared else { return };
        self.current.store(Some(certificate));
        if let (Origin::Files(known), Some(stamp)) = (&self.origin, stamp) {
            *known.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        }
    }

    /// Keeps the certificate new for as long as it is polled.
    pub(crate) async fn keep(self: Arc<Self>, config: impl Fn() -> Arc<Config> + Clone + Send + 'static) {
        if let Origin::Acme(acme) = &self.origin {
            return acme.order().await;
        }
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let (certificates, config) = (Arc::clone(&self), config.clone());
            // Files are read, or a key is made.
            let _ =
                tokio::task::spawn_blocking(move || certificates.look(&config(), SystemTime::now())).await;
        }
    }

    /// Renews what has to be. What fails is tried again at the next look, and the certificate shown stays.
    fn look(&self, config: &Config, now: SystemTime) {
        let renewed = match &self.origin {
            Origin::Files(known) => self.read_if_changed(&config.tls, known),
            Origin::Authority(issued) => issued
                .is_due(config, now)
                .then(|| issued.leaf(config, now))
                .map(|leaf| leaf.map(|leaf| self.current.store(Some(leaf)))),
            Origin::Acme(_) => None,
        };
        match renewed {
            None => {}
            Some(Ok(())) => tracing::info!("a newer certificate is shown"),
            Some(Err(error)) => tracing::warn!("the certificate shown stays: {error}"),
        }
    }

    fn read_if_changed(&self, tls: &Tls, known: &Mutex<Stamp>) -> Option<Result<(), Error>> {
        let stamp = files::stamp(tls);
        if *known.lock().unwrap_or_else(PoisonError::into_inner) == stamp {
            return None;
        }
        // Between the writing of the one file and of the other they do not match; the next look finds both.
        Some(files::read(tls).map(|certificate| self.show(Prepared(Some((certificate, Some(stamp)))))))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match &self.origin {
            Origin::Acme(acme) => acme.resolve(hello),
            Origin::Files(_) | Origin::Authority(_) => self.current.load_full(),
        }
    }
}

/// Whether a connection was made by a directory that looks whether the name is ours: nothing else may be said on it
/// (RFC 8737 §3).
pub(crate) fn is_challenge(connection: &rustls::ServerConnection) -> bool {
    connection.alpn_protocol() == Some(ALPN_ACME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private::Folder;

    fn write_identity(folder: &Folder) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::create_dir_all(&folder.0).unwrap();
        std::fs::write(folder.0.join("c.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.0.join("k.pem"), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().to_vec()
    }

    fn shown(certificates: &Certificates) -> Vec<u8> {
        certificates.current.load_full().unwrap().cert[0].to_vec()
    }

    #[test]
    fn files_that_were_replaced_are_shown_at_the_next_look_once_they_match() {
        let folder = Folder::new();
        let mut config = Config::default();
        config.tls.certificate = Some(folder.0.join("c.pem"));
        config.tls.key = Some(folder.0.join("k.pem"));
        let first = write_identity(&folder);
        let certificates = Certificates::open(&config).unwrap().unwrap();
        let now = SystemTime::now();
        certificates.look(&config, now);
        assert_eq!(shown(&certificates), first);
        let old_key = std::fs::read(folder.0.join("k.pem")).unwrap();
        let second = write_identity(&folder);
        let new_key = std::fs::read(folder.0.join("k.pem")).unwrap();
        // Halfway through a renewal, and with a file gone.
        std::fs::write(folder.0.join("k.pem"), old_key).unwrap();
        certificates.look(&config, now);
        assert_eq!(shown(&certificates), first);
        std::fs::remove_file(folder.0.join("k.pem")).unwrap();
        certificates.look(&config, now);
        assert_eq!(shown(&certificates), first);
        std::fs::write(folder.0.join("k.pem"), new_key).unwrap();
        certificates.look(&config, now);
        assert_eq!(shown(&certificates), second);
    }
}
