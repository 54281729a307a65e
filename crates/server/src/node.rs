//! How the server as a whole does, looked at every few seconds; and the broadcasts' history, which is looked at with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::time::MissedTickBehavior;

use crate::context::Context;
use crate::history::{History, STEP};
use crate::process::{Bounds, Process};
use crate::sessions::{Action, Moved};

/// What the last look found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) process: Option<Process>,
    pub(crate) bounds: Bounds,
    /// Cores kept busy since the look before.
    pub(crate) cores: f64,
    /// From publishers.
    pub(crate) received_bps: u64,
    /// To viewers.
    pub(crate) sent_bps: u64,
}

/// Part of [`Operation`](crate::operation::Operation).
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) history: History,
    load: Mutex<Option<Load>>,
}

impl Node {
    /// `None` in the server's first moments.
    pub(crate) fn load(&self) -> Option<Load> {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_load(&self, load: Load) {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner) = Some(load);
    }
}

struct Before {
    at: Instant,
    cpu_seconds: f64,
    received: u64,
    sent: u64,
}

/// Looks until the server stops.
pub(crate) async fn watch(context: Arc<Context>) {
    let mut tick = tokio::time::interval(STEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Before { at: Instant::now(), cpu_seconds: 0.0, received: 0, sent: 0 };
    let forever = async {
        loop {
            tick.tick().await;
            let looked = tokio::task::spawn_blocking(|| (Process::read(), Bounds::read())).await;
            let Ok((process, bounds)) = looked else { continue };
            let now = Instant::now();
            let node = &context.operation.node;
            node.set_load(load(&mut before, (process, bounds), &context.access.sessions.moved(), now));
            node.history.look(&context.hub.list(), &context.access.sessions, now);
        }
    };
    context.stopping.run_until_cancelled(forever).await;
}

fn load(
    before: &mut Before,
    (process, bounds): (Option<Process>, Bounds),
    moved: &Moved,
    now: Instant,
) -> Load {
    // The first look is at the time since the process began, which is hardly older than this.
    let seconds = now.duration_since(before.at).as_secs_f64().max(0.05);
    let cpu_seconds = process.map_or(0.0, |process| process.cpu_seconds);
    let (received, sent) = (moved.by(Action::Publish), moved.by(Action::Play));
    let rate = |new: u64, old: u64| (new.saturating_sub(old) as f64 * 8.0 / seconds) as u64;
    let load = Load {
        process,
        bounds,
        cores: ((cpu_seconds - before.cpu_seconds) / seconds).clamp(0.0, bounds.cores as f64),
        received_bps: rate(received, before.received),
        sent_bps: rate(sent, before.sent),
    };
    *before = Before { at: now, cpu_seconds, received, sent };
    load
}
