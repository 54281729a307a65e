//! How often each datagram is sent on a way that loses by chance: what is lost of two or three copies is lost far more seldom, and no
//! peer has to agree, since SRTP and DTLS take a number once (RFC 3711 §3.3.2, RFC 6347 §4.1.2.6). Time is an argument.

use std::time::{Duration, Instant};

/// Up to this loss, so many copies: a few in a hundred are missing then, and what is missing is asked for again.
const LADDER: [(f32, usize); 5] = [(0.06, 1), (0.16, 2), (0.36, 3), (0.58, 4), (f32::MAX, 8)];
/// Before anything is known of a way, and while nothing but a few small datagrams are sent: each that is lost would be waited for.
pub(super) const SETTING_UP: usize = 3;
/// What was sent in the second before is told of, about once a second where nothing is reckoned.
const TOLD_AFTER: Duration = Duration::from_secs(2);
/// Loss is reckoned from what is lost of all copies, which is little: over about so long.
const RECKONED_OVER: Duration = Duration::from_secs(4);
/// Copies had no room once: they are not tried again for so long, and twice as long each time.
const DOUBTED: Duration = Duration::from_secs(5);
const DOUBTED_MAX: Duration = Duration::from_secs(160);

/// The copies of one way.
#[derive(Debug)]
pub(super) struct Copies {
    number: usize,
    most: usize,
    changed: Option<Instant>,
    /// Of what was sent, each datagram counted once or more.
    lost: Option<(Instant, f32)>,
    doubted: Option<(Instant, Duration)>,
}

impl Copies {
    /// Never more than so many.
    pub(super) fn new(most: usize) -> Self {
        Self { number: 1, most, changed: None, lost: None, doubted: None }
    }

    /// So often each datagram is sent.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// What the way itself loses when this share of what was sent never came.
    pub(super) fn of_way(&mut self, now: Instant, missing: f32) -> f32 {
        if self.number == 1 {
            self.lost = None;
            return missing;
        }
        if !self.is_told(now) {
            return self.lost.map_or(missing, |(_, lost)| lost.powf(1.0 / self.number as f32));
        }
        let (at, lost) = self.lost.unwrap_or((now, missing));
        let share = (now.saturating_duration_since(at).as_secs_f32() / RECKONED_OVER.as_secs_f32()).min(1.0);
        let lost = lost + (missing - lost) * share;
        self.lost = Some((now, lost));
        lost.powf(1.0 / self.number as f32)
    }

    fn is_told(&self, now: Instant) -> bool {
        self.changed.is_none_or(|at| now.saturating_duration_since(at) >= TOLD_AFTER)
    }

    /// The way loses this share, by chance or for want of room.
    pub(super) fn handle_loss(&mut self, now: Instant, loss: f32, is_lossy: bool, has_queue: bool) {
        if has_queue {
            if self.number > 1 {
                let last = self.doubted.map_or(DOUBTED / 2, |(_, long)| long);
                self.doubted = Some((now, (last * 2).min(DOUBTED_MAX)));
                self.change(now, 1, loss);
            }
            return;
        }
        let is_doubted = self.doubted.is_some_and(|(at, long)| now.saturating_duration_since(at) < long);
        if !self.is_told(now) || is_doubted {
            return;
        }
        let wanted =
            LADDER.iter().find(|(most, _)| loss < *most).map_or(1, |(_, number)| *number).min(self.most);
        if is_lossy && wanted > self.number {
            self.change(now, wanted, loss);
        } else if wanted < self.number {
            self.change(now, self.number - 1, loss);
        }
    }

    fn change(&mut self, now: Instant, number: usize, loss: f32) {
        (self.number, self.changed) = (number, Some(now));
        self.lost = Some((now, loss.powi(number as i32)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way that loses by chance, asked ten times a second; told is what was lost over the last second.
    struct Asked {
        copies: Copies,
        now: Instant,
        told: Vec<f32>,
    }

    impl Asked {
        fn new() -> Self {
            Self { copies: Copies::new(8), now: Instant::now(), told: vec![0.0; 10] }
        }

        /// The numbers of copies that there were in so long, one after the other.
        fn run(&mut self, seconds: usize, loss: f32, has_queue: bool) -> Vec<usize> {
            let mut numbers = vec![self.copies.number()];
            for _ in 0..seconds * 10 {
                self.now += Duration::from_millis(100);
                self.told.remove(0);
                self.told.push(loss.powi(self.copies.number() as i32));
                let missing = self.told.iter().sum::<f32>() / 10.0;
                let of_way = self.copies.of_way(self.now, missing);
                self.copies.handle_loss(self.now, of_way, of_way >= 0.08 && !has_queue, has_queue);
                numbers.push(self.copies.number());
            }
            numbers.dedup();
            numbers
        }
    }

    #[test]
    fn the_more_is_lost_the_more_copies_there_are_and_they_do_not_come_and_go() {
        for (loss, number) in [(0.05, 1), (0.1, 2), (0.3, 3), (0.5, 4), (0.7, 8)] {
            let mut asked = Asked::new();
            asked.run(10, loss, false);
            assert_eq!(asked.run(60, loss, false), [number], "{loss}");
        }
    }

    #[test]
    fn copies_go_one_by_one_when_less_is_lost() {
        let mut asked = Asked::new();
        asked.run(10, 0.3, false);
        assert_eq!(asked.run(30, 0.0, false), [3, 2, 1]);
    }

    #[test]
    fn a_second_in_which_nothing_is_missing_is_no_way_that_loses_nothing() {
        let mut asked = Asked::new();
        asked.run(10, 0.1, false);
        assert_eq!(asked.run(1, 0.0, false), [2], "one in a hundred is missing of two copies");
        assert_eq!(asked.run(5, 0.1, false), [2]);
    }

    #[test]
    fn copies_that_make_a_queue_end_at_once_and_are_tried_again_ever_later() {
        let mut asked = Asked::new();
        asked.run(10, 0.3, false);
        assert_eq!(asked.run(1, 0.3, true), [3, 1]);
        assert_eq!(asked.run(3, 0.3, false), [1], "doubted for five seconds");
        assert_eq!(asked.run(4, 0.3, false), [1, 3]);
        assert_eq!(asked.run(1, 0.3, true), [3, 1]);
        assert_eq!(asked.run(8, 0.3, false), [1], "and for ten");
        assert_eq!(asked.run(4, 0.3, false), [1, 3]);
    }
}
