//! What every session of the server needs, made once by [`crate::app`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use media::broadcast::Broadcast;
use media::hub::Hub;
use media::{Path, Timestamp};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::config::Config;
use crate::counters::Counters;
use crate::egress::Egress;
use crate::encoders::Capacity;
use crate::guard::guarded;
use crate::http::EndedHls;
use crate::ladder;
use crate::operation::Operation;
use crate::rooms::Rooms;
use crate::rtc;
use crate::transcode::{Ffmpeg, Missing};

/// Shared by all sessions behind an `Arc`.
pub struct Context {
    /// What an operator changes and watches; [`Context::config`] reads the configuration in effect.
    pub operation: Operation,
    /// All broadcasts.
    pub hub: Arc<Hub>,
    /// The shards that write to viewers.
    pub egress: Egress,
    /// Cancelled when the server begins to stop: no new session, readiness off.
    pub draining: CancellationToken,
    /// Cancelled when the drain time is over: every session ends.
    pub stopping: CancellationToken,
    /// The wall clock and the monotonic clock read together at the start.
    pub clock: Clock,
    /// Who may publish and watch, and who does.
    pub access: Access,
    /// What tasks and derivations have in common.
    pub shared: Shared,
    /// Rooms and their members.
    pub rooms: Rooms,
    /// WebRTC sessions.
    pub rtc: rtc::Service,
    /// Where it listens.
    pub addresses: Addresses,
    /// The tasks of connections; the drain waits for them.
    pub tasks: TaskTracker,
}

/// What tasks and derivations have in common.
pub struct Shared {
    /// What happened to connections so far.
    pub counters: Arc<Counters>,
    /// One permit a connection.
    pub connections: Arc<Semaphore>,
    /// Broadcasts that are over and whose HLS is read to its end.
    pub hls_ended: EndedHls,
    /// The room for encoders of pictures.
    pub(crate) capacity: Capacity,
    /// Smaller pictures that are being made.
    pub(crate) rungs: ladder::Running,
    /// What makes H.264 of other pictures, or why nothing does.
    pub(crate) ffmpeg: Result<Ffmpeg, Missing>,
}

/// Where a server listens, with the ports that were chosen for port 0.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Addresses {
    /// Pages, API, HTTP-FLV, WS-FLV, HLS.
    pub http: SocketAddr,
    /// RTMP.
    pub rtmp: SocketAddr,
    /// The same as `http`, encrypted.
    pub https: Option<SocketAddr>,
    /// RTMPS.
    pub rtmps: Option<SocketAddr>,
    /// WebRTC, UDP and TCP.
    pub rtc: SocketAddr,
}

/// Maps the monotonic clock to the wall clock without following later steps of the latter.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    monotonic: Instant,
    wall: SystemTime,
}

impl Clock {
    /// Reads both clocks.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// When the server started.
    pub fn started(&self) -> SystemTime {
        self.wall
    }

    /// How long the server has run.
    pub fn uptime(&self) -> Duration {
        self.monotonic.elapsed()
    }

    /// The wall-clock time of a monotonic instant.
    pub fn wall(&self, at: Instant) -> SystemTime {
        match at.checked_duration_since(self.monotonic) {
            Some(later) => self.wall + later,
            None => self.wall - self.monotonic.duration_since(at),
        }
    }

    /// The wall-clock time at which a point of the broadcast's timeline was live.
    pub fn wall_of(&self, broadcast: &Broadcast, at: Timestamp) -> SystemTime {
        let zero = self.wall(broadcast.started());
        match u64::try_from(at.micros()) {
            Ok(micros) => zero + Duration::from_micros(micros),
            Err(_) => zero - Duration::from_micros(at.micros().unsigned_abs()),
        }
    }
}

impl Context {
    /// The configuration in effect. A reload puts another in its place, so whoever needs two settings that fit each
    /// other takes both from one answer.
    pub fn config(&self) -> Arc<Config> {
        self.operation.config()
    }

    /// Runs a connection's task. A panic in it is our own bug: it ends that session alone, and is counted.
    pub fn spawn(self: &Arc<Self>, session: impl Future<Output = ()> + Send + 'static) {
        let session = guarded("a session", &self.shared.counters, session);
        self.tasks.spawn(async move {
            session.await;
        });
    }

    /// The broadcast of this path, waiting up to `patience` for somebody to publish it.
    pub async fn find(&self, path: &Path, patience: Duration) -> Option<Broadcast> {
        let mut watcher = self.hub.watch();
        if let Some(broadcast) = self.hub.get(path) {
            return Some(broadcast);
        }
        let appears = async {
            loop {
                std::future::poll_fn(|cx| watcher.poll_change(cx)).await;
                if let Some(broadcast) = self.hub.get(path) {
                    return broadcast;
                }
            }
        };
        tokio::time::timeout(patience, appears).await.ok()
    }
}
