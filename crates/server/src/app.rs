//! The one place where long-lived objects are made and wired.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::hub::{self, Hub};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{self, Access};
use crate::config::{self, Config, Invalid};
use crate::context::{Addresses, Clock, Context, Shared};
use crate::counters::Counters;
use crate::egress::Egress;
use crate::encoders::Capacity;
use crate::hooks::Hooks;
use crate::ladder;
use crate::operation::{self, Operation};
use crate::rooms::Rooms;
use crate::tls::Certificates;
use crate::transcode::Ffmpeg;
use crate::{accept, demo, hooks, http, node, rooms, rtc, tls, usage};

/// How often the hub looks for publishers that have been gone too long.
const HUB_TICK: Duration = Duration::from_millis(250);
/// What is still running after the drain gets this long to notice that it must end.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
/// Connections the kernel completes before we accept them; it lowers this to its own limit (`somaxconn`).
const BACKLOG: u32 = 4_096;

/// A running server. It runs until [`App::shutdown`]; dropping it stops it without a drain.
pub struct App {
    context: Arc<Context>,
    /// Tasks that live as long as the server.
    services: TaskTracker,
    _stop: tokio_util::sync::DropGuard,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// An address cannot be listened on; the message says what to do.
    #[error("{key} = {address}: {}", remedy(error, *address))]
    Listen {
        /// `http.listen` and so on.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The keys cannot be used, or there are none where there must be.
    #[error(transparent)]
    Access(#[from] access::Error),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

fn remedy(error: &io::Error, address: SocketAddr) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "port {port} is in use by another program; stop it or choose another port here (0 takes any)"
            )
        }
        io::ErrorKind::PermissionDenied if port < 1_024 => {
            format!(
                "port {port} needs a right that this user lacks; choose one above 1023, or grant CAP_NET_BIND_SERVICE"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}; `ip address` lists those it has", address.ip())
        }
        _ => error.to_string(),
    }
}

struct Listeners {
    http: TcpListener,
    rtmp: TcpListener,
    https: Option<TcpListener>,
    rtmps: Option<TcpListener>,
    rtc: rtc::Sockets,
}

impl App {
    /// Binds every listener and starts serving. Port 0 takes a free port; [`App::addresses`] tells which.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let access = Access::new(&config)?;
        let certificates = Certificates::open(&config)?;
        let acceptor = |listen: Option<SocketAddr>, alpn| {
            listen.map(|_| tls::acceptor(certificates.as_ref().ok_or(tls::Error::Unset)?, alpn)).transpose()
        };
        let https = acceptor(config.http.tls_listen, tls::ALPN_HTTP)?;
        let rtmps = acceptor(config.rtmp.tls_listen, &[])?;
        let listeners = Listeners::bind(&config)?;
        let addresses = listeners.addresses();
        let (rtc, ice_tcp) = rtc::Service::new(&config.rtc, listeners.rtc, addresses.https)
            .map_err(|error| StartError::Listen { key: "rtc.listen", address: addresses.rtc, error })?;
        let (rooms, journal) = Rooms::new(&config);
        let context = context(Made { config, certificates, addresses, rtc, access, rooms });
        context.look_for_room();
        context.access.sessions.trace(context.operation.spans.clone());
        let services = TaskTracker::new();
        // It ends when the last room's task has.
        tokio::spawn(journal);
        context.restore_rooms().await;
        services.spawn(rooms::follow(Arc::clone(&context)));
        services.spawn(Arc::clone(&context).drain_rooms());
        services.spawn(tick_hub(Arc::clone(&context)));
        services.spawn(operation::keep(Arc::clone(&context)));
        services.spawn(usage::serve(Arc::clone(&context)));
        services.spawn(hooks::serve(Arc::clone(&context)));
        services.spawn(node::watch(Arc::clone(&context)));
        services.spawn(http::serve(Arc::clone(&context), listeners.http, None));
        if let Some((listener, acceptor)) = listeners.https.zip(https) {
            services.spawn(http::serve(Arc::clone(&context), listener, Some(acceptor)));
        }
        services.spawn(accept::serve_rtmp(Arc::clone(&context), listeners.rtmp, None));
        if let Some((listener, acceptor)) = listeners.rtmps.zip(rtmps) {
            services.spawn(accept::serve_rtmp(Arc::clone(&context), listener, Some(acceptor)));
        }
        services.spawn(rtc::serve(Arc::clone(&context), ice_tcp));
        if context.config().demo.enabled {
            services.spawn(demo::play(Arc::clone(&context)));
        }
        let _stop = context.stopping.clone().drop_guard();
        Ok(Self { context, services, _stop })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.context.addresses
    }

    /// What its sessions share.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Takes no new viewer or publisher, lets those there are go on for `drain` at most, then ends everything.
    /// Tells whether every session had ended by itself; rooms' WebSockets do not count, for their members come back.
    pub async fn shutdown(self, drain: Duration) -> bool {
        self.context.draining.cancel();
        self.context.tasks.close();
        let alone = self.context.rooms.until_alone(&self.context.tasks);
        let drained = tokio::time::timeout(drain, alone).await.is_ok();
        self.context.stopping.cancel();
        self.services.close();
        let ended = async {
            self.context.tasks.wait().await;
            self.context.rooms.ended_all().await;
            self.services.wait().await;
        };
        if tokio::time::timeout(STOP_PATIENCE, ended).await.is_err() {
            tracing::warn!(sessions = self.context.tasks.len(), "sessions did not end in time");
        }
        self.context.operation.spans.finish().await;
        drained
    }
}

/// What is made before the context, because making it can fail.
struct Made {
    config: Config,
    certificates: Option<Arc<Certificates>>,
    addresses: Addresses,
    rtc: rtc::Service,
    access: Access,
    rooms: Rooms,
}

fn context(made: Made) -> Arc<Context> {
    let Made { config, certificates, addresses, rtc, access, rooms } = made;
    let hub = Hub::new(hub::Options {
        grace: config.publish.grace,
        broadcasts_max: config.limits.broadcasts,
        ring_bytes_max: config.limits.ring_bytes,
    });
    let stopping = CancellationToken::new();
    let counters = Arc::new(Counters::default());
    let ffmpeg = Ffmpeg::find(&config.transcode.ffmpeg, std::env::var_os("PATH"));
    if let Err(missing) = &ffmpeg
        && config.transcode != config::Transcode::default()
    {
        tracing::warn!("no H.264 is made of other pictures: {missing}");
    }
    let egress = Egress::start(&config.egress, &stopping, &counters);
    let shared = Shared {
        counters,
        connections: Arc::new(Semaphore::new(config.limits.connections)),
        hls_ended: http::EndedHls::default(),
        capacity: Capacity::of_this_machine(),
        rungs: ladder::Running::default(),
        ffmpeg,
    };
    let node = config.rtc.public.first().copied().unwrap_or(addresses.rtmp.ip());
    let hooks = Hooks::new(&config, Arc::clone(&hub), node);
    Arc::new(Context {
        hub,
        egress,
        draining: CancellationToken::new(),
        stopping,
        clock: Clock::now(),
        access,
        shared,
        rooms,
        rtc,
        addresses,
        tasks: TaskTracker::new(),
        operation: Operation::new(config, certificates, hooks),
    })
}

async fn tick_hub(context: Arc<Context>) {
    let mut tick = tokio::time::interval(HUB_TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let forever = async {
        loop {
            tick.tick().await;
            context.hub.handle_timeout(Instant::now());
        }
    };
    context.stopping.run_until_cancelled(forever).await;
}

impl Listeners {
    fn bind(config: &Config) -> Result<Self, StartError> {
        let listen = |key, address| bind(address).map_err(|error| StartError::Listen { key, address, error });
        let maybe =
            |key, address: Option<SocketAddr>| address.map(|address| listen(key, address)).transpose();
        Ok(Self {
            http: listen("http.listen", config.http.listen)?,
            rtmp: listen("rtmp.listen", config.rtmp.listen)?,
            https: maybe("http.tls_listen", config.http.tls_listen)?,
            rtmps: maybe("rtmp.tls_listen", config.rtmp.tls_listen)?,
            rtc: rtc::Sockets::bind(config.rtc_listen(), bind).map_err(|error| StartError::Listen {
                key: "rtc.listen",
                address: config.rtc_listen(),
                error,
            })?,
        })
    }

    fn addresses(&self) -> Addresses {
        let address = |listener: &TcpListener| {
            listener.local_addr().expect("a listener that was just bound has an address")
        };
        Addresses {
            http: address(&self.http),
            rtmp: address(&self.rtmp),
            https: self.https.as_ref().map(address),
            rtmps: self.rtmps.as_ref().map(address),
            rtc: self.rtc.address().expect("a socket that was just bound has an address"),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets a restarted server listen while connections of the former one are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
