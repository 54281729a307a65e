//! What a load is put on: one stream of one server by one protocol.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::url::{RtmpNames, Scheme, Url};

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
    /// App and stream, for RTMP.
    pub names: Option<RtmpNames>,
}

impl Target {
    /// Resolves the address of a stream. TLS is refused: its cost would hide what is measured.
    pub fn new(url: &Url) -> anyhow::Result<Self> {
        let (protocol, names) = match url.scheme {
            Scheme::Http => (Protocol::Flv, None),
            Scheme::Ws => (Protocol::Ws, None),
            Scheme::Rtmp => (Protocol::Rtmp, Some(url.rtmp_names()?)),
            Scheme::Https | Scheme::Wss | Scheme::Rtmps => bail!("{url}: the load generator does not speak TLS"),
        };
        let mut found = (url.host.as_str(), url.port).to_socket_addrs();
        let address = found.as_mut().ok().and_then(Iterator::next);
        let address = address.with_context(|| format!("{}: no such host", url.host))?;
        Ok(Self { address, protocol, host: url.authority(), path: url.target(), names })
    }
}
