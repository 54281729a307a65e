//! The hub: which broadcasts there are, who may publish one, and when a silent one is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::broadcast::{Broadcast, Phase, Producer};
use crate::path::Path;
use crate::track::Budget;
use crate::wake::{WaiterId, WakerSet};

/// What happens when a second session wants to publish a path that is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// The newer session wins: a reconnecting encoder arrives while its old session still looks alive.
    Newest,
    /// The older session keeps the path.
    Refuse,
}

/// How the hub behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long readers wait for a publisher that vanished.
    pub grace: Duration,
    /// Most broadcasts at a time.
    pub broadcasts_max: usize,
    /// Most bytes all their rings hold together.
    pub ring_bytes_max: usize,
}

/// Why a path cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Somebody publishes it and keeps it.
    #[error("somebody else is publishing this stream; choose another name or stop the other publisher")]
    Busy,
    /// The server's limit is reached.
    #[error("the server carries its most broadcasts ({max}); raise limits.broadcasts or stop some")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

/// All broadcasts of a server, by path.
pub struct Hub {
    options: Options,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Path, Entry>,
    wakers: WakerSet,
    generation: u64,
}

struct Entry {
    broadcast: Broadcast,
    /// When the hub first saw it without a publisher.
    waiting_since: Option<Instant>,
}

impl Hub {
    /// An empty hub.
    pub fn new(options: Options) -> Arc<Self> {
        let budget = Budget::new(options.ring_bytes_max);
        Arc::new(Self { options, budget, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes held by all rings.
    pub fn ring_bytes(&self) -> usize {
        self.budget.used()
    }

    /// How long readers wait for a vanished publisher.
    pub fn grace(&self) -> Duration {
        self.options.grace
    }

    /// The right to publish `path` from `now` on. Whoever held it before is fenced off.
    pub fn claim(&self, path: &Path, takeover: Takeover, now: Instant) -> Result<Producer, ClaimError> {
        let (producer, wakers) = {
            let mut state = self.state();
            let known =
                state.entries.get(path).map(|entry| (entry.broadcast.clone(), entry.broadcast.phase()));
            let broadcast = match known {
                Some((_, Phase::Live)) if takeover == Takeover::Refuse => return Err(ClaimError::Busy),
                Some((broadcast, Phase::Live | Phase::Waiting)) => broadcast,
                None if state.entries.len() >= self.options.broadcasts_max => {
                    return Err(ClaimError::TooMany { max: self.options.broadcasts_max });
                }
                Some((_, Phase::Ended)) | None => {
                    Broadcast::new(path.clone(), Some(Arc::clone(&self.budget)), now)
                }
            };
            let producer = broadcast.claim();
            state.entries.insert(path.clone(), Entry { broadcast, waiting_since: None });
            state.generation += 1;
            (producer, state.wakers.take())
        };
        for waker in wakers {
            waker.wake();
        }
        Ok(producer)
    }

    /// The broadcast of this path, live or waiting for its publisher.
    pub fn get(&self, path: &Path) -> Option<Broadcast> {
        let state = self.state();
        let broadcast = &state.entries.get(path)?.broadcast;
        (broadcast.phase() != Phase::Ended).then(|| broadcast.clone())
    }

    /// All broadcasts that have not ended, by path.
    pub fn list(&self) -> Vec<Broadcast> {
        let mut all: Vec<Broadcast> = {
            let state = self.state();
            state.entries.values().map(|entry| entry.broadcast.clone()).collect()
        };
        all.retain(|broadcast| broadcast.phase() != Phase::Ended);
        all.sort_by(|a, b| a.path().cmp(b.path()));
        all
    }

    /// Ends what waited longer than the grace time and forgets what has ended. Call a few times a second.
    pub fn handle_timeout(&self, now: Instant) {
        let mut state = self.state();
        state.entries.retain(|_, entry| match entry.broadcast.phase() {
            Phase::Ended => false,
            Phase::Live => {
                entry.waiting_since = None;
                true
            }
            Phase::Waiting => {
                let since = *entry.waiting_since.get_or_insert(now);
                let over = now.saturating_duration_since(since) >= self.options.grace;
                if over {
                    entry.broadcast.end();
                }
                !over
            }
        });
    }

    /// Ends a broadcast for its readers and fences off its publisher. Tells whether there was one.
    pub fn end(&self, path: &Path) -> bool {
        self.state().entries.remove(path).map(|entry| entry.broadcast.end()).is_some()
    }

    /// Watches for broadcasts that appear.
    pub fn watch(self: &Arc<Self>) -> Watcher {
        let mut state = self.state();
        let (waiter, seen) = (state.wakers.enter(), state.generation);
        drop(state);
        Watcher { hub: Arc::clone(self), waiter, seen }
    }
}

/// Learns when somebody begins to publish.
pub struct Watcher {
    hub: Arc<Hub>,
    waiter: WaiterId,
    seen: u64,
}

impl Watcher {
    /// Ready once for any number of claims since the last time.
    pub fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.hub.state();
        if state.generation != self.seen {
            self.seen = state.generation;
            return Poll::Ready(());
        }
        state.wakers.register(self.waiter, cx.waker());
        Poll::Pending
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.hub.state().wakers.leave(self.waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::{TrackId, WriteError};
    use crate::codec::{Codec, data};

    fn hub() -> Arc<Hub> {
        Hub::new(Options { grace: Duration::from_secs(15), broadcasts_max: 2, ring_bytes_max: 1 << 20 })
    }

    fn path(name: &str) -> Path {
        Path::new(name).unwrap()
    }

    #[test]
    fn of_two_publishers_racing_a_thousand_times_exactly_one_epoch_may_write() {
        let hub = hub();
        let codec = || Codec::Data(data::Format::Amf0);
        for _ in 0..1_000 {
            let now = Instant::now();
            let claims: Vec<Producer> = std::thread::scope(|scope| {
                let claim = || hub.claim(&path("live/x"), Takeover::Newest, now).unwrap();
                let racers: Vec<_> = (0..2).map(|_| scope.spawn(claim)).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            let may_write = claims.iter().filter(|claim| claim.set_codec(TrackId(0), codec(), None).is_ok());
            assert_eq!(may_write.count(), 1);
        }
    }

    #[test]
    fn a_refusing_policy_keeps_the_older_publisher() {
        let (hub, now) = (hub(), Instant::now());
        let held = hub.claim(&path("live/x"), Takeover::Refuse, now).unwrap();
        assert_eq!(hub.claim(&path("live/x"), Takeover::Refuse, now).err(), Some(ClaimError::Busy));
        drop(held);
        assert!(hub.claim(&path("live/x"), Takeover::Refuse, now).is_ok(), "a vanished one may be replaced");
    }

    #[test]
    fn a_vanished_publisher_may_return_within_the_grace_time_and_not_after_it() {
        let (hub, now) = (hub(), Instant::now());
        let broadcast = hub.claim(&path("live/x"), Takeover::Newest, now).unwrap().broadcast();
        hub.handle_timeout(now);
        hub.handle_timeout(now + Duration::from_secs(14));
        assert!(hub.get(&path("live/x")).unwrap().same_as(&broadcast));
        hub.handle_timeout(now + Duration::from_secs(15));
        assert_eq!((broadcast.phase(), hub.get(&path("live/x")).is_none()), (Phase::Ended, true));
        let next = hub.claim(&path("live/x"), Takeover::Newest, now).unwrap();
        assert!(!next.broadcast().same_as(&broadcast));
    }

    #[test]
    fn an_ended_broadcast_fences_off_its_publisher() {
        let (hub, now) = (hub(), Instant::now());
        let producer = hub.claim(&path("live/x"), Takeover::Newest, now).unwrap();
        assert!(hub.end(&path("live/x")));
        let codec = Codec::Data(data::Format::Amf0);
        assert_eq!(producer.set_codec(TrackId(0), codec, None), Err(WriteError::Fenced));
    }

    #[test]
    fn the_number_of_broadcasts_is_limited() {
        let (hub, now) = (hub(), Instant::now());
        let _held: Vec<_> =
            ["live/a", "live/b"].map(|name| hub.claim(&path(name), Takeover::Newest, now).unwrap()).into();
        let refused = hub.claim(&path("live/c"), Takeover::Newest, now).err();
        assert_eq!(refused, Some(ClaimError::TooMany { max: 2 }));
    }
}
