//! Doing what a room put out, in its order: each delta is serialised once, whoever reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use media::Path;
use room::message::{Down, TrackName, Welcome};
use room::track::Track;
use room::{Actor, Goodbye, MemberId, Output, Refusal, Room};

use super::outbox::{Link, frame};
use super::stage::{Performer, Stage};
use super::task::{Task, Then, Turn};
use crate::sessions::Action;

/// A member's connection and what it reads. Everybody reads the track of all, and its own.
pub(super) struct Reader {
    link: Arc<Link>,
    stage: bool,
    hosts: bool,
}

/// Everybody who reads.
#[derive(Default)]
pub(super) struct Readers(BTreeMap<MemberId, Reader>);

impl Readers {
    /// The connection is gone.
    fn lose(&mut self, member: MemberId, link: &Arc<Link>) {
        if self.0.get(&member).is_some_and(|reader| Arc::ptr_eq(&reader.link, link)) {
            self.0.remove(&member);
        }
    }

    /// The server stops: connections close without a word, which means that it is worth to come back.
    pub(super) fn leave(&mut self) {
        std::mem::take(&mut self.0).into_values().for_each(|reader| reader.link.outbox.close());
    }

    fn attach(&mut self, member: MemberId, link: Arc<Link>, welcome: &Welcome) {
        let reads = |track| welcome.tracks.contains(&track);
        let reader = Reader { link, stage: reads(TrackName::Stage), hosts: reads(TrackName::Hosts) };
        self.0.insert(member, reader);
    }

    fn close(&mut self, member: MemberId, reason: Goodbye) {
        if let Some(reader) = self.0.remove(&member) {
            reader.link.outbox.tell(&Down::Bye { reason, sentence: reason.sentence().to_owned() });
            reader.link.outbox.close();
        }
    }

    fn set_reads(&mut self, member: MemberId, track: Track, reads: bool) {
        let Some(reader) = self.0.get_mut(&member) else { return };
        match track {
            Track::Stage => reader.stage = reads,
            Track::Hosts => reader.hosts = reads,
            Track::All | Track::Own(_) => {}
        }
    }

    fn tell(&self, member: MemberId, down: &Down) {
        if let Some(reader) = self.0.get(&member) {
            reader.link.outbox.tell(down);
        }
    }

    /// Sends one message to all who read a track.
    fn spread(&self, track: Track, down: &Down) {
        if let Track::Own(member) = track {
            return self.tell(member, down);
        }
        let reads = |reader: &&Reader| match track {
            Track::All => true,
            Track::Stage => reader.stage,
            Track::Hosts => reader.hosts,
            Track::Own(_) => false,
        };
        let mut readers = self.0.values().filter(reads).peekable();
        if readers.peek().is_some() {
            let frame = frame(down);
            readers.for_each(|reader| reader.link.outbox.push(frame.clone()));
        }
    }
}

impl Task {
    /// Does what one input led to. It is written down.
    pub(super) fn carry_out(&mut self, turn: Turn) {
        let Turn { outputs, then } = turn;
        let mut arriving = None;
        let mut then = then;
        if let Then::Entered { link, result } = &then {
            match result {
                Ok(()) => arriving = Some(Arc::clone(link)),
                Err(refusal) => refuse(link, *refusal),
            }
        }
        for output in outputs {
            if let Output::Answer { to: Actor::Backend, result, .. } = &output
                && let Then::Answer(_) = &then
                && let Then::Answer(answer) = std::mem::replace(&mut then, Then::Nobody)
            {
                let _ = answer.send(*result);
            }
            self.put_out(output, &mut arriving);
        }
        match then {
            Then::Nobody | Then::Answer(_) | Then::Entered { .. } => {}
            Then::Lost { member, link } => self.readers.lose(member, &link),
            Then::Answered(answer, result) => drop(answer.send(result)),
            Then::Hosted { answer, result } => drop(answer.send(result)),
            Then::Ask(question) => question(&self.room),
        }
        // Somebody who declined a call, or came in as the room ended, has nothing to wait for.
        if let Some(link) = arriving {
            link.outbox.close();
        }
    }

    fn put_out(&mut self, output: Output, arriving: &mut Option<Arc<Link>>) {
        match output {
            Output::Persist(changes) => self.note(&changes),
            Output::Delta { to, delta } => self.readers.spread(to, &Down::Delta(delta)),
            Output::Welcome { to, welcome } => {
                if let Some(link) = arriving.take() {
                    self.readers.attach(to, link, &welcome);
                    self.readers.tell(to, &Down::Welcome(*welcome));
                }
            }
            Output::Show { to, view } => {
                self.readers.set_reads(to, track_of(&view), true);
                self.readers.tell(to, &Down::State(*view));
            }
            Output::Hide { to, track } => {
                self.readers.set_reads(to, track, false);
                self.readers.tell(to, &Down::Hide { track: track.into() });
            }
            Output::Answer { to: Actor::Member(member), n, result } => {
                let down = match result {
                    Ok(()) => Down::Ack { n },
                    Err(code) => Down::refused(Some(n), code),
                };
                self.readers.tell(member, &down);
            }
            Output::Answer { to: Actor::Backend, .. } => {}
            Output::Moderate { chat, member, text } => self.moderate(chat, member, text),
            Output::Drain { to, after } => self.readers.tell(to, &Down::Drain { after_ms: after }),
            Output::Close { to, reason } => self.readers.close(to, reason),
            Output::Ended { reason } => self.ended = Some(reason),
        }
    }

    /// Tells who carries media about the stage, and ends the broadcasts of those who have left it.
    pub(super) fn settle_stage(&mut self) {
        let after = stage(&self.room);
        let before = Arc::clone(&self.stage.borrow());
        if after == *before {
            return;
        }
        for gone in before.performers.iter().filter(|was| after.performer(was.member).is_none()) {
            self.end_media(&gone.path);
        }
        self.stage.send_replace(Arc::new(after));
        self.count_stage();
    }

    /// Closes whoever publishes there, and ends the broadcast: nobody waits for its return.
    pub(super) fn end_media(&self, path: &Path) {
        let sessions = self.context.access.sessions.list();
        let publishes = |session: &&Arc<crate::sessions::Session>| {
            session.action == Action::Publish && session.path == *path
        };
        sessions.iter().filter(publishes).for_each(|session| session.kick());
        self.context.hub.end(path);
    }
}

/// Says why, and that this was the last message.
pub(super) fn refuse(link: &Link, refusal: Refusal) {
    link.outbox.tell(&Down::refused(None, refusal));
    link.outbox.close();
}

fn track_of(view: &room::track::View) -> Track {
    match view {
        room::track::View::Stage { .. } => Track::Stage,
        room::track::View::Hosts { .. } => Track::Hosts,
        room::track::View::All { .. } | room::track::View::Own { .. } => Track::All,
    }
}

/// The stage as media reads it.
pub(super) fn stage(room: &Room) -> Stage {
    let state = room.state();
    let all = &state.all.state;
    if all.ended.is_some() {
        return Stage::default();
    }
    let performer = |place: &room::track::Place| {
        let broadcasts = &state.stage.state.broadcasts;
        let broadcast = broadcasts.iter().find(|broadcast| broadcast.member == place.member)?;
        let role = state.own.get(&place.member)?.state.role;
        let path = Path::new(&broadcast.path).ok()?;
        Some(Performer { member: place.member, role, path, sending: place.sending })
    };
    Stage { performers: all.stage.iter().filter_map(performer).collect(), focus: all.focus }
}
