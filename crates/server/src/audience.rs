//! Who publishes and who watches a broadcast now, counted by protocol.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use media::broadcast::Broadcast;
use tokio::sync::OwnedSemaphorePermit;

use crate::sessions::{Session, Ticket};

/// How somebody publishes or watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RTMP or RTMPS.
    Rtmp,
    /// FLV over HTTP.
    Flv,
    /// FLV over WebSocket.
    WsFlv,
    /// HLS, plain or Low-Latency.
    Hls,
    /// WebRTC in (RFC 9725).
    Whip,
    /// WebRTC out.
    Whep,
    /// The built-in demo stream.
    Demo,
}

impl Protocol {
    /// Every protocol, in the order of the API.
    pub const ALL: [Self; 7] =
        [Self::Rtmp, Self::Flv, Self::WsFlv, Self::Hls, Self::Whip, Self::Whep, Self::Demo];

    /// It has viewers, and is not for publishing alone.
    pub fn has_viewers(self) -> bool {
        match self {
            Self::Rtmp | Self::Flv | Self::WsFlv | Self::Hls | Self::Whep => true,
            Self::Whip | Self::Demo => false,
        }
    }

    /// Its name in the API, metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Flv => "flv",
            Self::WsFlv => "ws_flv",
            Self::Hls => "hls",
            Self::Whip => "whip",
            Self::Whep => "whep",
            Self::Demo => "demo",
        }
    }
}

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// How.
    pub protocol: Protocol,
    /// From where; `None` for the demo.
    pub address: Option<SocketAddr>,
    /// What the publisher calls itself.
    pub agent: String,
}

impl Publisher {
    /// Who was let in.
    pub fn of(session: &Session) -> Self {
        Self { protocol: session.protocol, address: session.peer, agent: session.agent.clone() }
    }
}

/// The people around one broadcast. Lives as long as the broadcast's publisher or one viewer holds it.
#[derive(Default)]
pub struct Audience {
    viewers: [AtomicU32; Protocol::ALL.len()],
    /// Times a slow viewer skipped to a newer keyframe.
    pub skips: AtomicU64,
    /// Viewers closed because they took nothing for too long.
    pub stalled: AtomicU64,
    publisher: Mutex<Option<Publisher>>,
}

impl Audience {
    /// The audience of this broadcast.
    pub fn of(broadcast: &Broadcast) -> Arc<Self> {
        broadcast.derivations().get_or_start(0, Arc::default)
    }

    /// One more viewer until the seat is dropped.
    pub fn sit(self: &Arc<Self>, protocol: Protocol) -> Seat {
        self.viewers[protocol as usize].fetch_add(1, Ordering::Relaxed);
        Seat { audience: Arc::clone(self), protocol, ticket: None, _connection: None }
    }

    /// Viewers by protocol now.
    pub fn viewers(&self) -> impl Iterator<Item = (Protocol, u32)> {
        Protocol::ALL
            .map(|protocol| (protocol, self.viewers[protocol as usize].load(Ordering::Relaxed)))
            .into_iter()
    }

    /// Who publishes or published last.
    pub fn publisher(&self) -> Option<Publisher> {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A browser publishes, which has Opus and no AAC.
    pub(crate) fn is_of_browser(&self) -> bool {
        self.publisher().is_some_and(|publisher| publisher.protocol == Protocol::Whip)
    }

    /// Names the publisher.
    pub fn set_publisher(&self, publisher: Publisher) {
        *self.publisher.lock().unwrap_or_else(PoisonError::into_inner) = Some(publisher);
    }
}

/// A viewer's place: counted until dropped.
pub struct Seat {
    audience: Arc<Audience>,
    protocol: Protocol,
    ticket: Option<Ticket>,
    _connection: Option<OwnedSemaphorePermit>,
}

impl Seat {
    /// Gives the viewer's connection back to the limit when the seat is dropped.
    pub fn with_connection(mut self, permit: OwnedSemaphorePermit) -> Self {
        self._connection = Some(permit);
        self
    }

    /// Seats somebody who was let in with `ticket`.
    pub fn with_ticket(mut self, ticket: Ticket) -> Self {
        ticket.begin();
        self.ticket = Some(ticket);
        self
    }

    /// The session of whoever sits here, where it has one.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.ticket.as_ref().map(Ticket::session)
    }

    /// The viewer was sent away.
    pub fn is_kicked(&self) -> bool {
        self.ticket.as_ref().is_some_and(|ticket| ticket.is_kicked())
    }

    /// Counts media bytes written to this viewer.
    pub fn add_bytes(&self, bytes: u64) {
        if let Some(ticket) = &self.ticket {
            ticket.add_bytes(bytes);
        }
    }

    /// Tells how far this viewer is behind the newest frame.
    pub fn set_lag(&self, lag: Duration) {
        if let Some(ticket) = &self.ticket {
            ticket.set_lag(lag);
        }
    }

    /// The audience this seat is in.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// How this viewer watches.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.audience.viewers[self.protocol as usize].fetch_sub(1, Ordering::Relaxed);
    }
}
