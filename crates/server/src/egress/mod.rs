//! Egress: muxed bytes of a broadcast to its many FLV, WebSocket and RTMP viewers.
//!
//! A [`feed::Feed`] muxes a broadcast once per format. Shards own the viewers: one task writes each new run of
//! bytes to all viewers that are in step; a viewer that joins or falls behind is written by a small task of its
//! own ([`catch_up`]) until it is in step again.

mod catch_up;
mod feed;
mod mux;
mod ready;
mod shard;
mod viewer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use media::broadcast::{Broadcast, Selection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::audience::{Protocol, Seat};
use crate::config;
use crate::counters::Counters;
use crate::guard::guarded;
use crate::socket::Socket;

use feed::Feed;
pub use viewer::{Finished, Full, Outbox};
use viewer::{Peer, Viewer};

/// Viewers on their way into one shard; more wait in their sessions.
const JOINS_QUEUED_MAX: usize = 1_024;

/// How a broadcast is muxed for a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// An FLV byte stream.
    Flv,
    /// FLV tags in WebSocket messages.
    WsFlv,
    /// RTMP messages.
    Rtmp,
}

impl Format {
    /// The protocol its viewers are counted under.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Flv => Protocol::Flv,
            Self::WsFlv => Protocol::WsFlv,
            Self::Rtmp => Protocol::Rtmp,
        }
    }
}

/// What a viewer's address asks for beyond the stream itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How long its writes may be merged: `latency_ms`.
    pub latency: Duration,
    /// Which tracks it gets: all with `tracks=all`, which takes a player that knows Enhanced RTMP's multitrack.
    pub tracks: Selection,
}

/// A viewer about to be served.
pub struct Join {
    /// What it watches.
    pub broadcast: Broadcast,
    /// How.
    pub format: Format,
    /// What its address asks for.
    pub wish: Wish,
    /// Where the bytes go.
    pub socket: Arc<Socket>,
    /// Sent first: the head of the HTTP response.
    pub preface: Bytes,
    /// Its place in the audience.
    pub seat: Seat,
    /// An RTMP session that goes on reading this socket and has control messages to send on it; `None` where the
    /// egress reads the socket itself and closes it in the end.
    pub session: Option<Arc<Outbox>>,
}

/// What was written, for `/metrics`.
#[derive(Debug, Default)]
pub struct Totals {
    bytes: [AtomicU64; Protocol::ALL.len()],
    /// Times a slow viewer skipped to a newer keyframe.
    pub skips: AtomicU64,
    /// Viewers closed because they took nothing for too long.
    pub stalled: AtomicU64,
}

impl Totals {
    /// Bytes written to viewers of a protocol.
    pub fn bytes(&self, protocol: Protocol) -> u64 {
        self.bytes[protocol as usize].load(Ordering::Relaxed)
    }

    /// Counts bytes written to viewers of a protocol; HLS counts its own.
    pub fn add_bytes(&self, protocol: Protocol, bytes: u64) {
        self.bytes[protocol as usize].fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The shards. Cheap to clone.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    shards: Vec<mpsc::Sender<shard::Arrival>>,
    next: AtomicUsize,
    totals: Arc<Totals>,
    counters: Arc<Counters>,
    latency: Duration,
    latency_max: Duration,
}

impl Egress {
    /// Starts the shards; they end with `stopping`. Panics in them are counted in `counters`.
    pub fn start(config: &config::Egress, stopping: &CancellationToken, counters: &Arc<Counters>) -> Self {
        let totals = Arc::new(Totals::default());
        let count = match config.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let rules = Arc::new(viewer::Rules {
            lag_max: config.lag_max.into(),
            stalled_max: config.stalled_max,
            totals: Arc::clone(&totals),
            counters: Arc::clone(counters),
        });
        let start = |_| {
            let (arrivals, queue) = mpsc::channel(JOINS_QUEUED_MAX);
            let run = run_shards(queue, Arc::clone(&rules));
            let stopping = stopping.clone();
            tokio::spawn(async move { stopping.run_until_cancelled(run).await });
            arrivals
        };
        Self(Arc::new(Inner {
            shards: (0..count).map(start).collect(),
            next: AtomicUsize::new(0),
            totals,
            counters: Arc::clone(counters),
            latency: config.latency,
            latency_max: config.latency_max,
        }))
    }

    /// What was written so far.
    pub fn totals(&self) -> &Totals {
        &self.0.totals
    }

    /// What a viewer gets that asked for `latency_ms` and `tracks`, or did not ask.
    pub fn wish(&self, latency_ms: Option<u64>, tracks: Option<&str>) -> Wish {
        Wish {
            latency: latency_ms.map_or(self.0.latency, Duration::from_millis).min(self.0.latency_max),
            tracks: if tracks == Some("all") { Selection::All } else { Selection::Best },
        }
    }

    /// Serves a viewer until it leaves, stalls or the broadcast ends. Waits only while the shard is flooded.
    pub async fn join(&self, join: Join) {
        let feed = Feed::of(&join.broadcast, join.format, join.wish.tracks, &self.0.counters);
        let peer = match (join.session, join.format) {
            (Some(outbox), _) => Peer::Session(outbox),
            (None, Format::WsFlv) => Peer::WebSocket(Box::new(wire::ws::Session::server())),
            (None, Format::Flv | Format::Rtmp) => Peer::Plain,
        };
        let viewer = Viewer::new(join.socket, join.preface, peer, join.seat);
        let at = self.0.next.fetch_add(1, Ordering::Relaxed) % self.0.shards.len();
        let arrival = shard::Arrival { viewer, feed, latency: join.wish.latency };
        // A closed queue means the server stops: the viewer is dropped, which closes it.
        let _ = self.0.shards[at].send(arrival).await;
    }
}

/// One shard after the other: a panic closes the viewers of its shard, which may come again to a new one.
async fn run_shards(mut arrivals: mpsc::Receiver<shard::Arrival>, rules: Arc<viewer::Rules>) {
    let counters = Arc::clone(&rules.counters);
    loop {
        let shard = shard::Shard::new(Arc::clone(&rules));
        if guarded("a shard of viewers", &counters, shard.run(&mut arrivals)).await.is_some() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
