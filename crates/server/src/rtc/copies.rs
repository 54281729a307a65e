//! How often each datagram is sent on a way that loses by chance: what is lost of two or three copies is lost far more seldom, and no
//! peer has to agree, since SRTP and DTLS take a number once (RFC 3711 §3.3.2, RFC 6347 §4.1.2.6). Time is an argument.

use std::time::{Duration, Instant};

/// Up to this loss, so many copies: about one in fifty is missing then, and what is missing is asked for again.
const LADDER: [(f32, usize); 4] = [(0.06, 1), (0.16, 2), (0.36, 3), (f32::MAX, 4)];
/// What was sent in the second before is told of.
const TOLD_AFTER: Duration = Duration::from_millis(1_500);
/// Loss is reckoned from what is lost of all copies, which is little: over about so long.
const RECKONED_OVER: Duration = Duration::from_secs(4);
/// Copies had no room once: they are not tried again for so long, and twice as long each time.
const DOUBTED: Duration = Duration::from_secs(5);
const DOUBTED_MAX: Duration = Duration::from_secs(160);

/// The copies of one way.
#[derive(Debug)]
pub(super) struct Copies {
    number: usize,
    changed: Option<Instant>,
    /// Of what was sent, each datagram counted once or more.
    lost: Option<(Instant, f32)>,
    doubted: Option<(Instant, Duration)>,
}

impl Default for Copies {
    fn default() -> Self {
        Self { number: 1, changed: None, lost: None, doubted: None }
    }
}

impl Copies {
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
        let wanted = LADDER.iter().find(|(most, _)| loss < *most).map_or(1, |(_, number)| *number);
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
