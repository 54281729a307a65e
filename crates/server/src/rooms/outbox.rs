//! What a member's connection is still to be sent: whole frames, shared with other connections, up to a bound.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use room::MemberId;
use room::message::Down;
use tokio::sync::Notify;
use wire::ws;

/// The state of a large room is half of it. Who is further behind does not read.
const BYTES_MAX: usize = 1 << 20;
/// A minute of a busy room.
const FRAMES_MAX: usize = 2_048;

/// A connection, as the room knows it.
pub(crate) struct Link {
    /// 0 until the room has let it in; numbers of members begin with 1.
    member: AtomicU32,
    pub(crate) outbox: Outbox,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { member: AtomicU32::new(0), outbox: Outbox::default() }
    }

    /// Who it was let in as.
    pub(crate) fn member(&self) -> Option<MemberId> {
        Some(self.member.load(Ordering::Relaxed)).filter(|member| *member > 0).map(MemberId)
    }

    pub(crate) fn be(&self, member: MemberId) {
        self.member.store(member.0, Ordering::Relaxed);
    }
}

/// Frames in order.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    woken: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    end: End,
}

/// Whether there will be more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// There may.
    #[default]
    Open,
    /// What is there is the last.
    Closed,
    /// It was not read, and is of no use any more.
    Overflown,
}

/// A message as it goes over the wire.
pub(crate) fn frame(down: &Down) -> Bytes {
    ws::text_frame(&down.to_json())
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a frame. One alone may be longer than the bound: the state of a very large room.
    pub(crate) fn push(&self, frame: Bytes) {
        let mut queue = self.lock();
        if queue.end != End::Open {
            return;
        }
        let fits = queue.bytes + frame.len() <= BYTES_MAX && queue.frames.len() < FRAMES_MAX;
        if fits || queue.frames.is_empty() {
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
        } else {
            *queue = Queue { end: End::Overflown, ..Queue::default() };
        }
        drop(queue);
        self.woken.notify_one();
    }

    pub(crate) fn tell(&self, down: &Down) {
        self.push(frame(down));
    }

    /// What is there is the last.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        if queue.end == End::Open {
            queue.end = End::Closed;
        }
        drop(queue);
        self.woken.notify_one();
    }

    /// The next frame, or whether there will be one.
    pub(crate) fn pop(&self) -> Result<Bytes, End> {
        let mut queue = self.lock();
        let Some(frame) = queue.frames.pop_front() else { return Err(queue.end) };
        queue.bytes -= frame.len();
        if queue.frames.is_empty() {
            // An idle member holds nothing.
            queue.frames = VecDeque::new();
        }
        Ok(frame)
    }

    pub(crate) fn is_overflown(&self) -> bool {
        self.lock().end == End::Overflown
    }

    /// Until something was done to it since the last time.
    pub(crate) async fn changed(&self) {
        self.woken.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_in_order_and_then_what_the_end_is() {
        let outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"a"));
        outbox.push(Bytes::from_static(b"b"));
        outbox.close();
        outbox.push(Bytes::from_static(b"too late"));
        let popped: Vec<_> = std::iter::repeat_with(|| outbox.pop()).take(3).collect();
        assert_eq!(popped, [Ok(Bytes::from_static(b"a")), Ok(Bytes::from_static(b"b")), Err(End::Closed)]);
    }

    #[test]
    fn who_does_not_read_is_given_up_and_what_waited_is_dropped() {
        let outbox = Outbox::default();
        let half = Bytes::from(vec![0; BYTES_MAX / 2 + 1]);
        outbox.push(half.clone());
        assert!(!outbox.is_overflown());
        outbox.push(half);
        assert!(outbox.is_overflown());
        assert_eq!(outbox.pop(), Err(End::Overflown));
        let outbox = Outbox::default();
        (0..=FRAMES_MAX).for_each(|_| outbox.push(Bytes::from_static(b"x")));
        assert!(outbox.is_overflown(), "many small ones, too");
    }

    #[test]
    fn one_message_may_be_longer_than_the_bound() {
        let outbox = Outbox::default();
        let long = Bytes::from(vec![0; BYTES_MAX * 2]);
        outbox.push(long.clone());
        assert_eq!(outbox.pop(), Ok(long));
    }
}
