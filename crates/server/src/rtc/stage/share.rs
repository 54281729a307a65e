//! What each tile gets of one way: first the smallest layer of each, then better ones, always in the order of importance.
//! Down soon, up when it has been safe for a while. Pure, and time is an argument.

use std::time::{Duration, Instant};

use room::MemberId;

use super::super::choose::{Layer, covering};
use super::super::patience::{
    BEHIND_MAX, DOWN_AFTER, Probing, REGRET, SIZE_AFTER, SPARE_PERCENT, UP_AFTER, UP_AFTER_MAX,
    WITHHOLD_AFTER, held,
};
use super::super::way::{Outlook, Wishes};

/// Of one voice, with its repetitions.
const VOICE_BPS: u64 = 60_000;

/// Somebody to be shown.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Whose picture, in which section: another is nothing that was shown before.
    pub(super) of: (usize, MemberId),
    /// The best first; none while nothing comes.
    pub(super) layers: Vec<Layer>,
    /// Device pixels that it is shown in.
    pub(super) pixels: Option<(u32, u32)>,
}

/// What is known at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    pub(super) way: Outlook,
    /// How many are heard.
    pub(super) voices: usize,
    /// How long the next packet of any picture has waited to be sent.
    pub(super) behind: Duration,
}

/// What one gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The layer in this lane.
    Lane(u8),
    /// There is no room for it.
    Paused,
    /// There is nothing to be had.
    Nothing,
}

/// What all get, and what is to be done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// In the order of the question.
    pub(super) shares: Vec<Share>,
    pub(super) wishes: Wishes,
}

/// What was shared out so far.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    held: Vec<((usize, MemberId), Option<u8>)>,
    unfit: Option<Instant>,
    oversized: Option<Instant>,
    better: Option<Instant>,
    /// Room was short since everybody had what it wanted last.
    is_short: bool,
    up_after: Option<Duration>,
    went_up: Option<Instant>,
    probing: Probing,
}

impl Wanted {
    fn needs(&self, index: usize) -> u64 {
        self.layers.get(index).map_or(0, Layer::packets_bps)
    }

    fn least(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }

    /// The smallest that covers what is shown.
    fn covering(&self) -> usize {
        covering(self.layers.iter(), self.pixels)
    }
}

/// Which layer each gets of so much, by its index; `None` where there is no room for any. Without a budget there is room for
/// all. With `keeps_least` the smallest fits whatever the budget.
pub(super) fn allot(budget: Option<u64>, keeps_least: bool, wanted: &[Wanted]) -> Vec<Option<usize>> {
    let mut left = budget.unwrap_or(u64::MAX);
    let mut allotted: Vec<Option<usize>> = wanted
        .iter()
        .map(|tile| {
            let needs = tile.needs(tile.least());
            let fits = !tile.layers.is_empty() && (needs <= left || keeps_least);
            left = left.saturating_sub(if fits { needs } else { 0 });
            fits.then(|| tile.least())
        })
        .collect();
    for (tile, allotted) in wanted.iter().zip(&mut allotted) {
        let Some(index) = allotted else { continue };
        let has = tile.needs(*index);
        let best = (tile.covering()..*index).find(|better| tile.needs(*better).saturating_sub(has) <= left);
        if let Some(better) = best {
            left -= tile.needs(better).saturating_sub(has);
            *index = better;
        }
    }
    allotted
}

/// A smaller layer, or none, is less.
fn rank(index: Option<usize>) -> usize {
    index.unwrap_or(usize::MAX)
}

impl Sharing {
    /// Shares out by what is known now; to be asked several times a second.
    pub(super) fn handle_conditions(
        &mut self,
        now: Instant,
        conditions: &Conditions,
        wanted: &[Wanted],
    ) -> Shares {
        let sound = VOICE_BPS * conditions.voices.max(1) as u64;
        let budget = |percent: u64| match conditions.way.is_least {
            true => Some(0),
            false => conditions.way.estimate_bps.map(|bps| (bps * 100 / percent).saturating_sub(sound)),
        };
        let most = allot(budget(100), conditions.way.is_lossy, wanted);
        let safe = allot(budget(SPARE_PERCENT), conditions.way.is_lossy, wanted);
        let current: Vec<Option<Option<usize>>> = wanted.iter().map(|tile| self.current(tile)).collect();
        let allowed =
            self.allowed(now, conditions, wanted, Lots { current: &current, most: &most, safe: &safe });
        let next: Vec<Option<usize>> = (current.iter().zip(most.iter().zip(&safe)))
            .map(|(current, (most, safe))| {
                // The two may disagree in either direction: who has less lets others have more.
                let up = if rank(*safe) >= rank(*most) { *safe } else { *most };
                match *current {
                    None => up.or(*most),
                    Some(current) if rank(current) < rank(*most) => {
                        let goes = if most.is_some() { allowed.down } else { allowed.pause };
                        if goes { *most } else { current }
                    }
                    Some(current) if rank(current) > rank(up) && allowed.up => up,
                    Some(current) => current,
                }
            })
            .collect();
        self.note(now, (&current, &next), wanted);
        let share = |(tile, index): (&Wanted, &Option<usize>)| match index {
            _ if tile.layers.is_empty() => Share::Nothing,
            Some(index) => tile.layers.get(*index).map_or(Share::Nothing, |layer| Share::Lane(layer.lane)),
            None => Share::Paused,
        };
        let least: u64 = wanted.iter().map(|tile| tile.needs(tile.least())).sum::<u64>() + sound;
        let floor = least * SPARE_PERCENT / 100;
        let wanted_bps = takes(sound, wanted);
        Shares {
            shares: wanted.iter().zip(&next).map(share).collect(),
            wishes: Wishes {
                desired_bps: self.desired(now, conditions.way.estimate_bps, wanted_bps),
                wanted_bps: next.iter().any(Option::is_some).then_some(wanted_bps),
                floor_bps: conditions.way.is_lossy.then_some(floor),
                is_short: self.is_short,
            },
        }
    }

    /// What a tile has, by its index: `None` if it had nothing to do with sharing before.
    fn current(&self, tile: &Wanted) -> Option<Option<usize>> {
        let (_, lane) = self.held.iter().find(|(of, _)| *of == tile.of)?;
        match lane {
            None => Some(None),
            Some(lane) => tile.layers.iter().position(|layer| layer.lane == *lane).map(Some),
        }
    }

    fn allowed(
        &mut self,
        now: Instant,
        conditions: &Conditions,
        wanted: &[Wanted],
        Lots { current, most, safe }: Lots<'_>,
    ) -> Allowed {
        let (mut unfit, mut oversized, mut better) = (false, false, false);
        for (((tile, current), most), safe) in wanted.iter().zip(current).zip(most).zip(safe) {
            let Some(current) = *current else { continue };
            let covering = tile.covering();
            let is_oversized = current.is_some_and(|index| index < covering);
            oversized |= is_oversized;
            unfit |= rank(current) < rank(*most) && !(is_oversized && *most == Some(covering));
            better |= rank(current) > rank(*safe) && rank(current) > rank(*most);
            self.is_short |= rank(*safe) > covering && !tile.layers.is_empty();
        }
        let is_behind = conditions.behind > BEHIND_MAX && conditions.way.estimate_bps.is_some();
        let down = held(&mut self.unfit, unfit, now, DOWN_AFTER);
        // An estimate alone may be too low, and pictures that are there show that they fit.
        let has_been_unfit = self.unfit.is_some_and(|at| now.saturating_duration_since(at) >= WITHHOLD_AFTER);
        let pause = has_been_unfit && conditions.way.is_crowded;
        let shrink = held(&mut self.oversized, oversized, now, SIZE_AFTER);
        let patience = if self.is_short { self.up_after.unwrap_or(UP_AFTER) } else { Duration::ZERO };
        let up = held(&mut self.better, better && !is_behind, now, patience);
        Allowed { down: down || shrink || is_behind && unfit, pause, up }
    }

    /// Remembers what was shared out, and what became of what was hoped.
    fn note(
        &mut self,
        now: Instant,
        (current, next): (&[Option<Option<usize>>], &[Option<usize>]),
        wanted: &[Wanted],
    ) {
        let both = || current.iter().zip(next).filter_map(|(current, next)| Some(((*current)?, *next)));
        let went_down = self.unfit.is_some() && both().any(|(current, next)| rank(next) > rank(current));
        let went_up = both().any(|(current, next)| rank(next) < rank(current));
        if went_down && self.went_up.take().is_some_and(|at| now.saturating_duration_since(at) < REGRET) {
            let doubled = self.up_after.unwrap_or(UP_AFTER) * 2;
            self.up_after = Some(doubled.min(UP_AFTER_MAX));
        }
        if went_down || went_up {
            (self.unfit, self.oversized, self.better) = (None, None, None);
            self.probing.rest(now);
        }
        if went_up {
            self.went_up = Some(now);
        }
        // What has held for long is no longer doubted.
        if self.went_up.is_some_and(|at| now.saturating_duration_since(at) >= REGRET) {
            (self.went_up, self.up_after) = (None, None);
        }
        let has_all = wanted.iter().zip(next).all(|(tile, index)| {
            tile.layers.is_empty() || index.is_some_and(|index| index <= tile.covering())
        });
        self.is_short &= !has_all;
        self.held = wanted
            .iter()
            .zip(next)
            .filter(|(tile, _)| !tile.layers.is_empty())
            .map(|(tile, index)| {
                (tile.of, index.and_then(|index| tile.layers.get(index)).map(|layer| layer.lane))
            })
            .collect();
    }

    /// What room is looked for.
    fn desired(&mut self, now: Instant, estimate: Option<u64>, wanted_bps: u64) -> u64 {
        self.probing.desired(now, estimate, wanted_bps, self.up_after.unwrap_or(UP_AFTER))
    }
}

/// What all that is wanted takes, with room to spare.
fn takes(sound: u64, wanted: &[Wanted]) -> u64 {
    let needs: u64 = wanted.iter().map(|tile| tile.needs(tile.covering())).sum();
    (needs + sound) * SPARE_PERCENT / 100 * 11 / 10
}

/// Which layer each has, by its index, and could have at most and safely; `None` for none. Who is new has nothing yet.
#[derive(Clone, Copy)]
struct Lots<'a> {
    current: &'a [Option<Option<usize>>],
    most: &'a [Option<usize>],
    safe: &'a [Option<usize>],
}

/// Which changes may be made now.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    down: bool,
    pause: bool,
    up: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZES: [(u32, u32); 3] = [(1_280, 720), (640, 360), (320, 180)];

    /// Three layers of these bitrates, the best first.
    fn wanted(tile: usize, kbps: [u64; 3], pixels: Option<(u32, u32)>) -> Wanted {
        let layer = |(index, kbps): (usize, u64)| Layer {
            lane: 2 - index as u8,
            size: SIZES.get(index).copied(),
            bitrate_bps: kbps * 1_000,
            is_sent: true,
            is_heard: true,
            is_resting: false,
        };
        let layers = kbps.into_iter().enumerate().map(layer).collect();
        Wanted { of: (tile, MemberId(tile as u32)), layers, pixels }
    }

    fn nine(pixels: (u32, u32)) -> Vec<Wanted> {
        (0..9).map(|tile| wanted(tile, [1_000, 300, 100], Some(pixels))).collect()
    }

    struct Way {
        sharing: Sharing,
        start: Instant,
        ms: u64,
    }

    impl Way {
        fn new() -> Self {
            Self { sharing: Sharing::default(), start: Instant::now(), ms: 0 }
        }

        /// The way carries so much for so long; tells what each gets, as lanes.
        fn run(&mut self, ms: u64, kbps: u64, wanted: &[Wanted]) -> Vec<Option<u8>> {
            let mut shares = Vec::new();
            for _ in 0..ms.div_ceil(100) {
                self.ms += 100;
                let conditions = Conditions {
                    way: Outlook { estimate_bps: Some(kbps * 1_000), is_crowded: true, ..Outlook::default() },
                    voices: 1,
                    behind: Duration::ZERO,
                };
                let now = self.start + Duration::from_millis(self.ms);
                shares = self.sharing.handle_conditions(now, &conditions, wanted).shares;
            }
            let lane = |share: &Share| match share {
                Share::Lane(lane) => Some(*lane),
                Share::Paused | Share::Nothing => None,
            };
            shares.iter().map(lane).collect()
        }
    }

    #[test]
    fn each_gets_its_smallest_before_the_first_gets_a_better_one() {
        let tiles = nine((1_280, 720));
        assert_eq!(allot(Some(9 * 108_000), false, &tiles), [Some(2); 9]);
        let with_more = allot(Some(9 * 108_000 + 250_000), false, &tiles);
        assert_eq!(with_more, [&[Some(1)][..], &[Some(2); 8]].concat());
        let with_less = allot(Some(3 * 108_000 + 50_000), false, &tiles);
        assert_eq!(with_less, [&[Some(2); 3][..], &[None; 6]].concat());
        assert_eq!(allot(None, false, &tiles), [Some(0); 9], "nobody reckons");
        assert_eq!(allot(Some(0), true, &tiles), [Some(2); 9], "what is lost is not for want of room");
    }

    #[test]
    fn nobody_gets_more_than_is_shown() {
        let mut tiles = nine((320, 180));
        tiles[4].pixels = Some((640, 360));
        let lanes = Way::new().run(100, 100_000, &tiles);
        assert_eq!(lanes, [&[Some(0); 4][..], &[Some(1)], &[Some(0); 4]].concat());
    }

    #[test]
    fn a_way_that_narrows_pauses_the_last_and_gives_back_when_it_widens() {
        let (mut way, tiles) = (Way::new(), nine((640, 360)));
        assert_eq!(way.run(2_000, 5_000, &tiles), [Some(1); 9]);
        assert_eq!(way.run(200, 700, &tiles), [Some(1); 9], "a dip is none");
        let soon = way.run(400, 700, &tiles);
        assert_eq!(soon.iter().filter(|lane| **lane == Some(0)).count(), 5, "{soon:?}");
        let narrow = way.run(2_500, 700, &tiles);
        assert_eq!(narrow, [&[Some(0); 5][..], &[None; 4]].concat());
        assert_eq!(way.run(500, 5_000, &tiles), narrow, "not yet");
        assert_eq!(way.run(400, 5_000, &tiles), [Some(1); 9]);
    }

    #[test]
    fn who_comes_up_too_early_waits_twice_as_long_the_next_time() {
        let (mut way, tiles) = (Way::new(), nine((640, 360)));
        way.run(2_000, 1_200, &tiles);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let began = way.ms;
            while way.run(100, 5_000, &tiles) != [Some(1); 9] {}
            waits.push(way.ms - began);
            way.run(2_500, 1_200, &tiles);
        }
        assert!(waits.windows(2).all(|pair| pair[1] > pair[0] * 3 / 2), "{waits:?}");
    }

    #[test]
    fn what_is_dragged_smaller_follows_when_it_stands_and_another_member_begins_anew() {
        let mut way = Way::new();
        let large = [wanted(0, [1_000, 300, 100], Some((1_280, 720)))];
        assert_eq!(way.run(1_000, 5_000, &large), [Some(2)]);
        let small = [wanted(0, [1_000, 300, 100], Some((320, 180)))];
        assert_eq!(way.run(600, 5_000, &small), [Some(2)]);
        assert_eq!(way.run(400, 5_000, &small), [Some(0)]);
        assert_eq!(way.run(100, 5_000, &large), [Some(2)], "up at once where there is room");
        let other = [Wanted { of: (0, MemberId(7)), ..small[0].clone() }];
        assert_eq!(way.run(100, 5_000, &other), [Some(0)]);
    }

    #[test]
    fn of_nobody_there_is_nothing_and_it_costs_nothing() {
        let mut way = Way::new();
        let none = Wanted { of: (0, MemberId(1)), layers: Vec::new(), pixels: None };
        let some = wanted(1, [1_000, 300, 100], None);
        assert_eq!(way.run(300, 1_500, &[none, some]), [None, Some(2)]);
    }

    proptest! {
        #[test]
        fn what_is_allotted_fits_and_who_is_first_goes_short_last(
            budget in 0_u64..8_000,
            tiles in prop::collection::vec(([1_u64..3_000, 1_u64..900, 1_u64..300], 0_usize..4), 0..9),
        ) {
            let tiles: Vec<Wanted> = tiles
                .into_iter()
                .enumerate()
                .map(|(tile, (kbps, size))| wanted(tile, kbps, SIZES.get(size).copied()))
                .collect();
            let allotted = allot(Some(budget * 1_000), false, &tiles);
            let needs: u64 =
                tiles.iter().zip(&allotted).filter_map(|(tile, index)| Some(tile.needs((*index)?))).sum();
            prop_assert!(needs <= budget * 1_000);
            for (tile, index) in tiles.iter().zip(&allotted) {
                prop_assert!(index.is_none_or(|index| index >= tile.covering()));
            }
            if let (Some(first), Some(None)) = (tiles.first(), allotted.first()) {
                prop_assert!(first.needs(2) > budget * 1_000);
            }
        }

        #[test]
        fn whatever_happens_what_is_shared_out_settles_to_what_fits(
            steps in prop::collection::vec((50_u64..4_000, 100_u64..3_000), 1..20),
            end in 50_u64..4_000,
        ) {
            let (mut way, tiles) = (Way::new(), nine((640, 360)));
            for (kbps, ms) in steps {
                way.run(ms, kbps, &tiles);
            }
            let lanes = way.run(4_000, end, &tiles);
            let needs: u64 = lanes.iter().map(|lane| match lane {
                Some(1) => 324,
                Some(_) => 108,
                None => 0,
            }).sum();
            prop_assert!(needs <= end.saturating_sub(60), "{} of {}: {:?}", needs, end, lanes);
        }
    }
}
