//! The room: takes one input at a time, decides, and says what must be done. Its concerns have a file each.
//!
//! Every decision first looks, then changes: a refusal leaves nothing behind.

mod call;
mod chat;
mod desk;
mod hands;
mod hosting;
mod invitations;
mod members;
mod mute;
mod reactions;
mod resume;
mod stage;
mod timeouts;
mod turn;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::answers::Answers;
use crate::command::{Actor, Command, Request};
use crate::id::{MemberId, RoomId, UserId};
use crate::limits::{Pace, Step};
use crate::log::Log;
use crate::message::Seen;
use crate::output::{Goodbye, Output, Outputs};
use crate::refusal::Refusal;
use crate::rights::{Right, Role, Standing};
use crate::settings::Settings;
use crate::time::Moment;
use crate::timers::Timers;
use crate::track::own::Own;
use crate::track::{Change, State, Track, View, hidden};

pub use members::Loss;
use turn::{Reads, Turn};

/// What a verified token says. Nothing of it was said by the member.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// The room it is for.
    pub room: RoomId,
    /// Whom it was given to.
    pub user: UserId,
    /// Their name, if the back-end knows it; the client's word counts otherwise.
    pub name: Option<String>,
    /// The role they come in with.
    pub role: Role,
    /// For the application's pages: an address of a picture, a few fields. [`crate::text::INFO_BYTES_MAX`] at most.
    pub info: String,
}

/// What a newcomer says beside its token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hello {
    /// A name, for tokens without one.
    pub name: Option<String>,
}

/// What a member says that comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resume {
    /// Who it was.
    pub member: MemberId,
    /// What it has seen.
    pub seen: Seen,
}

/// A room as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The room.
    pub id: RoomId,
    /// The app its broadcasts are in.
    pub app: String,
    /// Everything in it.
    pub state: State,
}

/// What a decision comes to.
type Done = Result<(), Refusal>;

/// One room.
pub struct Room {
    id: RoomId,
    app: String,
    state: State,
    log: Log,
    answers: Answers,
    pace: Pace,
    timers: Timers,
    /// Who has a connection, and what it reads.
    connected: BTreeMap<MemberId, Reads>,
    /// The latest time an input came; the clock never goes back.
    latest: Moment,
    turn: Turn,
}

impl Room {
    /// A room nobody has entered, to be kept whole by [`Room::snapshot`] before anybody is. Its broadcasts are `{app}/{id}/{member}` and, for the audience, `{app}/{id}`.
    pub fn new(id: RoomId, app: &str, settings: Settings, now: Moment) -> (Self, Outputs) {
        let state = State::new(settings, String::new(), now);
        let mut room = Self::of(Snapshot { id, app: app.to_owned(), state }, now);
        room.expect_somebody(now);
        let outputs = room.commit(now);
        (room, outputs)
    }

    /// A room that was kept: a snapshot and the changes written since. Everybody has lost the connection, and a time of
    /// grace to come back.
    pub fn restore(snapshot: Snapshot, journal: &[Change], now: Moment) -> (Self, Outputs) {
        let mut room = Self::of(snapshot, now);
        for change in journal {
            if let Some((track, delta)) = room.state.apply(change) {
                room.log.push(track, delta);
            }
        }
        room.timers = Timers::of(&room.state, now);
        if room.state.all.state.ended.is_some() {
            room.timers = Timers::default();
        } else {
            room.lose_everybody(now);
        }
        let outputs = room.commit(now);
        (room, outputs)
    }

    fn of(snapshot: Snapshot, now: Moment) -> Self {
        Self {
            id: snapshot.id,
            app: snapshot.app,
            state: snapshot.state,
            log: Log::default(),
            answers: Answers::default(),
            pace: Pace::default(),
            timers: Timers::default(),
            connected: BTreeMap::new(),
            latest: now,
            turn: Turn::default(),
        }
    }

    /// The room as it is now. The journal begins anew with it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { id: self.id.clone(), app: self.app.clone(), state: self.state.clone() }
    }

    /// Its name.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// Everything in it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Who has a connection.
    pub fn connected(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.connected.keys().copied()
    }

    /// Whether somebody may do what this right is about.
    pub fn may(&self, by: Actor, right: Right) -> bool {
        let member = match by {
            Actor::Backend => return right.is_for_backends(),
            Actor::Member(member) => member,
        };
        let Some(own) = self.own(member) else { return false };
        let exception = own.exceptions.iter().find(|exception| exception.right == right);
        let by_role = || right.holds(self.standing(own), self.state.settings.template);
        exception.map_or_else(by_role, |exception| exception.allowed)
    }

    /// One command of a member or of a back-end.
    pub fn handle(&mut self, by: impl Into<Actor>, request: Request, now: Moment) -> Outputs {
        let (by, now) = (by.into(), self.begin(now));
        let n = request.n;
        let result = match by {
            Actor::Backend => self.obey(by, request.command, now),
            Actor::Member(member) => self.handle_member(member, request, now),
        };
        self.turn.answers.insert(0, Output::Answer { to: by, n, result });
        self.commit(now)
    }

    fn handle_member(&mut self, member: MemberId, Request { n, command }: Request, now: Moment) -> Done {
        if self.own(member).is_none() {
            return Err(Refusal::NotAMember);
        }
        let acknowledged = self.state.hidden.answered.get(&member).copied().unwrap_or(0);
        if let Some(outcome) = self.answers.known(member, n, acknowledged) {
            return outcome;
        }
        let result = match self.pace.command(member, now) {
            Step::Go => self.obey(Actor::Member(member), command, now),
            Step::TooFast => Err(Refusal::TooFast),
            Step::Flooding => {
                self.depart(member, Goodbye::Flooding, now);
                return Err(Refusal::TooFast);
            }
        };
        if self.own(member).is_some() {
            self.answers.note(member, n, result);
            if result.is_ok() {
                self.put_hidden(hidden::Change::Answered { member, n });
            }
        }
        result
    }

    fn obey(&mut self, by: Actor, command: Command, now: Moment) -> Done {
        if self.state.all.state.ended.is_some() {
            return Err(Refusal::Ended);
        }
        if command.right().is_some_and(|right| !self.may(by, right)) {
            return Err(Refusal::NoRight);
        }
        let before = self.turn.changes.len();
        let result = match by {
            Actor::Member(member) => self.for_member(member, command, now),
            Actor::Backend => self.for_anybody(by, command, now),
        };
        debug_assert!(result.is_ok() || before == self.turn.changes.len(), "a refusal leaves nothing behind");
        result
    }

    /// Commands about oneself, which take a member.
    fn for_member(&mut self, member: MemberId, command: Command, now: Moment) -> Done {
        match command {
            Command::Leave {} => self.leave(member, now),
            Command::Rename { to } => self.rename(member, &to),
            Command::StepUp {} => self.step_up(member, now),
            Command::StepDown {} => self.step_down(member),
            Command::Publish { sending } => self.publish(member, sending),
            Command::RaiseHand {} => self.raise_hand(member, now),
            Command::LowerHand {} => self.lower_hand(member),
            Command::Accept {} => self.accept(member, now),
            Command::Decline {} => self.decline_invitation(member),
            Command::Chat { text } => self.chat(member, &text, now),
            Command::React { reaction, times } => self.react(member, reaction, times, now),
            other => self.for_anybody(Actor::Member(member), other, now),
        }
    }

    /// Commands about others and about the room.
    fn for_anybody(&mut self, by: Actor, command: Command, now: Moment) -> Done {
        match command {
            Command::DeleteChat { chat } => self.delete_chat(by, chat),
            Command::BringUp { member } => self.bring_up(member, now),
            Command::NextHand {} => self.next_hand(now),
            Command::RefuseHand { member } => self.refuse_hand(member),
            Command::Invite { member } => self.invite(member, now),
            Command::Withdraw { member } => self.withdraw(member),
            Command::TakeDown { member } => self.take_down(by, member),
            Command::Mute { member, media } => self.mute(by, member, media),
            Command::MuteAll {} => self.mute_all(),
            Command::AskUnmute { member, media } => self.ask_unmute(member, media),
            Command::Allow { member, right, allowed } => self.allow(by, member, right, allowed),
            Command::Remove { member } => self.remove(by, member, now),
            Command::Ban { member } => self.ban(by, member, now),
            Command::Unban { user } => self.unban(user),
            Command::Appoint { member, role } => self.appoint(by, member, role),
            Command::HandOver { member } => self.hand_over(member),
            Command::SetOpen { open } => self.set_open(open),
            Command::SetTitle { to } => self.set_title(&to),
            Command::SetData { track, key, value } => self.set_data(track, key, value),
            Command::Focus { member } => self.focus(member),
            Command::End {} => self.end_by(by, now),
            Command::Leave {}
            | Command::Rename { .. }
            | Command::StepUp {}
            | Command::StepDown {}
            | Command::Publish { .. }
            | Command::RaiseHand {}
            | Command::LowerHand {}
            | Command::Accept {}
            | Command::Decline {}
            | Command::Chat { .. }
            | Command::React { .. } => Err(Refusal::NotAMember),
        }
    }

    fn own(&self, member: MemberId) -> Option<&Own> {
        self.state.own.get(&member).map(|own| &own.state)
    }

    /// The member somebody else's command is about.
    fn other(&self, member: MemberId) -> Result<&Own, Refusal> {
        self.own(member).ok_or(Refusal::UnknownMember)
    }

    fn standing(&self, own: &Own) -> Standing {
        match own.role {
            Role::Host => Standing::Host,
            Role::Cohost => Standing::Cohost,
            Role::Guest if self.is_on_stage(own.id) => Standing::Speaker,
            Role::Guest => Standing::Audience,
        }
    }

    /// Nothing is done to somebody of the same or a higher role, but by the back-end.
    fn outranks(&self, by: Actor, target: MemberId) -> Done {
        let target = self.other(target)?.role;
        let above = match by {
            Actor::Backend => true,
            Actor::Member(member) => self.own(member).is_some_and(|own| own.role > target),
        };
        if above { Ok(()) } else { Err(Refusal::Outranked) }
    }

    /// A track as a member reads it; nothing if it may not.
    pub fn view(&self, member: MemberId, track: Track) -> Option<View> {
        self.own(member)?;
        let reads = self.reads(member);
        let allowed = match track {
            Track::All => true,
            Track::Stage => reads.stage,
            Track::Hosts => reads.hosts,
            Track::Own(whose) => whose == member,
        };
        allowed.then(|| self.state.view(track)).flatten()
    }
}
