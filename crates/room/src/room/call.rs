//! A call: it rings when the first comes, is answered when the second does, and ends when one goes.

use super::{Claims, Done, Room};
use crate::id::MemberId;
use crate::output::{Goodbye, Outputs};
use crate::refusal::Refusal;
use crate::time::Moment;
use crate::timers::Timer;
use crate::track::all;

impl Room {
    /// Somebody who is called does not want to. The outputs are to be done whatever the result.
    pub fn decline(&mut self, claims: &Claims, now: Moment) -> (Result<(), Refusal>, Outputs) {
        let now = self.begin(now);
        let result = self.decline_call(claims, now);
        (result, self.commit(now))
    }

    fn decline_call(&mut self, claims: &Claims, now: Moment) -> Done {
        self.let_in(claims)?;
        let calls = !self.state.hidden.members_of(&claims.user).is_empty();
        if calls || self.state.all.state.ringing_until.is_none() {
            return Err(Refusal::NotRinging);
        }
        self.end(Goodbye::CallDeclined, now);
        Ok(())
    }

    pub(super) fn ring_or_answer(&mut self, newcomer: MemberId, now: Moment) {
        let Some(ring) = self.state.settings.times.ring else { return };
        if newcomer == MemberId(1) {
            self.put_all(all::Change::Ringing { until: Some(now + ring) });
            self.timers.set(Timer::Ring, now + ring);
        } else if self.state.all.state.ringing_until.is_some() {
            self.put_all(all::Change::Ringing { until: None });
            self.timers.stop(Timer::Ring);
        }
    }
}
