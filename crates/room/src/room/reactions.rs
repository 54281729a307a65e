//! Reactions: counted at once, told together, so that thousands of thumbs make four messages a second.

use super::{Done, Room};
use crate::id::MemberId;
use crate::refusal::Refusal;
use crate::time::Moment;
use crate::timers::{TALLY_EVERY, Timer};
use crate::track::all::Count;
use crate::track::{Reaction, all, hidden};

/// Taps a client may put into one command: what two thumbs do in the time between two of them.
const TIMES_MAX: u32 = 20;

impl Room {
    pub(super) fn react(&mut self, member: MemberId, reaction: Reaction, times: u32, now: Moment) -> Done {
        if !(1..=TIMES_MAX).contains(&times) {
            return Err(Refusal::BadValue);
        }
        if !self.pace.reactions(member, times, now) {
            return Err(Refusal::TooFast);
        }
        self.put_hidden(hidden::Change::Tallied { reaction, times });
        self.timers.begin(Timer::Tally, now + TALLY_EVERY);
        Ok(())
    }

    pub(super) fn tell_tally(&mut self) {
        let counts: Vec<Count> =
            self.state.hidden.tally.iter().map(|(&reaction, &count)| Count { reaction, count }).collect();
        if !counts.is_empty() {
            self.put_hidden(hidden::Change::TallyTold {});
            self.put_all(all::Change::Reacted { counts });
        }
    }
}
