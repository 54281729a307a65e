//! Carries packets between two TUN devices through `client::link`, in real time: one thread a direction.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tun_rs::SyncDevice;

use super::super::wall_micros;
use crate::link::{Counts, Impairment, Link};

/// A thread that waits looks this often whether it is to end or the link has changed.
const LOOK: Duration = Duration::from_millis(20);
/// Packets read before those that are due are sent on.
const READS_MAX: usize = 64;
/// Packets of a run whose way is kept: an hour at 400 a second. Later ones are carried but not told of.
const LOG_MAX: usize = 1_500_000;

/// What became of a packet that entered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Passage {
    /// When it entered, in microseconds since the epoch.
    pub(super) at: u64,
    /// Its length.
    pub(super) bytes: u32,
    /// How long the queue before the bottleneck was, in microseconds.
    pub(super) queue_micros: u32,
    /// Whether it was let in; it was lost or dropped otherwise.
    pub(super) passed: bool,
}

/// One direction.
pub(super) struct Lane {
    state: Mutex<State>,
    ends: AtomicBool,
}

struct State {
    link: Link,
    log: Vec<Passage>,
}

impl Lane {
    fn new() -> Self {
        let state = State { link: Link::new(Impairment::default(), 0), log: Vec::new() };
        Self { state: Mutex::new(state), ends: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew: nothing is under way.
    pub(super) fn renew(&self, impairment: Impairment, seed: u64) {
        *self.state() = State { link: Link::new(impairment, seed), log: Vec::new() };
    }

    /// Behaves otherwise from now on.
    pub(super) fn set(&self, impairment: Impairment) {
        self.state().link.set(impairment);
    }

    /// Every packet since it began anew.
    pub(super) fn take_log(&self) -> Vec<Passage> {
        std::mem::take(&mut self.state().log)
    }

    fn take_in(&self, bytes: Bytes) {
        let now = Instant::now();
        let mut state = self.state();
        let (length, before) = (bytes.len() as u32, state.link.counts());
        let queue_micros = state.link.backlog(now).as_micros() as u32;
        state.link.handle_packet(now, bytes);
        let after = state.link.counts();
        let gone = |counts: Counts| counts.lost + counts.tail_dropped + counts.blocked;
        let passed = gone(before) == gone(after);
        if state.log.len() < LOG_MAX {
            state.log.push(Passage { at: wall_micros(), bytes: length, queue_micros, passed });
        }
    }

    /// What is due, and how long until the next is.
    fn give_out(&self, to: &SyncDevice) -> Duration {
        loop {
            let now = Instant::now();
            let next = {
                let mut state = self.state();
                match state.link.poll_packet(now) {
                    Some(packet) => Ok(packet),
                    None => Err(state.link.poll_timeout()),
                }
            };
            match next {
                // A device that is going down takes nothing, as a real one.
                Ok(packet) => drop(to.send(&packet)),
                Err(due) => {
                    return due.map_or(LOOK, |due| due.saturating_duration_since(now).min(LOOK));
                }
            }
        }
    }

    fn carry(&self, from: &SyncDevice, to: &SyncDevice) {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        while !self.ends.load(Ordering::Relaxed) {
            for _ in 0..READS_MAX {
                let Ok(length) = from.recv(&mut buffer) else { break };
                self.take_in(Bytes::copy_from_slice(&buffer[..length]));
            }
            let wait = self.give_out(to);
            let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
            let mut descriptors = [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)];
            // Interrupted or not, what is to be done is looked at anew.
            let _ = poll(&mut descriptors, Some(&wait));
        }
    }
}

/// Both threads; they end with this.
pub(super) struct Shuttle {
    /// From the far end to the server.
    pub(super) up: Arc<Lane>,
    /// From the server to the far end.
    pub(super) down: Arc<Lane>,
    threads: Vec<JoinHandle<()>>,
}

impl Shuttle {
    /// Joins two devices.
    pub(super) fn start(near: SyncDevice, far: SyncDevice) -> anyhow::Result<Self> {
        let (near, far) = (Arc::new(near), Arc::new(far));
        let mut shuttle =
            Self { up: Arc::new(Lane::new()), down: Arc::new(Lane::new()), threads: Vec::new() };
        let ways = [("lab-up", &shuttle.up, &far, &near), ("lab-down", &shuttle.down, &near, &far)];
        let mut threads = Vec::new();
        for (name, lane, from, to) in ways {
            let (lane, from, to) = (Arc::clone(lane), Arc::clone(from), Arc::clone(to));
            let thread = std::thread::Builder::new().name(name.to_owned());
            threads.push(thread.spawn(move || lane.carry(&from, &to))?);
        }
        shuttle.threads = threads;
        Ok(shuttle)
    }
}

impl Drop for Shuttle {
    fn drop(&mut self) {
        for lane in [&self.up, &self.down] {
            lane.ends.store(true, Ordering::Relaxed);
        }
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}
