//! Which layers of a publisher somebody needs: it is told to rest the others. Pure, and time is an argument.

use std::time::{Duration, Instant};

/// A layer rests when nobody has needed it for so long: viewers that went down come up again within that.
pub(super) const REST_AFTER: Duration = Duration::from_secs(6);

/// Who rests.
#[derive(Debug)]
pub(super) struct Pauses {
    needed: Vec<Instant>,
    resting: Vec<bool>,
}

impl Pauses {
    /// Of so many layers, none of which rests.
    pub(super) fn new(layers: usize, now: Instant) -> Self {
        Self { needed: vec![now; layers], resting: vec![false; layers] }
    }

    /// Takes who is needed now; `true` when other layers rest than before.
    pub(super) fn handle_needs(&mut self, now: Instant, is_needed: impl Fn(usize) -> bool) -> bool {
        let mut changed = false;
        for (layer, (needed, resting)) in self.needed.iter_mut().zip(&mut self.resting).enumerate() {
            if is_needed(layer) {
                *needed = now;
            }
            let rests = now.saturating_duration_since(*needed) >= REST_AFTER;
            changed |= std::mem::replace(resting, rests) != rests;
        }
        changed
    }

    /// It is told to rest.
    pub(super) fn is_resting(&self, layer: usize) -> bool {
        self.resting.get(layer).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_rests_a_while_later_and_wakes_at_once() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut pauses = Pauses::new(3, start);
        let low = |layer| layer == 0;
        assert!(!pauses.handle_needs(at(5), low));
        assert!(pauses.handle_needs(at(6), low));
        assert_eq!([0, 1, 2].map(|layer| pauses.is_resting(layer)), [false, true, true]);
        assert!(!pauses.handle_needs(at(7), low), "it is said once");
        assert!(pauses.handle_needs(at(8), |layer| layer != 1));
        assert_eq!([0, 1, 2].map(|layer| pauses.is_resting(layer)), [false, true, false]);
        assert!(!pauses.handle_needs(at(9), low));
        assert!(!pauses.handle_needs(at(13), |layer| layer != 1), "needed again in time");
    }
}
