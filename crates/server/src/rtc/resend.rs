//! How many packets are kept for a viewer that asks for them again. The library keeps half a kilobyte for each beside the
//! payload, which all viewers share, so this is most of what a viewer costs.

use std::time::{Duration, Instant};

/// Beside the group that a viewer joins with: 1.5 s at 2.5 Mbit/s. What it needs is known a moment later.
const JOINED: usize = 400;
/// A joined group longer than this is asked for anew rather than mended.
const KEPT_MAX: usize = 2_048;
/// Less saves nothing worth having.
const KEPT_MIN: usize = 64;
/// A packet is asked for so many times before its picture is given up.
const TRIES: u32 = 6;
/// What a viewer waits beyond a round trip before it takes a packet for lost.
const REORDERED: Duration = Duration::from_millis(20);
/// Round trips are reported once a second, and one that is short now may be longer in a moment.
const AGE_MIN: Duration = Duration::from_millis(500);
/// Browsers wait no longer than this for a picture.
pub(super) const AGE_MAX: Duration = Duration::from_millis(1_500);
/// Until a viewer has told.
const ROUND_TRIP_UNKNOWN: Duration = Duration::from_millis(200);
/// Below this share of loss nobody waits for what is let go.
const LOSSLESS: f32 = 0.001;

/// What one stream of a viewer keeps. To change it lets go of what is kept, so it follows the need in coarse steps.
#[derive(Debug, Default)]
pub(super) struct Resend {
    kept: usize,
    change: Option<usize>,
    /// Packets since the last report, and when that was.
    written: u32,
    reported: Option<Instant>,
}

/// What a viewer told, or how long it has been silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub(super) at: Instant,
    pub(super) round_trip: Option<Duration>,
    /// This share was lost; `None` when the viewer has not told.
    pub(super) loss: Option<f32>,
}

impl Resend {
    /// So many packets go out at once now.
    pub(super) fn handle_join(&mut self, packets: usize) {
        let wanted = packets.saturating_add(JOINED).min(KEPT_MAX);
        if wanted > self.kept {
            self.change = Some(wanted);
        }
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
        let round_trip = report.round_trip.unwrap_or(ROUND_TRIP_UNKNOWN);
        let age = ((round_trip + REORDERED) * TRIES).clamp(AGE_MIN, AGE_MAX);
        // A quarter more, as keyframes come in one piece.
        let wanted = (rate * age.as_secs_f32() * 1.25) as usize;
        let wanted = wanted.clamp(KEPT_MIN, KEPT_MAX);
        let is_lossless = report.loss.is_some_and(|loss| loss < LOSSLESS);
        let spare = if is_lossless { wanted * 2 } else { wanted * 4 };
        if self.kept >= spare || wanted > self.kept + self.kept / 2 {
            self.change = Some(wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A viewer that has just joined a group of so many packets.
    fn joined(packets: usize) -> Resend {
        let mut resend = Resend::default();
        resend.handle_join(packets);
        resend.handle_report(Report { at: Instant::now(), round_trip: None, loss: None });
        assert_eq!(resend.handle_packet(), Some(packets + JOINED), "the whole group may have to be mended");
        resend
    }

    /// A second at so many packets; what is kept in the next.
    fn second(resend: &mut Resend, packets: usize, round_trip_ms: u64, loss: Option<f32>) -> usize {
        let at = resend.reported.expect("one came before") + Duration::from_secs(1);
        for _ in 1..packets {
            resend.handle_packet();
        }
        let round_trip = Some(Duration::from_millis(round_trip_ms));
        resend.handle_report(Report { at, round_trip, loss });
        resend.handle_packet();
        resend.kept
    }

    #[test]
    fn a_viewer_that_loses_nothing_keeps_half_a_second_once_it_has_joined() {
        let mut resend = joined(1_000);
        assert_eq!(second(&mut resend, 1_200, 5, Some(0.0)), 1_400, "while it goes out");
        assert_eq!(second(&mut resend, 208, 5, Some(0.0)), 130);
        assert_eq!(resend.handle_packet(), None);
        for _ in 0..10 {
            assert_eq!(second(&mut resend, 170, 5, Some(0.0)), 130, "small changes are none");
            assert_eq!(second(&mut resend, 240, 5, Some(0.0)), 130);
        }
    }

    #[test]
    fn a_viewer_far_away_or_with_loss_keeps_what_its_repairs_take() {
        let mut resend = joined(200);
        assert_eq!(second(&mut resend, 208, 250, Some(0.1)), 600);
        assert_eq!(second(&mut resend, 208, 250, None), 600, "one that tells nothing may lose");
        assert_eq!(second(&mut resend, 208, 250, Some(0.0)), 600, "1.5 s are 390 of them");
        assert_eq!(second(&mut resend, 208, 100, Some(0.1)), 600, "at a loss nothing is let go lightly");
    }

    #[test]
    fn a_stream_that_becomes_dearer_keeps_as_long_as_before() {
        let mut resend = joined(0);
        assert_eq!(second(&mut resend, 100, 5, Some(0.0)), 64, "half a second, and no fewer than the least");
        assert_eq!(second(&mut resend, 1_000, 5, Some(0.02)), 625);
        assert_eq!(second(&mut resend, 100_000, 5, Some(0.02)), KEPT_MAX);
    }
}
