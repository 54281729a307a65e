//! The queue of hands: first up, first in line.

use super::{Done, Room};
use crate::id::MemberId;
use crate::refusal::Refusal;
use crate::time::Moment;
use crate::timers::Timer;
use crate::track::{Change, hosts, own};

impl Room {
    pub(super) fn raise_hand(&mut self, member: MemberId, now: Moment) -> Done {
        let own = self.other(member)?;
        if own.hand.is_some() {
            return Err(Refusal::HandIsUp);
        }
        if !self.state.all.state.open.hands {
            return Err(Refusal::HandsClosed);
        }
        let ahead = self.state.hosts.state.hands.len();
        if ahead >= self.state.settings.limits.hands as usize {
            return Err(Refusal::HandsFull);
        }
        let (by, until) = (own.name.clone(), now + self.state.settings.times.hand);
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        self.put(Change::Hosts(hosts::Change::HandUp {
            hand: hosts::Hand { member, by, since: now, until },
        }));
        self.put(Change::Own(member, own::Change::Hand { hand: Some(own::Hand { until, ahead }) }));
        self.timers.set(Timer::Hand(member), until);
        Ok(())
    }

    pub(super) fn lower_hand(&mut self, member: MemberId) -> Done {
        self.has_hand(member)?;
        self.drop_hand(member);
        Ok(())
    }

    pub(super) fn refuse_hand(&mut self, member: MemberId) -> Done {
        self.other(member)?;
        self.lower_hand(member)
    }

    /// Whoever asked is brought up; whoever did not is invited instead, for nobody is pulled onto a stage.
    pub(super) fn bring_up(&mut self, member: MemberId, now: Moment) -> Done {
        self.other(member)?;
        self.has_hand(member)?;
        self.stage_has_space()?;
        self.put_up(member, now);
        Ok(())
    }

    pub(super) fn next_hand(&mut self, now: Moment) -> Done {
        let first = self.state.hosts.state.hands.first().ok_or(Refusal::NoHand)?.member;
        self.bring_up(first, now)
    }

    fn has_hand(&self, member: MemberId) -> Done {
        let up = self.own(member).is_some_and(|own| own.hand.is_some());
        if up { Ok(()) } else { Err(Refusal::NoHand) }
    }

    /// Takes a hand out of the queue and tells those behind it that they have moved up.
    pub(super) fn drop_hand(&mut self, member: MemberId) {
        let hands = &self.state.hosts.state.hands;
        let Some(at) = hands.iter().position(|hand| hand.member == member) else { return };
        let behind: Vec<MemberId> = hands.iter().skip(at + 1).map(|hand| hand.member).collect();
        self.timers.stop(Timer::Hand(member));
        self.put(Change::Hosts(hosts::Change::HandDown { member }));
        self.put(Change::Own(member, own::Change::Hand { hand: None }));
        for member in behind {
            let Some(hand) = self.own(member).and_then(|own| own.hand) else { continue };
            let hand = own::Hand { ahead: hand.ahead.saturating_sub(1), ..hand };
            self.put(Change::Own(member, own::Change::Hand { hand: Some(hand) }));
        }
    }
}
