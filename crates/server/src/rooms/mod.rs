//! Rooms served: a task each, with the WebSockets of its members, its journal, and the doors to its media.

pub mod audience;
mod deliver;
pub mod door;
mod follow;
pub(crate) mod handle;
mod hosted;
pub mod journal;
mod outbox;
mod output;
mod picture;
mod roster;
pub(crate) mod socket;
pub mod stage;
mod task;
mod tell;
mod voices;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use room::{Millis, Room, Settings};
pub use room::{Role, RoomId, UserId};
use tokio::sync::watch as channel;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::context::Context;
use crate::guard::guarded;
use crate::http::Rate;
use handle::{Handle, Input};
use journal::{Journal, Kept};
use stage::{Stage, StageWatch};
use task::Task;
pub(crate) use watch::follow;

/// A server that is restarted is there again within this, after its drain.
const RESTART: Duration = Duration::from_secs(2);
/// Members come back over this time at least, and one more second for each so many of them.
const SPREAD_MIN: Duration = Duration::from_secs(3);
const BACK_PER_SECOND: usize = 500;

/// All rooms of a server.
pub struct Rooms {
    app: String,
    max: usize,
    data: PathBuf,
    open: Mutex<BTreeMap<RoomId, Handle>>,
    journal: Journal,
    tasks: TaskTracker,
    connections: AtomicUsize,
    /// Who has made demo rooms lately.
    pub(crate) demo_rate: Rate,
}

/// Why there is no new room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CannotMake {
    #[error("there is a room of this name")]
    Taken,
    #[error("there are as many rooms as may be (rooms.max)")]
    Full,
}

/// A WebSocket that is open, for as long as this is held.
pub(crate) struct Connection<'a>(&'a AtomicUsize);

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Rooms {
    /// Of a server with this configuration, and what writes its journal, to be run.
    pub(crate) fn new(config: &Config) -> (Self, impl Future<Output = ()> + use<>) {
        let (journal, keep) = Journal::start(&config.data.dir);
        let rooms = Self {
            app: config.rooms.app.clone(),
            max: config.rooms.max,
            data: config.data.dir.clone(),
            open: Mutex::default(),
            journal,
            tasks: TaskTracker::new(),
            connections: AtomicUsize::new(0),
            demo_rate: Rate::default(),
        };
        (rooms, keep)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomId, Handle>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The app of their broadcasts.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The stage of a room, as long as it lasts.
    pub fn stage(&self, room: &RoomId) -> Option<StageWatch> {
        self.lock().get(room).map(|handle| handle.stage.clone())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// How many WebSockets of members are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn count_connection(&self) -> Connection<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connection(&self.connections)
    }

    pub(crate) fn get(&self, room: &RoomId) -> Option<Handle> {
        // One whose task has broken off is not there; a restart brings it back as it was written down.
        self.lock().get(room).filter(|handle| !handle.inbox.is_closed()).cloned()
    }

    pub(crate) fn list(&self) -> Vec<Handle> {
        self.lock().values().cloned().collect()
    }

    /// The newest rooms that are over.
    pub(crate) async fn ended(&self, limit: u32) -> Vec<journal::Record> {
        journal::ended(&self.data, limit).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the records of rooms that are over cannot be read");
            Vec::new()
        })
    }

    /// A room is over. One of the same name may have begun since.
    fn forget(&self, room: &RoomId, stage: &channel::Sender<Arc<Stage>>) {
        let mut open = self.lock();
        if open.get(room).is_some_and(|handle| stage.subscribe().same_channel(&handle.stage)) {
            open.remove(room);
        }
    }

    /// The tasks of rooms have ended, once the server has stopped.
    pub(crate) async fn ended_all(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Context {
    /// Makes a room; it is written down when this returns.
    ///
    /// # Errors
    /// There is one of this name, or there are too many.
    pub(crate) async fn make_room(
        self: &Arc<Self>,
        id: RoomId,
        settings: Settings,
        title: &str,
    ) -> Result<Handle, CannotMake> {
        let now = task::now(&self.clock);
        let (mut room, _) = Room::new(id, &self.rooms.app, settings, now);
        if !title.is_empty() {
            let command = room::Command::SetTitle { to: title.to_owned() };
            room.handle(room::Actor::Backend, room::Request { n: 0, command }, now);
        }
        let id = room.id().clone();
        let (mut task, handle) = Task::new(self, self.rooms.journal.clone(), room, Vec::new());
        {
            let mut open = self.rooms.lock();
            if open.get(&id).is_some_and(|handle| !handle.inbox.is_closed()) {
                return Err(CannotMake::Taken);
            }
            if open.len() >= self.rooms.max {
                return Err(CannotMake::Full);
            }
            open.insert(id, handle.clone());
        }
        let (written, is_written) = tokio::sync::oneshot::channel();
        self.run_room(async move {
            task.begin().await;
            let _ = written.send(());
            task.run().await;
        });
        let _ = is_written.await;
        Ok(handle)
    }

    /// Brings back all rooms that were kept.
    pub(crate) async fn restore_rooms(self: &Arc<Self>) {
        let kept = match journal::restore(&self.rooms.data).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(%error, "the rooms that were kept cannot be read; none is back");
                return;
            }
        };
        if !kept.is_empty() {
            tracing::info!(rooms = kept.len(), "rooms are back");
        }
        let mut begun = tokio::task::JoinSet::new();
        for Kept { snapshot, changes, hosted } in kept {
            let now = task::now(&self.clock);
            // What this puts out, that everybody is away, is written by `begin` with all the rest.
            let (room, _) = Room::restore(snapshot, &changes, now);
            let (mut task, handle) = Task::new(self, self.rooms.journal.clone(), room, hosted);
            self.rooms.lock().insert(handle.id().clone(), handle);
            let context = Arc::clone(self);
            // Written down anew, with everybody's time of grace: many at once are one transaction.
            begun.spawn(async move {
                task.begin().await;
                context.run_room(task.run());
            });
        }
        begun.join_all().await;
    }

    /// When the server begins to stop, tells everybody when to come back: not all at once.
    pub(crate) async fn drain_rooms(self: Arc<Self>) {
        let told = async {
            self.draining.cancelled().await;
            let over = SPREAD_MIN + Duration::from_secs((self.rooms.connections() / BACK_PER_SECOND) as u64);
            let millis = |time: Duration| Millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            let (from, over) = (millis(self.config().shutdown.drain + RESTART), millis(over));
            for handle in self.rooms.list() {
                handle.send(Input::Drain { from, over }).await;
            }
        };
        self.stopping.run_until_cancelled(told).await;
    }

    fn run_room(&self, task: impl Future<Output = ()> + Send + 'static) {
        let guarded = guarded("a room", &self.shared.counters, task);
        self.rooms.tasks.spawn(async move {
            guarded.await;
        });
    }
}
