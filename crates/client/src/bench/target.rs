//! What a load is put on: one stream of one server by one protocol.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail};
use serde::Serialize;
use wire::rtmp::client::{Options, Purpose};

use crate::url::{Scheme, Url};

/// How viewers watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// FLV as an endless HTTP response.
    Flv,
    /// FLV in binary WebSocket messages.
    Ws,
    /// RTMP.
    Rtmp,
}

impl Protocol {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Ws => "ws",
            Self::Rtmp => "rtmp",
        }
    }
}

/// One stream of one server by one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub address: SocketAddr,
    /// How to watch.
    pub protocol: Protocol,
    /// `Host` of requests.
    pub host: String,
    /// Path and query of requests.
    pub path: String,
    /// The whole address.
    pub url: String,
}

impl Target {
    /// Resolves the address of a stream. TLS is refused: its cost would hide what is measured.
    pub fn new(url: &Url) -> anyhow::Result<Self> {
        let protocol = match url.scheme {
            Scheme::Http => Protocol::Flv,
            Scheme::Ws => Protocol::Ws,
            Scheme::Rtmp => Protocol::Rtmp,
            Scheme::Https | Scheme::Wss | Scheme::Rtmps => {
                bail!("{url}: the load generator does not speak TLS")
            }
        };
        let address = resolve(url)?;
        Ok(Self { address, protocol, host: url.authority(), path: url.target(), url: url.to_string() })
    }

    /// How an RTMP viewer introduces itself; `None` for other protocols.
    pub fn rtmp_options(&self) -> Option<Options> {
        match self.protocol {
            Protocol::Rtmp => Options::for_url(Purpose::Play, &self.url),
            Protocol::Flv | Protocol::Ws => None,
        }
    }
}

/// The first address of the host.
pub fn resolve(url: &Url) -> anyhow::Result<SocketAddr> {
    let mut found = (url.host.as_str(), url.port)
        .to_socket_addrs()
        .with_context(|| format!("looking up {}", url.host))?;
    found.next().with_context(|| format!("{}: no such host", url.host))
}
