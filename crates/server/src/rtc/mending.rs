//! What becomes of the packets a publisher's way loses: which came already, which are asked for again, and how late they come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::Timestamp;
use str0m::Rtc;
use str0m::rtp::{RtpPacket, Ssrc};

use super::ask::Ask;
use super::control::Told;
use super::feedback;
use super::late::Late;
use super::queue::{Queue, Sent};

/// The share that is lost is told in steps of so many percent.
const LOSS_STEP: f32 = 5.0;
/// Packets that may come once more: what is asked for lies no further behind.
const REMEMBERED: usize = 128;

/// What all streams of a publisher have in common.
#[derive(Debug, Default)]
pub(super) struct Uplink {
    queue: Queue,
    /// In whose name the peer is asked for what is lost.
    asker: Option<Ssrc>,
    /// The share of its pictures' packets that it was told is lost, in percent.
    told: Option<f32>,
}

impl Uplink {
    /// A packet has come. When it was sent, if it tells.
    pub(super) fn handle_packet(&mut self, now: Instant, packet: &RtpPacket) -> Option<Sent> {
        packet.header.ext_vals.abs_send_time.map(|told| self.queue.handle_packet(now, told))
    }

    /// Whether packets wait in a queue.
    pub(super) fn is_crowded(&self, now: Instant) -> bool {
        self.queue.is_standing(now)
    }

    /// In whose name the peer is asked.
    pub(super) fn asker(&mut self, rtc: &mut Rtc) -> Ssrc {
        *self.asker.get_or_insert_with(|| rtc.direct_api().new_ssrc())
    }

    /// What the publisher is to be told now that this share is lost, if that is news.
    pub(super) fn take_told(&mut self, lost: f32) -> Option<Told> {
        let percent = lost * 100.0;
        // Half a step on either side of a boundary is no change.
        if self.told.is_some_and(|told| (percent - told).abs() <= LOSS_STEP * 0.75) {
            return None;
        }
        let told = (percent / LOSS_STEP).round() * LOSS_STEP;
        self.told = Some(told);
        Some(Told::Loss { percent: told as u8 })
    }
}

/// A packet that had not come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// What is missing before it is still waited for.
    InTurn,
    /// So much is missing before it that it is never going to come.
    AfterOutage,
}

/// Of one RTP stream.
pub(super) struct Mending {
    /// Its name on the wire, where the peer may be asked.
    stream: Option<Ssrc>,
    ask: Ask,
    late: Late,
    /// Sequence numbers of the newest packets.
    received: VecDeque<u64>,
}

impl Mending {
    /// Of a stream whose peer may be asked by that name.
    pub(super) fn new(stream: Option<Ssrc>) -> Self {
        Self { stream, ask: Ask::new(), late: Late::default(), received: VecDeque::with_capacity(REMEMBERED) }
    }

    /// What comes next is of the stream with this name. `true` when that is another than before.
    pub(super) fn begin(&mut self, stream: Option<Ssrc>) -> bool {
        let is_new = self.stream != stream;
        if is_new {
            *self = Self::new(stream);
        }
        is_new
    }

    /// Whether a queue stands on the way, as far as the packets that come tell.
    pub(super) fn handle_queue(&mut self, now: Instant, is_crowded: bool) {
        self.ask.handle_queue(is_crowded);
        if is_crowded {
            self.late.handle_queue(now);
        }
    }

    /// A packet has come, by itself or in another. What it is; nothing when it came before.
    pub(super) fn handle_packet(&mut self, now: Instant, sequence: u64, sent: Option<Sent>) -> Option<Came> {
        if self.received.contains(&sequence) {
            return None;
        }
        if self.received.len() == REMEMBERED {
            self.received.pop_front();
        }
        self.received.push_back(sequence);
        let is_after_outage = self.ask.handle_packet(now, sequence, sent);
        Some(if is_after_outage { Came::AfterOutage } else { Came::InTurn })
    }

    /// Where that packet belongs.
    pub(super) fn handle_place(&mut self, now: Instant, sequence: u64, at: Timestamp) {
        self.late.handle_packet(now, sequence, at);
    }

    /// How long viewers are to hold what comes.
    pub(super) fn hold(&mut self, now: Instant) -> Duration {
        let outlook = if self.stream.is_some() { self.ask.outlook() } else { Duration::ZERO };
        self.late.hold(now, outlook)
    }

    /// The share of its packets that is lost at first.
    pub(super) fn lost(&self) -> f32 {
        self.ask.lost()
    }

    /// How long something missing may well take to come.
    pub(super) fn patience(&self) -> Duration {
        self.stream.map_or(Duration::ZERO, |_| self.ask.patience())
    }

    /// How long the way to the peer and back is, where it says so.
    pub(super) fn handle_trip(&mut self, trip: Option<Duration>) {
        if let Some(trip) = trip {
            self.ask.handle_trip(trip);
        }
    }

    /// When [`Mending::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.stream.and_then(|_| self.ask.poll_timeout())
    }

    /// Asks for what is due, in the name of `own`.
    pub(super) fn handle_timeout(&mut self, now: Instant, rtc: &mut Rtc, own: Ssrc) {
        let Some(stream) = self.stream else { return };
        let due = self.ask.take_due(now);
        if !due.is_empty() {
            feedback::ask(rtc, own, stream, &due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_is_told_at_first_and_when_it_becomes_another_step() {
        let mut uplink = Uplink::default();
        let told = |percent| Some(Told::Loss { percent });
        let found = [0.0, 0.03, 0.1, 0.12, 0.3, 0.0].map(|lost| uplink.take_told(lost));
        assert_eq!(found, [told(0), None, told(10), None, told(30), told(0)]);
    }
}
