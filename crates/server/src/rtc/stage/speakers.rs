//! Who speaks, as everybody is told it. Pure, and time is an argument.

use std::time::{Duration, Instant};

use super::super::control::Speaker;
use super::voices::{SPEECH, Talker};

/// Nobody is told more often.
const TOLD_EVERY: Duration = Duration::from_millis(250);
/// Somebody speaks until it has not for so long: between words it still does.
const PAUSE: Duration = Duration::from_millis(600);
/// A level that changed by less is not worth telling.
const STEP: i8 = 3;
/// More at once is a noise: the message stays below what a channel takes.
const SPEAKERS_MAX: usize = 9;

/// Who speaks.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    /// When each was heard speaking last, and how loud it was then.
    speaking: Vec<(Talker, Instant)>,
    told: Vec<Speaker>,
    told_at: Option<Instant>,
}

impl Speakers {
    /// Takes how loud everybody is whose loudness is known.
    pub(super) fn handle_levels(&mut self, now: Instant, talkers: &[Talker]) {
        let is_there = |talker: &Talker| talkers.iter().any(|known| known.member == talker.member);
        self.speaking.retain(|(talker, at)| is_there(talker) && now.saturating_duration_since(*at) < PAUSE);
        for talker in talkers.iter().filter(|talker| talker.level > SPEECH) {
            match self.speaking.iter_mut().find(|(known, _)| known.member == talker.member) {
                Some(known) => *known = (*talker, now),
                None => self.speaking.push((*talker, now)),
            }
        }
    }

    /// Who speaks now, when that is to be told.
    pub(super) fn take_told(&mut self, now: Instant) -> Option<Vec<Speaker>> {
        if self.told_at.is_some_and(|at| now.saturating_duration_since(at) < TOLD_EVERY) {
            return None;
        }
        let speaker =
            |(talker, _): &(Talker, Instant)| Speaker { member: talker.member, level: talker.level };
        let mut speakers: Vec<Speaker> = self.speaking.iter().map(speaker).collect();
        speakers.sort_by_key(|speaker| (std::cmp::Reverse(speaker.level), speaker.member));
        speakers.truncate(SPEAKERS_MAX);
        let is_alike =
            |(a, b): (&Speaker, &Speaker)| a.member == b.member && a.level.abs_diff(b.level) < STEP as u8;
        let is_told = speakers.len() == self.told.len() && speakers.iter().zip(&self.told).all(is_alike);
        if is_told {
            return None;
        }
        (self.told, self.told_at) = (speakers.clone(), Some(now));
        Some(speakers)
    }
}

#[cfg(test)]
mod tests {
    use room::MemberId;

    use super::*;

    fn talkers(levels: &[(u32, i8)]) -> Vec<Talker> {
        levels.iter().map(|(member, level)| Talker { member: MemberId(*member), level: *level }).collect()
    }

    #[test]
    fn the_loudest_is_first_and_a_pause_between_words_is_no_news() {
        let (start, mut speakers) = (Instant::now(), Speakers::default());
        let at = |ms| start + Duration::from_millis(ms);
        let mut told = |ms, levels: &[(u32, i8)]| {
            speakers.handle_levels(at(ms), &talkers(levels));
            let told = speakers.take_told(at(ms));
            told.map(|told| told.iter().map(|s| (s.member.0, s.level)).collect::<Vec<_>>())
        };
        assert_eq!(told(0, &[(1, -127), (2, -90)]), None, "nobody speaks, as before");
        assert_eq!(told(100, &[(1, -30), (2, -20), (3, -60)]), Some(vec![(2, -20), (1, -30)]));
        assert_eq!(told(200, &[(1, -10), (2, -20)]), None, "too soon");
        assert_eq!(told(400, &[(1, -10), (2, -127)]), Some(vec![(1, -10), (2, -20)]));
        assert_eq!(told(700, &[(1, -11), (2, -127)]), None, "no more than it was");
        assert_eq!(told(900, &[(1, -12), (2, -127)]), Some(vec![(1, -12)]), "that was more than a pause");
        assert_eq!(told(1_200, &[(2, -127)]), Some(vec![]), "it was muted");
    }

    #[test]
    fn nobody_is_told_more_than_four_times_a_second() {
        let (start, mut speakers) = (Instant::now(), Speakers::default());
        let told = (0..10_000_u64).step_by(20).filter(|ms| {
            let now = start + Duration::from_millis(*ms);
            speakers.handle_levels(now, &talkers(&[(1, if ms % 40 == 0 { -10 } else { -30 }), (2, -20)]));
            speakers.take_told(now).is_some()
        });
        assert!((30..=40).contains(&told.count()));
    }
}
