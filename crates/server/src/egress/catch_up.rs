//! A viewer on its own: joining, behind, or stalled, until it is in step with its shard again.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use media::track::{Behind, Consumer};
use tokio::io::Interest;
use tokio::time::{Instant, sleep, timeout_at};

use super::feed::{Chunk, Feed};
use super::viewer::{Rules, Viewer};

/// Bytes taken from the ring at a time. They are shared with the ring, so this bounds how stale what we hold gets.
const RUN_BYTES: usize = 256 << 10;
/// How often a viewer that takes nothing is looked at.
const LISTEN_EVERY: Duration = Duration::from_secs(1);
/// Buffers given to one write.
const SLICES_MAX: usize = 64;

/// Why a viewer comes back.
pub(super) enum Outcome {
    /// It has everything; the shard goes on with it.
    InStep(Viewer),
    /// It left, broke or stalled, or the broadcast ended.
    Done,
}

/// Writes to one viewer until it is in step.
pub(super) async fn catch_up(viewer: Viewer, feed: Arc<Feed>, rules: Arc<Rules>) -> Outcome {
    let pending = VecDeque::from([viewer.pending.clone()]);
    let mut task = CatchUp { ring: feed.subscribe(), viewer, rules, queue: pending, chunks: Vec::new() };
    task.viewer.pending = Bytes::new();
    task.run().await
}

struct CatchUp {
    viewer: Viewer,
    ring: Consumer<Chunk>,
    rules: Arc<Rules>,
    /// What is to be written next.
    queue: VecDeque<Bytes>,
    chunks: Vec<Chunk>,
}

enum Refill {
    More,
    InStep,
    Ended,
}

impl CatchUp {
    async fn run(mut self) -> Outcome {
        let mut progress = Instant::now();
        loop {
            self.queue.retain(|bytes| !bytes.is_empty());
            if self.queue.is_empty() {
                if !self.viewer.listen() {
                    return Outcome::Done;
                }
                if !self.viewer.joined && !self.join().await {
                    return Outcome::Done;
                }
                match self.refill() {
                    Refill::More => continue,
                    Refill::InStep => {
                        self.viewer.seat().set_lag(Duration::ZERO);
                        return Outcome::InStep(self.viewer);
                    }
                    Refill::Ended => {
                        self.viewer.end();
                        return Outcome::Done;
                    }
                }
            }
            match self.write() {
                Ok(0) => {
                    if !self.wait(progress + self.rules.stalled_max).await {
                        return Outcome::Done;
                    }
                }
                Ok(_) => {
                    progress = Instant::now();
                    tokio::task::consume_budget().await;
                }
                Err(()) => return Outcome::Done,
            }
        }
    }

    /// Waits until the socket takes something; `false` when the viewer is gone, sent away or stalled for too long.
    async fn wait(&mut self, deadline: Instant) -> bool {
        loop {
            self.tell_lag();
            let look = deadline.min(Instant::now() + LISTEN_EVERY);
            match timeout_at(look, self.viewer.socket().ready(Interest::WRITABLE)).await {
                Ok(ready) => return ready.is_ok(),
                Err(_) if self.viewer.seat().is_kicked() => return false,
                Err(_) if Instant::now() >= deadline => {
                    self.count_stalled();
                    return false;
                }
                Err(_) => {}
            }
        }
    }

    fn tell_lag(&self) {
        if !self.viewer.joined {
            return;
        }
        if let Some((newest, own)) = self.ring.dts(self.viewer.next) {
            self.viewer.seat().set_lag((newest - own).to_duration());
        }
    }

    /// Waits for the feed's first group while flushing the preface, and begins at the newest one.
    /// `false` when the viewer left or the broadcast ended before.
    async fn join(&mut self) -> bool {
        let start = loop {
            if let Some(start) = self.ring.newest_group() {
                break start;
            }
            if self.ring.ended() {
                return false;
            }
            let ring = &mut self.ring;
            let something = poll_fn(|cx| match ring.newest_group().is_some() {
                true => Poll::Ready(()),
                false => ring.poll_next(cx).map(|_| ()),
            });
            tokio::select! {
                () = something => continue,
                () = self.viewer.stirs() => {}
                () = sleep(LISTEN_EVERY) => {}
            }
            if !self.viewer.listen() {
                return false;
            }
            // Readiness costs none, so a viewer that sends without end would keep the thread.
            tokio::task::consume_budget().await;
        };
        self.queue.extend([start.head.intro.clone(), start.head.headers.clone()]);
        self.viewer.next = start.sequence;
        self.viewer.joined = true;
        true
    }

    /// Queues what comes next in the feed, or skips when that is too old.
    fn refill(&mut self) -> Refill {
        if let Some(control) = self.viewer.control() {
            self.queue.push_back(control);
        }
        self.tell_lag();
        if self.lags() && self.skip() {
            return Refill::More;
        }
        self.chunks.clear();
        match self.ring.read_from(self.viewer.next, RUN_BYTES, &mut self.chunks) {
            Ok(next) if next == self.viewer.next && self.queue.is_empty() => match self.ring.ended() {
                true => Refill::Ended,
                false => Refill::InStep,
            },
            Ok(next) => {
                self.viewer.next = next;
                self.queue.extend(self.chunks.drain(..).map(|chunk| chunk.bytes));
                Refill::More
            }
            Err(Behind { .. }) => {
                if !self.skip() {
                    // The newest group has outgrown the ring: begin again with the next one.
                    self.viewer.next = self.ring.end();
                    self.viewer.joined = false;
                    self.ring.start_at(self.viewer.next);
                    self.count_skip();
                }
                Refill::More
            }
        }
    }

    fn lags(&self) -> bool {
        self.ring.dts(self.viewer.next).is_some_and(|(newest, own)| newest - own > self.rules.lag_max)
    }

    /// Goes on at the newest group if that is ahead.
    fn skip(&mut self) -> bool {
        let Some(start) = self.ring.newest_group().filter(|start| start.sequence > self.viewer.next) else {
            return false;
        };
        self.queue.push_back(start.head.headers.clone());
        self.viewer.next = start.sequence;
        self.count_skip();
        true
    }

    /// Writes what the socket takes; `Ok(0)` when it takes nothing.
    fn write(&mut self) -> Result<usize, ()> {
        let slices: Vec<IoSlice<'_>> =
            self.queue.iter().take(SLICES_MAX).map(|bytes| IoSlice::new(bytes)).collect();
        let written = match self.viewer.socket().try_write_vectored(&slices) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(_) => return Err(()),
        };
        self.rules.totals.add_bytes(self.viewer.seat().protocol(), written as u64);
        self.viewer.seat().add_bytes(written as u64);
        let mut left = written;
        while let Some(front) = self.queue.front_mut().filter(|_| left > 0) {
            let part = front.len().min(left);
            front.advance(part);
            left -= part;
            if front.is_empty() {
                self.queue.pop_front();
            }
        }
        Ok(written)
    }

    fn count_skip(&self) {
        self.viewer.seat().audience().skips.fetch_add(1, Ordering::Relaxed);
        self.rules.totals.skips.fetch_add(1, Ordering::Relaxed);
    }

    fn count_stalled(&self) {
        self.viewer.seat().audience().stalled.fetch_add(1, Ordering::Relaxed);
        self.rules.totals.stalled.fetch_add(1, Ordering::Relaxed);
    }
}
