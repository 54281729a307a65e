//! Packets that wait for earlier ones, as unbroken runs of one frame each: what is complete is seen without a search.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use media::{Packet, Timestamp};

use super::{PayloadKind, opens_group};

/// Packets of one frame whose numbers follow each other.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) packets: VecDeque<Packet>,
    pub(super) bytes: usize,
    /// When the first of them came.
    pub(super) since: Instant,
    /// Whether one of them says that decoding can begin.
    pub(super) opens: bool,
}

impl Run {
    fn new(kind: PayloadKind, now: Instant, packet: Packet) -> Self {
        let opens = opens_group(kind, &packet.payload);
        Self { bytes: packet.payload.len(), packets: VecDeque::from([packet]), since: now, opens }
    }

    pub(super) fn at(&self) -> Timestamp {
        self.packets.front().map_or(Timestamp::ZERO, |packet| packet.at)
    }

    /// Number of the last packet.
    fn last(&self) -> u64 {
        self.packets.back().map_or(0, |packet| packet.sequence)
    }

    fn has_marker(&self) -> bool {
        self.packets.back().is_some_and(|packet| packet.marker)
    }

    /// Whether `later`, whose numbers follow, is of the same frame.
    fn goes_on_in(&self, later: &Self) -> bool {
        self.at() == later.at() && !self.has_marker()
    }

    /// The shorter moves, so that no order of arrival costs more than a few moves a packet.
    fn join(mut self, mut later: Self) -> Self {
        let bytes = self.bytes + later.bytes;
        let since = self.since.min(later.since);
        let opens = self.opens || later.opens;
        let packets = if self.packets.len() >= later.packets.len() {
            self.packets.append(&mut later.packets);
            self.packets
        } else {
            while let Some(packet) = self.packets.pop_back() {
                later.packets.push_front(packet);
            }
            later.packets
        };
        Self { packets, bytes, since, opens }
    }
}

/// Runs by the number of their first packet.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: BTreeMap<u64, Run>,
    packets: usize,
    bytes: usize,
}

impl Runs {
    /// Adds a packet unless its number is there. `alone` keeps it from joining others: every packet is a frame.
    pub(super) fn insert(&mut self, kind: PayloadKind, now: Instant, packet: Packet, alone: bool) {
        let sequence = packet.sequence;
        let mut first = sequence;
        let before = self.runs.range(..=sequence).next_back().map(|(first, run)| (*first, run.last()));
        if before.is_some_and(|(_, last)| last >= sequence) {
            return;
        }
        let mut run = Run::new(kind, now, packet);
        self.packets += 1;
        self.bytes += run.bytes;
        if !alone {
            if let Some((key, last)) = before
                && last.saturating_add(1) == sequence
                && self.runs.get(&key).is_some_and(|earlier| earlier.goes_on_in(&run))
                && let Some(earlier) = self.runs.remove(&key)
            {
                first = key;
                run = earlier.join(run);
            }
            let key = sequence.saturating_add(1);
            if self.runs.get(&key).is_some_and(|later| run.goes_on_in(later))
                && let Some(later) = self.runs.remove(&key)
            {
                run = run.join(later);
            }
        }
        self.runs.insert(first, run);
    }

    /// Takes the earliest run: its first number and itself.
    pub(super) fn pop(&mut self) -> Option<(u64, Run)> {
        let (first, run) = self.runs.pop_first()?;
        self.packets -= run.packets.len();
        self.bytes -= run.bytes;
        Some((first, run))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// In order, with the number of the first packet.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Run)> {
        self.runs.iter().map(|(first, run)| (*first, run))
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn packets(&self) -> usize {
        self.packets
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number behind all that is here.
    pub(super) fn end(&self) -> Option<u64> {
        self.runs.last_key_value().map(|(_, run)| run.last().saturating_add(1))
    }

    /// Whether the run that begins at `first` has its frame's last packet: marked, or the next frame follows at once.
    pub(super) fn is_ended(&self, first: u64) -> bool {
        self.runs
            .get(&first)
            .is_some_and(|run| run.has_marker() || self.runs.contains_key(&run.last().saturating_add(1)))
    }

    /// Whether the packet before `first` is here, and is another frame's for it is in another run.
    pub(super) fn has_before(&self, first: u64) -> bool {
        self.runs.range(..first).next_back().is_some_and(|(_, run)| run.last().saturating_add(1) == first)
    }
}
