//! The one task that delivers: it sends what is due, follows broadcasts to their ends, and says the last words.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use media::Path;
use media::broadcast::Broadcast;
use tokio::task::JoinSet;
use tokio::time::{Instant as Time, sleep_until};

use super::hook::Hook;
use super::queue::{Delivery, Settled, Turn};
use super::recent::{Attempt, Status};
use super::{Hooks, Told};
use crate::config;
use crate::context::Context;
use crate::guard::guarded;

/// From the moment that sessions are ended at the latest: what is not delivered by then is a dead letter. Less than the
/// server waits for its services.
const FINISH_MAX: Duration = Duration::from_millis(800);
/// How often it is looked whether all sessions have ended.
const FINISH_LOOK: Duration = Duration::from_millis(20);

/// Delivers until the server stops.
pub(crate) async fn serve(context: Arc<Context>) {
    let mut service = Service {
        hooks: context.operation.hooks.clone(),
        context: Arc::clone(&context),
        running: JoinSet::new(),
        followed: HashMap::new(),
        in_flight: 0,
    };
    context.stopping.run_until_cancelled(service.run()).await;
    let finished = tokio::time::timeout(FINISH_MAX, service.finish()).await;
    service.give_up();
    tracing::debug!(all = finished.is_ok(), "hooks were told the last");
}

struct Service {
    context: Arc<Context>,
    hooks: Hooks,
    running: JoinSet<Done>,
    /// Broadcasts whose end is waited for.
    followed: HashMap<Path, Broadcast>,
    /// Attempts among `running`.
    in_flight: usize,
}

/// What a task of ours has to say.
enum Done {
    Tried { hook: Arc<Hook>, turn: Turn, attempt: Attempt },
    Ended(Broadcast),
}

impl Service {
    async fn run(&mut self) {
        loop {
            self.follow();
            let next = self.start();
            self.wait(next).await;
        }
    }

    /// Until something has happened, or a delivery is due.
    async fn wait(&mut self, next: Option<Instant>) {
        let due = async {
            match next {
                Some(at) => sleep_until(Time::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        let hooks = self.hooks.clone();
        tokio::select! {
            () = hooks.0.changed.notified() => {}
            () = due => {}
            Some(done) = self.running.join_next() => self.handle(done.ok()),
        }
    }

    /// Begins to wait for the ends that somebody wants to know.
    fn follow(&mut self) {
        let new = std::mem::take(&mut *self.hooks.0.follow.lock().unwrap_or_else(PoisonError::into_inner));
        for broadcast in new {
            let path = broadcast.path().clone();
            if self.followed.get(&path).is_some_and(|known| known.same_as(&broadcast)) {
                continue;
            }
            self.followed.insert(path, broadcast.clone());
            self.running.spawn(async move {
                let mut ending = broadcast.ending();
                poll_fn(|cx| ending.poll_ended(cx)).await;
                Done::Ended(broadcast)
            });
        }
    }

    /// Starts every attempt whose time has come, and tells when the next one's does.
    fn start(&mut self) -> Option<Instant> {
        let set = self.hooks.0.current.load_full();
        let now = Instant::now();
        for hook in &set.hooks {
            while let Some(turn) = { hook.queue().poll_due(now) } {
                let (hook, client) = (Arc::clone(hook), Arc::clone(&set.client));
                let (hooks, counters) = (self.hooks.clone(), Arc::clone(&self.context.shared.counters));
                self.in_flight += 1;
                self.running.spawn(async move {
                    let called = guarded("a webhook", &counters, async {
                        hook.call(&client, &hooks.0.origin, &turn.delivery).await
                    });
                    let attempt = match called.await {
                        Some((answer, attempt)) => Attempt { error: hook.taken(answer).err(), ..attempt },
                        None => Attempt { error: Some("a bug of ours".into()), ..Attempt::default() },
                    };
                    Done::Tried { hook, turn, attempt }
                });
            }
        }
        set.hooks.iter().filter_map(|hook| hook.queue().next_due()).min()
    }

    fn handle(&mut self, done: Option<Done>) {
        match done {
            Some(Done::Tried { hook, turn, attempt }) => {
                self.in_flight -= 1;
                self.settle(&hook, &turn, &attempt);
            }
            Some(Done::Ended(broadcast)) => self.end(&broadcast),
            // A task of ours that was ended with the runtime: nobody is left to be told.
            None => {}
        }
    }

    fn settle(&self, hook: &Hook, turn: &Turn, attempt: &Attempt) {
        let Turn { delivery, attempts } = turn;
        let inner = &self.hooks.0;
        let settled =
            hook.queue().settle(Instant::now(), &delivery.event.path, &delivery.id, attempt.error.is_none());
        let error = attempt.error.as_deref().unwrap_or_default();
        let (counted, status) = match settled {
            Settled::Delivered => (&inner.counts.delivered, Status::Delivered),
            Settled::Retrying => {
                tracing::debug!(hook = hook.name(), attempts, error, "a delivery is tried again");
                (&inner.counts.retried, Status::Retrying)
            }
            Settled::Dead(dead) => {
                self.hooks.keep(hook, &dead, *attempts, error);
                (&inner.counts.dead, Status::Dead)
            }
            // It has been buried with the rest of its hook.
            Settled::Gone => return,
        };
        counted.fetch_add(1, Ordering::Relaxed);
        inner.recent.note(&delivery.id, (*attempts, status), attempt);
    }

    fn end(&mut self, broadcast: &Broadcast) {
        let path = broadcast.path();
        if self.followed.get(path).is_some_and(|known| known.same_as(broadcast)) {
            self.followed.remove(path);
        }
        let told = Told { path: path.clone(), who: None, moved: None, room: None };
        self.hooks.tell(config::Event::End, told, |_| true);
    }

    /// Every session ends, and with it every broadcast: tells so, and tries once more what waits.
    async fn finish(&mut self) {
        while !self.context.access.sessions.list().is_empty() {
            self.step().await;
        }
        for (_, broadcast) in std::mem::take(&mut self.followed) {
            self.end(&broadcast);
        }
        let hooks = self.hooks.0.current.load_full();
        hooks.hooks.iter().for_each(|hook| hook.queue().hurry(Instant::now()));
        while self.in_flight > 0 || hooks.hooks.iter().any(|hook| hook.queue().is_due(Instant::now())) {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        self.follow();
        self.start();
        self.wait(Some(Instant::now() + FINISH_LOOK)).await;
    }

    fn give_up(&self) {
        let set = self.hooks.0.current.load_full();
        for hook in &set.hooks {
            self.hooks.bury_all(hook, "the server stopped");
        }
    }
}

impl Delivery {
    /// Of this event, under a name that nothing else has.
    pub(super) fn of(event: Arc<super::event::Event>) -> Self {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).expect("the system has randomness, or no TLS either");
        Self { id: super::sign::hex(&random), event }
    }
}

impl super::event::Event {
    /// Of now.
    pub(super) fn new(kind: super::event::Kind, path: Path, who: Option<super::event::Who>) -> Self {
        Self {
            kind,
            at: SystemTime::now(),
            path,
            who,
            moved: None,
            viewers: None,
            resolution: None,
            room: None,
        }
    }
}
