//! The newest changes of each track, for members who come back: what they missed, if it is not too much.

use std::collections::{BTreeMap, VecDeque};

use crate::id::MemberId;
use crate::track::{Delta, Track};

/// A minute of a busy room. Whoever missed more gets a snapshot, which is shorter.
const SHARED_CHANGES_MAX: usize = 512;
/// What happens to one member in a minute.
const OWN_CHANGES_MAX: usize = 64;

/// The newest changes.
#[derive(Default)]
pub(crate) struct Log {
    all: VecDeque<Delta>,
    stage: VecDeque<Delta>,
    hosts: VecDeque<Delta>,
    own: BTreeMap<MemberId, VecDeque<Delta>>,
}

impl Log {
    pub(crate) fn push(&mut self, track: Track, delta: Delta) {
        let (ring, max) = match track {
            Track::All => (&mut self.all, SHARED_CHANGES_MAX),
            Track::Stage => (&mut self.stage, SHARED_CHANGES_MAX),
            Track::Hosts => (&mut self.hosts, SHARED_CHANGES_MAX),
            Track::Own(member) => (self.own.entry(member).or_default(), OWN_CHANGES_MAX),
        };
        if ring.len() == max {
            ring.pop_front();
        }
        ring.push_back(delta);
    }

    /// The changes after `seen` up to `now`, both numbers of this track. Nothing when some of them are gone, or when
    /// `seen` lies in the future: it was seen elsewhere.
    pub(crate) fn after(&self, track: Track, seen: u64, now: u64) -> Option<Vec<Delta>> {
        let missed = usize::try_from(now.checked_sub(seen)?).ok()?;
        let ring = match track {
            Track::All => Some(&self.all),
            Track::Stage => Some(&self.stage),
            Track::Hosts => Some(&self.hosts),
            Track::Own(member) => self.own.get(&member),
        };
        let kept = ring.map_or(0, VecDeque::len);
        let skip = kept.checked_sub(missed)?;
        Some(ring.into_iter().flatten().skip(skip).cloned().collect())
    }

    pub(crate) fn forget(&mut self, member: MemberId) {
        self.own.remove(&member);
    }
}
