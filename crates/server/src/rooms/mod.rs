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
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use room::{Millis, Room, Settings};
pub use room::{Role, RoomId, UserId};
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::context::Context;
use crate::guard::guarded;
use crate::http::Rate;
use handle::{Handle, Input};
use journal::{Journal, Kept};
use stage::{Stage, StageWatch};
use task::Task;
pub(crate) use task::micros_at;
pub(crate) use watch::follow;

/// A server that is restarted is there again within this, after its drain.
const RESTART: Duration = Duration::from_secs(2);
/// A room whose task broke off is back after this.
const REVIVE_AFTER: Duration = Duration::from_millis(500);
/// How often it is looked whether anything else than WebSockets of rooms keeps a server that stops.
const ALONE_EVERY: Duration = Duration::from_millis(100);
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
    /// Members were told that the server goes down.
    warned: CancellationToken,
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
            warned: CancellationToken::new(),
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
        // One whose task has broken off is not there, until it is brought back as it was written down.
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

    /// Until nothing of `tasks` runs but WebSockets of rooms, whose members were told when to come back and do so by
    /// themselves: media is worth waiting for, and they are not.
    pub(crate) async fn until_alone(&self, tasks: &TaskTracker) {
        self.warned.cancelled().await;
        loop {
            tokio::time::sleep(ALONE_EVERY).await;
            if tasks.len() <= self.connections() {
                return;
            }
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
        self.run_room(handle.id().clone(), async move {
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
        for kept in kept {
            // Many at once are one transaction.
            begun.spawn(Arc::clone(self).bring_back(kept));
        }
        begun.join_all().await;
    }

    /// Goes on with a room that was kept, written down anew with everybody's time of grace.
    async fn bring_back(self: Arc<Self>, Kept { snapshot, changes, hosted }: Kept) {
        let now = task::now(&self.clock);
        // What this puts out, that everybody is away, is written by `begin` with all the rest.
        let (room, _) = Room::restore(snapshot, &changes, now);
        let (mut task, handle) = Task::new(&self, self.rooms.journal.clone(), room, hosted);
        let id = handle.id().clone();
        self.rooms.lock().insert(id.clone(), handle);
        task.begin().await;
        self.run_room(id, task.run());
    }

    /// Brings a room back whose task broke off, as it was written down: its members come back by themselves.
    fn revive_room(self: Arc<Self>, id: RoomId) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            tokio::time::sleep(REVIVE_AFTER).await;
            match journal::restore_one(&self.rooms.data, &id).await {
                Ok(Some(kept)) => {
                    tracing::warn!(room = id.as_str(), "the room is back as it was written down");
                    self.bring_back(kept).await;
                }
                Ok(None) => {}
                Err(error) => tracing::error!(room = id.as_str(), %error, "the room cannot be read back"),
            }
        })
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
            self.rooms.warned.cancel();
        };
        self.stopping.run_until_cancelled(told).await;
    }

    fn run_room(self: &Arc<Self>, id: RoomId, task: impl Future<Output = ()> + Send + 'static) {
        let guarded = guarded("a room", &self.shared.counters, task);
        let context = Arc::clone(self);
        self.rooms.tasks.spawn(async move {
            if guarded.await.is_none() {
                let stopping = context.stopping.clone();
                stopping.run_until_cancelled_owned(context.revive_room(id)).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use room::Template;

    use super::*;
    use crate::App;
    use crate::private::Folder;

    #[tokio::test]
    async fn a_room_whose_task_breaks_off_is_back_as_it_was_written_down() {
        let folder = Folder::new();
        let mut config = Config::default();
        config.data.dir.clone_from(&folder.0);
        config.http.listen.set_port(0);
        config.rtmp.listen.set_port(0);
        let app = App::start(config).await.expect("port 0 is free");
        let context = app.context();
        let id = RoomId::new("r").expect("a name");
        let settings = Template::Meeting.settings();
        let made = context.make_room(id.clone(), settings, "as it was").await.expect("there is room");
        assert_eq!(made.ask(|_| panic!("on purpose, for the test")).await, None::<()>);
        let back = async {
            loop {
                if let Some(handle) = context.rooms.get(&id) {
                    return handle;
                }
                tokio::task::yield_now().await;
            }
        };
        let back = tokio::time::timeout(Duration::from_secs(30), back).await.expect("it comes back");
        let title = back.ask(|room| room.state().all.state.about.title.clone()).await;
        assert_eq!(title.as_deref(), Some("as it was"));
        assert_eq!(context.shared.counters.panics.load(Ordering::Relaxed), 1);
        drop(back);
        app.shutdown(Duration::ZERO).await;
    }
}
