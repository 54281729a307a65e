//! What becomes of the packets a publisher's way loses: which came already, which are asked for again, and how late they come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::Timestamp;
use str0m::Rtc;
use str0m::rtp::Ssrc;

use super::ask::Ask;
use super::feedback;
use super::late::Late;

/// Packets that may come once more: what is asked for lies no further behind.
const REMEMBERED: usize = 128;

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

    /// A packet has come, by itself or in another. `false` when it came before.
    pub(super) fn handle_packet(&mut self, now: Instant, sequence: u64) -> bool {
        if self.received.contains(&sequence) {
            return false;
        }
        if self.received.len() == REMEMBERED {
            self.received.pop_front();
        }
        self.received.push_back(sequence);
        self.ask.handle_packet(now, sequence);
        true
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
