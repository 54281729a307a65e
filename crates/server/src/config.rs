//! The configuration: one TOML file, unknown keys refused, flags and environment over it.

mod access;
mod check;
mod hooks;
mod ladder;
mod load;
mod rooms;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use access::{Access, Algorithm, App, Network, Permission, PublicKey};
pub use check::Invalid;
pub use hooks::{Event, Format, Hook, OnFailure, Outbound, Secret, Wechat};
pub use ladder::{Ladder, OnRequest, Rung};
pub use load::{LoadError, Loaded};
pub use rooms::Rooms;

/// Everything an operator can set. `Config::default()` is a server on loopback.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Pages, API, HTTP-FLV, WS-FLV and HLS.
    pub http: Http,
    /// RTMP in and out.
    pub rtmp: Rtmp,
    /// WebRTC in and out.
    pub rtc: Rtc,
    /// Who may publish what, and what happens when a publisher vanishes.
    pub publish: Publish,
    /// How viewers are written to.
    pub egress: Egress,
    /// HLS segments and parts.
    pub hls: Hls,
    /// H.264 for viewers that cannot play what is published.
    pub transcode: Transcode,
    /// Smaller pictures of a stream.
    pub ladder: Ladder,
    /// What the server holds at most.
    pub limits: Limits,
    /// How it stops.
    pub shutdown: Shutdown,
    /// Who may reach it.
    pub access: Access,
    /// How often one peer may ask `/api/v1`.
    pub api: Api,
    /// What `/metrics` tells, and whom.
    pub metrics: Metrics,
    /// Traces for an OpenTelemetry collector.
    pub telemetry: Telemetry,
    /// Where the certificate of HTTPS and RTMPS comes from.
    pub tls: Tls,
    /// Where it keeps files.
    pub data: Data,
    /// The built-in demo stream.
    pub demo: Demo,
    /// Rooms: people who see and hear each other, and their audience.
    pub rooms: Rooms,
    /// Where the server may call.
    pub outbound: Outbound,
    /// Whom it tells and asks.
    pub hooks: Vec<Hook>,
}

/// The port of WebRTC where the configuration names none.
const RTC_PORT: u16 = 8189;

impl Config {
    /// Where WebRTC listens.
    pub fn rtc_listen(&self) -> SocketAddr {
        let http = self.http.listen;
        let port = if http.port() == 0 { 0 } else { RTC_PORT };
        self.rtc.listen.unwrap_or(SocketAddr::new(http.ip(), port))
    }
}

/// `[http]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Plain HTTP.
    pub listen: SocketAddr,
    /// HTTPS with HTTP/2, where `[tls]` says whence the certificate comes.
    pub tls_listen: Option<SocketAddr>,
    /// Names by which pages may be opened beside `localhost`, while `listen` is a loopback address: a page of
    /// another name that resolves here (DNS rebinding) is refused.
    pub hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` or `Forwarded` is believed. Nobody else's is.
    pub trusted_proxies: Vec<Network>,
    /// A request's head, or a TLS handshake, must be there within this.
    #[serde(with = "millis", rename = "header_ms")]
    pub header: Duration,
    /// A connection without a request is closed after this.
    #[serde(with = "millis", rename = "idle_ms")]
    pub idle: Duration,
}

/// `[rtmp]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtmp {
    /// Plain RTMP.
    pub listen: SocketAddr,
    /// RTMPS, where a certificate is set.
    pub tls_listen: Option<SocketAddr>,
    /// From the connection to its `publish` or `play`, however slowly bytes drip in.
    #[serde(with = "millis", rename = "set_up_ms")]
    pub set_up: Duration,
}

/// `[rtc]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtc {
    /// UDP for all WebRTC sessions, and TCP on the same number for networks without UDP. Unset: port 8189 (any, where
    /// `http.listen` takes any) of the address of `http.listen`, for whoever reaches one needs the other.
    pub listen: Option<SocketAddr>,
    /// Addresses that peers are told, where this machine is reached by others than its own (behind a NAT, in a
    /// cloud). Empty: where it listens.
    pub public: Vec<IpAddr>,
    /// From the answer to an offer until the peer has connected.
    #[serde(with = "millis", rename = "set_up_ms")]
    pub set_up: Duration,
    /// Sessions at a time whose peer has not connected yet.
    pub half_open_max: usize,
    /// How often a datagram is sent at most to a viewer that loses many by chance; 1 sends each once.
    pub copies_max: usize,
}

/// `[publish]`
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// It takes over; the older session is closed.
    Newest,
    /// It is refused.
    Refuse,
}

/// `[egress]`
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// Segments listed at most. A playlist lasts three to eight target durations whatever this says; delta updates
    /// leave out what is older than six.
    pub segments: usize,
    /// Name segments and parts alike for all players, so that a cache in front has one of each. Whoever knows such a
    /// name may fetch it: names are random, and are told to those who were let in.
    pub shared_segments: bool,
    /// Packaging stops when nobody asked for this long.
    #[serde(with = "millis", rename = "idle_ms")]
    pub idle: Duration,
}

/// `[transcode]`
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Transcode {
    /// The FFmpeg that is run: a path, or a name that is looked for in PATH. Empty: none is.
    pub ffmpeg: PathBuf,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Broadcasts at a time.
    pub broadcasts: usize,
    /// Connections at a time, of all protocols.
    pub connections: usize,
    /// Bytes of all rings together.
    pub ring_bytes: usize,
    /// Memory of this process at which new viewers are refused; 0 is 85 % of what the machine or its container has.
    pub memory_bytes: u64,
}

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long sessions may go on after SIGTERM.
    #[serde(with = "millis", rename = "drain_ms")]
    pub drain: Duration,
}

/// `[api]`
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Requests that one peer (an IPv4 address, a /64 of IPv6) may make a second.
    pub requests_per_second: u32,
    /// And at once, after it has rested.
    pub burst: u32,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Whoever reaches `/metrics` may read it, although the rest wants a token.
    pub open: bool,
    /// Broadcasts with series of their own, those with most viewers; 0: none.
    pub per_stream_max: usize,
}

/// `[telemetry]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// An OpenTelemetry collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`. Unset: no traces are made.
    pub otlp_endpoint: Option<String>,
}

/// `[tls]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file with the certificate chain, the server's own first.
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub key: Option<PathBuf>,
    /// Names for which certificates are had from an ACME directory. Port 443 of each leads to `http.tls_listen`. Whoever
    /// sets it agrees to the directory's terms of service.
    pub acme_domains: Vec<String>,
    /// Mail addresses that the directory may write to.
    pub acme_contact: Vec<String>,
    /// The directory's address.
    pub acme_directory: String,
    /// PEM file with the authority that vouches for the directory itself; unset: those of the system.
    pub acme_root: Option<PathBuf>,
    /// Be a certificate authority for this server's own network; `/trust` tells phones how to trust it.
    pub local_ca: bool,
}

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `tls.certificate` and `tls.key`.
    Files,
    /// `tls.acme_domains`.
    Acme,
    /// `tls.local_ca`.
    LocalCa,
}

impl Tls {
    /// Where the certificate comes from; `None` where nothing is said. Of several the first counts, and
    /// [`Config::check`] refuses more than one.
    pub fn source(&self) -> Option<Source> {
        self.sources().next()
    }

    fn sources(&self) -> impl Iterator<Item = Source> {
        let files = self.certificate.is_some() || self.key.is_some();
        let named = [
            (Source::Files, files),
            (Source::Acme, !self.acme_domains.is_empty()),
            (Source::LocalCa, self.local_ca),
        ];
        named.into_iter().filter(|(_, is_set)| *is_set).map(|(source, _)| source)
    }
}

/// `[data]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// The directory of everything the server keeps over a restart. Its keys, an ACME account with its
    /// certificate, the local authority and the audit log are in it.
    pub dir: PathBuf,
}

/// `[demo]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Demo {
    /// Play the built-in moving picture with sound at `live/demo`.
    pub enabled: bool,
}

impl Default for Api {
    fn default() -> Self {
        // A console asks twice a second at most; scripts that list everything ask in bursts.
        Self { requests_per_second: 50, burst: 200 }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            tls_listen: None,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(25),
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            acme_domains: Vec::new(),
            acme_contact: Vec::new(),
            acme_directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            acme_root: None,
            local_ca: false,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: "data".into() }
    }
}

impl Default for Rtmp {
    fn default() -> Self {
        Self { listen: ([127, 0, 0, 1], 1935).into(), tls_listen: None, set_up: Duration::from_secs(15) }
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
            segments: 24,
            shared_segments: false,
            idle: Duration::from_secs(20),
        }
    }
}

impl Default for Rtc {
    fn default() -> Self {
        Self {
            listen: None,
            public: Vec::new(),
            set_up: Duration::from_secs(20),
            half_open_max: 1_000,
            copies_max: check::COPIES_MAX,
        }
    }
}

impl Default for Transcode {
    fn default() -> Self {
        Self { ffmpeg: "ffmpeg".into() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { broadcasts: 10_000, connections: 50_000, ring_bytes: 2 << 30, memory_bytes: 0 }
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

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}
