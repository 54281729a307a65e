//! How fast members may be: buckets that fill with time. They are not kept over a restart.

use std::collections::BTreeMap;

use crate::id::MemberId;
use crate::time::{Millis, Moment};

/// Sliders and held keys make a dozen commands a second; people do not make more.
const COMMANDS: Rate = Rate { burst: 60, every: Millis(50) };
/// A line a second, and five at once for someone who splits a thought.
const CHAT: Rate = Rate { burst: 5, every: Millis(1_000) };
/// What a page can show flying by; nobody reads faster either.
const ROOM_CHAT: Rate = Rate { burst: 200, every: Millis(10) };
/// Tapping with two thumbs.
const REACTIONS: Rate = Rate { burst: 40, every: Millis(100) };
/// A client that goes on so long after it was told to slow down is no client.
const REFUSED_IN_A_ROW_MAX: u32 = 200;

/// So many at once, and one more each so often.
#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    every: Millis,
}

/// How much is left, as the moment when it is full again.
#[derive(Clone, Copy, Default)]
struct Bucket {
    full_at: Moment,
}

impl Bucket {
    fn take(&mut self, rate: Rate, amount: u32, now: Moment) -> bool {
        let full_at = self.full_at.max(now) + Millis(rate.every.0 * u64::from(amount));
        let fits = full_at.since(now) <= Millis(rate.every.0 * u64::from(rate.burst));
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

#[derive(Default)]
struct OfMember {
    commands: Bucket,
    chat: Bucket,
    reactions: Bucket,
    refused_in_a_row: u32,
}

/// The buckets of a room and of its members.
#[derive(Default)]
pub(crate) struct Pace {
    members: BTreeMap<MemberId, OfMember>,
    chat: Bucket,
}

/// What the pace says to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Go,
    TooFast,
    Flooding,
}

impl Pace {
    pub(crate) fn command(&mut self, member: MemberId, now: Moment) -> Step {
        let of = self.members.entry(member).or_default();
        if of.commands.take(COMMANDS, 1, now) {
            of.refused_in_a_row = 0;
            return Step::Go;
        }
        of.refused_in_a_row += 1;
        if of.refused_in_a_row > REFUSED_IN_A_ROW_MAX { Step::Flooding } else { Step::TooFast }
    }

    pub(crate) fn chat(&mut self, member: MemberId, now: Moment) -> bool {
        self.members.entry(member).or_default().chat.take(CHAT, 1, now)
    }

    pub(crate) fn room_chat(&mut self, now: Moment) -> bool {
        self.chat.take(ROOM_CHAT, 1, now)
    }

    pub(crate) fn reactions(&mut self, member: MemberId, times: u32, now: Moment) -> bool {
        self.members.entry(member).or_default().reactions.take(REACTIONS, times, now)
    }

    pub(crate) fn forget(&mut self, member: MemberId) {
        self.members.remove(&member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_each_so_often() {
        let (mut bucket, start) = (Bucket::default(), Moment::from_millis(1_000_000));
        let taken = (0..10).filter(|_| bucket.take(CHAT, 1, start)).count();
        assert_eq!(taken, 5);
        assert!(!bucket.take(CHAT, 1, start + Millis(999)));
        assert!(bucket.take(CHAT, 1, start + Millis(1_000)));
        assert!(!bucket.take(CHAT, 1, start + Millis(1_000)));
    }
}
