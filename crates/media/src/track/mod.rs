//! A track: one ring, one writer, many cursors.
//!
//! A ring holds items (frames, packets, muxed bytes, strokes) in order. Some items open a *group*: a point
//! anyone can join, described by the group's head (codec parameters, a stream preamble, a snapshot).

mod ring;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use crate::codec::Codec;
use crate::frame::Frame;
use crate::time::{Span, Timestamp};
use crate::wake::WaiterId;

use ring::Ring;
pub use ring::{Behind, Read};

/// What a ring can hold.
pub trait Item: Clone {
    /// What a reader needs before the first item of a group.
    type Head: ?Sized;
    /// Bytes this item keeps in memory.
    fn bytes(&self) -> usize;
    /// When the item is due on the broadcast's timeline.
    fn dts(&self) -> Timestamp;
}

impl Item for Frame {
    type Head = Codec;

    fn bytes(&self) -> usize {
        self.payload.len()
    }

    fn dts(&self) -> Timestamp {
        self.dts
    }
}

/// Bytes all rings of a server may hold together.
///
/// The writer that goes over it gives up its own oldest items, so one greedy source cannot empty another's ring.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    /// A budget of `max` bytes.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max })
    }

    /// Bytes held now by all rings together.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn exceeded(&self) -> bool {
        self.used() > self.max
    }
}

/// How much a ring keeps.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Newest groups kept; `None` when only [`Producer::evict_before`] and bytes bound the ring, as for sound
    /// that is kept as long as the pictures it belongs to.
    pub groups: Option<usize>,
    /// Most bytes kept; older items go first, even those of the newest group.
    pub bytes_max: usize,
    /// The server's budget this ring counts against.
    pub budget: Option<Arc<Budget>>,
}

/// Groups kept by default: the one being written and the one before it, so that a join never waits.
pub const GROUPS_KEPT: usize = 2;
/// Bytes a track keeps by default: two 10-second groups at 6 Mbit/s.
pub const TRACK_BYTES_MAX: usize = 16 << 20;

impl Default for Retention {
    fn default() -> Self {
        Self { groups: Some(GROUPS_KEPT), bytes_max: TRACK_BYTES_MAX, budget: None }
    }
}

struct Shared<T: Item> {
    ring: Mutex<Ring<T>>,
}

impl<T: Item> Shared<T> {
    fn ring(&self) -> MutexGuard<'_, Ring<T>> {
        self.ring.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The writing end of a ring. Dropping it ends the track for every reader.
pub struct Producer<T: Item> {
    shared: Arc<Shared<T>>,
}

/// A reading end of a ring with its own cursor.
pub struct Consumer<T: Item> {
    shared: Arc<Shared<T>>,
    waiter: WaiterId,
    next: u64,
    group: Option<u64>,
    skipped: u64,
}

impl<T: Item> Producer<T> {
    /// An empty ring.
    pub fn new(retention: Retention) -> Self {
        Self { shared: Arc::new(Shared { ring: Mutex::new(Ring::new(retention)) }) }
    }

    /// Appends an item. With a `head` it opens a group; the first item of a ring must.
    ///
    /// `arrival` orders this item among those of the broadcast's other tracks and must rise.
    pub fn push(&self, arrival: u64, head: Option<Arc<T::Head>>, item: T) {
        let wakers = {
            let mut ring = self.shared.ring();
            ring.push(arrival, head, item);
            ring.wakers.take()
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// Drops every item that arrived before `arrival`.
    pub fn evict_before(&self, arrival: u64) {
        self.shared.ring().evict_before(arrival);
    }

    /// Drops every item due more than `span` before the newest one.
    pub fn evict_older_than(&self, span: Span) {
        self.shared.ring().evict_older_than(span);
    }

    /// Arrival number of the oldest item kept.
    pub fn oldest_arrival(&self) -> Option<u64> {
        self.shared.ring().oldest_arrival()
    }

    /// A reader whose cursor stands at the oldest item kept.
    pub fn subscribe(&self) -> Consumer<T> {
        Consumer::new(Arc::clone(&self.shared))
    }

    /// Readers of this ring now.
    pub fn readers(&self) -> usize {
        self.shared.ring().readers
    }
}

impl<T: Item> Drop for Producer<T> {
    fn drop(&mut self) {
        let wakers = {
            let mut ring = self.shared.ring();
            ring.ended = true;
            ring.wakers.take()
        };
        for waker in wakers {
            waker.wake();
        }
    }
}

impl<T: Item> Consumer<T> {
    fn new(shared: Arc<Shared<T>>) -> Self {
        let (waiter, next) = {
            let mut ring = shared.ring();
            ring.readers += 1;
            (ring.wakers.enter(), ring.first())
        };
        Self { shared, waiter, next, group: None, skipped: 0 }
    }

    /// The writer is gone; nothing follows what the ring holds.
    pub fn ended(&self) -> bool {
        self.shared.ring().ended
    }

    /// Sequence number of the item this cursor reads next.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Items this cursor lost because the ring had dropped them or it was told to skip.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next item; `Ready(None)` after the last one of an ended track.
    ///
    /// A cursor that fell off the ring gets [`Behind`] and stays where it is: the reader decides where to go on
    /// ([`Consumer::skip_to`]), because it may have other tracks to move along.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Read<T>, Behind>>> {
        let mut ring = self.shared.ring();
        match ring.read(self.next, self.group) {
            Ok(Some(read)) => {
                self.next += 1;
                self.group = Some(read.group);
                Poll::Ready(Some(Ok(read)))
            }
            Ok(None) if ring.ended => Poll::Ready(None),
            Ok(None) => {
                ring.wakers.register(self.waiter, cx.waker());
                Poll::Pending
            }
            Err(behind) => Poll::Ready(Some(Err(behind))),
        }
    }

    /// The next item if there is one now; never waits and never wakes.
    pub fn try_next(&mut self) -> Option<Result<Read<T>, Behind>> {
        let read = self.shared.ring().read(self.next, self.group).transpose()?;
        if let Ok(read) = &read {
            self.next += 1;
            self.group = Some(read.group);
        }
        Some(read)
    }

    /// Appends to `out` the items from `sequence` on, at most `bytes_max` bytes but at least one, without moving
    /// this cursor. Returns the sequence after the last one given. For owners of many cursors over one ring.
    pub fn read_from(&self, sequence: u64, bytes_max: usize, out: &mut Vec<T>) -> Result<u64, Behind> {
        self.shared.ring().read_from(sequence, bytes_max, out)
    }

    /// Sequence, arrival number and head of the newest group that is still whole.
    pub fn newest_group(&self) -> Option<GroupStart<T>> {
        self.shared.ring().newest_group()
    }

    /// Sequence number after the newest item.
    pub fn end(&self) -> u64 {
        self.shared.ring().end()
    }

    /// `dts` of the newest item, and of the item at `sequence` when it is still there.
    pub fn dts(&self, sequence: u64) -> Option<(Timestamp, Timestamp)> {
        let ring = self.shared.ring();
        Some((ring.dts(ring.end().checked_sub(1)?)?, ring.dts(sequence)?))
    }

    /// Sequence number of the first item kept that arrived at `arrival` or later.
    pub fn sequence_at(&self, arrival: u64) -> u64 {
        self.shared.ring().sequence_at(arrival)
    }

    /// Moves the cursor forward to `sequence`, counting what is passed over. Never moves back.
    pub fn skip_to(&mut self, sequence: u64) {
        if sequence > self.next {
            self.skipped += sequence - self.next;
            self.next = sequence;
        }
    }

    /// Puts the cursor at `sequence` without counting anything lost: a join, not a skip.
    pub fn start_at(&mut self, sequence: u64) {
        self.next = sequence;
        self.group = None;
    }
}

impl<T: Item> Clone for Consumer<T> {
    /// Another reader of the same ring, its cursor at the same place, nothing lost so far.
    fn clone(&self) -> Self {
        let mut clone = Self::new(Arc::clone(&self.shared));
        clone.next = self.next;
        clone
    }
}

impl<T: Item> Drop for Consumer<T> {
    fn drop(&mut self) {
        let mut ring = self.shared.ring();
        ring.readers -= 1;
        ring.wakers.leave(self.waiter);
    }
}

/// Where a group begins.
pub struct GroupStart<T: Item> {
    /// Sequence number of its first item.
    pub sequence: u64,
    /// Arrival number of its first item.
    pub arrival: u64,
    /// What a reader needs before that item.
    pub head: Arc<T::Head>,
}

#[cfg(test)]
mod tests;
