//! Wakers of everyone who waits on one thing, at most one a waiter.

use std::task::Waker;

/// Wakers by waiter. Registering again replaces the waiter's former waker.
#[derive(Debug, Default)]
pub(crate) struct WakerSet {
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    taken: bool,
    waker: Option<Waker>,
}

/// A waiter's place in a [`WakerSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(usize);

impl WakerSet {
    /// A place for a new waiter; give it back with [`WakerSet::leave`].
    pub(crate) fn enter(&mut self) -> WaiterId {
        if let Some(free) = self.slots.iter().position(|slot| !slot.taken) {
            self.slots[free] = Slot { taken: true, waker: None };
            return WaiterId(free);
        }
        self.slots.push(Slot { taken: true, waker: None });
        WaiterId(self.slots.len() - 1)
    }

    pub(crate) fn leave(&mut self, id: WaiterId) {
        if let Some(slot) = self.slots.get_mut(id.0) {
            *slot = Slot { taken: false, waker: None };
        }
    }

    pub(crate) fn register(&mut self, id: WaiterId, waker: &Waker) {
        let Some(slot) = self.slots.get_mut(id.0) else { return };
        match &mut slot.waker {
            Some(old) => old.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    /// Takes every registered waker; wake them after the lock around this set is released.
    #[must_use]
    pub(crate) fn take(&mut self) -> Vec<Waker> {
        self.slots.iter_mut().filter_map(|slot| slot.waker.take()).collect()
    }
}
