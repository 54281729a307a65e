//! What is computed from a broadcast for viewers that could not take it as it is, and what that costs.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use media::broadcast::Broadcast;

use crate::audience::Protocol;

/// The conversions of one broadcast that run now.
#[derive(Default)]
pub struct Derived {
    running: Mutex<Vec<Weak<Entry>>>,
}

struct Entry {
    what: Cow<'static, str>,
    viewers: &'static [Protocol],
    since: Instant,
    busy_us: AtomicU64,
    /// Found as long as something runs.
    _list: Arc<Derived>,
}

/// One conversion.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// What it makes of what: `Opus from AAC`.
    pub what: Cow<'static, str>,
    /// Whose viewers get it.
    pub viewers: &'static [Protocol],
    /// The share of one core that it has taken since it began.
    pub cores: f64,
}

impl Derived {
    /// Of this broadcast.
    pub(crate) fn of(broadcast: &Broadcast) -> Arc<Self> {
        broadcast.derivations().get_or_start(0, Arc::default)
    }

    /// A conversion begins; it runs until the cost is dropped.
    pub(crate) fn add(
        self: &Arc<Self>,
        what: impl Into<Cow<'static, str>>,
        viewers: &'static [Protocol],
    ) -> Cost {
        let (what, since, busy_us) = (what.into(), Instant::now(), AtomicU64::new(0));
        let entry = Arc::new(Entry { what, viewers, since, busy_us, _list: Arc::clone(self) });
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|entry| entry.strong_count() > 0);
        running.push(Arc::downgrade(&entry));
        Cost(entry)
    }

    /// All that run.
    pub(crate) fn conversions(&self) -> Vec<Conversion> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().filter_map(Weak::upgrade).map(|entry| entry.told()).collect()
    }
}

impl Entry {
    fn told(&self) -> Conversion {
        let busy = self.busy_us.load(Ordering::Relaxed) as f64;
        let cores = busy / (self.since.elapsed().as_micros() as f64).max(1.0);
        Conversion { what: self.what.clone(), viewers: self.viewers, cores }
    }
}

/// Held by a conversion while it runs.
pub(crate) struct Cost(Arc<Entry>);

impl Cost {
    /// Does a piece of the work and counts its time.
    pub(crate) fn measure<R>(&self, work: impl FnOnce() -> R) -> R {
        let begin = Instant::now();
        let result = work();
        self.count(begin.elapsed());
        result
    }

    /// Counts time that somebody else worked for it.
    pub(crate) fn count(&self, busy: Duration) {
        self.0.busy_us.fetch_add(busy.as_micros() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_is_listed_with_its_cost_while_it_runs() {
        let derived = Arc::new(Derived::default());
        let cost = derived.add("Opus from AAC", &[Protocol::Whep]);
        let other = derived.add("AAC from Opus", &[Protocol::Flv, Protocol::Hls]);
        cost.measure(|| {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(2) {}
        });
        let told = derived.conversions();
        assert_eq!(told.iter().map(|one| &*one.what).collect::<Vec<_>>(), ["Opus from AAC", "AAC from Opus"]);
        assert!(told[0].cores > 0.0 && told[1].cores == 0.0, "{told:?}");
        drop(cost);
        assert_eq!(derived.conversions().len(), 1);
        drop(other);
    }
}
