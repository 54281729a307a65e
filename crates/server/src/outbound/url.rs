//! The address of somebody else's HTTP server, checked before anything is resolved.

use std::fmt;

use axum::http::Uri;

/// `http://` or `https://`, a host, a port and what is asked for there; no user name, no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    pub(super) is_tls: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As in the `Host` header.
    pub(super) authority: String,
    /// Path and query.
    pub(super) target: String,
}

/// Why a text is no address that we would call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be read as an address.
    #[error("is no address; write https://host/path")]
    Malformed,
    /// Neither of the two.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Credentials in an address end in logs.
    #[error("must not hold a user name or password before the host")]
    UserInfo,
    /// Port 0, or none that could be read.
    #[error("has a port that cannot be connected to")]
    Port,
    /// Longer than [`URL_BYTES_MAX`].
    #[error("has more than {URL_BYTES_MAX} bytes")]
    TooLong,
}

/// Longer ones are refused by many servers as well.
pub const URL_BYTES_MAX: usize = 2_048;

impl std::str::FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > URL_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let uri: Uri = text.parse().map_err(|_| Error::Malformed)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(Error::Scheme),
        };
        let authority = uri.authority().ok_or(Error::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(Error::UserInfo);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        // A zone (RFC 6874) names an interface of this machine.
        if host.is_empty() || host.contains('%') {
            return Err(Error::Malformed);
        }
        let has_port = authority.as_str().len() > authority.host().len();
        let port = match authority.port_u16() {
            Some(0) => return Err(Error::Port),
            Some(port) => port,
            None if has_port => return Err(Error::Port),
            None if is_tls => 443,
            None => 80,
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let authority = authority.as_str().to_owned();
        Ok(Self { is_tls, host: host.to_owned(), port, authority, target })
    }
}

/// Without its query, in which people put tokens.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_into_what_is_resolved_and_what_is_asked_for() {
        let url: Url = "https://hooks.example:8443/live?token=abc".parse().unwrap();
        assert_eq!((url.is_tls, url.host.as_str(), url.port), (true, "hooks.example", 8443));
        assert_eq!((url.authority.as_str(), url.target.as_str()), ("hooks.example:8443", "/live?token=abc"));
        assert_eq!(url.to_string(), "https://hooks.example:8443/live");
        assert!(!format!("{url:?}").contains("abc"), "a token in the query is nobody's to read in a log");
        let url: Url = "http://[::1]".parse().unwrap();
        assert_eq!((url.host.as_str(), url.port, url.target.as_str()), ("::1", 80, "/"));
        let url: Url = "http://a.example?x=1".parse().unwrap();
        assert_eq!(url.target, "/?x=1");
    }

    #[test]
    fn what_is_no_plain_address_of_http_is_refused() {
        let refused = |text: &str| text.parse::<Url>().expect_err(text);
        assert_eq!(refused("ftp://a.example/"), Error::Scheme);
        assert_eq!(refused("file:///etc/passwd"), Error::Malformed);
        assert_eq!(refused("/only/a/path"), Error::Scheme);
        assert_eq!(refused("http://user:pass@a.example/"), Error::UserInfo);
        assert_eq!(refused("http://safe.example@127.0.0.1/"), Error::UserInfo);
        assert_eq!(refused("http://a.example:0/"), Error::Port);
        assert_eq!(refused("http://a.example:/"), Error::Port);
        assert_eq!(refused("http://[fe80::1%25eth0]/"), Error::Malformed);
        assert_eq!(refused("http:///path"), Error::Malformed);
        assert_eq!(refused("http://a b/"), Error::Malformed);
        assert_eq!(refused("http://a.example:70000/"), Error::Port);
        assert_eq!(refused(&format!("http://a.example/{}", "x".repeat(URL_BYTES_MAX))), Error::TooLong);
    }
}
