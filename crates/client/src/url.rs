//! Addresses of streams: `rtmp(s)://`, `http(s)://`, `ws(s)://`. Small on purpose: what a stream's address needs
//! (RFC 3986 without user information) and RTMP's split into app and stream.

use std::fmt;

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP: FLV, HLS.
    Http,
    /// HTTP over TLS.
    Https,
    /// WebSocket: FLV in binary messages.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// RTMP.
    Rtmp,
    /// RTMP over TLS.
    Rtmps,
}

/// An absolute address of a stream or playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// How the server is spoken to.
    pub scheme: Scheme,
    /// Host name or address, without the brackets of IPv6.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path as given, from its first slash.
    pub path: String,
    /// What follows `?`, without it.
    pub query: Option<String>,
}

/// RTMP's two names for one stream: what `connect` and what `publish` or `play` carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpNames {
    /// All but the last segment.
    pub app: String,
    /// The last segment with the query, as encoders send it.
    pub stream: String,
    /// The address up to the app.
    pub tc_url: String,
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not one of the schemes.
    #[error(
        "{0:?} is no stream address: it must begin with rtmp://, rtmps://, http://, https://, ws:// or wss://"
    )]
    Scheme(String),
    /// No host.
    #[error("{0:?} names no host")]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("port {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// A space or control character, which would end a request line.
    #[error("the address has a space or control character at byte {at}")]
    Character {
        /// Byte offset.
        at: usize,
    },
    /// RTMP needs both names.
    #[error("{0:?} needs an app and a stream, as in rtmp://host/app/stream")]
    RtmpNames(String),
}

impl Scheme {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "http" => Self::Http,
            "https" => Self::Https,
            "ws" => Self::Ws,
            "wss" => Self::Wss,
            "rtmp" => Self::Rtmp,
            "rtmps" => Self::Rtmps,
            _ => return None,
        })
    }

    /// As it is written before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
        }
    }

    /// The port meant when none is given.
    pub fn port(self) -> u16 {
        match self {
            Self::Http | Self::Ws => 80,
            Self::Https | Self::Wss | Self::Rtmps => 443,
            Self::Rtmp => 1935,
        }
    }

    /// Whether TLS comes first.
    pub fn secure(self) -> bool {
        match self {
            Self::Https | Self::Wss | Self::Rtmps => true,
            Self::Http | Self::Ws | Self::Rtmp => false,
        }
    }
}

impl Url {
    /// Reads an absolute address; a fragment is dropped.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control() || *c == ' ') {
            return Err(Error::Character { at });
        }
        let (name, rest) = text.split_once("://").ok_or_else(|| Error::Scheme(text.to_owned()))?;
        let scheme = Scheme::from_name(&name.to_ascii_lowercase());
        let scheme = scheme.ok_or_else(|| Error::Scheme(text.to_owned()))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority, scheme)?;
        if host.is_empty() {
            return Err(Error::Host(text.to_owned()));
        }
        let (path, query) = match tail.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (tail, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned(), query })
    }

    /// `host:port`, brackets around IPv6, the scheme's own port left out.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }

    /// Path and query: the target of an HTTP request.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// App and stream. The app may have slashes; a query belongs to the stream, where encoders put keys.
    pub fn rtmp_names(&self) -> Result<RtmpNames, Error> {
        let whole = self.path.trim_start_matches('/').trim_end_matches('/');
        let (app, stream) = whole.rsplit_once('/').ok_or_else(|| Error::RtmpNames(self.to_string()))?;
        let query = self.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
        let tc_url = format!("{}://{}/{app}", self.scheme.name(), self.authority());
        Ok(RtmpNames { app: app.to_owned(), stream: format!("{stream}{query}"), tc_url })
    }

    /// The address a playlist's `reference` means (RFC 3986 §5.2, without dot segments beyond `./` and `../`).
    pub fn join(&self, reference: &str) -> Result<Self, Error> {
        if reference.contains("://") {
            return Self::parse(reference);
        }
        let base = Self { query: None, ..self.clone() };
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (reference, None),
        };
        if path.is_empty() {
            return Ok(Self { query, ..base });
        }
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let whole = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
        let mut segments: Vec<&str> = Vec::new();
        for segment in whole.split('/').skip(1) {
            match segment {
                "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment),
            }
        }
        Ok(Self { path: format!("/{}", segments.join("/")), query, ..base })
    }

    /// The same address with `name=value` added to its query.
    pub fn with_query(&self, name: &str, value: &str) -> Self {
        let query = match &self.query {
            Some(query) if !query.is_empty() => format!("{query}&{name}={value}"),
            Some(_) | None => format!("{name}={value}"),
        };
        Self { query: Some(query), ..self.clone() }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.target())
    }
}

impl std::str::FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

fn host_and_port(authority: &str, scheme: Scheme) -> Result<(&str, u16), Error> {
    let port_at = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, tail)) => return Ok((host, port(tail.strip_prefix(':'), scheme)?)),
        None => authority.split_once(':'),
    };
    match port_at {
        Some((host, digits)) => Ok((host, port(Some(digits), scheme)?)),
        None => Ok((authority, scheme.port())),
    }
}

fn port(digits: Option<&str>, scheme: Scheme) -> Result<u16, Error> {
    match digits {
        None => Ok(scheme.port()),
        Some(digits) => {
            digits.parse().ok().filter(|port| *port != 0).ok_or_else(|| Error::Port(digits.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_back() {
        for text in [
            "rtmp://localhost/live/demo?key=a",
            "http://127.0.0.1:8080/live/demo.flv",
            "wss://[::1]:8443/a/b.flv",
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        let url = Url::parse("HTTP://host").unwrap();
        assert_eq!((url.port, url.target().as_str()), (80, "/"));
    }

    #[test]
    fn the_last_segment_and_the_query_are_the_rtmp_stream() {
        let names = Url::parse("rtmp://h:1936/school/class-3/math?txSecret=x").unwrap().rtmp_names().unwrap();
        assert_eq!((names.app.as_str(), names.stream.as_str()), ("school/class-3", "math?txSecret=x"));
        assert_eq!(names.tc_url, "rtmp://h:1936/school/class-3");
        assert!(matches!(Url::parse("rtmp://h/live").unwrap().rtmp_names(), Err(Error::RtmpNames(_))));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        assert!(matches!(Url::parse("ftp://h/x"), Err(Error::Scheme(_))));
        assert!(matches!(Url::parse("live/demo"), Err(Error::Scheme(_))));
        assert!(matches!(Url::parse("http:///x"), Err(Error::Host(_))));
        assert_eq!(Url::parse("http://h:0/x"), Err(Error::Port("0".into())));
        assert_eq!(Url::parse("http://h:99999/x"), Err(Error::Port("99999".into())));
        assert_eq!(Url::parse("http://h/a b"), Err(Error::Character { at: 10 }));
    }

    #[test]
    fn a_reference_is_joined_to_the_folder_the_root_or_replaces_all() {
        let base = Url::parse("http://h:1/live/demo.m3u8?x=1").unwrap();
        let joined = |reference| base.join(reference).unwrap().to_string();
        assert_eq!(joined("demo/v.m3u8?y=2"), "http://h:1/live/demo/v.m3u8?y=2");
        assert_eq!(joined("../a.mp4"), "http://h:1/a.mp4");
        assert_eq!(joined("./a.mp4"), "http://h:1/live/a.mp4");
        assert_eq!(joined("/z"), "http://h:1/z");
        assert_eq!(joined("https://k/z"), "https://k/z");
        assert_eq!(joined("?_HLS_msn=3"), "http://h:1/live/demo.m3u8?_HLS_msn=3");
    }

    #[test]
    fn a_query_is_begun_or_continued() {
        let url = Url::parse("http://h/a").unwrap().with_query("latency_ms", "100");
        assert_eq!(url.with_query("b", "1").target(), "/a?latency_ms=100&b=1");
    }
}
