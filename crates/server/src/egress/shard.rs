//! A shard: one task that owns many viewers and writes each run of bytes to all that are in step.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use media::track::Consumer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::catch_up::{Outcome, catch_up};
use super::feed::{Chunk, Feed};
use super::mux;
use super::ready::Ready;
use super::viewer::{Rules, Sent, Viewer};
use crate::guard::guarded;

/// Sends between two yields: a send spends none of tokio's cooperative budget, and publishers share the thread.
const SENDS_A_TURN: usize = 64;
/// How often viewers are listened to.
const LISTEN_EVERY: Duration = Duration::from_secs(1);
/// Arrivals taken at a time.
const ARRIVALS_A_TURN: usize = 64;

/// A group's name within its shard; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupId(u64);

/// A viewer that comes to this shard.
pub(super) struct Arrival {
    pub(super) viewer: Viewer,
    pub(super) feed: Arc<Feed>,
    pub(super) latency: Duration,
}

/// Viewers of one feed with one merge budget.
struct Group {
    id: GroupId,
    feed: Arc<Feed>,
    latency: Duration,
    ring: Consumer<Chunk>,
    waker: Waker,
    viewers: Vec<Viewer>,
    /// Viewers of this group that catch up elsewhere.
    away: usize,
    due: Option<Instant>,
}

pub(super) struct Shard {
    ready: Arc<Ready>,
    groups: HashMap<GroupId, Group>,
    by_feed: HashMap<(usize, Duration), GroupId>,
    due: BTreeSet<(Instant, GroupId)>,
    elsewhere: Elsewhere,
    groups_made: u64,
}

/// Viewers that catch up in tasks of their own.
struct Elsewhere {
    tasks: JoinSet<(GroupId, Outcome)>,
    rules: Arc<Rules>,
}

impl Shard {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            ready: Arc::default(),
            groups: HashMap::new(),
            by_feed: HashMap::new(),
            due: BTreeSet::new(),
            elsewhere: Elsewhere { tasks: JoinSet::new(), rules },
            groups_made: 0,
        }
    }

    /// Runs until every sender of arrivals is gone.
    pub(super) async fn run(mut self, arrivals: &mut mpsc::Receiver<Arrival>) {
        let mut listen = interval(LISTEN_EVERY);
        listen.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut woken, mut arrived) = (Vec::new(), Vec::new());
        let ready = Arc::clone(&self.ready);
        loop {
            let due = self.due.first().map(|(at, _)| *at);
            tokio::select! {
                () = ready.wait(&mut woken) => {
                    for id in woken.drain(..) {
                        self.wake(id).await;
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.flush_due().await,
                Some(back) = self.elsewhere.tasks.join_next() => {
                    let (id, outcome) = back.expect("panics are caught within, and nobody cancels these tasks");
                    self.take_back(id, outcome);
                }
                count = arrivals.recv_many(&mut arrived, ARRIVALS_A_TURN) => {
                    if count == 0 {
                        return;
                    }
                    for arrival in arrived.drain(..) {
                        self.arrive(arrival);
                    }
                }
                _ = listen.tick() => self.listen(),
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { viewer, feed, latency } = arrival;
        let key = (Arc::as_ptr(&feed) as usize, latency);
        let id = *self.by_feed.entry(key).or_insert_with(|| {
            self.groups_made += 1;
            GroupId(self.groups_made)
        });
        let ready = &self.ready;
        let group = self.groups.entry(id).or_insert_with(|| {
            let mut ring = feed.subscribe();
            ring.start_at(ring.end());
            let waker = ready.waker(id);
            // The first look registers the waker.
            waker.wake_by_ref();
            Group { id, feed, latency, ring, waker, viewers: Vec::new(), away: 0, due: None }
        });
        group.send_away(viewer, &mut self.elsewhere);
    }

    fn take_back(&mut self, id: GroupId, outcome: Outcome) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.away -= 1;
        match outcome {
            Outcome::InStep(viewer) => group.viewers.push(viewer),
            Outcome::Done => {}
        }
        self.drop_if_empty(id);
    }

    fn drop_if_empty(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id).filter(|group| group.viewers.is_empty() && group.away == 0)
        else {
            return;
        };
        if let Some(due) = group.due {
            self.due.remove(&(due, id));
        }
        self.by_feed.remove(&(Arc::as_ptr(&group.feed) as usize, group.latency));
        self.groups.remove(&id);
    }

    /// The group's feed has something new: write it now, or when its merge budget is used up.
    async fn wake(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.latency.is_zero() {
            return self.flush(id).await;
        }
        if group.due.is_none() {
            let at = Instant::now() + group.latency;
            group.due = Some(at);
            self.due.insert((at, id));
        }
    }

    async fn flush_due(&mut self) {
        let now = Instant::now();
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            if let Some(group) = self.groups.get_mut(&id) {
                group.due = None;
            }
            self.flush(id).await;
        }
    }

    /// Drains everything new into one run and writes it to every viewer in step.
    async fn flush(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let drained = group.drain();
        if let Some(run) = &drained.run {
            group.write(run, drained.from..drained.to, &mut self.elsewhere).await;
        }
        if drained.ended {
            group.viewers.drain(..).for_each(Viewer::end);
        }
        self.drop_if_empty(id);
    }

    /// Hears viewers that left or said something; what they are owed goes out with the next run or now.
    fn listen(&mut self) {
        for group in self.groups.values_mut() {
            group.viewers.retain_mut(|viewer| {
                viewer.listen()
                    && match viewer.control() {
                        None => true,
                        Some(control) => match viewer.send(&control, viewer.next) {
                            Sent::All => true,
                            // A socket too full for a pong has had no room for media either.
                            Sent::Blocked | Sent::Gone => false,
                        },
                    }
            });
        }
        let ids: Vec<GroupId> = self.groups.keys().copied().collect();
        ids.into_iter().for_each(|id| self.drop_if_empty(id));
    }
}

struct Drained {
    from: u64,
    to: u64,
    run: Option<Bytes>,
    ended: bool,
}

impl Group {
    /// Gives a viewer a task of its own until it is in step. A panic there loses that viewer alone.
    fn send_away(&mut self, viewer: Viewer, elsewhere: &mut Elsewhere) {
        self.away += 1;
        let (id, rules) = (self.id, &elsewhere.rules);
        let task = catch_up(viewer, Arc::clone(&self.feed), Arc::clone(rules));
        let task = guarded("the catching up of a viewer", &rules.counters, task);
        elsewhere.tasks.spawn(async move { (id, task.await.unwrap_or(Outcome::Done)) });
    }

    /// Writes a run, which is this part of the feed, to every viewer in step.
    async fn write(&mut self, run: &Bytes, part: Range<u64>, elsewhere: &mut Elsewhere) {
        let (mut at, mut written, mut turn) = (0, 0, 0);
        while at < self.viewers.len() {
            let viewer = &mut self.viewers[at];
            let sent = match viewer.next == part.start {
                true => viewer.send(run, part.end),
                // It joined while the run was filling up: the rest comes by its own task.
                false if viewer.next < part.end => Sent::Blocked,
                false => Sent::All,
            };
            match sent {
                Sent::All => {
                    written += run.len() as u64;
                    at += 1;
                }
                Sent::Gone => drop(self.viewers.swap_remove(at)),
                Sent::Blocked => {
                    let viewer = self.viewers.swap_remove(at);
                    self.send_away(viewer, elsewhere);
                }
            }
            turn += 1;
            if turn % SENDS_A_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        if let Some(viewer) = self.viewers.first() {
            elsewhere.rules.totals.add_bytes(viewer.seat().protocol(), written);
        }
    }

    /// Takes what the feed has now and registers for what comes next.
    fn drain(&mut self) -> Drained {
        let from = self.ring.position();
        let (mut chunks, mut ended) = (Vec::new(), false);
        let mut cx = Context::from_waker(&self.waker);
        loop {
            match self.ring.poll_next(&mut cx) {
                Poll::Ready(Some(Ok(read))) => chunks.push(read.item.bytes),
                // The shard itself was away for two groups: viewers are moved on one by one.
                Poll::Ready(Some(Err(_))) => self.ring.start_at(self.ring.end()),
                Poll::Ready(None) => {
                    ended = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        let run = (!chunks.is_empty()).then(|| mux::join(chunks));
        Drained { from, to: self.ring.position(), run, ended }
    }
}
