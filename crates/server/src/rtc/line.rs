//! When a viewer is told that a picture is shown: live pictures at their own time, those of the group it joined in
//! quickly behind each other, so that it sees a picture at once and live a moment later.

use std::collections::VecDeque;

use media::{Span, Timestamp};

/// So many times faster than they were made are pictures shown that lie before the moment of joining: a group of 5 s
/// passes in an eighth of a second. Browsers decode pictures this near to each other as fast as they can.
const FAST: i64 = 40;
/// Between pictures there is at least this.
const STEP_MIN: Span = Span::from_micros(500);
/// Pictures whose time is remembered: packets of one may come late, among those of the next.
const REMEMBERED: usize = 64;

/// One viewer's line from the broadcast's time to its own.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Where the viewer joined: what lies before goes by fast.
    live: Timestamp,
    told: VecDeque<(Timestamp, Timestamp)>,
}

impl Line {
    /// The viewer joins or begins anew; `live` is the newest picture's time.
    pub(super) fn join(&mut self, live: Timestamp) {
        self.live = live;
        // The same pictures may be sent again, at other times.
        if let Some(last) = self.told.pop_back() {
            self.told.clear();
            self.told.push_back((Timestamp::from_micros(i64::MIN), last.1));
        }
    }

    /// When the viewer is told that what is at `at` is shown. Rises from picture to picture, whatever the viewer joined
    /// or skipped.
    pub(super) fn map(&mut self, at: Timestamp) -> Timestamp {
        if let Some((_, told)) = self.told.iter().rev().find(|(known, _)| *known == at) {
            return *told;
        }
        let mapped = match at < self.live {
            true => self.live - Span::from_micros((self.live - at).micros() / FAST),
            false => at,
        };
        let told = match self.told.back() {
            // A picture that comes after younger ones: it is too late, and has its own time at least.
            Some((newest, _)) if at < *newest => return mapped,
            Some((_, last)) => mapped.max(*last + STEP_MIN),
            None => mapped,
        };
        if self.told.len() == REMEMBERED {
            self.told.pop_front();
        }
        self.told.push_back((at, told));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_group_joined_goes_by_fast_and_live_pictures_keep_their_time() {
        let mut line = Line::default();
        line.join(ms(15_000));
        let told: Vec<i64> = (0..=125).map(|n| line.map(ms(10_000 + n * 40)).micros()).collect();
        assert_eq!(told[0], 15_000_000 - 125_000);
        assert!(told.windows(2).all(|pair| pair[1] - pair[0] == 1_000));
        assert_eq!(line.map(ms(15_040)), ms(15_040));
    }

    #[test]
    fn beginning_anew_never_goes_back_and_soon_keeps_time_again() {
        let mut line = Line::default();
        line.join(ms(0));
        let mut last = line.map(ms(5_000));
        line.join(ms(5_000));
        for n in 0..200 {
            let told = line.map(ms(1_000 + n * 40));
            assert!(told > last, "picture {n} is told at {told:?} after {last:?}");
            last = told;
        }
        assert_eq!(last, ms(1_000 + 199 * 40));
    }

    #[test]
    fn packets_of_one_picture_have_one_time_even_when_they_come_late() {
        let mut line = Line::default();
        line.join(ms(100));
        let first = line.map(ms(50));
        line.map(ms(90));
        assert_eq!(line.map(ms(50)), first);
    }
}
