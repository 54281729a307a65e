//! How often each datagram is sent on a way that loses by chance: what is lost of two or three copies is lost far more seldom, and no
//! peer has to agree, since SRTP and DTLS take a number once (RFC 3711 §3.3.2, RFC 6347 §4.1.2.6). Time is an argument.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::doubt::Doubt;
use super::patience::held;

/// Up to this loss, so many copies: a few in a hundred are missing then, and what is missing is asked for again.
const LADDER: [(f32, usize); 5] = [(0.06, 1), (0.16, 2), (0.36, 3), (0.58, 4), (f32::MAX, 8)];
/// Loss has to last for so long, and much of it less long.
const LASTING: Duration = Duration::from_millis(700);
const LASTING_MUCH: Duration = Duration::from_millis(300);
const MUCH: f32 = 0.2;
/// Loss that comes back within this time goes on.
const LOSSY_AGAIN: Duration = Duration::from_secs(5);
/// Where there are none by then there will be none: they are turned off, or so much is sent that they would be too much.
const TRIED_WITHIN: Duration = Duration::from_millis(1_500);
/// No more before it has been seen that copies help.
const FIRST_MAX: usize = 3;
/// Copies help when no more than this share of what was missing before is missing with them: not where they are lost together, in
/// bursts or at a full buffer too short to be seen.
const HELPED: f32 = 0.6;
/// What is told so soon after there are more is of what was sent before, and shows what was missing then.
const TOLD_OF_BEFORE: Duration = Duration::from_millis(600);
/// There is no room for copies at all where they make so much more go missing.
const SPOILED: f32 = 1.15;
const SPOILED_MORE: f32 = 0.03;
/// Nor is there any longer where so much more is missing than at first with so many, for so long, and there are to be no more of them.
const SPOILED_LATER: f32 = 0.10;
const SPOILED_FOR: Duration = Duration::from_secs(1);
/// All copies together take no more of the line to a viewer.
const TOGETHER_BPS_MAX: u64 = 12_000_000;
/// What was sent in the second before is told of, about once a second where nothing is reckoned.
const TOLD_AFTER: Duration = Duration::from_secs(2);
/// Loss is reckoned from what is lost of all copies, which is little: over about so long.
const RECKONED_OVER: Duration = Duration::from_secs(4);
/// Copies had no room once: they are not tried again for so long, and twice as long each time.
const DOUBTED: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(160);
/// What had room for so long is doubted no longer than at first.
const TRUSTED_AFTER: Duration = Duration::from_secs(30);

/// What loss and round trips tell of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Little is lost, or nobody can tell why.
    Unknown,
    /// Much is lost, and not for want of room.
    Lossy,
    /// There is a queue.
    Queue,
}

/// The copies of one way.
#[derive(Debug)]
pub(super) struct Copies {
    number: usize,
    most: usize,
    changed: Option<Instant>,
    lossy: Option<Instant>,
    /// When loss by chance began, and was told last.
    spell: Option<(Instant, Instant)>,
    /// What was missing last, before there were more copies, and as soon as it was told what is with so many.
    missing: f32,
    missing_before: Option<f32>,
    missing_with: Option<f32>,
    spoiled: Option<Instant>,
    /// Of what was sent, each datagram counted once or more.
    lost: Option<(Instant, f32)>,
    doubted: Option<Doubt>,
}

impl Copies {
    /// Never more than so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            number: 1,
            most,
            changed: None,
            lossy: None,
            spell: None,
            missing: 0.0,
            missing_before: None,
            missing_with: None,
            spoiled: None,
            lost: None,
            doubted: None,
        }
    }

    /// So often each datagram is sent.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// What the way itself loses when this share of what was sent never came.
    pub(super) fn of_way(&mut self, now: Instant, missing: f32) -> f32 {
        self.missing = missing;
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

    /// The way loses this share, by chance or for want of room, while so much is sent, without copies.
    pub(super) fn handle_loss(&mut self, now: Instant, (loss, sent_bps): (f32, Option<u64>), room: Room) {
        let lasting = if loss >= MUCH { LASTING_MUCH } else { LASTING };
        let is_lasting = held(&mut self.lossy, room == Room::Lossy, now, lasting);
        self.handle_spell(now, room);
        if room == Room::Queue {
            return self.doubt(now, loss);
        }
        if let (Some(before), Some(changed)) = (&mut self.missing_before, self.changed) {
            if now.saturating_duration_since(changed) < TOLD_OF_BEFORE {
                *before = before.max(self.missing);
            } else if self.missing > *before * SPOILED + SPOILED_MORE {
                return self.doubt(now, loss);
            }
        }
        if !self.is_told(now) || !self.has_room(now) {
            return;
        }
        if self.missing_before.take().is_some_and(|before| self.missing > before * HELPED) {
            return self.doubt(now, loss);
        }
        let wanted = self.wanted(loss, sent_bps);
        let missing_with = *self.missing_with.get_or_insert(self.missing);
        let is_spoiled = self.missing > missing_with + SPOILED_LATER && wanted <= self.number;
        if held(&mut self.spoiled, is_spoiled, now, SPOILED_FOR) {
            return self.doubt(now, loss);
        }
        if is_lasting && wanted > self.number {
            self.missing_before = Some(self.missing);
            self.change(now, wanted, loss);
        } else if wanted < self.number {
            self.change(now, self.number - 1, loss);
        }
    }

    /// So many would do, as far as there is room for them on our line.
    fn wanted(&self, loss: f32, sent_bps: Option<u64>) -> usize {
        // With copies hardly anything is sent again.
        let sent_once = |bps: u64| if self.number == 1 { (bps as f32 / (1.0 + loss)) as u64 } else { bps };
        let most = sent_bps.map_or(self.most, |bps| (TOGETHER_BPS_MAX / sent_once(bps).max(1)) as usize);
        let most = most.clamp(1, self.most).min(if self.number == 1 { FIRST_MAX } else { usize::MAX });
        LADDER.iter().find(|(up_to, _)| loss < *up_to).map_or(1, |(_, number)| *number).min(most)
    }

    /// As far as is known there is room for copies and they help, or they are about to be tried.
    pub(super) fn is_trusted(&self, now: Instant) -> bool {
        let is_new = |(since, _)| now.saturating_duration_since(since) < TRIED_WITHIN;
        self.has_room(now) && (self.number > 1 || self.spell.is_some_and(is_new))
    }

    fn handle_spell(&mut self, now: Instant, room: Room) {
        self.spell.take_if(|(_, last)| now.saturating_duration_since(*last) >= LOSSY_AGAIN);
        if room == Room::Lossy {
            self.spell.get_or_insert((now, now)).1 = now;
        }
    }

    fn has_room(&self, now: Instant) -> bool {
        !self.doubted.is_some_and(|doubt| doubt.holds(now))
    }

    /// There was no room for copies, or they were no help.
    fn doubt(&mut self, now: Instant, loss: f32) {
        if self.number == 1 {
            return;
        }
        let ran = self.changed.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let lately = self.doubted.filter(|_| ran < TRUSTED_AFTER);
        self.doubted = Some(Doubt::again(lately, now, &DOUBTED));
        self.change(now, 1, loss);
        self.missing_before = None;
    }

    /// What comes late is told to be lost, and was sent more often for that: there is one copy again, without a doubt.
    pub(super) fn handle_late(&mut self, now: Instant, loss: f32) {
        if self.number > 1 {
            self.change(now, 1, loss);
            self.missing_before = None;
        }
    }

    /// Of another way nothing is known.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.most)
    }

    fn change(&mut self, now: Instant, number: usize, loss: f32) {
        (self.number, self.changed, self.missing_with) = (number, Some(now), None);
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
        sent_bps: Option<u64>,
    }

    impl Asked {
        fn new() -> Self {
            Self { copies: Copies::new(8), now: Instant::now(), told: vec![0.0; 10], sent_bps: None }
        }

        /// The numbers of copies that there were in so long, one after the other.
        fn run(&mut self, seconds: usize, loss: f32, has_queue: bool) -> Vec<usize> {
            self.run_with(seconds, has_queue, |number| loss.powi(number as i32))
        }

        /// The same where so much is missing of so many copies.
        fn run_with(
            &mut self,
            seconds: usize,
            has_queue: bool,
            missing_of: impl Fn(usize) -> f32,
        ) -> Vec<usize> {
            let mut numbers = vec![self.copies.number()];
            for _ in 0..seconds * 10 {
                self.now += Duration::from_millis(100);
                self.told.remove(0);
                self.told.push(missing_of(self.copies.number()));
                let missing = self.told.iter().sum::<f32>() / 10.0;
                let of_way = self.copies.of_way(self.now, missing);
                let room = match has_queue {
                    true => Room::Queue,
                    false if of_way >= 0.08 => Room::Lossy,
                    false => Room::Unknown,
                };
                self.copies.handle_loss(self.now, (of_way, self.sent_bps), room);
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
    fn copies_that_are_lost_together_are_given_up() {
        let mut asked = Asked::new();
        assert_eq!(asked.run_with(6, false, |_| 0.2), [1, 3, 1], "all of a datagram or none of it");
        let numbers = asked.run_with(300, false, |_| 0.2);
        assert!(numbers.iter().all(|number| *number <= 3) && numbers.len() < 14, "{numbers:?}");
    }

    #[test]
    fn a_stream_of_many_bits_has_fewer() {
        let mut asked = Asked::new();
        asked.sent_bps = Some(4_500_000);
        asked.run(20, 0.5, false);
        assert_eq!(asked.run(20, 0.5, false), [2]);
    }

    #[test]
    fn where_there_are_no_copies_nothing_is_trusted_for_long() {
        let mut asked = Asked::new();
        asked.sent_bps = Some(20_000_000);
        asked.run(1, 0.3, false);
        assert!(asked.copies.is_trusted(asked.now), "they may yet come");
        assert_eq!(asked.run(1, 0.3, false), [1]);
        assert!(!asked.copies.is_trusted(asked.now));
        asked.run(1, 0.0, false);
        asked.run(1, 0.3, false);
        assert!(!asked.copies.is_trusted(asked.now), "the same loss, a moment later");
        asked.sent_bps = None;
        asked.run(1, 0.3, false);
        assert!(asked.copies.is_trusted(asked.now));
    }

    #[test]
    fn copies_for_which_there_is_no_room_any_longer_are_given_up() {
        let mut asked = Asked::new();
        asked.sent_bps = Some(5_000_000);
        asked.run(10, 0.1, false);
        assert_eq!(asked.run(10, 0.1, false), [2]);
        let numbers = asked.run_with(6, false, |number| if number == 1 { 0.3 } else { 0.6 });
        assert_eq!(numbers, [2, 1], "more of them would be too much");
    }

    #[test]
    fn copies_that_make_it_worse_end_at_once() {
        let mut asked = Asked::new();
        let numbers = asked.run_with(2, false, |number| if number == 1 { 0.3 } else { 0.7 });
        assert_eq!(numbers, [1, 3, 1], "well before it is judged whether they help");
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
