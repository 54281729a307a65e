//! Who is heard: of all who send sound the loudest, each in a section of its own for as long as it is heard. Pure, and time
//! is an argument.

use std::time::{Duration, Instant};

use room::MemberId;

/// How loud somebody counts who is not known yet: as loud as quiet speech, so that it is heard unless many speak.
pub(super) const LEVEL_UNKNOWN: i8 = -40;
/// What is louder than this is taken for speech.
pub(super) const SPEECH: i8 = -50;
/// Somebody who is not heard takes the place of one who is when it has been louder by this,
const MARGIN: i16 = 6;
/// for so long: a cough is none,
const LOUDER_FOR: Duration = Duration::from_millis(300);
/// or for so long, when the other one does not speak: its first word is to be heard.
const LOUDER_FOR_SILENT: Duration = Duration::from_millis(80);
/// And the other one has been heard for so long, so that two who speak by turns do not push each other out at each turn.
const HEARD_MIN: Duration = Duration::from_millis(1_500);

/// Somebody who sends sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Talker {
    pub(super) member: MemberId,
    /// Decibels of full scale.
    pub(super) level: i8,
}

/// Who is heard in which section.
#[derive(Debug)]
pub(super) struct Voices {
    /// Whose own voice is never among them.
    own: MemberId,
    slots: Vec<Option<Held>>,
    /// Those who are louder than one who is heard, and since when.
    louder: Vec<(MemberId, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    member: MemberId,
    since: Instant,
}

impl Voices {
    /// For this listener, with no section yet.
    pub(super) fn new(own: MemberId) -> Self {
        Self { own, slots: Vec::new(), louder: Vec::new() }
    }

    /// One more section.
    pub(super) fn add_slot(&mut self) {
        self.slots.push(None);
    }

    /// Who is heard, by section.
    pub(super) fn heard(&self) -> impl Iterator<Item = Option<MemberId>> {
        self.slots.iter().map(|slot| slot.map(|held| held.member))
    }

    fn is_heard(&self, member: MemberId) -> bool {
        self.slots.iter().flatten().any(|held| held.member == member)
    }

    /// Takes how loud everybody is who may be heard now. To be called several times a second.
    pub(super) fn handle_levels(&mut self, now: Instant, talkers: &[Talker]) {
        let own = self.own;
        let level = |member: MemberId| {
            talkers.iter().find(|talker| talker.member == member && member != own).map(|talker| talker.level)
        };
        for slot in &mut self.slots {
            slot.take_if(|held| level(held.member).is_none());
        }
        let mut others: Vec<Talker> =
            talkers.iter().filter(|t| t.member != own && !self.is_heard(t.member)).copied().collect();
        // Stable: among equals the first on the stage.
        others.sort_by_key(|talker| std::cmp::Reverse(talker.level));
        let mut others = others.into_iter().peekable();
        for slot in self.slots.iter_mut().filter(|slot| slot.is_none()) {
            *slot = others.next().map(|talker| Held { member: talker.member, since: now });
        }
        let rest: Vec<Talker> = others.collect();
        self.contend(now, &rest, level);
    }

    /// The loudest of the rest takes the place of the quietest who is heard, once that is due.
    fn contend(&mut self, now: Instant, rest: &[Talker], level: impl Fn(MemberId) -> Option<i8>) {
        let of = |held: &Held| level(held.member).unwrap_or(i8::MIN);
        let may_go = |held: &&mut Held| now.saturating_duration_since(held.since) >= HEARD_MIN;
        let heard = self.slots.iter_mut().flatten();
        let Some(quietest) = heard.filter(may_go).min_by_key(|held| of(held)) else {
            return self.louder.clear();
        };
        let bar = i16::from(of(quietest)) + MARGIN;
        let is_louder = |talker: &&Talker| talker.level > SPEECH && i16::from(talker.level) >= bar;
        let before = std::mem::take(&mut self.louder);
        let since = |member| before.iter().find(|(known, _)| *known == member).map_or(now, |(_, at)| *at);
        self.louder.extend(rest.iter().filter(is_louder).map(|talker| (talker.member, since(talker.member))));
        let patience = if of(quietest) > SPEECH { LOUDER_FOR } else { LOUDER_FOR_SILENT };
        // `rest` is sorted, and so are these.
        let due = self.louder.iter().find(|(_, at)| now.saturating_duration_since(*at) >= patience);
        if let Some((member, _)) = due.copied() {
            *quietest = Held { member, since: now };
            self.louder.retain(|(known, _)| *known != member);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Room {
        voices: Voices,
        start: Instant,
        ms: u64,
    }

    impl Room {
        fn new(slots: usize) -> Self {
            let mut voices = Voices::new(MemberId(0));
            (0..slots).for_each(|_| voices.add_slot());
            Self { voices, start: Instant::now(), ms: 0 }
        }

        /// Everybody is this loud for so long; tells who is heard.
        fn run(&mut self, ms: u64, levels: &[(u32, i8)]) -> Vec<Option<u32>> {
            let talkers: Vec<Talker> = levels
                .iter()
                .map(|(member, level)| Talker { member: MemberId(*member), level: *level })
                .collect();
            for _ in 0..ms.div_ceil(20) {
                self.ms += 20;
                self.voices.handle_levels(self.start + Duration::from_millis(self.ms), &talkers);
            }
            self.heard()
        }

        fn heard(&self) -> Vec<Option<u32>> {
            self.voices.heard().map(|member| member.map(|member| member.0)).collect()
        }
    }

    #[test]
    fn whoever_is_alone_is_heard_at_once_and_stays_where_it_is() {
        let mut room = Room::new(2);
        assert_eq!(room.run(20, &[(0, -10), (1, -127)]), [Some(1), None], "nobody hears itself");
        assert_eq!(room.run(2_000, &[(0, -10), (1, -127), (2, -20)]), [Some(1), Some(2)]);
        assert_eq!(room.run(20, &[(0, -10), (2, -20)]), [None, Some(2)], "it is muted or left");
        assert_eq!(room.run(20, &[(2, -20), (3, -60)]), [Some(3), Some(2)]);
    }

    #[test]
    fn a_cough_takes_nobodys_place_and_speech_does() {
        let mut room = Room::new(2);
        room.run(3_000, &[(1, -30), (2, -28), (3, -127)]);
        assert_eq!(room.run(200, &[(1, -30), (2, -28), (3, -5)]), [Some(2), Some(1)]);
        room.run(1_000, &[(1, -30), (2, -28), (3, -127)]);
        assert_eq!(
            room.run(5_000, &[(1, -30), (2, -28), (3, -26)]),
            [Some(2), Some(1)],
            "not clearly louder"
        );
        assert_eq!(room.run(400, &[(1, -30), (2, -28), (3, -20)]), [Some(2), Some(3)]);
    }

    #[test]
    fn the_first_word_after_silence_is_heard() {
        let mut room = Room::new(2);
        room.run(3_000, &[(1, -90), (2, -28), (3, -127)]);
        assert_eq!(room.run(120, &[(1, -90), (2, -28), (3, -30)]), [Some(2), Some(3)]);
    }

    #[test]
    fn two_who_are_as_loud_do_not_push_each_other_out() {
        let mut room = Room::new(1);
        room.run(3_000, &[(1, -30), (2, -40)]);
        let mut changes = 0;
        let mut before = room.heard();
        for turn in 0..200 {
            let (a, b) = if turn % 2 == 0 { (-25, -30) } else { (-30, -25) };
            let now = room.run(500, &[(1, a), (2, b)]);
            changes += usize::from(now != before);
            before = now;
        }
        assert_eq!(changes, 0);
    }

    proptest! {
        #[test]
        fn never_more_than_there_are_sections_never_oneself_never_twice_and_never_in_a_hurry(
            slots in 1_usize..=6,
            rounds in prop::collection::vec(
                (1_u64..60, prop::collection::vec((any::<bool>(), -127_i8..=0), 12)), 1..60),
        ) {
            let mut room = Room::new(slots);
            let mut held: Vec<Option<(u32, u64)>> = vec![None; slots];
            for (steps, levels) in rounds {
                let levels: Vec<(u32, i8)> =
                    (0..).zip(&levels).filter(|(_, (there, _))| *there).map(|(n, (_, level))| (n, *level)).collect();
                for _ in 0..steps {
                    let heard = room.run(20, &levels);
                    prop_assert_eq!(heard.len(), slots);
                    let mut members: Vec<u32> = heard.iter().flatten().copied().collect();
                    prop_assert!(!members.contains(&0));
                    members.sort_unstable();
                    members.dedup();
                    prop_assert_eq!(members.len(), heard.iter().flatten().count());
                    let there = levels.iter().filter(|(member, _)| *member != 0).count();
                    prop_assert_eq!(members.len(), there.min(slots), "nobody waits beside a free section");
                    prop_assert!(members.iter().all(|member| levels.iter().any(|(known, _)| known == member)));
                    for (now, before) in heard.iter().zip(&mut held) {
                        let is_same = *now == before.map(|(member, _)| member);
                        if let (Some((member, since)), false) = (*before, is_same) {
                            let was_there = levels.iter().any(|(known, _)| *known == member);
                            prop_assert!(!was_there || room.ms - since >= 1_500, "pushed out after {} ms", room.ms - since);
                        }
                        if !is_same {
                            *before = now.map(|member| (member, room.ms));
                        }
                    }
                }
            }
        }
    }
}
