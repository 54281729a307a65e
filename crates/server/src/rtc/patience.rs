//! How long, and how clearly, something has to be so until another layer is chosen, of one picture and of the many of a stage:
//! down at once, up when it has been safe for a while.

use std::time::{Duration, Instant};

/// What does not fit for so long is left: an estimate that dips for a moment is none.
pub(super) const DOWN_AFTER: Duration = Duration::from_millis(300);
/// Packets that wait for longer for their turn to be sent say the same, before the estimate does.
pub(super) const BEHIND_MAX: Duration = Duration::from_millis(400);
/// Sound alone is worse than a picture that stutters for a moment.
pub(super) const WITHHOLD_AFTER: Duration = Duration::from_millis(1_500);
/// What fits with this much to spare…
pub(super) const SPARE_PERCENT: u64 = 115;
/// … for so long is gone up to,
pub(super) const UP_AFTER: Duration = Duration::from_millis(700);
/// and later each time that it turned out not to fit,
pub(super) const UP_AFTER_MAX: Duration = Duration::from_secs(20);
/// within so long.
pub(super) const REGRET: Duration = Duration::from_secs(8);
/// Somebody who drags the edge of a window is not followed on each step.
pub(super) const SIZE_AFTER: Duration = Duration::from_millis(800);
/// How often room for more is looked for, by packets that carry nothing; they are more than what is looked for.
const PROBE_EVERY: Duration = Duration::from_millis(2_000);
/// And how soon again where the last look has found some: it finds twice what was there at most.
const PROBE_ON: Duration = Duration::from_millis(700);

/// Whether something has been so for long enough.
pub(super) fn held(since: &mut Option<Instant>, is_so: bool, now: Instant, patience: Duration) -> bool {
    if !is_so {
        *since = None;
        return false;
    }
    now.duration_since(*since.get_or_insert(now)) >= patience
}

/// When room for more is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probing {
    probed: Option<Instant>,
    /// What the way was taken to carry then.
    from_bps: u64,
}

impl Probing {
    /// Something was changed: what was just found too much is not looked for at once.
    pub(super) fn rest(&mut self, now: Instant) {
        self.probed = Some(now);
    }

    /// What is to be said to be desired: it is let fall for a moment, since a rise of it is what has room looked for. `up_after` is
    /// how long what fits is waited with.
    pub(super) fn desired(
        &mut self,
        now: Instant,
        estimate_bps: Option<u64>,
        desired_bps: u64,
        up_after: Duration,
    ) -> u64 {
        let Some(estimate) = estimate_bps.filter(|estimate| *estimate < desired_bps) else {
            return desired_bps;
        };
        let has_found = estimate > self.from_bps * 11 / 10;
        let every = if has_found { PROBE_ON } else { PROBE_EVERY.max(up_after / 2) };
        if self.probed.is_some_and(|at| now.saturating_duration_since(at) < every) {
            return desired_bps;
        }
        (self.probed, self.from_bps) = (Some(now), estimate);
        desired_bps / 8
    }
}
