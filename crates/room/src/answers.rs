//! Which commands were answered, so that one that is sent again is answered again and not done again.

use std::collections::{BTreeMap, VecDeque};

use crate::id::MemberId;
use crate::refusal::Refusal;

/// How many answers are remembered a member, and so how many commands a client may have open at a time.
pub(crate) const OPEN_COMMANDS_MAX: usize = 32;

/// What became of a command.
pub(crate) type Outcome = Result<(), Refusal>;

/// The newest answers of each member. Not kept over a restart: then only the highest acknowledged number is known.
#[derive(Default)]
pub(crate) struct Answers {
    recent: BTreeMap<MemberId, VecDeque<(u32, Outcome)>>,
}

impl Answers {
    /// What was answered to this number, or that it was passed already; nothing when it is new.
    pub(crate) fn known(&self, member: MemberId, n: u32, acknowledged: u32) -> Option<Outcome> {
        let recent = self.recent.get(&member);
        if let Some((_, outcome)) = recent.and_then(|recent| recent.iter().find(|(number, _)| *number == n)) {
            return Some(*outcome);
        }
        let highest = recent.and_then(VecDeque::back).map_or(0, |(number, _)| *number);
        (n <= highest.max(acknowledged)).then_some(Err(Refusal::AlreadyAnswered))
    }

    pub(crate) fn note(&mut self, member: MemberId, n: u32, outcome: Outcome) {
        let recent = self.recent.entry(member).or_default();
        recent.push_back((n, outcome));
        if recent.len() > OPEN_COMMANDS_MAX {
            recent.pop_front();
        }
    }

    pub(crate) fn forget(&mut self, member: MemberId) {
        self.recent.remove(&member);
    }

    /// The highest number answered, acknowledged or refused.
    pub(crate) fn highest(&self, member: MemberId) -> u32 {
        self.recent.get(&member).and_then(VecDeque::back).map_or(0, |(number, _)| *number)
    }
}
