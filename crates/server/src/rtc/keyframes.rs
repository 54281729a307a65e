//! When a WebRTC publisher is asked for a keyframe. Each costs it several times a picture's bits, so no more than are
//! needed, however many viewers ask.

use std::time::{Duration, Instant};

use media::broadcast::Demand;

/// Viewers that join begin with the newest group, which is at most about this old when somebody wants it.
const INTERVAL: Duration = Duration::from_secs(2);
/// After a loss all viewers stand still: at once, but not again while the answer is under way.
const INTERVAL_LOSS: Duration = Duration::from_millis(400);

/// A viewer that changes to another layer goes on with the one it has until then; where its way became narrow, that is more
/// than it can take.
const INTERVAL_CHANGE: Duration = Duration::from_millis(500);

/// What is known of wishes and answers.
#[derive(Debug)]
pub(super) struct Keyframes {
    /// When one was asked for or came last.
    last: Instant,
    demand: Demand,
    /// A viewer asked since then.
    wanted: bool,
    /// One waits for it to change to this layer.
    changes: bool,
    /// What came since then cannot be decoded.
    lost: bool,
    /// One has begun to come, and is given up after this.
    coming: Option<Instant>,
}

impl Keyframes {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last: now,
            demand: Demand::default(),
            wanted: false,
            changes: false,
            lost: false,
            coming: None,
        }
    }

    pub(super) fn handle_keyframe(&mut self, now: Instant) {
        (self.last, self.wanted, self.changes, self.lost) = (now, false, false, false);
        self.coming = None;
    }

    /// The first packets of one have come; the rest will have come by `until`, or never.
    pub(super) fn handle_opening(&mut self, until: Instant) {
        self.coming = Some(until);
    }

    pub(super) fn handle_loss(&mut self) {
        self.lost = true;
    }

    /// A viewer wants to change to this layer.
    pub(super) fn handle_change(&mut self) {
        self.changes = true;
    }

    pub(super) fn handle_demand(&mut self, demand: Demand) {
        self.wanted |= demand.keyframes_wanted != self.demand.keyframes_wanted;
        self.demand = demand;
    }

    /// When the next one is to be asked for. Readers of frames (FLV, HLS, a recording) want short groups.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.lost {
            let due = self.last + INTERVAL_LOSS;
            return Some(self.coming.map_or(due, |until| until.max(due)));
        }
        if self.changes {
            return Some(self.last + INTERVAL_CHANGE);
        }
        (self.wanted || self.demand.readers > 0).then(|| self.last + INTERVAL)
    }

    /// Whether one is to be asked for now.
    pub(super) fn take_request(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout().is_some_and(|at| at <= now);
        if due {
            (self.last, self.wanted) = (now, false);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(readers: usize, keyframes_wanted: u64) -> Demand {
        Demand { readers, keyframes_wanted, wishes: 0 }
    }

    #[test]
    fn a_thousand_wishes_are_one_request_in_two_seconds() {
        let start = Instant::now();
        let mut keyframes = Keyframes::new(start);
        let mut asked = 0;
        for ms in 0..10_000 {
            keyframes.handle_demand(demand(0, ms + 1));
            asked += usize::from(keyframes.take_request(start + Duration::from_millis(ms)));
        }
        assert_eq!(asked, 4);
    }

    #[test]
    fn nobody_is_asked_while_nobody_wants_one_and_readers_of_frames_want_one_each_two_seconds() {
        let start = Instant::now();
        let mut keyframes = Keyframes::new(start);
        assert_eq!(keyframes.poll_timeout(), None);
        keyframes.handle_demand(demand(1, 0));
        assert_eq!(keyframes.poll_timeout(), Some(start + INTERVAL));
        keyframes.handle_keyframe(start + Duration::from_secs(1));
        assert_eq!(keyframes.poll_timeout(), Some(start + Duration::from_secs(3)));
    }

    #[test]
    fn viewers_that_change_to_a_layer_share_a_keyframe_and_it_is_asked_for_until_it_comes() {
        let start = Instant::now();
        let mut keyframes = Keyframes::new(start);
        let mut asked = vec![];
        for ms in 0..1_200 {
            if ms < 700 {
                keyframes.handle_change();
            }
            if keyframes.take_request(start + Duration::from_millis(ms)) {
                asked.push(ms);
            }
        }
        assert_eq!(asked, [500, 1_000]);
        keyframes.handle_keyframe(start + Duration::from_millis(1_200));
        assert_eq!(keyframes.poll_timeout(), None);
    }

    #[test]
    fn while_a_keyframe_is_coming_packet_by_packet_no_other_is_asked_for_until_it_is_given_up() {
        let start = Instant::now();
        let mut keyframes = Keyframes::new(start);
        keyframes.handle_loss();
        let mut asked = vec![];
        for ms in 0..2_500 {
            let now = start + Duration::from_millis(ms);
            if ms == 550 {
                keyframes.handle_opening(now + Duration::from_millis(900));
            }
            if keyframes.take_request(now) {
                asked.push(ms);
            }
        }
        assert_eq!(asked, [400, 1_450, 1_850, 2_250]);
    }

    #[test]
    fn a_loss_is_mended_soon_and_asked_for_again_until_it_is() {
        let start = Instant::now();
        let mut keyframes = Keyframes::new(start);
        keyframes.handle_loss();
        let mut asked = vec![];
        for ms in 0..1_000 {
            if keyframes.take_request(start + Duration::from_millis(ms)) {
                asked.push(ms);
            }
        }
        assert_eq!(asked, [400, 800]);
        keyframes.handle_keyframe(start + Duration::from_secs(1));
        assert_eq!(keyframes.poll_timeout(), None);
    }
}
