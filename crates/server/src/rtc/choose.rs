//! Which layer of the pictures a viewer gets: what its element shows, as far as its way carries it. Down at once, up when it
//! has been safe for a while, and nothing but sound where not even the least fits. Pure, and time is an argument.

use std::time::{Duration, Instant};

use super::patience::{
    BEHIND_MAX, DOWN_AFTER, Probing, REGRET, SIZE_AFTER, SPARE_PERCENT, UP_AFTER, UP_AFTER_MAX,
    WITHHOLD_AFTER, held,
};
use super::way::{Outlook, Wishes};

/// Sound with its repetitions, and what is said beside media.
const SOUND_BPS: u64 = 110_000;
/// Headers, encryption and extensions beside payloads, in percent of these.
const PACKET_PERCENT: u64 = 108;
/// A layer that has so many percent of the pixels across is enough: nobody sees the difference.
const COVER_PERCENT: u64 = 85;

/// A layer as a viewer sees it. They come in order, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Which lane it is in.
    pub(super) lane: u8,
    pub(super) size: Option<(u32, u32)>,
    /// Of its payloads.
    pub(super) bitrate_bps: u64,
    /// It comes, or was just asked for.
    pub(super) is_sent: bool,
    /// It comes now.
    pub(super) is_heard: bool,
    /// Its publisher lets it rest until somebody wants it, and would send it then as far as is known.
    pub(super) is_resting: bool,
}

impl Layer {
    /// What its packets take of the way.
    pub(super) fn packets_bps(&self) -> u64 {
        self.bitrate_bps * PACKET_PERCENT / 100
    }
}

/// The smallest that covers so many device pixels, by its index; the best where nobody has said how many there are.
pub(super) fn covering<'a>(
    mut layers: impl ExactSizeIterator<Item = &'a Layer> + DoubleEndedIterator,
    pixels: Option<(u32, u32)>,
) -> usize {
    let Some((width, height)) = pixels else { return 0 };
    let enough = |has: u32, shown: u32| u64::from(has) * 100 >= u64::from(shown) * COVER_PERCENT;
    // A picture is fitted into its element: the tighter side decides.
    let covers = |(w, h): (u32, u32)| enough(w, width) || enough(h, height);
    layers.rposition(|layer| layer.size.is_some_and(covers)).unwrap_or(0)
}

/// What the viewer has said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Device pixels of its element.
    pub(super) pixels: Option<(u32, u32)>,
    pub(super) is_visible: bool,
    pub(super) sound_only: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { pixels: None, is_visible: true, sound_only: false }
    }
}

/// What is known at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions<'a> {
    pub(super) layers: &'a [Layer],
    pub(super) way: Outlook,
    /// How long the next packet has waited to be sent.
    pub(super) behind: Duration,
}

/// Why pictures are what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Bandwidth,
    Size,
    Source,
}

/// What the viewer is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pictures {
    /// Of this lane.
    Lane(u8),
    /// None: there is no room for them, or they are not asked for.
    Withheld,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) pictures: Pictures,
    pub(super) reason: Reason,
    pub(super) wishes: Wishes,
}

/// One viewer's choice so far.
#[derive(Debug)]
pub(super) struct Chooser {
    view: View,
    pictures: Option<Pictures>,
    reason: Reason,
    holds: Holds,
    /// When something better than before was chosen last.
    went_up: Option<Instant>,
    /// Room was short since the last change.
    short: bool,
    up_after: Duration,
    /// There was a queue or loss about the last change, or since.
    was_crowded: bool,
    probing: Probing,
}

impl Default for Chooser {
    fn default() -> Self {
        Self {
            view: View::default(),
            pictures: None,
            reason: Reason::Source,
            holds: Holds::default(),
            went_up: None,
            short: false,
            up_after: UP_AFTER,
            was_crowded: false,
            probing: Probing::default(),
        }
    }
}

/// Since when the choice does not fit, is larger than is shown, or a better one fits.
#[derive(Debug, Default)]
struct Holds {
    unfit: Option<Instant>,
    oversized: Option<Instant>,
    better: Option<Instant>,
}

/// The layers that can be had, and what fits of them.
struct Offer<'a> {
    layers: Vec<&'a Layer>,
    way: Outlook,
}

impl Offer<'_> {
    fn least(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }

    fn index_of(&self, lane: u8) -> Option<usize> {
        self.layers.iter().position(|layer| layer.lane == lane)
    }

    fn needs(&self, index: usize) -> u64 {
        self.layers.get(index).map_or(0, |layer| layer.packets_bps() + SOUND_BPS)
    }

    /// The estimate is too low, and not for want of room.
    fn is_misjudged(&self) -> bool {
        self.way.is_lossy || self.way.is_uneven
    }

    /// So many percent of what the layer takes are there.
    fn fits(&self, index: usize, percent: u64) -> bool {
        if self.way.is_least {
            return index == self.least();
        }
        let has_room =
            self.way.estimate_bps.is_none_or(|estimate| self.needs(index) * percent / 100 <= estimate);
        has_room || self.is_misjudged() && index == self.least()
    }

    /// The best that fits from this one on, or the least.
    fn best(&self, from: usize, percent: u64) -> usize {
        (from..self.layers.len()).find(|index| self.fits(*index, percent)).unwrap_or(self.least())
    }

    /// The smallest that covers what is shown.
    fn covering(&self, view: &View) -> usize {
        if !view.is_visible {
            return self.least();
        }
        covering(self.layers.iter().copied(), view.pixels)
    }

    /// What a layer takes, with room to spare.
    fn wanted(&self, wished: usize) -> u64 {
        self.needs(wished.min(self.least())) * SPARE_PERCENT / 100 * 11 / 10
    }

    fn lane(&self, index: usize) -> Option<u8> {
        self.layers.get(index).map(|layer| layer.lane)
    }
}

impl Chooser {
    /// What the viewer says of itself.
    pub(super) fn handle_view(&mut self, view: View) {
        self.view = view;
    }

    /// Chooses by what is known now; to be asked several times a second.
    pub(super) fn handle_conditions(&mut self, now: Instant, conditions: &Conditions<'_>) -> Decision {
        let is_usable = |layer: &&Layer| layer.is_sent || layer.is_resting;
        let offer =
            Offer { layers: conditions.layers.iter().filter(is_usable).collect(), way: conditions.way };
        let wished = offer.covering(&self.view);
        if !offer.layers.is_empty() {
            self.choose(now, &offer, wished, conditions.behind);
        }
        self.was_crowded |= offer.way.is_crowded;
        // Of a source that is silent nothing is known: what was chosen stays.
        let pictures = self.pictures.unwrap_or(Pictures::Lane(0));
        let sent = match self.pictures {
            Some(Pictures::Lane(lane)) => Some(lane),
            Some(Pictures::Withheld) | None => None,
        };
        let has_all = sent.and_then(|lane| offer.index_of(lane)).is_some_and(|index| index <= wished);
        let wanted_bps = offer.wanted(wished);
        Decision {
            pictures,
            reason: self.reason,
            wishes: Wishes {
                desired_bps: self.desired(now, offer.way.estimate_bps, wanted_bps),
                wanted_bps: sent.filter(|_| !offer.layers.is_empty()).map(|_| wanted_bps),
                floor_bps: offer.is_misjudged().then(|| offer.needs(offer.least()) * SPARE_PERCENT / 100),
                is_short: self.short && !has_all,
            },
        }
    }

    fn choose(&mut self, now: Instant, offer: &Offer<'_>, wished: usize, behind: Duration) {
        if self.view.sound_only {
            return self.set(now, Pictures::Withheld, Reason::Size);
        }
        match self.pictures {
            Some(Pictures::Lane(lane)) => match offer.index_of(lane) {
                Some(current) => self.reconsider(now, offer, (current, wished), behind),
                None => self.take(now, offer, offer.best(wished, 100), Reason::Source),
            },
            Some(Pictures::Withheld) if self.reason == Reason::Bandwidth => {
                let fits = offer.fits(offer.least(), SPARE_PERCENT);
                let patience = self.patience();
                if held(&mut self.holds.better, fits, now, patience) {
                    self.went_up = Some(now);
                    self.take(now, offer, offer.least(), Reason::Bandwidth);
                }
            }
            Some(Pictures::Withheld) => self.take(now, offer, offer.best(wished, 100), Reason::Size),
            None => self.take(now, offer, offer.best(wished, 100), Reason::Source),
        }
    }

    fn reconsider(
        &mut self,
        now: Instant,
        offer: &Offer<'_>,
        (current, wished): (usize, usize),
        behind: Duration,
    ) {
        let least = offer.least();
        // An estimate alone may be too low; a picture that goes through shows that it fits.
        let has_reason = current < least || offer.way.is_crowded;
        let is_unfit = !offer.fits(current, 95) && has_reason || behind > BEHIND_MAX && current < least;
        let patience = if current < least { DOWN_AFTER } else { WITHHOLD_AFTER };
        self.short |= is_unfit || current > wished && !offer.fits(wished, SPARE_PERCENT);
        if held(&mut self.holds.unfit, is_unfit, now, patience) {
            if self.went_up.take().is_some_and(|at| now.duration_since(at) < REGRET) {
                self.up_after = (self.up_after * 2).min(UP_AFTER_MAX);
            }
            match current < least {
                true => self.take(now, offer, offer.best(current + 1, 100), Reason::Bandwidth),
                false => self.set(now, Pictures::Withheld, Reason::Bandwidth),
            }
            return;
        }
        if held(&mut self.holds.oversized, current < wished, now, SIZE_AFTER) {
            return self.take(now, offer, wished, Reason::Size);
        }
        let better = offer.best(wished, SPARE_PERCENT);
        let patience = if self.short { self.patience() } else { SIZE_AFTER };
        if held(&mut self.holds.better, better < current && !is_unfit, now, patience) {
            let reason = if self.short { Reason::Bandwidth } else { Reason::Size };
            self.went_up = Some(now);
            self.take(now, offer, better, reason);
        }
        // What has held for long is no longer doubted.
        if self.went_up.is_some_and(|at| now.duration_since(at) >= REGRET) {
            (self.went_up, self.up_after) = (None, UP_AFTER);
        }
    }

    fn take(&mut self, now: Instant, offer: &Offer<'_>, index: usize, reason: Reason) {
        if let Some(lane) = offer.lane(index) {
            self.set(now, Pictures::Lane(lane), reason);
        }
    }

    fn set(&mut self, now: Instant, pictures: Pictures, reason: Reason) {
        if self.pictures == Some(pictures) {
            return;
        }
        (self.pictures, self.reason) = (Some(pictures), reason);
        (self.holds.unfit, self.holds.oversized, self.holds.better, self.short) =
            (None, None, None, reason == Reason::Bandwidth);
        self.probing.rest(now);
        self.was_crowded = false;
    }

    /// What room is looked for.
    fn desired(&mut self, now: Instant, estimate: Option<u64>, wanted_bps: u64) -> u64 {
        let patience = self.patience();
        self.probing.desired(now, estimate, wanted_bps, patience)
    }

    /// How long what fits has to fit before it is gone up to.
    fn patience(&self) -> Duration {
        if self.was_crowded { self.up_after } else { UP_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(lane: u8, (width, height): (u32, u32), kbps: u64) -> Layer {
        Layer {
            lane,
            size: Some((width, height)),
            bitrate_bps: kbps * 1_000,
            is_sent: true,
            is_heard: true,
            is_resting: false,
        }
    }

    /// As Chromium sends them, in lanes by the order of its offer.
    fn layers() -> [Layer; 3] {
        [layer(2, (1280, 720), 2_000), layer(1, (640, 360), 500), layer(0, (320, 180), 150)]
    }

    struct Viewer {
        chooser: Chooser,
        layers: [Layer; 3],
        start: Instant,
        ms: u64,
        estimate_kbps: Option<u64>,
        is_lossy: bool,
        is_least: bool,
        is_crowded: bool,
        behind_ms: u64,
        /// When what was chosen.
        changes: Vec<(u64, Pictures, Reason)>,
        last: Option<Decision>,
    }

    impl Viewer {
        fn new(estimate_kbps: impl Into<Option<u64>>) -> Self {
            Self {
                chooser: Chooser::default(),
                layers: layers(),
                start: Instant::now(),
                ms: 0,
                estimate_kbps: estimate_kbps.into(),
                is_lossy: false,
                is_least: false,
                is_crowded: false,
                behind_ms: 0,
                changes: Vec::new(),
                last: None,
            }
        }

        fn run(&mut self, ms: u64) -> &mut Self {
            for _ in 0..ms / 100 {
                let conditions = Conditions {
                    layers: &self.layers,
                    way: Outlook {
                        estimate_bps: self.estimate_kbps.map(|kbps| kbps * 1_000),
                        is_lossy: self.is_lossy,
                        is_uneven: false,
                        is_least: self.is_least,
                        is_crowded: self.is_crowded,
                    },
                    behind: Duration::from_millis(self.behind_ms),
                };
                let now = self.start + Duration::from_millis(self.ms);
                let decision = self.chooser.handle_conditions(now, &conditions);
                if self.last.map(|last| last.pictures) != Some(decision.pictures) {
                    self.changes.push((self.ms, decision.pictures, decision.reason));
                }
                self.last = Some(decision);
                self.ms += 100;
            }
            self
        }

        fn pictures(&self) -> Pictures {
            self.last.expect("it ran").pictures
        }

        fn show(&mut self, width: u32, height: u32) -> &mut Self {
            self.chooser.handle_view(View { pixels: Some((width, height)), ..View::default() });
            self
        }
    }

    #[test]
    fn a_viewer_begins_with_the_best_that_fits_and_stays() {
        for (kbps, lane) in [(5_000, 2), (2_300, 2), (1_500, 1), (400, 0)] {
            let mut viewer = Viewer::new(kbps);
            viewer.run(30_000);
            assert_eq!(viewer.changes, [(0, Pictures::Lane(lane), Reason::Source)], "{kbps}");
        }
    }

    #[test]
    fn a_way_that_becomes_narrow_is_followed_within_a_second_and_one_that_widens_within_two() {
        let mut viewer = Viewer::new(5_000);
        viewer.run(10_000);
        (viewer.estimate_kbps, viewer.is_crowded) = (Some(400), true);
        viewer.run(1_000);
        assert_eq!(viewer.changes.last(), Some(&(10_300, Pictures::Lane(0), Reason::Bandwidth)));
        viewer.is_crowded = false;
        viewer.run(5_000);
        assert!(viewer.last.expect("it ran").wishes.is_short);
        viewer.estimate_kbps = Some(5_000);
        viewer.run(2_000);
        assert_eq!(viewer.changes.last(), Some(&(16_700, Pictures::Lane(2), Reason::Bandwidth)));
    }

    #[test]
    fn a_dip_is_none_and_what_waits_to_be_sent_is_one() {
        let mut viewer = Viewer::new(5_000);
        viewer.run(5_000);
        viewer.estimate_kbps = Some(400);
        viewer.run(200);
        viewer.estimate_kbps = Some(5_000);
        viewer.run(5_000);
        assert_eq!(viewer.changes.len(), 1);
        viewer.behind_ms = 500;
        viewer.run(400);
        assert_eq!(viewer.pictures(), Pictures::Lane(1), "whatever the estimate says");
    }

    #[test]
    fn what_turns_out_too_much_is_tried_ever_more_seldom_and_at_once_again_when_it_has_held() {
        let mut viewer = Viewer::new(600);
        viewer.run(60_000);
        let begun = viewer.changes.len();
        // The way seems to widen whenever nothing is sent on it.
        for _ in 0..1_200 {
            let is_calm = viewer.pictures() == Pictures::Lane(0);
            viewer.estimate_kbps = Some(if is_calm { 1_000 } else { 600 });
            viewer.is_crowded = !is_calm;
            viewer.run(100);
        }
        let tries =
            viewer.changes[begun..].iter().filter(|(_, pictures, _)| *pictures == Pictures::Lane(1)).count();
        assert!((4..=13).contains(&tries), "{tries} tries in two minutes");
        (viewer.estimate_kbps, viewer.is_crowded) = (Some(1_000), false);
        viewer.run(40_000);
        assert_eq!(viewer.pictures(), Pictures::Lane(1));
        assert_eq!(viewer.chooser.up_after, UP_AFTER, "it has held");
    }

    #[test]
    fn small_elements_get_small_pictures_and_those_that_are_not_seen_the_smallest() {
        for (shown, lane) in
            [((320, 180), 0), ((375, 211), 0), ((480, 270), 1), ((700, 394), 1), ((1_920, 1_080), 2)]
        {
            let mut viewer = Viewer::new(9_000);
            viewer.show(shown.0, shown.1).run(3_000);
            assert_eq!(viewer.pictures(), Pictures::Lane(lane), "{shown:?}");
        }
        let mut viewer = Viewer::new(None);
        viewer.run(1_000);
        viewer.chooser.handle_view(View { is_visible: false, ..View::default() });
        viewer.run(1_000);
        assert_eq!(viewer.changes.last(), Some(&(1_800, Pictures::Lane(0), Reason::Size)));
        viewer.chooser.handle_view(View::default());
        viewer.run(1_000);
        assert_eq!(viewer.changes.last(), Some(&(2_800, Pictures::Lane(2), Reason::Size)));
    }

    #[test]
    fn where_nothing_fits_there_is_sound_alone_until_something_does() {
        let mut viewer = Viewer::new(5_000);
        viewer.run(1_000);
        viewer.estimate_kbps = Some(150);
        viewer.is_crowded = true;
        viewer.run(2_000);
        assert_eq!(viewer.changes.last(), Some(&(2_900, Pictures::Withheld, Reason::Bandwidth)));
        viewer.run(10_000);
        assert_eq!(viewer.pictures(), Pictures::Withheld);
        viewer.estimate_kbps = Some(400);
        viewer.run(1_000);
        assert_eq!(viewer.pictures(), Pictures::Lane(0));
    }

    #[test]
    fn sound_alone_is_had_for_the_asking() {
        let mut viewer = Viewer::new(5_000);
        viewer.run(500);
        viewer.chooser.handle_view(View { sound_only: true, ..View::default() });
        viewer.run(100);
        assert_eq!(viewer.changes.last(), Some(&(500, Pictures::Withheld, Reason::Size)));
        viewer.chooser.handle_view(View::default());
        viewer.run(100);
        assert_eq!(viewer.pictures(), Pictures::Lane(2));
    }

    #[test]
    fn loss_on_a_way_that_has_no_queue_takes_no_pictures_away() {
        let mut viewer = Viewer::new(5_000);
        viewer.run(1_000);
        (viewer.estimate_kbps, viewer.is_lossy, viewer.is_crowded) = (Some(60), true, true);
        viewer.run(20_000);
        assert_eq!(viewer.pictures(), Pictures::Lane(0));
        (viewer.estimate_kbps, viewer.is_least) = (Some(5_000), true);
        viewer.run(20_000);
        assert_eq!(viewer.pictures(), Pictures::Lane(0), "large ones would not come through");
        (viewer.estimate_kbps, viewer.is_least) = (Some(60), false);
        viewer.run(100);
        let floor = |viewer: &Viewer| viewer.last.expect("it ran").wishes.floor_bps;
        assert!(floor(&viewer).is_some_and(|floor| floor > 150_000 + SOUND_BPS));
        viewer.is_lossy = false;
        viewer.run(3_000);
        assert_eq!(viewer.pictures(), Pictures::Withheld, "this is a queue");
        assert_eq!(floor(&viewer), None);
    }

    #[test]
    fn pictures_come_back_where_the_estimate_is_too_low_and_ever_later_where_there_is_no_room_after_all() {
        let mut viewer = Viewer::new(60);
        viewer.is_crowded = true;
        viewer.run(3_000);
        assert_eq!(viewer.pictures(), Pictures::Withheld);
        for _ in 0..4 {
            viewer.is_lossy = true;
            viewer.run(30_000);
            assert_eq!(viewer.pictures(), Pictures::Lane(0));
            viewer.is_lossy = false;
            viewer.run(3_000);
        }
        let mut waited = Vec::new();
        for _ in 0..4 {
            viewer.is_lossy = true;
            let from = viewer.ms;
            while viewer.pictures() == Pictures::Withheld {
                viewer.run(100);
            }
            waited.push(viewer.ms - from);
            viewer.is_lossy = false;
            viewer.run(3_000);
        }
        assert!(waited.windows(2).all(|pair| pair[1] > pair[0] * 3 / 2), "{waited:?}");
    }

    #[test]
    fn a_layer_that_stops_is_left_at_once_and_a_silent_source_changes_nothing() {
        let mut viewer = Viewer::new(5_000);
        viewer.run(1_000);
        viewer.layers[0].is_sent = false;
        viewer.run(100);
        assert_eq!(viewer.changes.last(), Some(&(1_000, Pictures::Lane(1), Reason::Source)));
        viewer.layers[0].is_sent = true;
        viewer.run(1_500);
        assert_eq!(viewer.pictures(), Pictures::Lane(2));
        for layer in &mut viewer.layers {
            layer.is_sent = false;
        }
        let changes = viewer.changes.len();
        viewer.run(20_000);
        assert_eq!(viewer.changes.len(), changes);
    }

    #[test]
    fn a_layer_that_rests_can_be_chosen() {
        let mut viewer = Viewer::new(5_000);
        (viewer.layers[0].is_sent, viewer.layers[0].is_resting) = (false, true);
        viewer.run(1_000);
        assert_eq!(viewer.pictures(), Pictures::Lane(2));
    }

    #[test]
    fn room_is_looked_for_every_two_seconds_while_it_is_short() {
        let mut viewer = Viewer::new(800);
        viewer.run(1_000);
        let (mut before, mut rises) = (u64::MAX, 0);
        for _ in 0..100 {
            viewer.run(100);
            let desired = viewer.last.expect("it ran").wishes.desired_bps;
            rises += usize::from(desired > before);
            before = desired;
        }
        assert!((4..=5).contains(&rises), "{rises} in ten seconds");
        let mut calm = Viewer::new(9_000);
        calm.run(5_000);
        let desired = calm.last.expect("it ran").wishes.desired_bps;
        calm.run(20_000);
        assert_eq!(calm.last.expect("it ran").wishes.desired_bps, desired);
    }
}
