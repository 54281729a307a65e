//! Derivations: what is computed from a broadcast once and shared by everyone who reads it.
//!
//! The registry keeps a derivation only weakly: the first reader starts it, and when the last one lets go of its
//! `Arc` the derivation's `Drop` stops it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The derivations of one broadcast that are running now, by type and variant.
#[derive(Default)]
pub struct Registry {
    running: Mutex<HashMap<(TypeId, u32), Weak<dyn Any + Send + Sync>>>,
}

impl Registry {
    /// The derivation of type `T` and this variant (a chunk size, a rung …); `start` makes it if none runs.
    pub fn get_or_start<T, F>(&self, variant: u32, start: F) -> Arc<T>
    where
        T: Any + Send + Sync,
        F: FnOnce() -> Arc<T>,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (TypeId::of::<T>(), variant);
        if let Some(found) = running.get(&key).and_then(Weak::upgrade).and_then(|any| any.downcast().ok()) {
            return found;
        }
        running.retain(|_, weak| weak.strong_count() > 0);
        let started = start();
        let weak: Weak<T> = Arc::downgrade(&started);
        running.insert(key, weak);
        started
    }

    /// The derivation if it runs now.
    pub fn get<T: Any + Send + Sync>(&self, variant: u32) -> Option<Arc<T>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(&(TypeId::of::<T>(), variant))?.upgrade()?.downcast().ok()
    }
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
}
