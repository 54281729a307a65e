//! Everybody who publishes or watches now: who they are, what they have moved, and how one of them is sent away.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use media::Path;
use tokio_util::sync::CancellationToken;

use crate::audience::Protocol;
use crate::hooks::Attendance;
use crate::telemetry::Spans;
use crate::usage::{Key, Ledger, Sums};

/// Names one session of this server's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It writes a broadcast.
    Publish,
    /// It reads one.
    Play,
}

impl Action {
    /// Its name in the API, hooks and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Play => "play",
        }
    }
}

/// One publisher or viewer.
#[derive(Debug)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// What it does.
    pub action: Action,
    /// The broadcast it names.
    pub path: Path,
    /// How.
    pub protocol: Protocol,
    /// From where; `None` for the demo.
    pub peer: Option<SocketAddr>,
    /// What the peer calls itself; shown as text only.
    pub agent: String,
    /// Since when.
    pub began: Instant,
    bytes: AtomicU64,
    /// Milliseconds, or [`UNKNOWN`].
    lag_ms: AtomicU64,
    kicked: CancellationToken,
    settled: Mutex<Settled>,
    /// In a box, for most have none.
    view: Mutex<Option<Box<View>>>,
}

/// What a viewer gets of pictures that come in layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The layer's name and size; `None` where there is no room for any.
    pub layer: Option<(String, (u32, u32))>,
    /// What the way to the viewer is reckoned to carry.
    pub estimate_bps: Option<u64>,
}

/// What of a session is in the usage already.
#[derive(Debug)]
struct Settled {
    bytes: u64,
    until: Instant,
}

/// Nobody has told how far behind a session is.
const UNKNOWN: u64 = u64::MAX;

impl Session {
    /// Counts media bytes that it has sent us, or we it.
    pub fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What it has moved so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How far this viewer is behind the newest frame, where whoever writes to it can tell.
    pub fn lag(&self) -> Option<Duration> {
        let lag = self.lag_ms.load(Ordering::Relaxed);
        (lag != UNKNOWN).then(|| Duration::from_millis(lag))
    }

    /// Tells how far behind it is.
    pub fn set_lag(&self, lag: Duration) {
        let lag = u64::try_from(lag.as_millis()).unwrap_or(UNKNOWN - 1);
        self.lag_ms.store(lag, Ordering::Relaxed);
    }

    /// What it gets, of pictures that come in layers.
    pub fn view(&self) -> Option<View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).as_deref().cloned()
    }

    /// Tells what it gets.
    pub fn set_view(&self, view: View) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(view));
    }

    fn usage_key(&self) -> Key<'_> {
        usage_key(&self.path, self.protocol, self.action)
    }

    fn settle(&self, usage: &Ledger, now: SystemTime) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, until) = (self.bytes(), Instant::now());
        let lasted = until.duration_since(settled.until);
        let sums = Sums {
            sessions: 0,
            milliseconds: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            bytes: bytes - settled.bytes,
        };
        *settled = Settled { bytes, until };
        usage.add(now, self.usage_key(), sums);
    }

    /// Sends it away.
    pub fn kick(&self) {
        self.kicked.cancel();
    }

    /// It was sent away and has perhaps not noticed yet.
    pub fn is_kicked(&self) -> bool {
        self.kicked.is_cancelled()
    }

    /// Until it is sent away.
    pub async fn kicked(&self) {
        self.kicked.cancelled().await;
    }
}

/// The row of the usage that belongs to this.
pub(crate) fn usage_key(path: &Path, protocol: Protocol, action: Action) -> Key<'_> {
    Key {
        app: path.app().into(),
        stream: path.stream().into(),
        protocol: protocol.name().into(),
        action: action.name().into(),
        overflow: false,
    }
}

/// All sessions. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    opened: AtomicU64,
    open: Mutex<HashMap<SessionId, Arc<Session>>>,
    usage: Ledger,
    /// Of sessions that are over.
    moved: Moved,
    spans: OnceLock<Spans>,
}

/// Bytes moved since the start, by action and protocol.
#[derive(Debug, Default)]
pub struct Moved([[AtomicU64; Protocol::ALL.len()]; 2]);

impl Moved {
    fn add(&self, session: &Session) {
        self.0[session.action as usize][session.protocol as usize]
            .fetch_add(session.bytes(), Ordering::Relaxed);
    }

    /// Of one protocol.
    pub fn bytes(&self, action: Action, protocol: Protocol) -> u64 {
        self.0[action as usize][protocol as usize].load(Ordering::Relaxed)
    }

    /// Of all protocols.
    pub fn by(&self, action: Action) -> u64 {
        Protocol::ALL.iter().map(|protocol| self.bytes(action, *protocol)).sum()
    }
}

/// What is known of a session that begins.
#[derive(Clone, Debug)]
pub struct Opening {
    /// What it does.
    pub action: Action,
    /// The broadcast it names.
    pub path: Path,
    /// How.
    pub protocol: Protocol,
    /// From where.
    pub peer: Option<SocketAddr>,
    /// What the peer calls itself.
    pub agent: String,
}

/// The right to publish or watch, held for as long as somebody does: the session is over when it is dropped.
#[derive(Debug)]
pub struct Ticket {
    session: Arc<Session>,
    sessions: Sessions,
    /// What hooks are told of it; its drop tells them the end. In a box, for most servers have none, and thousands of
    /// viewers.
    attendance: Option<Box<Attendance>>,
}

impl Sessions {
    fn open_sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for a session that may begin.
    pub fn reserve(&self) -> SessionId {
        SessionId(self.0.opened.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// A session that begins now.
    pub fn open(&self, opening: Opening) -> Ticket {
        self.open_as(self.reserve(), opening)
    }

    /// A session that begins now under a name that was reserved for it.
    pub fn open_as(&self, id: SessionId, opening: Opening) -> Ticket {
        let Opening { action, path, protocol, peer, agent } = opening;
        let session = Arc::new(Session {
            id,
            action,
            path,
            protocol,
            peer,
            agent,
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            lag_ms: AtomicU64::new(UNKNOWN),
            kicked: CancellationToken::new(),
            settled: Mutex::new(Settled { bytes: 0, until: Instant::now() }),
            view: Mutex::default(),
        });
        self.0.usage.add(SystemTime::now(), session.usage_key(), Sums { sessions: 1, ..Sums::default() });
        self.open_sessions().insert(id, Arc::clone(&session));
        Ticket { session, sessions: self.clone(), attendance: None }
    }

    /// Has a span made of each session that ends from now on. Only the first call counts.
    pub(crate) fn trace(&self, spans: Spans) {
        let _ = self.0.spans.set(spans);
    }

    /// What all sessions have moved.
    pub fn usage(&self) -> &Ledger {
        &self.0.usage
    }

    /// What sessions have moved since the start, those that are over and those that are not.
    pub fn moved(&self) -> Moved {
        let moved = Moved::default();
        // Under the lock nobody's last bytes pass from the one to the other.
        let open = self.open_sessions();
        for action in [Action::Publish, Action::Play] {
            for protocol in Protocol::ALL {
                let over = self.0.moved.bytes(action, protocol);
                moved.0[action as usize][protocol as usize].store(over, Ordering::Relaxed);
            }
        }
        open.values().for_each(|session| moved.add(session));
        moved
    }

    /// How many there are now.
    pub fn count(&self) -> usize {
        self.open_sessions().len()
    }

    /// How far the viewers of this broadcast are behind, of whom it is known.
    pub fn lags(&self, path: &Path) -> Vec<Duration> {
        self.open_sessions()
            .values()
            .filter(|session| session.path == *path)
            .filter_map(|s| s.lag())
            .collect()
    }

    /// Adds to the usage what open sessions have moved since the last time.
    pub fn settle(&self, now: SystemTime) {
        for session in self.list() {
            session.settle(&self.0.usage, now);
        }
    }

    /// The session of this name, while it lasts.
    pub fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        self.open_sessions().get(&id).cloned()
    }

    /// All sessions now, in the order they began.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> = self.open_sessions().values().cloned().collect();
        all.sort_unstable_by_key(|session| session.id);
        all
    }
}

impl Ticket {
    /// Lets hooks know how the session goes on.
    pub(crate) fn attended(mut self, attendance: Option<Attendance>) -> Self {
        self.attendance = attendance.map(|attendance| Box::new(attendance.of(&self.session)));
        self
    }

    /// It really publishes or watches now: it found what it asked for.
    pub(crate) fn begin(&self) {
        if let Some(attendance) = &self.attendance {
            attendance.begin();
        }
    }

    /// The session apart from the right to it, for whoever waits for its end while another owner holds the ticket.
    pub fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }
}

impl std::ops::Deref for Ticket {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // While it is still among the sessions: whoever waits for the last of them waits for what is told of it, too.
        drop(self.attendance.take());
        let mut open = self.sessions.open_sessions();
        open.remove(&self.session.id);
        self.sessions.0.moved.add(&self.session);
        drop(open);
        self.session.settle(&self.sessions.0.usage, SystemTime::now());
        if let Some(spans) = self.sessions.0.spans.get() {
            spans.over(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_listed_while_its_ticket_is_held_and_learns_that_it_is_sent_away() {
        let sessions = Sessions::default();
        let opening = Opening {
            action: Action::Play,
            path: Path::new("live/a").unwrap(),
            protocol: Protocol::Flv,
            peer: None,
            agent: String::new(),
        };
        let first = sessions.open(opening.clone());
        let second = sessions.open(opening);
        assert_eq!(
            sessions.list().iter().map(|session| session.id).collect::<Vec<_>>(),
            [first.id, second.id]
        );
        sessions.get(second.id).unwrap().kick();
        assert!(second.is_kicked() && !first.is_kicked());
        let id = first.id;
        drop(first);
        assert!(sessions.get(id).is_none());
    }
}
