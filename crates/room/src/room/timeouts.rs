//! What happens when time runs out.

use super::Room;
use crate::output::{Goodbye, Outputs, Verdict};
use crate::time::Moment;
use crate::timers::Timer;
use crate::track::all;

impl Room {
    /// When [`Room::handle_timeout`] wants to be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// The time has come; calling too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Moment) -> Outputs {
        let now = self.begin(now);
        self.commit(now)
    }

    /// Lets everything happen that was due, each thing at its own moment, in order.
    pub(super) fn catch_up(&mut self, now: Moment) {
        while let Some((at, timer)) = self.timers.take_due(now) {
            self.expire(timer, at);
        }
    }

    fn expire(&mut self, timer: Timer, at: Moment) {
        match timer {
            Timer::Grace(member) => self.depart(member, Goodbye::Lost, at),
            Timer::Hand(member) => self.drop_hand(member),
            Timer::Invitation(member) => self.drop_invitation(member),
            Timer::Held(chat) => self.follow_verdict(chat, Verdict::Refuse, at),
            Timer::Ring => self.end(Goodbye::NoAnswer, at),
            Timer::HostAway => self.follow_policy(at),
            Timer::Empty => self.end(Goodbye::Empty, at),
            Timer::Tally => self.tell_tally(),
            Timer::Audience => self.tell_audience(),
        }
    }

    fn tell_audience(&mut self) {
        let count = self.state.counted();
        if count != self.state.all.state.audience {
            self.put_all(all::Change::Audience { count });
        }
    }
}
