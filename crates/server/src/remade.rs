//! A broadcast made anew of another one: what such derivations share, and when they stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::broadcast::{Broadcast, Derived};

use crate::audience::Audience;
use crate::derived::Derived as Derivations;

/// It goes on for this long without a viewer: players that reconnect find it running.
const LINGER: Duration = Duration::from_secs(5);

/// One broadcast made of another one.
pub(crate) struct Remade {
    derived: Derived,
    /// Of the source, and found as those of the derived broadcast, too.
    _audience: Arc<Audience>,
    derivations: Arc<Derivations>,
    state: Mutex<State>,
}

struct State {
    asked: Instant,
    stopped: bool,
}

impl Remade {
    /// For whoever makes it of `source`.
    pub(crate) fn new(source: &Broadcast) -> Self {
        let derived = source.derived();
        let (audience, derivations) = (Audience::of(source), Derivations::of(source));
        let (people, costs) = (Arc::clone(&audience), Arc::clone(&derivations));
        drop(derived.broadcast().derivations().get_or_start(0, || people));
        drop(derived.broadcast().derivations().get_or_start(0, || costs));
        let state = Mutex::new(State { asked: Instant::now(), stopped: false });
        Self { derived, _audience: audience, derivations, state }
    }

    /// What is made.
    pub(crate) fn derived(&self) -> &Derived {
        &self.derived
    }

    /// What is computed of the source.
    pub(crate) fn derivations(&self) -> &Arc<Derivations> {
        &self.derivations
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is about to read; `None` when it has just stopped.
    pub(crate) fn ask(&self) -> Option<Broadcast> {
        let mut state = self.state();
        state.asked = Instant::now();
        (!state.stopped).then(|| self.derived.broadcast())
    }

    /// Stops it unless somebody reads, or is about to.
    pub(crate) fn stop_if_idle(&self) -> bool {
        let mut state = self.state();
        state.stopped = self.derived.readers() == 0 && state.asked.elapsed() >= LINGER;
        state.stopped
    }
}
