//! A certificate authority of this server's own, for phones on its network: cameras and WebSockets need HTTPS that the
//! phone trusts, and no public authority vouches for 192.168.1.5.
//!
//! Who trusts an authority trusts whatever it signs, so this one can sign for nothing but this machine and private
//! networks: that stands in its certificate (RFC 5280 §4.2.1.10), and a stolen key is of no use for any other site.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

use super::Error;
use crate::config::Config;
use crate::{interfaces, private};

/// Where it is kept, in `data.dir`.
const FOLDER: &str = "ca";
const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

const DAY: Duration = Duration::from_secs(86_400);
/// Phones are told once; a new authority means telling them all again.
const AUTHORITY_LASTS: Duration = DAY.saturating_mul(3_650);
/// Browsers refuse more than 398 days, and nobody has to do anything for a renewal.
const LEAF_LASTS: Duration = DAY.saturating_mul(90);
/// A server that was off for weeks shows no certificate that ends while somebody watches.
const RENEW_BEFORE: Duration = DAY.saturating_mul(30);
/// Phones whose clock is behind ours see a certificate that has begun all the same.
const BEGINS_BEFORE: Duration = DAY;

/// Networks that are nobody's on the internet, for which it may always sign, so that moving to another Wi-Fi needs no
/// new authority: RFC 1918, carrier networks (RFC 6598, used by overlays), link-local, loopback, RFC 4193.
const PRIVATE: &[(&str, u8)] = &[
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("100.64.0.0", 10),
    ("169.254.0.0", 16),
    ("127.0.0.0", 8),
    ("fc00::", 7),
    ("fe80::", 10),
    ("::1", 128),
];
/// Endings of names that no public authority vouches for (RFC 6761, 6762, 8375; the last two are common in routers).
const PRIVATE_NAMES: &[&str] = &["localhost", "local", "home.arpa", "internal", "lan"];

/// The authority. Its key never leaves `data.dir`.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    covers: Covers,
    folder: PathBuf,
}

/// What it may sign for.
#[derive(Debug, Default)]
struct Covers {
    names: Vec<String>,
    networks: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Authority {
    /// The one in `data.dir`, made there if there is none.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let folder = config.data.dir.join(FOLDER);
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        let kept = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| Error::Keep { path: path.to_owned(), error })
        };
        // Half an authority is not overwritten: the other half may be somebody's whom phones trust.
        if !certificate.exists() && !key.exists() {
            Self::make(config, &folder, SystemTime::now())?;
        }
        Self::read(&folder, &kept(&certificate)?, &kept(&key)?)
            .map_err(|error| Error::Authority { path: folder.clone(), error })
    }

    fn make(config: &Config, folder: &Path, now: SystemTime) -> Result<(), Error> {
        let (certificate, key) =
            generate(config, now).map_err(|error| Error::Authority { path: folder.to_owned(), error })?;
        // The key first: a certificate without its key would be trusted and be of no use.
        for (name, text) in [(KEY, key), (CERTIFICATE, certificate)] {
            let path = folder.join(name);
            private::write(&path, text.as_bytes()).map_err(|error| Error::Keep { path, error })?;
        }
        Ok(())
    }

    fn read(folder: &Path, certificate: &str, key: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::from_pem(key)?;
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        let covers = Covers::of(&certificate, &key)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { certificate, issuer, covers, folder: folder.to_owned() })
    }

    /// Its certificate, in DER, which is what phones install.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// By what people tell that they have the right certificate before them: SHA-256, as phones show it.
    pub fn fingerprint(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }

    fn sign(&self, names: &BTreeSet<Name>, now: SystemTime) -> Result<Arc<CertifiedKey>, Error> {
        let made = || -> Result<_, rcgen::Error> {
            let mut params = CertificateParams::default();
            params.distinguished_name = titled("openmic");
            params.subject_alt_names = names.iter().map(Name::san).collect::<Result<_, _>>()?;
            (params.not_before, params.not_after) = ((now - BEGINS_BEFORE).into(), (now + LEAF_LASTS).into());
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            Ok((params.signed_by(&key, &self.issuer)?, key))
        };
        let (leaf, key) = made().map_err(|error| Error::Authority { path: self.folder.clone(), error })?;
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        Ok(Arc::new(CertifiedKey::from_der(chain, secret, &super::provider())?))
    }
}

fn titled(name: &str) -> DistinguishedName {
    let mut title = DistinguishedName::new();
    title.push(DnType::CommonName, name);
    title.push(DnType::OrganizationName, "openmic");
    title
}

/// Certificate and key in PEM.
fn generate(config: &Config, now: SystemTime) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    // Each has a name of its own, or a phone that trusts two of them takes one for the other.
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mark = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key_raw());
    let mark: String = mark.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let host = interfaces::host_name().unwrap_or_else(|| "this server".into());
    params.distinguished_name = titled(&format!("openmic on {host} ({mark})"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = ((now - BEGINS_BEFORE).into(), (now + AUTHORITY_LASTS).into());
    let private = PRIVATE.iter().map(|(network, prefix)| {
        let network: IpAddr = network.parse().expect("the table holds addresses");
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(network, *prefix))
    });
    let endings = PRIVATE_NAMES.iter().map(|name| GeneralSubtree::DnsName((*name).to_owned()));
    let own = names(config).into_iter().map(|name| match name {
        Name::Dns(name) => GeneralSubtree::DnsName(name),
        Name::Ip(ip) => {
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, if ip.is_ipv4() { 32 } else { 128 }))
        }
    });
    let permitted_subtrees = private.chain(endings).chain(own).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// One name or address of this server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Dns(String),
    Ip(IpAddr),
}

impl Name {
    fn san(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            Self::Ip(ip) => SanType::IpAddress(*ip),
        })
    }
}

/// By what this server may be reached: the machine's addresses and names, and those of the configuration.
fn names(config: &Config) -> BTreeSet<Name> {
    let host = interfaces::host_name();
    let local = host.iter().filter(|host| !host.contains('.')).map(|host| format!("{host}.local"));
    let known = config.http.hosts.iter().map(|name| name.to_ascii_lowercase());
    let known = known.filter(|name| interfaces::is_dns_name(name) && name.parse::<IpAddr>().is_err());
    let dns = ["localhost".to_owned()].into_iter().chain(local).chain(host.clone()).chain(known);
    let hosts = config.http.hosts.iter().filter_map(|name| name.trim_matches(['[', ']']).parse().ok());
    let addresses = interfaces::addresses().into_iter().chain(config.rtc.public.iter().copied()).chain(hosts);
    dns.map(Name::Dns).chain(addresses.map(Name::Ip)).collect()
}

impl Covers {
    /// Reads them from the certificate, which the key must belong to.
    fn of(certificate: &CertificateDer<'_>, key: &KeyPair) -> Result<Self, rcgen::Error> {
        let unread = rcgen::Error::CouldNotParseCertificate;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| unread.clone())?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(rcgen::Error::CouldNotParseKeyPair);
        }
        let constraints = parsed.name_constraints().map_err(|_| unread)?;
        let permitted = constraints.and_then(|found| found.value.permitted_subtrees.as_ref());
        let mut covers = Self::default();
        for subtree in permitted.into_iter().flatten() {
            match &subtree.base {
                GeneralName::DNSName(name) => covers.names.push((*name).to_owned()),
                GeneralName::IPAddress(network) => covers.networks.push(network.to_vec()),
                _ => {}
            }
        }
        Ok(covers)
    }

    fn name(&self, name: &Name) -> bool {
        let ends = |dns: &str, ending: &str| {
            dns.strip_suffix(ending).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        match name {
            Name::Dns(dns) => self.names.iter().any(|ending| ends(dns, ending)),
            Name::Ip(IpAddr::V4(ip)) => self.network(&ip.octets()),
            Name::Ip(IpAddr::V6(ip)) => self.network(&ip.octets()),
        }
    }

    /// RFC 5280 §4.2.1.10: a network is its address, then its mask, each as long as the address.
    fn network(&self, ip: &[u8]) -> bool {
        self.networks.iter().any(|network| {
            let (address, mask) = network.split_at(network.len() / 2);
            let masked = ip.iter().zip(mask).map(|(byte, mask)| byte & mask);
            address.len() == ip.len() && masked.eq(address.iter().zip(mask).map(|(byte, mask)| byte & mask))
        })
    }
}

/// The authority and what the newest certificate says.
#[derive(Debug)]
pub(super) struct Issued {
    authority: Authority,
    newest: Mutex<Option<(BTreeSet<Name>, SystemTime)>>,
}

impl Issued {
    pub(super) fn new(authority: Authority) -> Self {
        tracing::info!(
            fingerprint = authority.fingerprint(),
            "this server is its own certificate authority; /trust tells phones how to trust it"
        );
        Self { authority, newest: Mutex::new(None) }
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A new certificate for every name that the authority may sign for.
    pub(super) fn leaf(&self, config: &Config, now: SystemTime) -> Result<Arc<CertifiedKey>, Error> {
        let wanted = names(config);
        let (covered, beyond): (BTreeSet<_>, BTreeSet<_>) =
            wanted.iter().cloned().partition(|name| self.authority.covers.name(name));
        if !beyond.is_empty() {
            tracing::warn!(
                ?beyond,
                folder = %self.authority.folder.display(),
                "the local authority was not made for these names; without that directory a new one is made, which phones \
                 have to trust anew"
            );
        }
        let leaf = self.authority.sign(&covered, now)?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((wanted, now + LEAF_LASTS));
        Ok(leaf)
    }

    /// Whether the newest one ends soon, was made in a future that a wrong clock showed, or lacks a name.
    pub(super) fn is_due(&self, config: &Config, now: SystemTime) -> bool {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().is_none_or(|(known, ends)| {
            let lasts = ends.duration_since(now).unwrap_or(Duration::ZERO);
            lasts < RENEW_BEFORE || lasts > LEAF_LASTS + BEGINS_BEFORE || *known != names(config)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;
    use crate::private::Folder;

    fn config(folder: &Folder) -> Config {
        let mut config = Config::default();
        config.data.dir.clone_from(&folder.0);
        config.http.hosts = vec!["studio.example".into()];
        config
    }

    fn trusted(
        authority: &Authority,
        leaf: &CertifiedKey,
        name: &str,
        at: SystemTime,
    ) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.certificate().to_vec())).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crate::tls::provider())
            .build()
            .unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
        verifier.verify_server_cert(&leaf.cert[0], &leaf.cert[1..], &name, &[], at).map(|_| ())
    }

    #[test]
    fn who_trusts_the_authority_trusts_the_server_by_its_names_and_nobody_else_by_it() {
        let folder = Folder::new();
        let issued = Issued::new(Authority::open(&config(&folder)).unwrap());
        let now = SystemTime::now();
        let leaf = issued.leaf(&config(&folder), now).unwrap();
        for name in ["localhost", "127.0.0.1", "studio.example"] {
            trusted(&issued.authority, &leaf, name, now).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert!(trusted(&issued.authority, &leaf, "bank.example", now).is_err());
        assert!(trusted(&issued.authority, &leaf, "localhost", now + LEAF_LASTS + DAY).is_err());
        // With the key in hand, somebody signs for another site: the authority's own certificate forbids it.
        for (name, san) in
            [("bank.example", Name::Dns("bank.example".into())), ("8.8.8.8", Name::Ip([8, 8, 8, 8].into()))]
        {
            let stolen = issued.authority.sign(&BTreeSet::from([san]), now).unwrap();
            assert!(trusted(&issued.authority, &stolen, name, now).is_err(), "{name}");
        }
    }

    #[test]
    fn the_authority_is_made_once_and_only_its_owner_reads_its_key() {
        let folder = Folder::new();
        let first = Authority::open(&config(&folder)).unwrap();
        let again = Authority::open(&config(&folder)).unwrap();
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_eq!(first.fingerprint().len(), 32 * 3 - 1);
        let key = folder.0.join(FOLDER).join(KEY);
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        // Another one's key beside its certificate, and half of it gone.
        let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        std::fs::write(&key, other.serialize_pem()).unwrap();
        assert!(matches!(Authority::open(&config(&folder)), Err(Error::Authority { .. })));
        std::fs::remove_file(&key).unwrap();
        assert!(matches!(Authority::open(&config(&folder)), Err(Error::Keep { .. })));
    }

    #[test]
    fn a_certificate_is_renewed_before_it_ends_and_when_the_server_has_another_name() {
        let folder = Folder::new();
        let mut config = config(&folder);
        let issued = Issued::new(Authority::open(&config).unwrap());
        let now = SystemTime::now();
        assert!(issued.is_due(&config, now));
        issued.leaf(&config, now).unwrap();
        assert!(
            !issued.is_due(&config, now) && !issued.is_due(&config, now + LEAF_LASTS - RENEW_BEFORE - DAY)
        );
        assert!(issued.is_due(&config, now + LEAF_LASTS - RENEW_BEFORE + DAY));
        // The clock was years ahead when it was made.
        assert!(issued.is_due(&config, now - DAY * 400));
        config.http.hosts.push("stage.local".into());
        assert!(issued.is_due(&config, now));
        let leaf = issued.leaf(&config, now).unwrap();
        trusted(&issued.authority, &leaf, "stage.local", now).unwrap();
        // A name beyond what it was made for is left out, and does not spoil the others.
        config.http.hosts.push("bank.example".into());
        let leaf = issued.leaf(&config, now).unwrap();
        trusted(&issued.authority, &leaf, "stage.local", now).unwrap();
        assert!(trusted(&issued.authority, &leaf, "bank.example", now).is_err());
    }

    #[test]
    fn no_certificate_lasts_longer_than_browsers_take() {
        assert!(LEAF_LASTS + BEGINS_BEFORE <= DAY * 397 && RENEW_BEFORE * 2 < LEAF_LASTS);
    }
}
