//! A broadcast: the tracks of one `{app}/{stream}`, who may write them now, and what its readers see.

mod reader;
mod state;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::codec::{Codec, Kind};
use crate::derive;
use crate::frame::Frame;
use crate::path::Path;
use crate::time::{Span, Timestamp};
use crate::timeline::Timeline;
use crate::track::Budget;
use crate::wake::WaiterId;

pub use reader::{Event, Reader, Selection};
use state::State;
pub use state::{TrackInfo, TrackStats};

/// A publisher may not open more tracks than this: pictures in layers, languages, script data and SEI.
pub const TRACKS_MAX: usize = 16;

/// A track's name within its broadcast. Stable over republishing: picture 0 of a returning publisher goes on where
/// picture 0 stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u8);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A track is one of several renderings of the same source: a simulcast layer, a rung of a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// Tracks of one set show the same thing.
    pub set: u8,
    /// 0 is the best of its set.
    pub rank: u8,
}

/// Where a broadcast stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Somebody publishes.
    Live,
    /// The publisher vanished; readers wait for its return.
    Waiting,
    /// It is over; a new one of the same path is another broadcast.
    Ended,
}

/// What readers ask of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Readers present. A source that can pause may do so at 0.
    pub readers: usize,
    /// Keyframe requests so far; any number of them between two looks is one wish.
    pub keyframes_wanted: u64,
    /// Changes so far of what is wished of single layers, which whoever forwards them keeps.
    pub wishes: u64,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A newer session publishes this path now; this one must end.
    #[error("a newer session took over this path")]
    Fenced,
    /// The track was never announced with [`Producer::set_codec`].
    #[error("track {0} has no codec parameters yet")]
    NoCodec(TrackId),
    /// More than [`TRACKS_MAX`] tracks.
    #[error("more than {TRACKS_MAX} tracks in one broadcast")]
    TooManyTracks,
}

pub(crate) struct Inner {
    path: Path,
    started: Instant,
    budget: Option<Arc<Budget>>,
    /// Arrival number after the newest frame that is in its ring.
    committed: AtomicU64,
    /// Of the state, for readers that have not come to its lock: stored before any frame of a new track is committed.
    catalog: AtomicU64,
    state: Mutex<State>,
    derivations: derive::Registry,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes everyone who waits on it.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (result, wakers) = {
            let mut state = self.state();
            let result = change(&mut state);
            let mut wakers = state.wakers.take();
            if state.phase == Phase::Ended {
                wakers.extend(state.ending.take());
            }
            (result, wakers)
        };
        for waker in wakers {
            waker.wake();
        }
        result
    }
}

/// A reader's handle on a broadcast; clones are the same broadcast.
#[derive(Clone)]
pub struct Broadcast(Arc<Inner>);

impl Broadcast {
    pub(crate) fn new(path: Path, budget: Option<Arc<Budget>>, now: Instant) -> Self {
        Self(Arc::new(Inner {
            path,
            started: now,
            budget,
            committed: AtomicU64::new(0),
            catalog: AtomicU64::new(0),
            state: Mutex::new(State::default()),
            derivations: derive::Registry::default(),
        }))
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// When timestamp zero was.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// Where it stands now.
    pub fn phase(&self) -> Phase {
        self.0.state().phase
    }

    /// How many sessions have published it so far; the newest one writes.
    pub fn epoch(&self) -> u64 {
        self.0.state().epoch
    }

    /// Its tracks now, by id.
    pub fn tracks(&self) -> Vec<TrackInfo> {
        self.0.state().tracks()
    }

    /// The server's budget that its rings count against; rings of its derivations do too.
    pub fn budget(&self) -> Option<Arc<Budget>> {
        self.0.budget.clone()
    }

    /// What is computed from this broadcast and shared by its readers.
    pub fn derivations(&self) -> &derive::Registry {
        &self.0.derivations
    }

    /// Asks the source for a keyframe; requests between two looks of the source are one.
    pub fn want_keyframe(&self) {
        self.0.change(|state| state.demand.keyframes_wanted += 1);
    }

    /// Wakes the source, so that it looks at what is wished of its layers.
    pub fn tell_wishes(&self) {
        self.0.change(|state| state.demand.wishes += 1);
    }

    /// The same broadcast, not another one of the same name.
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Ends it for every reader, at once.
    pub(crate) fn end(&self) {
        self.0.change(|state| state.phase = Phase::Ended);
    }

    /// A broadcast made of this one: of the same name and the same time, and known to no hub. Who makes it alone
    /// writes it.
    pub fn derived(&self) -> Derived {
        Derived(Self::new(self.0.path.clone(), self.0.budget.clone(), self.0.started))
    }

    /// A new session's right to write; the former session's ends here.
    pub(crate) fn claim(&self) -> Producer {
        let epoch = self.0.change(|state| state.begin_epoch());
        let waiter = self.0.state().wakers.enter();
        Producer { inner: Arc::clone(&self.0), epoch, waiter, seen: Demand::default() }
    }
}

/// A broadcast made of another one, as [`Broadcast::derived`] gives it to whoever makes it.
pub struct Derived(Broadcast);

impl Derived {
    /// For readers.
    pub fn broadcast(&self) -> Broadcast {
        self.0.clone()
    }

    /// The right to write while the source is live.
    pub fn claim(&self) -> Producer {
        self.0.claim()
    }

    /// Ends it for every reader, as its source has ended.
    pub fn end(&self) {
        self.0.end();
    }

    /// Readers now.
    pub fn readers(&self) -> usize {
        self.0.0.state().demand.readers
    }
}

/// Waits for the end of a broadcast. It is no reader: the publisher does not learn of it.
pub struct Ending {
    inner: Arc<Inner>,
    waiter: WaiterId,
}

impl Broadcast {
    /// What waits for its end.
    pub fn ending(&self) -> Ending {
        let waiter = self.0.state().ending.enter();
        Ending { inner: Arc::clone(&self.0), waiter }
    }
}

impl Ending {
    /// Ready once the broadcast has ended.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.inner.state();
        if state.phase == Phase::Ended {
            return Poll::Ready(());
        }
        state.ending.register(self.waiter, cx.waker());
        Poll::Pending
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.inner.state().ending.leave(self.waiter);
    }
}

/// The writing end of a broadcast: one publishing session. Dropping it leaves readers waiting for its return.
pub struct Producer {
    inner: Arc<Inner>,
    epoch: u64,
    waiter: WaiterId,
    seen: Demand,
}

impl Producer {
    /// The broadcast it writes.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast(Arc::clone(&self.inner))
    }

    /// Which session of the broadcast this is, from 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A clock for this session that goes on where the broadcast stands at `now`.
    pub fn timeline(&self, now: Instant) -> Timeline {
        let by_clock = Timestamp::ZERO + Span::from(now.saturating_duration_since(self.inner.started));
        let after_last = match self.inner.state().newest {
            Some(newest) => newest + RESUME_STEP_MIN,
            None => return Timeline::new(Timestamp::ZERO),
        };
        Timeline::new(by_clock.max(after_last))
    }

    /// Announces a track or its new parameters; the next frame opens a group if they differ from the last ones.
    pub fn set_codec(
        &self,
        track: TrackId,
        codec: Codec,
        rendition: Option<Rendition>,
    ) -> Result<(), WriteError> {
        let budget = self.inner.budget.clone();
        self.inner.change(|state| {
            state.check(self.epoch)?;
            state.set_codec(track, codec, rendition, budget)?;
            self.inner.catalog.store(state.catalog, Ordering::Release);
            Ok(())
        })
    }

    /// Appends a frame. Pictures before the session's first keyframe are dropped: nothing could decode them.
    pub fn write(&self, track: TrackId, frame: Frame) -> Result<(), WriteError> {
        self.inner.change(|state| {
            state.check(self.epoch)?;
            let arrival = self.inner.committed.load(Ordering::Relaxed);
            if state.write(track, frame, arrival)? {
                // Readers trust every number below `committed` to be in its ring: stored after the push,
                // under the lock they re-check it with before they sleep.
                self.inner.committed.store(arrival + 1, Ordering::Release);
            }
            Ok(())
        })
    }

    /// The session is over and was meant to be: readers come to an end instead of waiting.
    pub fn end(self) {
        self.inner.change(|state| {
            if state.epoch == self.epoch {
                state.phase = Phase::Ended;
            }
        });
    }

    /// Ready when readers ask for something new, or with `Err` when a newer session took over.
    pub fn poll_demand(&mut self, cx: &mut Context<'_>) -> Poll<Result<Demand, WriteError>> {
        let mut state = self.inner.state();
        if let Err(fenced) = state.check(self.epoch) {
            return Poll::Ready(Err(fenced));
        }
        if state.demand != self.seen {
            self.seen = state.demand;
            return Poll::Ready(Ok(state.demand));
        }
        state.wakers.register(self.waiter, cx.waker());
        Poll::Pending
    }
}

/// A returning publisher's first frame lies at least this far behind the last one.
const RESUME_STEP_MIN: Span = Span::from_millis(20);

impl Drop for Producer {
    fn drop(&mut self) {
        self.inner.change(|state| {
            state.wakers.leave(self.waiter);
            if state.epoch == self.epoch && state.phase == Phase::Live {
                state.phase = Phase::Waiting;
            }
        });
    }
}

/// Whether a kind of track has points of its own where decoding can begin.
fn has_keyframes(kind: Kind) -> bool {
    matches!(kind, Kind::Video)
}

#[cfg(test)]
mod tests;
