//! The ring behind a track: items in order, group starts, and what is evicted when.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{GroupStart, Item, Retention};
use crate::time::{Span, Timestamp};
use crate::wake::WakerSet;

/// One item as a reader gets it.
pub struct Read<T: Item> {
    /// The item.
    pub item: T,
    /// Its number among the items of all tracks of the broadcast.
    pub arrival: u64,
    /// Number of its group in this track.
    pub group: u64,
    /// The item opens its group.
    pub opens_group: bool,
    /// The group's head, whenever the reader enters another group than it read from before.
    pub head: Option<Arc<T::Head>>,
}

/// The cursor's item is gone from the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader fell {lost} items behind the oldest one kept")]
pub struct Behind {
    /// Items between the cursor and the oldest one kept.
    pub lost: u64,
}

struct Slot<T> {
    arrival: u64,
    item: T,
}

struct Group<H: ?Sized> {
    number: u64,
    start: u64,
    head: Arc<H>,
}

pub(super) struct Ring<T: Item> {
    slots: VecDeque<Slot<T>>,
    /// Sequence number of `slots[0]`.
    first: u64,
    groups: VecDeque<Group<T::Head>>,
    groups_opened: u64,
    bytes: usize,
    retention: Retention,
    pub(super) wakers: WakerSet,
    pub(super) readers: usize,
    pub(super) ended: bool,
}

impl<T: Item> Ring<T> {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
            groups: VecDeque::new(),
            groups_opened: 0,
            bytes: 0,
            retention,
            wakers: WakerSet::default(),
            readers: 0,
            ended: false,
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    pub(super) fn push(&mut self, arrival: u64, head: Option<Arc<T::Head>>, item: T) {
        debug_assert!(head.is_some() || !self.groups.is_empty(), "the first item of a ring opens a group");
        if let Some(head) = head {
            self.groups.push_back(Group { number: self.groups_opened, start: self.end(), head });
            self.groups_opened += 1;
        }
        self.account(item.bytes() as isize);
        self.slots.push_back(Slot { arrival, item });
        self.evict();
    }

    fn account(&mut self, bytes: isize) {
        self.bytes = self.bytes.saturating_add_signed(bytes);
        if let Some(budget) = &self.retention.budget {
            // Two's complement: adding a negative number wrapped is a subtraction.
            budget.used.fetch_add(bytes as usize, Ordering::Relaxed);
        }
    }

    fn evict(&mut self) {
        if let Some(kept) = self.retention.groups {
            while self.groups.len() > kept {
                let start = self.groups[1].start;
                self.evict_to(start);
            }
        }
        let over = |ring: &Self| {
            ring.bytes > ring.retention.bytes_max
                || ring.retention.budget.as_ref().is_some_and(|budget| budget.exceeded())
        };
        while self.slots.len() > 1 && over(self) {
            self.evict_to(self.first + 1);
        }
    }

    pub(super) fn evict_before(&mut self, arrival: u64) {
        let sequence = self.sequence_at(arrival);
        self.evict_to(sequence);
    }

    pub(super) fn evict_older_than(&mut self, span: Span) {
        let Some(newest) = self.slots.back().map(|slot| slot.item.dts()) else { return };
        while self.slots.front().is_some_and(|slot| newest - slot.item.dts() > span) {
            self.evict_to(self.first + 1);
        }
    }

    /// Drops everything before `sequence`. The group that holds the oldest item keeps its head for readers that
    /// enter in its middle.
    fn evict_to(&mut self, sequence: u64) {
        while self.first < sequence {
            let Some(slot) = self.slots.pop_front() else { break };
            self.account(-(slot.item.bytes() as isize));
            self.first += 1;
        }
        while self.groups.len() > 1 && self.groups[1].start <= self.first {
            self.groups.pop_front();
        }
    }

    pub(super) fn oldest_arrival(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.arrival)
    }

    fn slot(&self, sequence: u64) -> Result<Option<&Slot<T>>, Behind> {
        match sequence.checked_sub(self.first) {
            Some(index) => Ok(usize::try_from(index).ok().and_then(|index| self.slots.get(index))),
            None => Err(Behind { lost: self.first - sequence }),
        }
    }

    fn group_of(&self, sequence: u64) -> Option<&Group<T::Head>> {
        self.groups.iter().rev().find(|group| group.start <= sequence)
    }

    pub(super) fn read(&self, sequence: u64, last_group: Option<u64>) -> Result<Option<Read<T>>, Behind> {
        let Some(slot) = self.slot(sequence)? else { return Ok(None) };
        let Some(group) = self.group_of(sequence) else { return Ok(None) };
        Ok(Some(Read {
            item: slot.item.clone(),
            arrival: slot.arrival,
            group: group.number,
            opens_group: group.start == sequence,
            head: (last_group != Some(group.number)).then(|| Arc::clone(&group.head)),
        }))
    }

    pub(super) fn read_from(&self, sequence: u64, bytes_max: usize, out: &mut Vec<T>) -> Result<u64, Behind> {
        let mut next = sequence;
        let mut bytes = 0;
        while let Some(slot) = self.slot(next)? {
            bytes += slot.item.bytes();
            if bytes > bytes_max && next > sequence {
                break;
            }
            out.push(slot.item.clone());
            next += 1;
        }
        Ok(next)
    }

    pub(super) fn newest_group(&self) -> Option<GroupStart<T>> {
        let group = self.groups.back().filter(|group| group.start >= self.first)?;
        let arrival = self.slot(group.start).ok()??.arrival;
        Some(GroupStart { sequence: group.start, arrival, head: Arc::clone(&group.head) })
    }

    pub(super) fn dts(&self, sequence: u64) -> Option<Timestamp> {
        self.slot(sequence).ok()?.map(|slot| slot.item.dts())
    }

    pub(super) fn sequence_at(&self, arrival: u64) -> u64 {
        self.first + self.slots.partition_point(|slot| slot.arrival < arrival) as u64
    }
}

impl<T: Item> Drop for Ring<T> {
    fn drop(&mut self) {
        self.account(-(self.bytes as isize));
    }
}
