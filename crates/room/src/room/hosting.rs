//! Who leads: roles, handing over, and what becomes of a room whose host drops or goes.

use super::{Claims, Done, Room};
use crate::command::Actor;
use crate::id::MemberId;
use crate::output::{Goodbye, Output};
use crate::refusal::Refusal;
use crate::rights::Role;
use crate::settings::HostPolicy;
use crate::time::Moment;
use crate::timers::{Timer, Timers};
use crate::track::{Change, Ended, all, hidden, own};

/// More people who may end each other's words are a crowd.
const COHOSTS_MAX: usize = 20;

impl Room {
    /// The role a newcomer gets: there is one host at most, and whoever hosted last hosts again.
    pub(super) fn role_of(&self, claims: &Claims) -> Role {
        let vacant = self.host().is_none();
        let last = self.state.hidden.host.as_ref();
        let hosted = last == Some(&claims.user);
        let first = self.state.settings.first_hosts && last.is_none();
        match claims.role {
            Role::Guest | Role::Cohost if vacant && (hosted || first) => Role::Host,
            Role::Host if vacant => Role::Host,
            Role::Host | Role::Cohost if self.cohosts_have_space() => Role::Cohost,
            Role::Host | Role::Cohost | Role::Guest => Role::Guest,
        }
    }

    pub(super) fn host(&self) -> Option<MemberId> {
        // Hosts are listed, always.
        self.state.all.state.members.iter().find(|person| person.role == Role::Host).map(|person| person.id)
    }

    fn cohosts_have_space(&self) -> bool {
        self.state.all.state.members.iter().filter(|person| person.role == Role::Cohost).count() < COHOSTS_MAX
    }

    /// Remembers who hosts, and that nobody is waited for.
    pub(super) fn note_host(&mut self, member: MemberId) {
        let Some(user) = self.own(member).map(|own| own.user.clone()) else { return };
        if self.state.hidden.host.as_ref() != Some(&user) {
            self.put_hidden(hidden::Change::Host { user });
        }
        self.host_is_here();
    }

    pub(super) fn host_is_here(&mut self) {
        if self.state.all.state.host_until.is_some() {
            self.timers.stop(Timer::HostAway);
            self.put_all(all::Change::HostAway { until: None });
        }
    }

    pub(super) fn host_is_away(&mut self, now: Moment) {
        let until = now + self.state.settings.times.host_grace;
        self.put_all(all::Change::HostAway { until: Some(until) });
        self.timers.set(Timer::HostAway, until);
    }

    /// The host's membership has ended. One that was lost is waited for; one that went is not.
    pub(super) fn host_has_gone(&mut self, why: Goodbye, now: Moment) {
        if why != Goodbye::Lost || self.state.all.state.host_until.is_none() {
            self.follow_policy(now);
        }
    }

    /// Nobody waits for the host any longer.
    pub(super) fn follow_policy(&mut self, now: Moment) {
        self.host_is_here();
        match self.state.settings.host_policy {
            HostPolicy::Wait => {}
            HostPolicy::End => self.end(Goodbye::HostLeft, now),
            HostPolicy::Promote => match self.heir() {
                Some(heir) => self.crown(heir),
                None if self.state.own.is_empty() => {}
                None => self.end(Goodbye::HostLeft, now),
            },
        }
    }

    /// The earliest co-host with a connection, else the earliest on the stage.
    fn heir(&self) -> Option<MemberId> {
        let all = &self.state.all.state;
        let cohosts = all.members.iter().filter(|person| person.role == Role::Cohost).map(|person| person.id);
        let stage = all.stage.iter().map(|place| place.member);
        let is_host = |member: &MemberId| self.own(*member).is_none_or(|own| own.role == Role::Host);
        cohosts.chain(stage).find(|member| self.connected.contains_key(member) && !is_host(member))
    }

    /// Makes a member the host; the one there was helps from now on.
    fn crown(&mut self, member: MemberId) {
        if let Some(former) = self.host() {
            self.set_role(former, Role::Cohost);
        }
        self.set_role(member, Role::Host);
        self.note_host(member);
        if !self.connected.contains_key(&member) {
            self.host_is_away(self.latest);
        }
    }

    fn set_role(&mut self, member: MemberId, role: Role) {
        self.list(member);
        self.put(Change::Own(member, own::Change::Role { role }));
        self.put_all(all::Change::Role { member, role });
        if role > Role::Guest {
            // Hosts go up when they like.
            self.drop_hand(member);
        }
        self.switch_off_what_it_may_not(member);
        self.unlist_if_many(member);
    }

    pub(super) fn appoint(&mut self, by: Actor, member: MemberId, role: Role) -> Done {
        self.outranks(by, member)?;
        let now = self.other(member)?.role;
        match role {
            // Handing over is a command of its own, and a room is not left without its host by an appointment.
            Role::Host => return Err(Refusal::BadValue),
            Role::Cohost if now == Role::Guest && !self.cohosts_have_space() => return Err(Refusal::Full),
            Role::Cohost | Role::Guest => {}
        }
        if now == Role::Host {
            return Err(Refusal::Outranked);
        }
        if now != role {
            self.set_role(member, role);
        }
        Ok(())
    }

    pub(super) fn hand_over(&mut self, member: MemberId) -> Done {
        if self.other(member)?.role != Role::Host {
            self.crown(member);
        }
        Ok(())
    }

    pub(super) fn end_by(&mut self, by: Actor, now: Moment) -> Done {
        let reason = match by {
            Actor::Backend => Goodbye::EndedByBackend,
            Actor::Member(_) => Goodbye::EndedByHost,
        };
        self.end(reason, now);
        Ok(())
    }

    /// The room is over: said to everybody, and nothing happens in it any more.
    pub(super) fn end(&mut self, reason: Goodbye, at: Moment) {
        if self.state.all.state.ended.is_some() {
            return;
        }
        self.put_all(all::Change::Ended { ended: Ended { reason, at } });
        self.timers = Timers::default();
        let connected = std::mem::take(&mut self.connected);
        self.turn.closes.extend(connected.into_keys().map(|to| Output::Close { to, reason }));
        self.turn.ended = Some(reason);
    }
}
