//! What one hook is still to be told: in order for each path, each delivery again until it is taken or given up. Time is
//! an argument.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::Path;

use super::event::Event;
use crate::config::Format;

/// At a kilobyte or so each: what a receiver that is away for minutes misses on a busy server.
const DELIVERIES_MAX: usize = 10_000;
/// A receiver is not to be flooded; at 50 ms an answer these are 320 a second.
const IN_FLIGHT_MAX: usize = 16;

/// One event for one hook.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// The same at each attempt, so that a receiver knows what it has had already.
    pub(super) id: String,
    pub(super) event: Arc<Event>,
}

/// When a failed delivery is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    first: Duration,
    most: Duration,
    attempts: u32,
    is_jittered: bool,
}

impl Retry {
    /// From a second, doubling to five minutes, given up after sixteen attempts: about forty minutes. Or as
    /// WeChat's callbacks do it: each minute, twelve times.
    pub(super) fn of(format: Format) -> Self {
        match format {
            Format::Openmic => Self {
                first: Duration::from_secs(1),
                most: Duration::from_secs(300),
                attempts: 16,
                is_jittered: true,
            },
            Format::Wechat => Self {
                first: Duration::from_secs(60),
                most: Duration::from_secs(60),
                // The first attempt, and twelve more.
                attempts: 13,
                is_jittered: false,
            },
        }
    }

    /// How long after its so-and-so-manieth attempt a delivery is tried again; `None` if never.
    fn after(&self, attempts: u32, random: &mut fastrand::Rng) -> Option<Duration> {
        if attempts >= self.attempts {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << (attempts - 1).min(20)).min(self.most);
        // Half of it is left to chance: servers that lost one receiver together do not come back together.
        Some(if self.is_jittered { doubled.mul_f64(0.5 + random.f64() / 2.0) } else { doubled })
    }
}

/// A delivery whose time has come.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) delivery: Delivery,
    /// This one included.
    pub(super) attempts: u32,
}

/// What became of an attempt.
#[derive(Debug)]
pub(super) enum Settled {
    /// It was taken.
    Delivered,
    /// It is tried again.
    Retrying,
    /// It is given up.
    Dead(Delivery),
    /// The queue was emptied meanwhile.
    Gone,
}

/// The deliveries of one hook.
pub(super) struct Queue {
    retry: Retry,
    lanes: HashMap<Path, Lane>,
    /// When the first of each lane is due, unless it is in flight.
    due: BTreeSet<(Instant, Path)>,
    len: usize,
    in_flight: usize,
    random: fastrand::Rng,
}

#[derive(Default)]
struct Lane {
    deliveries: VecDeque<Delivery>,
    /// Of the first.
    attempts: u32,
}

impl Queue {
    pub(super) fn new(retry: Retry, random: fastrand::Rng) -> Self {
        Self { retry, lanes: HashMap::new(), due: BTreeSet::new(), len: 0, in_flight: 0, random }
    }

    /// Puts a delivery behind the others of its path; gives it back when there is no room.
    pub(super) fn push(&mut self, now: Instant, delivery: Delivery) -> Result<(), Delivery> {
        if self.len >= DELIVERIES_MAX {
            return Err(delivery);
        }
        let path = delivery.event.path.clone();
        let lane = self.lanes.entry(path.clone()).or_default();
        if lane.deliveries.is_empty() {
            self.due.insert((now, path));
        }
        lane.deliveries.push_back(delivery);
        self.len += 1;
        Ok(())
    }

    /// Deliveries that wait or are in flight.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_due().is_some_and(|at| at <= now)
    }

    /// When [`Queue::poll_due`] has something; `None` while it depends on something else.
    pub(super) fn next_due(&self) -> Option<Instant> {
        (self.in_flight < IN_FLIGHT_MAX).then(|| self.due.first().map(|(at, _)| *at)).flatten()
    }

    /// A delivery that is to be tried now. [`Queue::settle`] must follow.
    pub(super) fn poll_due(&mut self, now: Instant) -> Option<Turn> {
        self.next_due().filter(|at| *at <= now)?;
        let (_, path) = self.due.pop_first()?;
        let lane = self.lanes.get_mut(&path)?;
        let delivery = lane.deliveries.front()?.clone();
        lane.attempts += 1;
        self.in_flight += 1;
        Some(Turn { delivery, attempts: lane.attempts })
    }

    /// Takes the outcome of an attempt at the first delivery of this path.
    pub(super) fn settle(&mut self, now: Instant, path: &Path, id: &str, was_taken: bool) -> Settled {
        self.in_flight = self.in_flight.saturating_sub(1);
        let is_its = |lane: &&mut Lane| lane.deliveries.front().is_some_and(|first| first.id == id);
        let Some(lane) = self.lanes.get_mut(path).filter(is_its) else { return Settled::Gone };
        if !was_taken && let Some(pause) = self.retry.after(lane.attempts, &mut self.random) {
            self.due.insert((now + pause, path.clone()));
            return Settled::Retrying;
        }
        let Some(first) = lane.deliveries.pop_front() else { return Settled::Gone };
        self.len -= 1;
        lane.attempts = 0;
        if lane.deliveries.is_empty() {
            self.lanes.remove(path);
        } else {
            self.due.insert((now, path.clone()));
        }
        if was_taken { Settled::Delivered } else { Settled::Dead(first) }
    }

    /// Everything that waits becomes due, for a last attempt before the server stops.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.due = std::mem::take(&mut self.due).into_iter().map(|(at, path)| (at.min(now), path)).collect();
    }

    /// Takes out all that is left, with the attempts it has had.
    pub(super) fn drain(&mut self) -> Vec<(Delivery, u32)> {
        self.due.clear();
        self.len = 0;
        let mut left = Vec::new();
        for (_, lane) in self.lanes.drain() {
            let attempts = std::iter::once(lane.attempts).chain(std::iter::repeat(0));
            left.extend(lane.deliveries.into_iter().zip(attempts));
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::config;
    use crate::hooks::event::Kind;

    fn delivery(path: &str, id: u32) -> Delivery {
        let event = Event {
            kind: Kind::Of(config::Event::Play),
            at: SystemTime::UNIX_EPOCH,
            path: Path::new(path).unwrap(),
            who: None,
            moved: None,
            viewers: None,
            resolution: None,
            room: None,
        };
        Delivery { id: id.to_string(), event: Arc::new(event) }
    }

    fn queue(format: Format) -> Queue {
        Queue::new(Retry::of(format), fastrand::Rng::with_seed(7))
    }

    fn path(name: &str) -> Path {
        Path::new(name).unwrap()
    }

    #[test]
    fn one_path_keeps_its_order_through_failures_and_holds_up_no_other() {
        let (mut queue, now) = (queue(Format::Openmic), Instant::now());
        for (path, id) in [("live/a", 1), ("live/a", 2), ("live/b", 3)] {
            queue.push(now, delivery(path, id)).unwrap();
        }
        let mut ids = Vec::new();
        while let Some(turn) = queue.poll_due(now) {
            ids.push(turn.delivery.id);
        }
        assert_eq!(ids, ["1", "3"], "the second of a path waits for the first");
        assert!(matches!(queue.settle(now, &path("live/a"), "1", false), Settled::Retrying));
        assert!(matches!(queue.settle(now, &path("live/b"), "3", true), Settled::Delivered));
        assert!(queue.poll_due(now).is_none());
        let due = queue.next_due().unwrap();
        let turn = queue.poll_due(due).unwrap();
        assert_eq!((turn.delivery.id.as_str(), turn.attempts), ("1", 2));
        queue.settle(due, &path("live/a"), "1", true);
        let turn = queue.poll_due(due).unwrap();
        assert_eq!((turn.delivery.id.as_str(), turn.attempts), ("2", 1));
        queue.settle(due, &path("live/a"), "2", true);
        assert!(queue.len() == 0 && queue.next_due().is_none());
    }

    /// The pauses before each attempt but the first, until it is given up.
    fn pauses(mut queue: Queue) -> Vec<Duration> {
        let mut now = Instant::now();
        queue.push(now, delivery("live/a", 1)).unwrap();
        let mut pauses = Vec::new();
        loop {
            queue.poll_due(now).unwrap();
            match queue.settle(now, &path("live/a"), "1", false) {
                Settled::Retrying => {
                    let due = queue.next_due().unwrap();
                    assert!(queue.poll_due(due - Duration::from_nanos(1)).is_none());
                    pauses.push(due - now);
                    now = due;
                }
                Settled::Dead(dead) => {
                    assert_eq!(dead.id, "1");
                    assert_eq!(queue.len(), 0);
                    return pauses;
                }
                Settled::Delivered | Settled::Gone => panic!("nobody took it"),
            }
        }
    }

    #[test]
    fn pauses_double_to_a_limit_with_some_chance_and_end() {
        let pauses = pauses(queue(Format::Openmic));
        assert_eq!(pauses.len(), 15);
        for (number, pause) in pauses.iter().enumerate() {
            let most = Duration::from_secs(1 << number).min(Duration::from_secs(300));
            assert!(*pause >= most / 2 && *pause <= most, "{number}: {pause:?}");
        }
        let again = super::tests::pauses(queue(Format::Openmic));
        assert_eq!(pauses, again, "the same seed gives the same pauses");
        let other = Queue::new(Retry::of(Format::Openmic), fastrand::Rng::with_seed(8));
        assert_ne!(pauses, super::tests::pauses(other));
    }

    #[test]
    fn wechat_receivers_are_tried_each_minute_twelve_times_more() {
        assert_eq!(pauses(queue(Format::Wechat)), [Duration::from_secs(60); 12]);
    }

    #[test]
    fn a_full_queue_gives_the_delivery_back_and_no_more_than_some_are_in_flight() {
        let (mut queue, now) = (queue(Format::Openmic), Instant::now());
        for id in 0..DELIVERIES_MAX as u32 {
            queue.push(now, delivery(&format!("live/{id}"), id)).unwrap();
        }
        assert_eq!(queue.push(now, delivery("live/x", 77)).unwrap_err().id, "77");
        let mut turns = 0;
        while queue.poll_due(now).is_some() {
            turns += 1;
        }
        assert_eq!(turns, IN_FLIGHT_MAX);
        assert_eq!(queue.next_due(), None);
        assert_eq!(queue.drain().len(), DELIVERIES_MAX);
        assert!(matches!(queue.settle(now, &path("live/0"), "0", true), Settled::Gone));
    }
}
