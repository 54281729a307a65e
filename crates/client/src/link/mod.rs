//! One direction of a bad network, as a pure machine: packets go in, and come out late, out of order, twice or never.
//!
//! The kernel's own (`tc netem`) is not everywhere, and a script that misses its failure tests a perfect network. Time is
//! an argument and chance comes from a seed, so a run can be had again.

mod chance;
mod impairment;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use chance::Chance;
pub use impairment::{Burst, Impairment, Invalid};

/// Packets under way at most: two seconds of a gigabit. What comes beyond is counted as dropped at the tail.
const UNDER_WAY_MAX: usize = 200_000;
/// Bytes at the front of a packet that corruption spares: the headers, without which it would go nowhere.
const HEADER_BYTES: usize = 28;
/// IP's number for UDP.
const UDP: u8 = 17;

/// One direction.
#[derive(Debug)]
pub struct Link {
    impairment: Impairment,
    chance: Chance,
    /// The burst model is in its bad state.
    bad: bool,
    /// When the bottleneck has sent what it was given.
    free: Option<Instant>,
    /// In the order they leave.
    under_way: BinaryHeap<Reverse<Packet>>,
    /// Packets put under way.
    sent: u64,
    counts: Counts,
}

/// What happened to packets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Came in.
    pub entered: u64,
    /// Went out.
    pub left: u64,
    /// Fell to chance, alone or in bursts.
    pub lost: u64,
    /// Found the queue of the bottleneck full.
    pub tail_dropped: u64,
    /// Came while the network was away, or are of a kind that it does not let through.
    pub blocked: u64,
    /// Went out twice.
    pub duplicated: u64,
    /// Overtook those before them.
    pub reordered: u64,
    /// Have a bit that was not sent so.
    pub corrupted: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    due: Instant,
    /// Of two that are due together, the first to come is the first to leave.
    number: u64,
    bytes: Bytes,
}

impl Link {
    /// A link that behaves so; the same seed makes the same of the same packets.
    pub fn new(impairment: Impairment, seed: u64) -> Self {
        Self {
            impairment,
            chance: Chance::new(seed),
            bad: false,
            free: None,
            under_way: BinaryHeap::new(),
            sent: 0,
            counts: Counts::default(),
        }
    }

    /// Behaves otherwise from now on; what is under way goes on as it was.
    pub fn set(&mut self, impairment: Impairment) {
        self.impairment = impairment;
    }

    /// How it behaves.
    pub fn impairment(&self) -> &Impairment {
        &self.impairment
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How long a packet that came now would wait before the bottleneck.
    pub fn backlog(&self, now: Instant) -> Duration {
        let behind = self.free.filter(|_| self.impairment.rate_kbps.is_some());
        behind.map_or(Duration::ZERO, |free| free.saturating_duration_since(now))
    }

    /// Takes an IP packet.
    pub fn handle_packet(&mut self, now: Instant, bytes: Bytes) {
        self.counts.entered += 1;
        if self.impairment.outage || self.impairment.no_udp && is_udp(&bytes) {
            self.counts.blocked += 1;
            return;
        }
        if self.loses() {
            self.counts.lost += 1;
            return;
        }
        let Some(sent) = self.bottleneck(now, bytes.len()) else {
            self.counts.tail_dropped += 1;
            return;
        };
        let bytes = self.corrupted(bytes);
        let due = sent + self.delay();
        if self.chance.comes_up(self.impairment.duplicate) {
            self.counts.duplicated += 1;
            self.send(due, bytes.clone());
        }
        self.send(due, bytes);
    }

    /// The next packet that has arrived by `now`.
    pub fn poll_packet(&mut self, now: Instant) -> Option<Bytes> {
        self.under_way.peek().filter(|Reverse(packet)| packet.due <= now)?;
        let Reverse(packet) = self.under_way.pop()?;
        self.counts.left += 1;
        Some(packet.bytes)
    }

    /// When the next packet arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse(packet)| packet.due)
    }

    fn send(&mut self, due: Instant, bytes: Bytes) {
        if self.under_way.len() >= UNDER_WAY_MAX {
            self.counts.tail_dropped += 1;
            return;
        }
        self.sent += 1;
        let number = self.sent;
        self.under_way.push(Reverse(Packet { due, number, bytes }));
    }

    /// Gilbert and Elliott's model of bursts, and independent loss beside it.
    fn loses(&mut self) -> bool {
        if let Some(burst) = self.impairment.burst {
            self.bad = match self.bad {
                true => !self.chance.comes_up(burst.leave),
                false => self.chance.comes_up(burst.enter),
            };
            if self.bad && self.chance.comes_up(burst.loss) {
                return true;
            }
        }
        self.chance.comes_up(self.impairment.loss)
    }

    /// When the bottleneck has sent so many bytes; `None` when its queue is too long to take them.
    fn bottleneck(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(bits_per_second) = self.impairment.rate_kbps.map(|rate| u64::from(rate) * 1_000) else {
            return Some(now);
        };
        let begins = self.free.map_or(now, |free| free.max(now));
        if begins - now > Duration::from_millis(self.impairment.queue_ms.into()) {
            return None;
        }
        let takes = Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / bits_per_second.max(1));
        self.free = Some(begins + takes);
        self.free
    }

    fn delay(&mut self) -> Duration {
        if self.chance.comes_up(self.impairment.reorder) {
            self.counts.reordered += 1;
            return Duration::ZERO;
        }
        let mean = f64::from(self.impairment.delay_ms);
        let jitter = f64::from(self.impairment.jitter_ms) * self.chance.normal();
        Duration::from_secs_f64((mean + jitter).max(0.0) / 1_000.0)
    }

    fn corrupted(&mut self, bytes: Bytes) -> Bytes {
        if bytes.len() <= HEADER_BYTES || !self.chance.comes_up(self.impairment.corrupt) {
            return bytes;
        }
        self.counts.corrupted += 1;
        let mut changed = bytes.to_vec();
        let at = HEADER_BYTES + self.chance.below(bytes.len() - HEADER_BYTES);
        changed[at] ^= 1 << self.chance.below(8);
        changed.into()
    }
}

/// RFC 791 §3.1 and RFC 8200 §3; extension headers before UDP are no concern of a test.
fn is_udp(packet: &[u8]) -> bool {
    let protocol = match packet.first().map(|first| first >> 4) {
        Some(4) => packet.get(9),
        Some(6) => packet.get(6),
        _ => None,
    };
    protocol == Some(&UDP)
}

#[cfg(test)]
mod tests;
