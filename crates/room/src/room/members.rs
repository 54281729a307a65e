//! Coming in, losing the connection, going; who is listed and who is counted.

use super::{Claims, Done, Hello, Room};
use crate::id::{MemberId, UserId};
use crate::message::Seen;
use crate::output::{Goodbye, Output, Outputs};
use crate::refusal::Refusal;
use crate::rights::Role;
use crate::settings::{Devices, UpOnJoin};
use crate::text;
use crate::time::{Millis, Moment};
use crate::timers::{COUNT_EVERY, Timer};
use crate::track::{Change, Person, Sending, State, all, hidden, own};

/// Tabs and devices of one user in a room that lets all stay.
const DEVICES_MAX: usize = 4;
/// Guests leave so many memberships of a large room to its hosts, who would stand before a full house otherwise.
const KEPT_FOR_HOSTS: u32 = 5;
/// A large room.
const LARGE: u32 = 50;
/// A page that is loaded anew is back within this, on a phone that has to fetch all of it, too.
const LEFT_GRACE: Millis = Millis::from_secs(10);

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nobody knows: the network is away, the process has ended.
    Network,
    /// Its page was left: closed, or loaded anew, in which case it is back soon or not at all.
    Page,
}

impl State {
    /// Members that are not listed.
    pub fn counted(&self) -> u32 {
        u32::try_from(self.own.len() - self.all.state.members.len()).unwrap_or(u32::MAX)
    }
}

impl Room {
    /// Somebody comes in with a verified token. The outputs are to be done whatever the result.
    pub fn join(
        &mut self,
        claims: &Claims,
        hello: &Hello,
        now: Moment,
    ) -> (Result<MemberId, Refusal>, Outputs) {
        let now = self.begin(now);
        let result = self.admit(claims, hello, now);
        if let Ok(member) = result {
            self.turn.welcome = Some((member, Seen::default()));
        }
        (result, self.commit(now))
    }

    /// A member's connection is gone. Its place is kept for the time of grace, and its media goes on.
    pub fn lost(&mut self, member: MemberId, loss: Loss, now: Moment) -> Outputs {
        let now = self.begin(now);
        if self.connected.remove(&member).is_some() && self.state.all.state.ended.is_none() {
            self.lose(member, loss, now);
        }
        self.commit(now)
    }

    fn admit(&mut self, claims: &Claims, hello: &Hello, now: Moment) -> Result<MemberId, Refusal> {
        self.let_in(claims)?;
        let name = claims.name.as_ref().or(hello.name.as_ref());
        let name = name.and_then(|name| text::name(name)).ok_or(Refusal::BadName)?;
        if claims.info.len() > text::INFO_BYTES_MAX {
            return Err(Refusal::BadValue);
        }
        if let Some(member) = self.earlier_device(&claims.user)? {
            self.take_over(member, &name);
            return Ok(member);
        }
        let role = self.role_of(claims);
        self.has_space(role)?;
        Ok(self.enter(claims, name, role, now))
    }

    /// What every token must pass.
    pub(super) fn let_in(&self, claims: &Claims) -> Done {
        if claims.room != self.id {
            return Err(Refusal::WrongRoom);
        }
        if self.state.all.state.ended.is_some() {
            return Err(Refusal::Ended);
        }
        if self.state.hosts.state.has_banned(&claims.user) { Err(Refusal::Banned) } else { Ok(()) }
    }

    /// The member a user goes on as; none when it is to be a new one.
    fn earlier_device(&self, user: &UserId) -> Result<Option<MemberId>, Refusal> {
        let members = self.state.hidden.members_of(user);
        if let Some(lost) = members.iter().find(|member| !self.connected.contains_key(member)) {
            return Ok(Some(*lost));
        }
        match (members.last(), self.state.settings.devices) {
            (None, Devices::Refuse | Devices::Replace | Devices::Both) => Ok(None),
            (Some(_), Devices::Refuse) => Err(Refusal::SecondDevice),
            (Some(last), Devices::Replace) => Ok(Some(*last)),
            (Some(_), Devices::Both) if members.len() >= DEVICES_MAX => Err(Refusal::SecondDevice),
            (Some(_), Devices::Both) => Ok(None),
        }
    }

    fn has_space(&self, role: Role) -> Done {
        if role == Role::Guest && !self.state.all.state.open.door {
            return Err(Refusal::Locked);
        }
        let members = self.state.settings.limits.members;
        let kept = if role == Role::Guest && members >= LARGE { KEPT_FOR_HOSTS } else { 0 };
        let full = self.state.own.len() >= (members - kept) as usize;
        if full { Err(Refusal::Full) } else { Ok(()) }
    }

    fn enter(&mut self, claims: &Claims, name: String, role: Role, now: Moment) -> MemberId {
        let id = MemberId(self.state.hidden.members_ever + 1);
        let own = own::Own {
            id,
            user: claims.user.clone(),
            name,
            role,
            info: claims.info.clone(),
            listed: false,
            away_until: None,
            hand: None,
            invited_until: None,
            asked: vec![],
            exceptions: vec![],
        };
        self.put_hidden(hidden::Change::Entered { own: Box::new(own) });
        self.connected.insert(id, Default::default());
        self.somebody_is_here();
        let listed = self.state.all.state.members.len() < self.state.settings.limits.listed as usize;
        if listed || role > Role::Guest {
            self.list(id);
        } else {
            self.count_soon(now);
        }
        if role == Role::Host {
            self.note_host(id);
        }
        if self.goes_up(role) && self.stage_has_space().is_ok() {
            self.put_up(id, now);
        }
        self.ring_or_answer(id, now);
        id
    }

    fn goes_up(&self, role: Role) -> bool {
        match self.state.settings.up_on_join {
            UpOnJoin::Everybody => true,
            UpOnJoin::Hosts => role > Role::Guest,
            UpOnJoin::Host => role == Role::Host,
        }
    }

    /// Another device of the same user goes on as this member: same place and role, nothing sent yet.
    fn take_over(&mut self, member: MemberId, name: &str) {
        self.attach(member, Goodbye::Replaced);
        if self.own(member).is_some_and(|own| own.name != name) {
            self.put_name(member, name);
        }
        self.send_nothing(member);
        // A new client numbers its commands from 1.
        self.answers.forget(member);
        if self.state.hidden.answered.contains_key(&member) {
            self.put_hidden(hidden::Change::Answered { member, n: 0 });
        }
    }

    fn send_nothing(&mut self, member: MemberId) {
        let sends =
            self.state.all.state.place(member).is_some_and(|place| place.sending != Sending::default());
        if sends {
            self.put_all(all::Change::Sending { member, sending: Sending::default() });
        }
    }

    /// The member has a connection; the one it had is closed.
    pub(super) fn attach(&mut self, member: MemberId, why: Goodbye) {
        if self.connected.insert(member, Default::default()).is_some() {
            self.turn.closes.push(Output::Close { to: member, reason: why });
        }
        let Some(own) = self.own(member) else { return };
        let (away, listed, host) = (own.away_until.is_some(), own.listed, own.role == Role::Host);
        if away {
            self.timers.stop(Timer::Grace(member));
            self.put(Change::Own(member, own::Change::Away { until: None }));
            if listed {
                self.put_all(all::Change::Away { member, away: false });
            }
        }
        if host {
            self.host_is_here();
        }
    }

    /// After a restart nobody has a connection.
    pub(super) fn lose_everybody(&mut self, now: Moment) {
        let here: Vec<MemberId> = self
            .state
            .own
            .values()
            .filter(|own| own.state.away_until.is_none())
            .map(|own| own.state.id)
            .collect();
        here.into_iter().for_each(|member| self.lose(member, Loss::Network, now));
    }

    fn lose(&mut self, member: MemberId, loss: Loss, now: Moment) {
        let Some(own) = self.own(member) else { return };
        let (listed, host) = (own.listed, own.role == Role::Host);
        let grace = self.state.settings.times.grace;
        let grace = match loss {
            Loss::Network => grace,
            Loss::Page => grace.min(LEFT_GRACE),
        };
        let until = now + grace;
        self.put(Change::Own(member, own::Change::Away { until: Some(until) }));
        self.timers.set(Timer::Grace(member), until);
        if listed {
            self.put_all(all::Change::Away { member, away: true });
        }
        if host {
            self.host_is_away(now);
        }
    }

    pub(super) fn leave(&mut self, member: MemberId, now: Moment) -> Done {
        self.depart(member, Goodbye::Left, now);
        Ok(())
    }

    /// A membership ends, whatever the reason.
    pub(super) fn depart(&mut self, member: MemberId, why: Goodbye, now: Moment) {
        let Some(own) = self.own(member).cloned() else { return };
        self.drop_hand(member);
        self.drop_invitation(member);
        self.vacate(member);
        if own.listed {
            self.put_all(all::Change::Left { member });
        } else {
            self.count_soon(now);
        }
        self.put_hidden(hidden::Change::Gone { member, user: own.user });
        self.forget(member, why);
        if own.role == Role::Host {
            self.host_has_gone(why, now);
        }
        if self.state.settings.ends_when_one_leaves {
            self.end(Goodbye::HungUp, now);
        }
        if self.state.own.is_empty() {
            self.expect_somebody(now);
        }
    }

    fn forget(&mut self, member: MemberId, why: Goodbye) {
        self.timers.stop(Timer::Grace(member));
        self.answers.forget(member);
        self.pace.forget(member);
        self.log.forget(member);
        if self.connected.remove(&member).is_some() {
            self.turn.closes.push(Output::Close { to: member, reason: why });
        }
    }

    pub(super) fn rename(&mut self, member: MemberId, to: &str) -> Done {
        let to = text::name(to).ok_or(Refusal::BadName)?;
        self.put_name(member, &to);
        Ok(())
    }

    fn put_name(&mut self, member: MemberId, to: &str) {
        self.put(Change::Own(member, own::Change::Renamed { to: to.to_owned() }));
        if self.own(member).is_some_and(|own| own.listed) {
            self.put_all(all::Change::Renamed { member, to: to.to_owned() });
        }
    }

    /// Others see this member by name from now on.
    pub(super) fn list(&mut self, member: MemberId) {
        let Some(own) = self.own(member).filter(|own| !own.listed) else { return };
        let person = Person {
            id: member,
            name: own.name.clone(),
            role: own.role,
            away: own.away_until.is_some(),
            info: own.info.clone(),
        };
        self.put(Change::Own(member, own::Change::Listed { listed: true }));
        self.put_all(all::Change::Joined { person });
        self.count_soon(self.latest);
    }

    /// Whoever has no part on the stage any more is counted again, when more are listed than should be.
    pub(super) fn unlist_if_many(&mut self, member: MemberId) {
        let many = self.state.all.state.members.len() > self.state.settings.limits.listed as usize;
        let plain = self.own(member).is_some_and(|own| own.listed && own.role == Role::Guest);
        if many && plain && !self.is_on_stage(member) {
            self.put(Change::Own(member, own::Change::Listed { listed: false }));
            self.put_all(all::Change::Left { member });
            self.count_soon(self.latest);
        }
    }

    fn count_soon(&mut self, now: Moment) {
        self.timers.begin(Timer::Audience, now + COUNT_EVERY);
    }

    pub(super) fn expect_somebody(&mut self, now: Moment) {
        if self.state.all.state.ended.is_none() {
            let until = now + self.state.settings.times.empty;
            self.put_hidden(hidden::Change::Emptied { until: Some(until) });
            self.timers.set(Timer::Empty, until);
        }
    }

    fn somebody_is_here(&mut self) {
        if self.state.hidden.empty_until.is_some() {
            self.timers.stop(Timer::Empty);
            self.put_hidden(hidden::Change::Emptied { until: None });
        }
    }
}
