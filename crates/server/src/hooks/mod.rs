//! Webhooks: whom the server asks before somebody publishes or watches, and whom it tells what happens.
//!
//! A question is one call while somebody waits. A notification is queued, in order for each path, and tried until it is
//! taken; what is given up is a dead letter. docs/hooks.md is for receivers.

mod attendance;
mod body;
mod breaker;
mod dead;
mod event;
mod hook;
mod queue;
mod recent;
mod rooms;
mod serve;
mod sign;

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use media::Path;
use media::broadcast::Broadcast;
use media::hub::Hub;
use tokio::sync::Notify;

pub(crate) use attendance::Attendance;
use body::Origin;
use dead::{Dead, Letter};
pub(crate) use event::InRoom;
use event::{Event, Kind, Moved, Who};
use hook::Hook;
use queue::Delivery;
use recent::{Attempt, Recent};
pub use recent::{Counts, Record, Status};
pub(crate) use serve::serve;

use crate::audience::Audience;
use crate::config::{self, Config};
use crate::outbound::Client;

/// All hooks of a server. Cheap to clone.
#[derive(Clone)]
pub struct Hooks(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    origin: Origin,
    dead: Dead,
    recent: Recent,
    counts: Counts,
    current: ArcSwap<Set>,
    /// There is something to deliver or to follow, or there are other hooks.
    changed: Notify,
    /// Broadcasts whose end is to be told, until [`serve`] takes them.
    follow: Mutex<Vec<Broadcast>>,
}

/// The hooks of one configuration.
struct Set {
    hooks: Vec<Arc<Hook>>,
    client: Arc<Client>,
}

impl Hooks {
    /// Those of the configuration. `node` is an address of this server, for receivers that ask which.
    pub(crate) fn new(config: &Config, hub: Arc<Hub>, node: IpAddr) -> Self {
        let origin = Origin { run: body::unix_s(SystemTime::now()), node };
        Self(Arc::new(Inner {
            hub,
            origin,
            dead: Dead::new(&config.data.dir),
            recent: Recent::default(),
            counts: Counts::default(),
            current: ArcSwap::from_pointee(Set::new(config, &[])),
            changed: Notify::new(),
            follow: Mutex::default(),
        }))
    }

    /// Takes the hooks of another configuration. One of the same name keeps what it is still to be told.
    ///
    /// It reads files: call it where blocking is allowed.
    pub(crate) fn configure(&self, config: &Config) {
        let before = self.0.current.load_full();
        self.0.current.store(Arc::new(Set::new(config, &before.hooks)));
        let after = self.0.current.load();
        let is_gone = |hook: &&Arc<Hook>| !after.hooks.iter().any(|other| other.shares_queue(hook));
        for hook in before.hooks.iter().filter(is_gone) {
            self.bury_all(hook, "the hook was taken out of the configuration, or has another format now");
        }
        self.0.changed.notify_one();
    }

    /// How many deliveries and answers there were of each outcome.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// The newest deliveries first.
    pub fn deliveries(&self, limit: usize) -> Vec<Record> {
        self.0.recent.list(limit)
    }

    /// The configuration of each hook, and how many deliveries it is still owed.
    pub fn list(&self) -> Vec<(config::Hook, usize)> {
        let set = self.0.current.load();
        set.hooks.iter().map(|hook| (hook.config.clone(), hook.queue().len())).collect()
    }

    /// Calls a hook once with a `test` event, and tells what came of it; `None` if none has this name.
    pub async fn test(&self, name: &str) -> Option<Record> {
        let set = self.0.current.load_full();
        let hook = set.hooks.iter().find(|hook| hook.name() == name)?;
        let app = hook.config.apps.first().map_or("live", String::as_str);
        let path = Path::new(&format!("{app}/test")).or_else(|_| Path::new("live/test")).ok()?;
        let event = Event::new(Kind::Test, path, None);
        let delivery = Delivery::of(Arc::new(event));
        self.0.recent.add(record(hook, &delivery));
        let (answer, mut attempt) = hook.call(&set.client, &self.0.origin, &delivery).await;
        attempt.error = hook.taken(answer).err();
        let status = if attempt.error.is_none() { Status::Delivered } else { Status::Dead };
        self.0.recent.note(&delivery.id, (1, status), &attempt);
        let Attempt { http_status, error, took } = attempt;
        let error = error.as_deref().map(recent::clipped);
        let record = record(hook, &delivery);
        Some(Record { attempts: 1, status, http_status, error, took: Some(took), ..record })
    }

    /// Tells every hook that wants to know and that `chosen` agrees to.
    fn tell(&self, event: config::Event, told: Told, chosen: impl Fn(&Hook) -> bool) {
        let set = self.0.current.load();
        let wants = |hook: &&Arc<Hook>| hook.wants(event, &told.path) && chosen(hook);
        let hooks: Vec<&Arc<Hook>> = set.hooks.iter().filter(wants).collect();
        if hooks.is_empty() {
            return;
        }
        let mut happened = Event::new(Kind::Of(event), told.path, told.who);
        happened.moved = told.moved;
        happened.room = told.room;
        if let Some(broadcast) = self.0.hub.get(&happened.path) {
            let watching = Audience::of(&broadcast).viewers().map(|(_, count)| u64::from(count)).sum();
            happened.viewers = Some(watching);
            happened.resolution = broadcast.tracks().iter().find_map(|track| track.codec.resolution());
        }
        let happened = Arc::new(happened);
        for hook in hooks {
            let delivery = Delivery::of(Arc::clone(&happened));
            self.0.recent.add(record(hook, &delivery));
            let pushed = hook.queue().push(Instant::now(), delivery);
            if let Err(delivery) = pushed {
                self.bury(hook, &delivery, 0, "as many deliveries as may be wait for this hook");
            }
        }
        self.0.changed.notify_one();
    }

    /// Tells of the end of this broadcast when it comes, if somebody wants to know.
    fn follow(&self, path: &Path) {
        let set = self.0.current.load();
        if !set.hooks.iter().any(|hook| hook.wants(config::Event::End, path)) {
            return;
        }
        if let Some(broadcast) = self.0.hub.get(path) {
            self.0.follow.lock().unwrap_or_else(PoisonError::into_inner).push(broadcast);
            self.0.changed.notify_one();
        }
    }

    fn bury_all(&self, hook: &Hook, error: &str) {
        let left = hook.queue().drain();
        for (delivery, attempts) in left {
            self.bury(hook, &delivery, attempts, error);
        }
    }

    fn bury(&self, hook: &Hook, delivery: &Delivery, attempts: u32, error: &str) {
        self.0.counts.dead.fetch_add(1, Ordering::Relaxed);
        let attempt = Attempt { error: Some(error.to_owned()), ..Attempt::default() };
        self.0.recent.note(&delivery.id, (attempts, Status::Dead), &attempt);
        self.keep(hook, delivery, attempts, error);
    }

    /// Writes a dead letter down.
    fn keep(&self, hook: &Hook, delivery: &Delivery, attempts: u32, error: &str) {
        let body = body::openmic_json(&self.0.origin, delivery);
        let body = std::str::from_utf8(&body).expect("JSON is UTF-8");
        let letter = Letter { hook: hook.name(), attempts, error, body };
        self.0.dead.keep(&letter, SystemTime::now());
    }
}

/// What is told beside the name of the event.
struct Told {
    path: Path,
    who: Option<Who>,
    moved: Option<Moved>,
    room: Option<Box<InRoom>>,
}

impl Set {
    fn new(config: &Config, before: &[Arc<Hook>]) -> Self {
        let hooks = config.hooks.iter().filter_map(|hook| {
            let former = before.iter().find(|former| former.name() == hook.name);
            Hook::new(hook, former.map(Arc::as_ref)).map(Arc::new)
        });
        let outbound = &config.outbound;
        let client = Arc::new(Client::new(outbound.allow.clone(), outbound.ca.clone()));
        Self { hooks: hooks.collect(), client }
    }
}

fn record(hook: &Hook, delivery: &Delivery) -> Record {
    Record {
        id: delivery.id.clone(),
        hook: hook.name().to_owned(),
        event: delivery.event.kind.name(),
        path: delivery.event.path.to_string(),
        at: delivery.event.at,
        attempts: 0,
        status: Status::Retrying,
        http_status: None,
        error: None,
        took: None,
    }
}
