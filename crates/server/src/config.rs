//! The configuration: one TOML file, unknown keys refused, flags and environment over it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

/// Everything an operator can set. `Config::default()` is a server on loopback.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Pages, API, HTTP-FLV, WS-FLV and HLS.
    pub http: Http,
    /// RTMP in and out.
    pub rtmp: Rtmp,
    /// Who may publish what, and what happens when a publisher vanishes.
    pub publish: Publish,
    /// How viewers are written to.
    pub egress: Egress,
    /// HLS segments and parts.
    pub hls: Hls,
    /// What the server holds at most.
    pub limits: Limits,
    /// How it stops.
    pub shutdown: Shutdown,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Plain HTTP.
    pub listen: SocketAddr,
    /// HTTPS with HTTP/2, where `certificate` and `key` are set.
    pub tls_listen: Option<SocketAddr>,
}

/// `[rtmp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtmp {
    /// Plain RTMP.
    pub listen: SocketAddr,
    /// RTMPS, where a certificate is set.
    pub tls_listen: Option<SocketAddr>,
}

/// `[publish]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Publish {
    /// What a second publisher of a live path does.
    pub takeover: Takeover,
    /// How long viewers wait for a publisher that vanished.
    #[serde(with = "millis", rename = "grace_ms")]
    pub grace: Duration,
    /// A publisher that sends nothing for this long is closed.
    #[serde(with = "millis", rename = "idle_ms")]
    pub idle: Duration,
}

/// What a second publisher of a live path does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// It takes over; the older session is closed.
    Newest,
    /// It is refused.
    Refuse,
}

/// `[egress]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Tasks that write to viewers; 0 is one a core.
    pub shards: usize,
    /// How long writes to a viewer are merged when its address has no `latency_ms`; 0 merges nothing.
    #[serde(with = "millis", rename = "latency_ms")]
    pub latency: Duration,
    /// The most a viewer may ask for.
    #[serde(with = "millis", rename = "latency_max_ms")]
    pub latency_max: Duration,
    /// A viewer further behind than this skips to the newest keyframe.
    #[serde(with = "millis", rename = "lag_max_ms")]
    pub lag_max: Duration,
    /// A viewer that takes no byte for this long is closed.
    #[serde(with = "millis", rename = "stalled_max_ms")]
    pub stalled_max: Duration,
    /// Unsent bytes the kernel keeps for one viewer (`TCP_NOTSENT_LOWAT`).
    pub unsent_bytes_max: u32,
    /// Congestion control of viewers' sockets, where the kernel has it.
    pub congestion: String,
}

/// `[hls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hls {
    /// A segment ends at the first keyframe after this.
    #[serde(with = "millis", rename = "segment_min_ms")]
    pub segment_min: Duration,
    /// And at the latest after this: the fixed target duration, whole seconds.
    #[serde(with = "millis", rename = "segment_max_ms")]
    pub segment_max: Duration,
    /// Longest part.
    #[serde(with = "millis", rename = "part_ms")]
    pub part: Duration,
    /// Packaging stops when nobody asked for this long.
    #[serde(with = "millis", rename = "idle_ms")]
    pub idle: Duration,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Broadcasts at a time.
    pub broadcasts: usize,
    /// Connections at a time, of all protocols.
    pub connections: usize,
    /// Bytes of all rings together.
    pub ring_bytes: usize,
}

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long sessions may go on after SIGTERM.
    #[serde(with = "millis", rename = "drain_ms")]
    pub drain: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: ([127, 0, 0, 1], 8080).into(), tls_listen: None }
    }
}

impl Default for Rtmp {
    fn default() -> Self {
        Self { listen: ([127, 0, 0, 1], 1935).into(), tls_listen: None }
    }
}

impl Default for Publish {
    fn default() -> Self {
        Self { takeover: Takeover::Newest, grace: Duration::from_secs(15), idle: Duration::from_secs(15) }
    }
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            shards: 0,
            latency: Duration::ZERO,
            latency_max: Duration::from_secs(2),
            lag_max: Duration::from_secs(3),
            stalled_max: Duration::from_secs(30),
            unsent_bytes_max: 128 << 10,
            congestion: "bbr".into(),
        }
    }
}

impl Default for Hls {
    fn default() -> Self {
        Self {
            segment_min: Duration::from_secs(2),
            segment_max: Duration::from_secs(6),
            part: Duration::from_millis(333),
            idle: Duration::from_secs(20),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { broadcasts: 10_000, connections: 50_000, ring_bytes: 2 << 30 }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { drain: Duration::from_secs(5) }
    }
}

mod millis {
    //! Durations as whole milliseconds.

    use std::time::Duration;

    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
