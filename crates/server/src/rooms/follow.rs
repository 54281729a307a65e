//! Whose picture is shown: the host's choice, or whoever speaks, without jumping back and forth.

use media::{Span, Timestamp};
use room::MemberId;

/// Quieter than this is breath and fans, in dB of full scale.
const SPEAKS_DB: f32 = -50.0;
/// A speaker is followed who is louder than who is shown by this …
const LOUDER_DB: f32 = 3.0;
/// … for so long: a cough or a "yes" is over by then …
const DOMINANCE: Span = Span::from_millis(1_500);
/// … and never sooner after the last change: a viewer has to see who it is.
const SHOWN_MIN: Span = Span::from_millis(2_000);

/// Somebody who could be shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) member: MemberId,
    /// How loud it is; `None` where it sends no sound.
    pub(super) level_db: Option<f32>,
}

impl Candidate {
    fn level_db(&self) -> f32 {
        self.level_db.unwrap_or(f32::MIN)
    }
}

/// Decides for one audience.
#[derive(Default)]
pub(super) struct Follow {
    /// Who is shown, and since when.
    shown: Option<(MemberId, Timestamp)>,
    /// Who is louder than that, and since when.
    rival: Option<(MemberId, Timestamp)>,
}

impl Follow {
    /// Who is to be shown now, of these in the order of coming up.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        focus: Option<MemberId>,
        candidates: &[Candidate],
    ) -> Option<MemberId> {
        let focused = focus.filter(|focus| candidates.iter().any(|candidate| candidate.member == *focus));
        let shown = self.shown.filter(|(shown, _)| candidates.iter().any(|one| one.member == *shown));
        let wanted = match (focused, shown) {
            (Some(focus), _) => Some(focus),
            (None, Some((shown, since))) => Some(self.against_rivals(now, (shown, since), candidates)),
            (None, None) => loudest(candidates).or(candidates.first()).map(|candidate| candidate.member),
        };
        if self.shown.map(|(shown, _)| shown) != wanted {
            self.shown = wanted.map(|member| (member, now));
            self.rival = None;
        }
        wanted
    }

    /// Who is shown goes on to be, unless another has been louder for long enough.
    fn against_rivals(
        &mut self,
        now: Timestamp,
        (shown, since): (MemberId, Timestamp),
        candidates: &[Candidate],
    ) -> MemberId {
        let level = |member| candidates.iter().find(|one| one.member == member).map(Candidate::level_db);
        let own = level(shown).unwrap_or(f32::MIN);
        let loudest = loudest(candidates).filter(|loudest| loudest.level_db() > own + LOUDER_DB);
        // Of two who are alike the one who was first stays the rival: taking turns with each other, neither would ever win.
        let is_level_with = |loudest: &Candidate, before| {
            level(before)
                .is_some_and(|before| before + LOUDER_DB >= loudest.level_db() && before > own + LOUDER_DB)
        };
        let rival = loudest.map(|loudest| match self.rival {
            Some((before, _)) if is_level_with(loudest, before) => before,
            Some(_) | None => loudest.member,
        });
        self.rival = match (rival, self.rival) {
            (Some(rival), Some((before, since))) if rival == before => Some((rival, since)),
            (Some(rival), _) => Some((rival, now)),
            (None, _) => None,
        };
        match self.rival {
            Some((rival, rivals)) if now - rivals >= DOMINANCE && now - since >= SHOWN_MIN => rival,
            Some(_) | None => shown,
        }
    }
}

/// The loudest of those who speak.
fn loudest(candidates: &[Candidate]) -> Option<&Candidate> {
    let speaking = candidates.iter().filter(|candidate| candidate.level_db() > SPEAKS_DB);
    speaking.max_by(|a, b| a.level_db().total_cmp(&b.level_db()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(levels: &[(u32, f32)]) -> Vec<Candidate> {
        let candidate =
            |(member, db): &(u32, f32)| Candidate { member: MemberId(*member), level_db: Some(*db) };
        levels.iter().map(candidate).collect()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// When the picture changes, and to whom, with these who speak from a time on.
    fn changes(speaking: &[(i64, &[(u32, f32)])], end: i64) -> Vec<(i64, u32)> {
        let mut follow = Follow::default();
        let mut seen: Vec<(i64, u32)> = Vec::new();
        for ms in (0..end).step_by(20) {
            let now = speaking.iter().rev().find(|(from, _)| *from <= ms).unwrap().1;
            let shown = follow.step(at(ms), None, &levels(now)).unwrap().0;
            if seen.last().is_none_or(|(_, last)| *last != shown) {
                seen.push((ms, shown));
            }
        }
        seen
    }

    #[test]
    fn who_speaks_first_is_shown_and_another_after_a_second_and_a_half_of_being_louder() {
        let spoken: &[(i64, &[(u32, f32)])] =
            &[(0, &[(1, -60.0), (2, -20.0)]), (4_000, &[(1, -20.0), (2, -60.0)])];
        assert_eq!(changes(spoken, 8_000), [(0, 2), (5_500, 1)]);
    }

    #[test]
    fn a_word_between_changes_nothing_and_neither_does_one_who_is_hardly_louder() {
        let spoken: &[(i64, &[(u32, f32)])] = &[
            (0, &[(1, -20.0), (2, -60.0)]),
            (3_000, &[(1, -40.0), (2, -20.0)]),
            (4_000, &[(1, -20.0), (2, -40.0)]),
            (5_000, &[(1, -20.0), (2, -18.0)]),
        ];
        assert_eq!(changes(spoken, 12_000), [(0, 1)]);
    }

    #[test]
    fn two_who_take_turns_quickly_are_each_shown_for_two_seconds_at_least() {
        let mut follow = Follow::default();
        let mut seen: Vec<(i64, u32)> = Vec::new();
        for ms in (0..20_000).step_by(20) {
            let first = ms / 1_700 % 2 == 0;
            let now =
                levels(&[(1, if first { -20.0 } else { -60.0 }), (2, if first { -60.0 } else { -20.0 })]);
            let shown = follow.step(at(ms), None, &now).unwrap().0;
            if seen.last().is_none_or(|(_, last)| *last != shown) {
                seen.push((ms, shown));
            }
        }
        assert!(seen.len() > 3 && seen.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 2_000), "{seen:?}");
    }

    #[test]
    fn of_two_who_speak_at_once_the_first_is_followed_however_often_they_are_the_loudest_in_turn() {
        let mut follow = Follow::default();
        assert_eq!(follow.step(at(0), None, &levels(&[(1, -20.0)])), Some(MemberId(1)));
        let changed = (0..5_000).step_by(20).find(|ms| {
            let (second, third) = if ms / 100 % 2 == 0 { (-20.0, -21.0) } else { (-21.0, -20.0) };
            let now = levels(&[(1, -60.0), (2, second), (3, third)]);
            follow.step(at(*ms), None, &now) != Some(MemberId(1))
        });
        assert_eq!(changed, Some(2_000));
        assert_eq!(follow.shown, Some((MemberId(2), at(2_000))));
    }

    #[test]
    fn the_host_s_choice_is_shown_at_once_and_for_as_long_as_it_can_be() {
        let mut follow = Follow::default();
        let all = levels(&[(1, -10.0), (2, -60.0), (3, -60.0)]);
        assert_eq!(follow.step(at(0), None, &all), Some(MemberId(1)));
        assert_eq!(follow.step(at(20), Some(MemberId(3)), &all), Some(MemberId(3)));
        assert_eq!(follow.step(at(9_000), Some(MemberId(3)), &all), Some(MemberId(3)));
        assert_eq!(
            follow.step(at(9_020), Some(MemberId(3)), &all[..2]),
            Some(MemberId(1)),
            "it shows nothing"
        );
        assert_eq!(follow.step(at(9_040), Some(MemberId(9)), &all[..2]), Some(MemberId(1)));
    }

    #[test]
    fn who_goes_is_replaced_at_once_by_who_speaks_or_else_by_who_came_first() {
        let mut follow = Follow::default();
        assert_eq!(
            follow.step(at(0), None, &levels(&[(1, -20.0), (2, -60.0), (3, -30.0)])),
            Some(MemberId(1))
        );
        assert_eq!(follow.step(at(100), None, &levels(&[(2, -60.0), (3, -30.0)])), Some(MemberId(3)));
        assert_eq!(follow.step(at(200), None, &levels(&[(2, -60.0), (4, -70.0)])), Some(MemberId(2)));
        assert_eq!(follow.step(at(300), None, &[]), None);
    }
}
