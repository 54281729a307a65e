//! Certificates from an ACME directory (RFC 8555), Let's Encrypt for one, by TLS-ALPN-01 (RFC 8737): the directory
//! connects to the HTTPS port, so nothing else has to be open. The protocol is `rustls-acme`'s.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use futures_core::Stream;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::{AccountCache, AcmeConfig, AcmeState, CertCache, EventOk, ResolvesServerCertAcme};
use serde::{Deserialize, Serialize};

use super::{Error, files};
use crate::config::{Config, Tls};
use crate::private;

/// Where account and certificates are kept, in `data.dir`.
const FOLDER: &str = "acme";
/// `rustls-acme` waits for ever for a directory that takes a connection and says nothing, so what it does is begun anew
/// this often. From the kept certificate it then knows how long to wait.
const ANEW: Duration = Duration::from_secs(86_400);

/// Asks for certificates and answers challenges.
pub(super) struct Acme {
    tls: Tls,
    client: Arc<ClientConfig>,
    cache: Cache,
    /// Answers challenges of the order that runs, and shows its certificate once there is one.
    asking: ArcSwapOption<ResolvesServerCertAcme>,
    /// Shows the certificate while `asking` has been begun anew and has none yet.
    before: ArcSwapOption<ResolvesServerCertAcme>,
}

impl std::fmt::Debug for Acme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acme").field("domains", &self.tls.acme_domains).finish_non_exhaustive()
    }
}

impl Acme {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let client = ClientConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(&config.tls)?)
            .with_no_client_auth();
        Ok(Self {
            tls: config.tls.clone(),
            client: Arc::new(client),
            cache: Cache { folder: config.data.dir.join(FOLDER) },
            asking: ArcSwapOption::empty(),
            before: ArcSwapOption::empty(),
        })
    }

    pub(super) fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asking = self.asking.load_full()?;
        if rustls_acme::is_tls_alpn_challenge(&hello) {
            tracing::info!(name = hello.server_name(), "the ACME directory looks whether this name is ours");
            return asking.resolve(hello);
        }
        // A hello can be shown to one resolver only, so it is asked of the one that surely has a certificate, if any.
        match self.before.load_full() {
            Some(before) => before.resolve(hello),
            None => asking.resolve(hello),
        }
    }

    /// Has certificates made and renewed, for ever.
    pub(super) async fn order(&self) {
        loop {
            let mut state = self.state();
            self.asking.store(Some(state.resolver()));
            let mut shows = false;
            let _ = tokio::time::timeout(ANEW, self.drive(&mut state, &mut shows)).await;
            if shows {
                self.before.store(Some(state.resolver()));
            }
        }
    }

    fn state(&self) -> AcmeState<std::io::Error> {
        let contact = self.tls.acme_contact.iter().map(|address| format!("mailto:{address}"));
        AcmeConfig::new_with_client_config(&self.tls.acme_domains, Arc::clone(&self.client))
            .contact(contact)
            .directory(&self.tls.acme_directory)
            .cache(self.cache.clone())
            .state()
    }

    /// `shows` tells whether this state's resolver has a certificate.
    async fn drive(&self, state: &mut AcmeState<std::io::Error>, shows: &mut bool) {
        while let Some(event) = poll_fn(|cx| Pin::new(&mut *state).poll_next(cx)).await {
            match event {
                Ok(deployed @ (EventOk::DeployedCachedCert | EventOk::DeployedNewCert)) => {
                    *shows = true;
                    self.before.store(None);
                    tracing::info!(domains = ?self.tls.acme_domains, "certificate: {deployed:?}");
                }
                Ok(EventOk::CertCacheStore | EventOk::AccountCacheStore) => {}
                Err(error) => tracing::warn!(
                    directory = self.tls.acme_directory,
                    "no new certificate yet, it is tried again: {error}; port 443 of every name in tls.acme_domains has to \
                     lead to http.tls_listen"
                ),
            }
        }
    }
}

/// By whom the directory is vouched for: the file of the configuration, else what this system trusts.
fn roots(tls: &Tls) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    match tls.acme_root.as_deref() {
        Some(path) => {
            for certificate in files::certificates("tls.acme_root", path)? {
                roots.add(certificate)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    match roots.is_empty() {
        true => Err(Error::NoRoots { directory: tls.acme_directory.clone() }),
        false => Ok(roots),
    }
}

/// What is kept over a restart: directories allow few certificates a week. Each file says for what it is, and counts for
/// nothing else.
#[derive(Clone, Debug)]
struct Cache {
    folder: PathBuf,
}

#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    directory: String,
    /// Domains of a certificate, contacts of an account.
    of: Vec<String>,
    /// PEM of a key and its chain, or an account's key in DER.
    secret: Vec<u8>,
}

impl Cache {
    async fn load(&self, name: &str, of: &[String], directory: &str) -> std::io::Result<Option<Vec<u8>>> {
        let path = self.folder.join(name);
        let text = match tokio::fs::read(&path).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let kept: Kept = serde_json::from_slice(&text)?;
        Ok((kept.directory == directory && kept.of == of).then_some(kept.secret))
    }

    async fn store(&self, name: &str, of: &[String], directory: &str, secret: &[u8]) -> std::io::Result<()> {
        let kept = Kept { directory: directory.to_owned(), of: of.to_vec(), secret: secret.to_vec() };
        let (path, text) = (self.folder.join(name), serde_json::to_vec(&kept)?);
        let written = tokio::task::spawn_blocking(move || private::write(&path, &text));
        written.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
    }
}

const CERTIFICATE: &str = "certificate.json";
const ACCOUNT: &str = "account.json";

#[async_trait]
impl CertCache for Cache {
    type EC = std::io::Error;

    async fn load_cert(&self, domains: &[String], directory: &str) -> std::io::Result<Option<Vec<u8>>> {
        self.load(CERTIFICATE, domains, directory).await
    }

    async fn store_cert(&self, domains: &[String], directory: &str, cert: &[u8]) -> std::io::Result<()> {
        self.store(CERTIFICATE, domains, directory, cert).await
    }
}

#[async_trait]
impl AccountCache for Cache {
    type EA = std::io::Error;

    async fn load_account(&self, contact: &[String], directory: &str) -> std::io::Result<Option<Vec<u8>>> {
        self.load(ACCOUNT, contact, directory).await
    }

    async fn store_account(
        &self,
        contact: &[String],
        directory: &str,
        account: &[u8],
    ) -> std::io::Result<()> {
        self.store(ACCOUNT, contact, directory, account).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private::Folder;

    #[tokio::test]
    async fn what_is_kept_counts_for_its_domains_and_directory_alone() {
        let folder = Folder::new();
        let cache = Cache { folder: folder.0.clone() };
        let (a, b) = (["a.example".to_owned()], ["b.example".to_owned()]);
        assert!(cache.load_cert(&a, "one").await.unwrap().is_none());
        cache.store_cert(&a, "one", b"pem").await.unwrap();
        assert_eq!(cache.load_cert(&a, "one").await.unwrap().as_deref(), Some(&b"pem"[..]));
        assert!(cache.load_cert(&b, "one").await.unwrap().is_none());
        assert!(cache.load_cert(&a, "two").await.unwrap().is_none());
        assert!(cache.load_account(&a, "one").await.unwrap().is_none());
        std::fs::write(folder.0.join(CERTIFICATE), b"{").unwrap();
        assert!(cache.load_cert(&a, "one").await.is_err());
    }
}
