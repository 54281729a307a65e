//! Invitations to the stage: they are followed, declined, taken back, or run out.

use super::{Done, Room};
use crate::id::MemberId;
use crate::refusal::Refusal;
use crate::time::Moment;
use crate::timers::Timer;
use crate::track::hosts::Invitation;
use crate::track::{Change, hosts, own};

impl Room {
    pub(super) fn invite(&mut self, member: MemberId, now: Moment) -> Done {
        if self.other(member)?.invited_until.is_some() {
            return Err(Refusal::Invited);
        }
        if self.is_on_stage(member) {
            return Err(Refusal::OnStage);
        }
        if self.state.hosts.state.invitations.len() >= self.state.settings.limits.invitations as usize {
            return Err(Refusal::InvitationsFull);
        }
        let until = now + self.state.settings.times.invitation;
        self.put(Change::Hosts(hosts::Change::Invited { invitation: Invitation { member, until } }));
        self.put(Change::Own(member, own::Change::Invited { until: Some(until) }));
        self.timers.set(Timer::Invitation(member), until);
        Ok(())
    }

    pub(super) fn withdraw(&mut self, member: MemberId) -> Done {
        self.other(member)?;
        self.decline_invitation(member)
    }

    /// A full stage refuses and the invitation stands: there may be a place a moment later.
    pub(super) fn accept(&mut self, member: MemberId, now: Moment) -> Done {
        self.is_invited(member)?;
        self.stage_has_space()?;
        self.put_up(member, now);
        Ok(())
    }

    pub(super) fn decline_invitation(&mut self, member: MemberId) -> Done {
        self.is_invited(member)?;
        self.drop_invitation(member);
        Ok(())
    }

    fn is_invited(&self, member: MemberId) -> Done {
        let invited = self.own(member).is_some_and(|own| own.invited_until.is_some());
        if invited { Ok(()) } else { Err(Refusal::NoInvitation) }
    }

    pub(super) fn drop_invitation(&mut self, member: MemberId) {
        if self.is_invited(member).is_ok() {
            self.timers.stop(Timer::Invitation(member));
            self.put(Change::Hosts(hosts::Change::Uninvited { member }));
            self.put(Change::Own(member, own::Change::Invited { until: None }));
        }
    }
}
