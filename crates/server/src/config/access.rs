//! `[access]`: who may reach the server, and who may do what in which app.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Config, Invalid};

/// `[access]`
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Ask for credentials on loopback, too. Beyond it they are asked for anyway.
    pub required: bool,
    /// Listen beyond this machine and ask nobody for anything: whoever reaches the server publishes and watches.
    pub open_to_everyone: bool,
    /// What a JWT must name as its audience (`aud`).
    pub audience: String,
    /// Keys of somebody else's who signs JWTs; those of this server are in `keys.toml`.
    pub jwt_public_keys: Vec<PublicKey>,
    /// Where publishers, viewers and administrators may come from. Empty: from anywhere.
    pub allow: Vec<Network>,
    /// Where they may not come from, whatever `allow` says.
    pub deny: Vec<Network>,
    /// What holds in single apps; the first whose name fits.
    pub app: Vec<App>,
}

/// `[[access.jwt_public_keys]]`
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// What a token's header names it by.
    pub kid: String,
    /// The one algorithm it is used with.
    pub algorithm: Algorithm,
    /// PEM file with the public key.
    pub file: PathBuf,
}

/// How a JWT of a public key is signed. There is one for each kind of key, so no token can choose a weaker.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDSA,
    /// ECDSA with P-256.
    ES256,
    /// RSA with PKCS #1 1.5.
    RS256,
}

/// `[[access.app]]`
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The app, or the beginning of its name and a `*`.
    pub name: String,
    /// Who publishes; unset: as in every other app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Permission>,
    /// Who watches; unset: as in every other app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play: Option<Permission>,
    /// Like `access.allow`, for this app; both must allow.
    #[serde(default)]
    pub allow: Vec<Network>,
    /// Like `access.deny`, for this app; neither may deny.
    #[serde(default)]
    pub deny: Vec<Network>,
}

/// Who may do something.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Who has a signed address or a token.
    Keys,
    /// Everybody.
    Open,
    /// Nobody.
    None,
}

impl Permission {
    /// Its word in the configuration and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Open => "open",
            Self::None => "none",
        }
    }
}

/// An address with the length of its prefix: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Canonical: never an IPv4 address in its IPv6 form.
    first: IpAddr,
    prefix: u8,
}

/// The last 32 bits of an IPv4-mapped address follow this many (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

impl Default for Access {
    fn default() -> Self {
        Self {
            required: false,
            open_to_everyone: false,
            audience: "openmic".into(),
            jwt_public_keys: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            app: Vec::new(),
        }
    }
}

impl Access {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if self.audience.is_empty() {
            return Err(Invalid { key: "access.audience", what: "must not be empty".into() });
        }
        if self.required && self.open_to_everyone {
            let what = "contradicts access.required; one of them must be false".into();
            return Err(Invalid { key: "access.open_to_everyone", what });
        }
        let odd = |app: &&App| app.name.trim_end_matches('*').contains('*') || app.name.is_empty();
        match self.app.iter().find(odd) {
            Some(app) => {
                let what = format!("has the name {:?}; a * may stand at the end alone", app.name);
                Err(Invalid { key: "access.app", what })
            }
            None => Ok(()),
        }
    }
}

impl Config {
    /// The first listener that other machines can reach, and its key.
    pub fn beyond_loopback(&self) -> Option<(&'static str, SocketAddr)> {
        let listens = [
            ("http.listen", Some(self.http.listen)),
            ("http.tls_listen", self.http.tls_listen),
            ("rtmp.listen", Some(self.rtmp.listen)),
            ("rtmp.tls_listen", self.rtmp.tls_listen),
            ("rtc.listen", Some(self.rtc_listen())),
        ];
        let beyond = listens.into_iter().filter_map(|(key, at)| Some((key, at?)));
        beyond.into_iter().find(|(_, at)| !at.ip().to_canonical().is_loopback())
    }

    /// Whether listening there is meant, where there are no keys to ask for.
    pub(crate) fn check_without_keys(&self) -> Result<(), Invalid> {
        let unmade = "Make keys with `openmic token init`";
        if self.access.required {
            let what = format!("is true, but there are no keys to ask for. {unmade}");
            return Err(Invalid { key: "access.required", what });
        }
        match self.beyond_loopback() {
            Some((key, at)) if !self.access.open_to_everyone => Err(Invalid {
                key,
                what: format!(
                    "is {at}, which other machines can reach, and there are no keys: anybody could publish and \
                     watch. {unmade}, listen on 127.0.0.1, or set access.open_to_everyone = true if that is what \
                     you want"
                ),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

impl Network {
    /// Whether it has this address, in whichever form.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differing = (first.to_bits() ^ address.to_bits()).leading_zeros();
                differing >= self.prefix.into()
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differing = (first.to_bits() ^ address.to_bits()).leading_zeros();
                differing >= self.prefix.into()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no network; it is written like 10.0.0.0/8 or 2001:db8::/32");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse::<u8>().map_err(|_| wrong()))?;
        if prefix > bits {
            return Err(wrong());
        }
        let first = address.to_canonical();
        match first.is_ipv4() && !address.is_ipv4() {
            false => Ok(Self { first, prefix }),
            // A shorter one would be half of what it names.
            true => Ok(Self { first, prefix: prefix.checked_sub(MAPPED_BITS).ok_or_else(wrong)? }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_its_addresses_in_every_form_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3/8", "10.9.9.9", "9.255.255.255"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7", "::ffff:192.0.2.7", "::192.0.2.7"),
            ("::ffff:10.0.0.0/104", "10.2.3.4", "11.0.0.1"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("2001:db8::5", "2001:db8::5", "2001:db8::4"),
        ] {
            assert!(holds(network, inside), "{inside} in {network}");
            assert!(!holds(network, outside), "{outside} not in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "10.0.0.0/33", "::/129", "10.0.0/8", "localhost", "10.0.0.0/-1", "::ffff:1.2.3.4/80", "/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn listening_beyond_this_machine_without_keys_names_the_command_that_makes_them() {
        let mut config = Config::default();
        assert!(config.check_without_keys().is_ok());
        config.rtmp.listen = ([0, 0, 0, 0], 1935).into();
        let invalid = config.check_without_keys().unwrap_err();
        assert_eq!(invalid.key, "rtmp.listen");
        assert!(invalid.what.contains("openmic token init"), "{invalid}");
        config.access.open_to_everyone = true;
        assert!(config.check_without_keys().is_ok());
        config = Config::default();
        config.access.required = true;
        assert_eq!(config.check_without_keys().unwrap_err().key, "access.required");
    }
}
