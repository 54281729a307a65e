//! Derivations: what is computed from a broadcast once and shared by everyone who reads it.
//!
//! The registry keeps a derivation only weakly: the first reader starts it, and when the last one lets go of its
//! `Arc` the derivation's `Drop` stops it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// One derivation, while it is wanted. Its lock is held while it starts, and no other derivation's is.
type Slot = Arc<Mutex<Option<Weak<dyn Any + Send + Sync>>>>;

/// The derivations of one broadcast that are running now, by type and variant.
#[derive(Default)]
pub struct Registry {
    slots: Mutex<HashMap<(TypeId, u32), Slot>>,
}

impl Registry {
    /// The derivation of type `T` and this variant (a chunk size, a rung …); `start` makes it if none runs. It may
    /// ask for other derivations that its own is made of, but not for itself.
    pub fn get_or_start<T, F>(&self, variant: u32, start: F) -> Arc<T>
    where
        T: Any + Send + Sync,
        F: FnOnce() -> Arc<T>,
    {
        let slot = self.slot((TypeId::of::<T>(), variant));
        let mut running = lock(&slot);
        if let Some(found) = running.as_ref().and_then(Weak::upgrade).and_then(|any| any.downcast().ok()) {
            return found;
        }
        let started = start();
        let weak: Weak<T> = Arc::downgrade(&started);
        *running = Some(weak);
        started
    }

    /// The derivation if it runs now.
    pub fn get<T: Any + Send + Sync>(&self, variant: u32) -> Option<Arc<T>> {
        let slot = lock(&self.slots).get(&(TypeId::of::<T>(), variant)).map(Arc::clone)?;
        let running = lock(&slot).as_ref()?.upgrade()?;
        running.downcast().ok()
    }

    fn slot(&self, key: (TypeId, u32)) -> Slot {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        // A slot that somebody else holds is just being filled or read; its lock is not ours to wait for.
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || lock(slot).as_ref().is_some_and(|running| running.strong_count() > 0)
        });
        Arc::clone(slots.entry(key).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derivation_runs_once_while_read_and_anew_after_the_last_reader_left() {
        let registry = Registry::default();
        let first = registry.get_or_start(0, || Arc::new(1_u8));
        let again = registry.get_or_start(0, || Arc::new(2_u8));
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(*registry.get_or_start(7, || Arc::new(3_u8)), 3, "another variant is another derivation");
        drop((first, again));
        assert!(registry.get::<u8>(0).is_none());
        assert_eq!(*registry.get_or_start(0, || Arc::new(4_u8)), 4);
    }

    #[test]
    fn a_derivation_may_be_made_of_another_one_of_the_same_broadcast() {
        let registry = Registry::default();
        let sum = registry.get_or_start(0, || {
            let first = registry.get_or_start(0, || Arc::new(1_u8));
            let second = registry.get_or_start(1, || Arc::new(2_u8));
            Arc::new(u16::from(*first) + u16::from(*second))
        });
        assert_eq!(*sum, 3);
        assert!(registry.get::<u8>(0).is_none(), "it was let go of");
    }
}
