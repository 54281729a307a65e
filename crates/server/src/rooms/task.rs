//! The task of one room: takes inputs, lets the room decide, writes down what it decided, and only then does it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use room::{Change, Claims, Goodbye, Loss, MemberId, Moment, Output, Outputs, Refusal, Request, Room};
use tokio::sync::{mpsc, oneshot, watch};

use super::audience::Audience;
use super::deliver::Readers;
use super::handle::{Entrance, Handle, INPUTS_MAX, Input};
use super::hosted::Hosted;
use super::journal::{Journal, Record, Write, bytes};
use super::outbox::Link;
use super::roster::Roster;
use super::stage::Stage;
use super::tell::Presence;
use crate::context::{Clock, Context};

/// Inputs that are decided on before anything is written: the disk is waited for once for all of them.
const BATCH_MAX: usize = 64;
/// Changes are kept one by one up to this many bytes, or as many as a snapshot has.
const CHANGES_BYTES_MIN: usize = 64 << 10;

/// How often the usage is told of who is on the stage.
const COUNT_EVERY: Duration = Duration::from_secs(60);

/// One room with all that is around it.
pub(super) struct Task {
    pub(super) context: Arc<Context>,
    pub(super) room: Room,
    pub(super) readers: Readers,
    owners: Owners,
    pub(super) hosted: Hosted,
    pub(super) stage: watch::Sender<Arc<Stage>>,
    inbox: mpsc::Receiver<Input>,
    journal: Journal,
    kept: Written,
    pub(super) ended: Option<Goodbye>,
    pub(super) presence: Presence,
    pub(super) roster: Arc<Roster>,
}

/// What of the room is in the journal.
struct Written {
    /// Entries since the snapshot.
    entries: u64,
    /// Their bytes.
    bytes: usize,
    /// Bytes of the snapshot.
    snapshot: usize,
}

/// What an input led to, still to be done.
pub(super) struct Turn {
    pub(super) outputs: Outputs,
    pub(super) then: Then,
}

/// Who waits for it.
pub(super) enum Then {
    Nobody,
    /// Nobody, since the member has no connection any more.
    Lost {
        member: MemberId,
        link: Arc<Link>,
    },
    /// A connection that came in, or was refused.
    Entered {
        link: Arc<Link>,
        result: Result<(), Refusal>,
    },
    /// A back-end's command.
    Answer(oneshot::Sender<Result<(), Refusal>>),
    /// A command as a hosted member, whose result is known.
    Answered(oneshot::Sender<Result<(), Refusal>>, Result<(), Refusal>),
    /// A member without a connection.
    Hosted {
        answer: oneshot::Sender<Result<MemberId, Refusal>>,
        result: Result<MemberId, Refusal>,
    },
    Ask(Box<dyn FnOnce(&Room) + Send>),
}

/// The room clock, which is the server's monotonic clock.
pub(crate) fn now(clock: &Clock) -> Moment {
    Moment::from_millis(micros_at(clock, Instant::now()) / 1_000)
}

/// The same of any moment, in microseconds.
pub(crate) fn micros_at(clock: &Clock, at: Instant) -> u64 {
    let since = clock.wall(at).duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Task {
    /// A room that is not in the journal as it is now; [`Task::begin`] writes it there.
    pub(super) fn new(
        context: &Arc<Context>,
        journal: Journal,
        room: Room,
        hosted: Vec<MemberId>,
    ) -> (Self, Handle) {
        let (to, inbox) = mpsc::channel(INPUTS_MAX);
        let stage = super::deliver::stage(&room);
        let (stage, watch) = watch::channel(Arc::new(stage));
        let roster = Arc::new(Roster::new(room.state()));
        let handle = Handle { id: room.id().clone(), inbox: to, stage: watch, roster: Arc::clone(&roster) };
        let task = Self {
            context: Arc::clone(context),
            hosted: Hosted::new(hosted),
            room,
            readers: Readers::default(),
            owners: Owners::default(),
            stage,
            inbox,
            journal,
            kept: Written { entries: 0, bytes: 0, snapshot: 0 },
            ended: None,
            presence: Presence::default(),
            roster,
        };
        (task, handle)
    }

    /// Writes the room down whole.
    pub(super) async fn begin(&mut self) {
        let write = self.snapshot();
        self.journal.write(vec![write]).await;
    }

    fn snapshot(&mut self) -> Write {
        let snapshot = bytes(&self.room.snapshot());
        self.kept = Written { entries: 0, bytes: 0, snapshot: snapshot.len() };
        Write::Snapshot { room: self.room.id().clone(), snapshot }
    }

    /// Serves the room until it is over, or the server stops.
    pub(super) async fn run(mut self) {
        let context = Arc::clone(&self.context);
        let (id, app) = (self.room.id().clone(), &context.rooms.app);
        let _audience = Audience::start(Arc::clone(&context), id, app, self.stage.subscribe());
        let ended = context.stopping.run_until_cancelled(async {
            while self.ended.is_none() {
                self.step().await;
            }
        });
        let is_over = ended.await.is_some();
        self.count_stage();
        if is_over {
            self.context.rooms.forget(self.room.id(), &self.stage);
        }
        self.readers.leave();
    }

    async fn step(&mut self) {
        let due = self.due();
        let mut turns = Vec::new();
        tokio::select! {
            input = self.inbox.recv() => match input {
                Some(input) => self.take(input, &mut turns),
                // Its handle is in the list of rooms for as long as it runs.
                None => self.ended = Some(Goodbye::EndedByBackend),
            },
            () = tokio::time::sleep(due) => self.time_out(&mut turns),
        }
        while turns.len() < BATCH_MAX
            && let Ok(input) = self.inbox.try_recv()
        {
            self.take(input, &mut turns);
        }
        let writes = self.writes(&turns);
        if !writes.is_empty() {
            self.journal.write(writes).await;
        }
        for turn in turns {
            self.carry_out(turn);
        }
        self.settle_stage();
        if self.presence.age() >= COUNT_EVERY {
            self.count_stage();
        }
    }

    /// How long until something runs out.
    fn due(&self) -> Duration {
        let now = now(&self.context.clock);
        let next = [self.room.poll_timeout(), self.hosted.poll_timeout()].into_iter().flatten().min();
        let next = next.map_or(Duration::from_secs(3_600), |next| Duration::from_millis(next.since(now).0));
        match self.stage.borrow().performers.is_empty() {
            true => next,
            false => next.min(COUNT_EVERY.saturating_sub(self.presence.age())),
        }
    }

    fn time_out(&mut self, turns: &mut Vec<Turn>) {
        let now = now(&self.context.clock);
        let outputs = self.room.handle_timeout(now);
        turns.push(Turn { outputs, then: Then::Nobody });
        for member in self.hosted.take_due(now) {
            let outputs = self.room.lost(member, Loss::Network, now);
            turns.push(Turn { outputs, then: Then::Nobody });
        }
    }

    /// Lets the room decide about one input.
    fn take(&mut self, input: Input, turns: &mut Vec<Turn>) {
        let now = now(&self.context.clock);
        let (outputs, then) = match input {
            Input::Enter { claims, entrance, link } => self.enter(&claims, entrance, link, now),
            Input::Command { request, link } => match self.owners.of(&link) {
                Some(member) => (self.room.handle(member, request, now), Then::Nobody),
                None => return,
            },
            Input::Lost { link, loss } => match self.owners.of(&link) {
                Some(member) => {
                    self.owners.0.remove(&member);
                    (self.room.lost(member, loss, now), Then::Lost { member, link })
                }
                None => return,
            },
            Input::Backend { command, answer } => {
                let request = Request { n: 0, command };
                (self.room.handle(room::Actor::Backend, request, now), Then::Answer(answer))
            }
            Input::Host { claims, answer } => {
                let (result, outputs) = self.host(&claims, now);
                (outputs, Then::Hosted { answer, result })
            }
            Input::As { member, command, answer } => {
                let (result, outputs) = self.act_as(member, command, now);
                (outputs, Then::Answered(answer, result))
            }
            Input::Media { member, up } => (self.handle_media(member, up, now), Then::Nobody),
            Input::Judged { chat, verdict } => (self.room.judge(chat, verdict, now), Then::Nobody),
            Input::Configure { settings } => (self.room.configure(*settings, now), Then::Nobody),
            Input::Drain { from, over } => (self.room.drain(from, over, now), Then::Nobody),
            Input::Ask(question) => (Outputs::new(), Then::Ask(question)),
        };
        self.note_owners(&outputs, &then);
        turns.push(Turn { outputs, then });
    }

    fn enter(
        &mut self,
        claims: &Claims,
        entrance: Entrance,
        link: Arc<Link>,
        now: Moment,
    ) -> (Outputs, Then) {
        let (result, outputs) = match entrance {
            Entrance::Join(hello) => self.room.join(claims, &hello, now),
            Entrance::Resume(resume) => self.room.resume(claims, resume, now),
            Entrance::Decline => {
                let (result, outputs) = self.room.decline(claims, now);
                return (outputs, Then::Entered { link, result });
            }
        };
        if let Ok(member) = result {
            link.be(member);
        }
        (outputs, Then::Entered { link, result: result.map(|_| ()) })
    }

    /// Keeps up with whose connection is whose, as of what is decided.
    fn note_owners(&mut self, outputs: &Outputs, then: &Then) {
        for output in outputs {
            if let Output::Close { to, .. } = output {
                self.owners.0.remove(to);
                self.hosted.forget(*to);
            }
        }
        if let Then::Entered { link, result: Ok(()) } = then
            && let Some(member) = link.member()
        {
            self.hosted.forget(member);
            self.owners.0.insert(member, Arc::clone(link));
        }
    }

    /// What is to be written down of these turns.
    fn writes(&mut self, turns: &[Turn]) -> Vec<Write> {
        let persisted = turns.iter().flat_map(|turn| &turn.outputs).filter_map(|output| match output {
            Output::Persist(changes) => Some(changes),
            Output::Delta { .. }
            | Output::Welcome { .. }
            | Output::Show { .. }
            | Output::Hide { .. }
            | Output::Answer { .. }
            | Output::Moderate { .. }
            | Output::Drain { .. }
            | Output::Close { .. }
            | Output::Ended { .. } => None,
        });
        let changes: Vec<&Change> = persisted.flatten().collect();
        let ended = turns.iter().flat_map(|turn| &turn.outputs).find_map(|output| match output {
            Output::Ended { reason } => Some(*reason),
            _ => None,
        });
        let mut writes = self.hosted.writes(self.room.id());
        if let Some(reason) = ended {
            writes.push(Write::Ended { room: self.room.id().clone(), record: bytes(&self.record(reason)) });
        } else if !changes.is_empty() {
            writes.push(self.changes(&changes));
        }
        writes
    }

    fn changes(&mut self, changes: &[&Change]) -> Write {
        if self.kept.bytes > self.kept.snapshot.max(CHANGES_BYTES_MIN) {
            return self.snapshot();
        }
        let changes = bytes(&changes);
        self.kept.entries += 1;
        self.kept.bytes += changes.len();
        Write::Changes { room: self.room.id().clone(), n: self.kept.entries, changes }
    }

    fn record(&self, reason: Goodbye) -> Record {
        let state = self.room.state();
        Record {
            id: self.room.id().as_str().to_owned(),
            title: state.all.state.about.title.clone(),
            template: state.settings.template,
            born: state.all.state.about.born.as_millis(),
            ended: now(&self.context.clock).as_millis(),
            reason,
            members_ever: state.hidden.members_ever,
        }
    }
}

/// Whose connection is whose as of what is decided. What is done comes a little later, when it is written down: within one
/// batch a member may lose one connection and come with another.
#[derive(Default)]
struct Owners(BTreeMap<MemberId, Arc<Link>>);

impl Owners {
    /// The member that has this connection.
    fn of(&self, link: &Arc<Link>) -> Option<MemberId> {
        let member = link.member()?;
        self.0.get(&member).is_some_and(|owner| Arc::ptr_eq(owner, link)).then_some(member)
    }
}
