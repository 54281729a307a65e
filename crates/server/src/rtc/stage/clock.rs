//! Which moment the RTP time of a section is: told when a member begins to feed it, and when the relation has drifted. Pure.

use std::time::{Duration, Instant};

use room::MemberId;
use room::clock::rtp_us;

use super::super::outlet::since;

/// What is told is wrong by no more: under half a picture at 30 a second.
const DRIFT_MAX: Duration = Duration::from_millis(10);

/// An RTP time and the moment at which it was live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) rtp: u32,
    /// Ticks a second.
    pub(super) rate: u32,
    pub(super) live: Instant,
}

impl Point {
    /// How far another point is from the line through this one.
    fn drift(self, other: Self) -> Duration {
        let by_rtp = rtp_us(self.rtp, other.rtp, self.rate);
        Duration::from_micros(by_rtp.abs_diff(since(self.live, other.live).micros()))
    }
}

/// What is known of one section, and what was told.
#[derive(Debug, Default)]
pub(super) struct SlotClock {
    told: Option<(MemberId, Point)>,
    news: Option<(MemberId, Point)>,
}

impl SlotClock {
    /// A packet of this member was written.
    pub(super) fn handle_packet(&mut self, member: MemberId, point: Point) {
        let known = self.told.filter(|(of, told)| *of == member && told.rate == point.rate);
        if known.is_none_or(|(_, told)| told.drift(point) > DRIFT_MAX) {
            (self.told, self.news) = (Some((member, point)), Some((member, point)));
        }
    }

    /// What is to be told, once.
    pub(super) fn take_told(&mut self) -> Option<(MemberId, Point)> {
        self.news.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_for_each_member_and_when_it_has_drifted_and_not_else() {
        let (mut clock, start) = (SlotClock::default(), Instant::now());
        let point = |rtp: u32, ms: u64| Point { rtp, rate: 90_000, live: start + Duration::from_millis(ms) };
        let first = point(u32::MAX - 44_999, 1_000);
        clock.handle_packet(MemberId(1), first);
        assert_eq!(clock.take_told(), Some((MemberId(1), first)));
        // Half a second later, over the wrap; then before the first, and 9 ms off.
        for (rtp, ms) in [(0, 1_500), (u32::MAX - 89_999, 500), (90_000, 2_509)] {
            clock.handle_packet(MemberId(1), point(rtp, ms));
            assert_eq!(clock.take_told(), None, "{rtp}");
        }
        let drifted = point(180_000, 3_511);
        clock.handle_packet(MemberId(1), drifted);
        assert_eq!(clock.take_told(), Some((MemberId(1), drifted)));
        clock.handle_packet(MemberId(2), drifted);
        assert_eq!(clock.take_told(), Some((MemberId(2), drifted)), "another member");
        let sound = Point { rate: 48_000, ..drifted };
        clock.handle_packet(MemberId(2), sound);
        assert_eq!(clock.take_told(), Some((MemberId(2), sound)), "another rate");
    }
}
