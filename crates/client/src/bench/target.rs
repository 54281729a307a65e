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
    /// WebRTC.
    Whep,
}

impl Protocol {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Ws => "ws",
            Self::Rtmp => "rtmp",
            Self::Whep => "whep",
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
    /// Pictures a second, which numbers of pictures are reckoned by where stamps are not read.
    pub fps: u32,
}

impl Target {
    /// Resolves the address of a stream of so many pictures a second. TLS is refused: its cost would hide what is measured.
    pub fn new(url: &Url, fps: u32) -> anyhow::Result<Self> {
        let protocol = match url.scheme {
            Scheme::Http if is_whep(url) => Protocol::Whep,
            Scheme::Http => Protocol::Flv,
            Scheme::Ws => Protocol::Ws,
            Scheme::Rtmp => Protocol::Rtmp,
            Scheme::Https | Scheme::Wss | Scheme::Rtmps => {
                bail!("{url}: the load generator does not speak TLS")
            }
        };
        let address = resolve(url)?;
        Ok(Self { address, protocol, host: url.authority(), path: url.target(), url: url.to_string(), fps })
    }

    /// How an RTMP viewer introduces itself; `None` for other protocols.
    pub fn rtmp_options(&self) -> Option<Options> {
        match self.protocol {
            Protocol::Rtmp => Options::for_url(Purpose::Play, &self.url),
            Protocol::Flv | Protocol::Ws | Protocol::Whep => None,
        }
    }
}

/// Servers that speak WHEP have a directory or a resource of that name.
fn is_whep(url: &Url) -> bool {
    let target = url.target();
    let path = target.split('?').next().unwrap_or_default();
    path.split('/').any(|part| part == "whep")
}

/// The first address of the host.
pub fn resolve(url: &Url) -> anyhow::Result<SocketAddr> {
    let mut found = (url.host.as_str(), url.port)
        .to_socket_addrs()
        .with_context(|| format!("looking up {}", url.host))?;
    found.next().with_context(|| format!("{}: no such host", url.host))
}
