//! How many packets are kept for a viewer that asks for them again. The library keeps half a kilobyte for each beside the
//! payload, which all viewers share, so this is most of what a viewer costs.

use std::time::{Duration, Instant};

/// While a viewer joins: 1.5 s at 2.5 Mbit/s. What it needs is known a moment later.
const JOINED: usize = 400;
/// What may follow the joined group before its first packets have been asked for again.
const FOLLOWING: usize = 100;
/// A joined group longer than this is asked for anew rather than mended.
const KEPT_MAX: usize = 2_048;
/// Less saves nothing worth having.
const KEPT_MIN: usize = 64;
/// A packet is asked for so many times before its picture is given up. Who has lost nothing yet is given the same: what is kept is
/// let go when more is to be kept, which is when the first packets are missing.
const TRIES: u32 = 6;
/// What a viewer waits beyond a round trip before it takes a packet for lost.
const REORDERED: Duration = Duration::from_millis(20);
/// Round trips are reported once a second, and one that is short now may be longer in a moment.
const AGE_MIN: Duration = Duration::from_millis(500);
/// Browsers wait no longer than this for a picture.
pub(super) const AGE_MAX: Duration = Duration::from_millis(1_500);
/// Until a viewer has told.
const ROUND_TRIP_UNKNOWN: Duration = Duration::from_millis(200);
/// A viewer that has asked for nothing in so many reports, one a second, waits for nothing that is let go.
const CALM: u32 = 3;

/// What one stream of a viewer keeps. To change it lets go of what is kept, and of that something may have been lost a moment ago that
/// the viewer will ask for: without it its picture would stand still for seconds. So it follows the need in coarse steps, where a group
/// opens, for which nothing of before is needed.
#[derive(Debug, Default)]
pub(super) struct Resend {
    kept: usize,
    change: Option<usize>,
    /// What is to be kept from the next group on.
    later: Option<usize>,
    /// Packets since the last report, and when that was.
    written: u32,
    reported: Option<Instant>,
    /// How often the viewer had asked, and reports since it asked or joined.
    asked: u64,
    calm: u32,
}

/// What is known of a viewer at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub(super) at: Instant,
    pub(super) round_trip: Option<Duration>,
    /// How often it asked for something again so far.
    pub(super) asked: u64,
}

impl Resend {
    /// So many packets go out at once now, and what follows may be more than before.
    pub(super) fn handle_join(&mut self, packets: usize) {
        self.calm = 0;
        let wanted = packets.saturating_add(FOLLOWING).clamp(JOINED, KEPT_MAX);
        self.later = None;
        if wanted > self.kept {
            self.change = Some(wanted);
        }
    }

    /// The next packet opens a group.
    pub(super) fn handle_opening(&mut self) {
        self.change = self.change.or(self.later.take());
    }

    /// A packet is written; `Some` when another number is to be kept from it on.
    pub(super) fn handle_packet(&mut self) -> Option<usize> {
        self.written = self.written.saturating_add(1);
        self.kept = self.change.unwrap_or(self.kept);
        self.change.take()
    }

    pub(super) fn handle_report(&mut self, report: Report) {
        let written = std::mem::take(&mut self.written);
        let Some(before) = self.reported.replace(report.at) else { return };
        let rate = written as f32 / report.at.saturating_duration_since(before).as_secs_f32().max(0.1);
        self.calm =
            if std::mem::replace(&mut self.asked, report.asked) == report.asked { self.calm + 1 } else { 0 };
        let round_trip = report.round_trip.unwrap_or(ROUND_TRIP_UNKNOWN);
        let age = ((round_trip + REORDERED) * TRIES).clamp(AGE_MIN, AGE_MAX);
        // A quarter more, as keyframes come in one piece.
        let wanted = (rate * age.as_secs_f32() * 1.25) as usize;
        let wanted = wanted.clamp(KEPT_MIN, KEPT_MAX);
        let is_spare = self.calm >= CALM && self.kept >= wanted * 2;
        let is_little = wanted > self.kept + self.kept / 2;
        // What is little does not wait for a group for ever.
        if is_little && self.later.is_some_and(|later| later > self.kept) {
            (self.change, self.later) = (Some(wanted), None);
        } else {
            self.later = Some(wanted).filter(|_| is_spare || is_little);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A viewer that joins a group of so many packets, and what it keeps then.
    fn joined(packets: usize) -> (Resend, usize) {
        let mut resend = Resend::default();
        resend.handle_join(packets);
        resend.handle_report(Report { at: Instant::now(), round_trip: None, asked: 0 });
        let kept = resend.handle_packet().expect("it begins");
        (resend, kept)
    }

    /// A second at so many packets; what is kept in the next.
    fn second(resend: &mut Resend, packets: usize, round_trip_ms: Option<u64>, asks: u64) -> usize {
        let at = resend.reported.expect("one came before") + Duration::from_secs(1);
        for _ in 1..packets {
            resend.handle_packet();
        }
        let round_trip = round_trip_ms.map(Duration::from_millis);
        resend.handle_report(Report { at, round_trip, asked: resend.asked + asks });
        resend.handle_opening();
        resend.handle_packet();
        resend.kept
    }

    #[test]
    fn a_viewer_that_asks_for_nothing_keeps_what_its_repairs_would_take_once_it_has_joined() {
        let (mut resend, kept) = joined(1_000);
        assert_eq!(kept, 1_100, "the whole group may have to be mended");
        assert_eq!(second(&mut resend, 1_200, Some(5), 0), 1_100, "while it goes out");
        assert_eq!(
            [(); 3].map(|()| second(&mut resend, 208, Some(5), 0)),
            [1_100, 130, 130],
            "half a second"
        );
        // Six round trips of 170 ms are 1.02 s, and half as much again is not worth letting go of what is kept.
        for (round_trip, kept) in [(Some(5), 130), (Some(150), 265), (None, 343)] {
            let (mut resend, _) = joined(900);
            assert_eq!([(); 3].map(|()| second(&mut resend, 208, round_trip, 0))[2], kept, "{round_trip:?}");
            assert_eq!(second(&mut resend, 170, round_trip, 0), kept, "small changes are none");
            assert_eq!(second(&mut resend, 240, round_trip, 0), kept);
            assert_eq!(resend.handle_packet(), None);
        }
    }

    #[test]
    fn a_viewer_that_asks_loses_nothing_that_it_may_be_waiting_for() {
        let (mut resend, _) = joined(1_000);
        assert_eq!([(); 9].map(|()| second(&mut resend, 208, Some(5), 3)), [1_100; 9], "130 would do");
        assert_eq!([(); 3].map(|()| second(&mut resend, 208, Some(5), 0))[2], 130, "it has got all");
        assert_eq!(second(&mut resend, 208, Some(200), 1), 343, "a way that became longer takes more");
    }

    #[test]
    fn nothing_is_let_go_within_a_group_unless_too_little_is_kept_for_long() {
        let (mut resend, _) = joined(1_000);
        let mut within = |packets, asks| {
            let at = resend.reported.expect("one came before") + Duration::from_secs(1);
            (1..packets).for_each(|_| assert_eq!(resend.handle_packet(), None));
            resend.handle_report(Report { at, round_trip: None, asked: resend.asked + asks });
            resend.handle_packet()
        };
        assert_eq!([(); 9].map(|()| within(208, 0)), [None; 9], "343 would do");
        assert_eq!(within(208, 1), None);
        resend.handle_opening();
        assert_eq!(resend.handle_packet(), None, "it asks again");
        resend.handle_join(2_000);
        assert_eq!(resend.handle_packet(), Some(2_048));
        let (mut resend, _) = joined(0);
        let mut within = |packets| {
            let at = resend.reported.expect("one came before") + Duration::from_secs(1);
            for _ in 1..packets {
                resend.handle_packet();
            }
            resend.handle_report(Report { at, round_trip: None, asked: 9 });
            resend.handle_packet()
        };
        let kept = [within(1_000), within(1_000), within(1_000)];
        assert!(matches!(kept, [None, Some(1_600..1_700), None]), "{kept:?}");
    }

    #[test]
    fn a_stream_that_becomes_dearer_is_kept_as_long_as_before() {
        let (mut resend, _) = joined(0);
        for _ in 0..4 {
            second(&mut resend, 100, Some(5), 0);
        }
        assert_eq!(resend.kept, 64, "half a second, and no fewer than the least");
        assert_eq!(second(&mut resend, 1_000, Some(5), 0), 625);
        assert_eq!(second(&mut resend, 100_000, Some(5), 0), KEPT_MAX);
    }
}
