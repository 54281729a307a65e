//! Which layer of the pictures a viewer gets: what its element shows, as far as its way carries it. Down at once, up when it
//! has been safe for a while, and nothing but sound where not even the least fits. Pure, and time is an argument.

use std::time::{Duration, Instant};

use super::way::{ABOUT, Crowd};

/// Sound with its repetitions, and what is said beside media.
const SOUND_BPS: u64 = 110_000;
/// Headers, encryption and extensions beside payloads, in percent of these.
const PACKET_PERCENT: u64 = 108;
/// What does not fit for so long is left: an estimate that dips for a moment is none.
const DOWN_AFTER: Duration = Duration::from_millis(300);
/// Packets that wait for longer for their turn to be sent say the same, before the estimate does.
const BEHIND_MAX: Duration = Duration::from_millis(400);
/// Sound alone is worse than a picture that stutters for a moment.
const WITHHOLD_AFTER: Duration = Duration::from_millis(1_500);
/// What fits with this much to spare…
const SPARE_PERCENT: u64 = 115;
/// … for so long is gone up to,
const UP_AFTER: Duration = Duration::from_millis(700);
/// and later each time that it turned out not to fit,
const UP_AFTER_MAX: Duration = Duration::from_secs(20);
/// within so long.
const REGRET: Duration = Duration::from_secs(8);
/// Somebody who drags the edge of a window is not followed on each step.
const SIZE_AFTER: Duration = Duration::from_millis(800);
/// A layer that has so many percent of the pixels across is enough: nobody sees the difference.
const COVER_PERCENT: u64 = 85;
/// How often room for more is looked for, by packets that carry nothing; they are more than what is looked for.
const PROBE_EVERY: Duration = Duration::from_millis(2_000);

/// A layer as a viewer sees it. They come in order, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Which lane it is in.
    pub(super) lane: u8,
    pub(super) size: Option<(u32, u32)>,
    /// Of its payloads.
    pub(super) bitrate_bps: u64,
    /// It comes.
    pub(super) is_sent: bool,
    /// Its publisher lets it rest until somebody wants it.
    pub(super) is_resting: bool,
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
    /// What the way carries; `None` where nobody reckons that.
    pub(super) estimate_bps: Option<u64>,
    /// Of what was sent lately, 0 to 1.
    pub(super) loss: f32,
    /// As it was lately; `None` where nobody can tell.
    pub(super) round_trip: Option<Duration>,
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
    /// What is to be looked for room for.
    pub(super) desired_bps: u64,
    /// The estimate is to be no lower than this: it fell for another reason than want of room.
    pub(super) floor_bps: Option<u64>,
}

/// One viewer's choice so far.
#[derive(Debug)]
pub(super) struct Chooser {
    view: View,
    pictures: Option<Pictures>,
    reason: Reason,
    holds: Holds,
    moments: Moments,
    /// Room was short since the last change.
    short: bool,
    up_after: Duration,
    /// What was estimated while the choice still fitted, or it was last gone down from.
    before: u64,
    crowd: Crowd,
    probed: Option<Instant>,
}

impl Default for Chooser {
    fn default() -> Self {
        Self {
            view: View::default(),
            pictures: None,
            reason: Reason::Source,
            holds: Holds::default(),
            moments: Moments::default(),
            short: false,
            up_after: UP_AFTER,
            before: 0,
            crowd: Crowd::default(),
            probed: None,
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

/// When something was chosen last, when that was better than before, and when it was because that did not fit.
#[derive(Debug, Default)]
struct Moments {
    changed: Option<Instant>,
    went_up: Option<Instant>,
    fell: Option<Instant>,
}

/// The layers that can be had, and what fits of them.
struct Offer<'a> {
    layers: Vec<&'a Layer>,
    estimate_bps: Option<u64>,
    /// Loss has another reason than want of room.
    is_lossy: bool,
}

impl Offer<'_> {
    fn least(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }

    fn needs(&self, index: usize) -> u64 {
        self.layers.get(index).map_or(0, |layer| layer.bitrate_bps * PACKET_PERCENT / 100 + SOUND_BPS)
    }

    /// So many percent of what the layer takes are there.
    fn fits(&self, index: usize, percent: u64) -> bool {
        let has_room = self.estimate_bps.is_none_or(|estimate| self.needs(index) * percent / 100 <= estimate);
        has_room || self.is_lossy && index == self.least()
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
        let Some((width, height)) = view.pixels else { return 0 };
        // A picture is fitted into its element: the tighter side decides.
        let covers = |(w, h): (u32, u32)| {
            let enough = |has: u32, shown: u32| u64::from(has) * 100 >= u64::from(shown) * COVER_PERCENT;
            enough(w, width) || enough(h, height)
        };
        self.layers.iter().rposition(|layer| layer.size.is_some_and(covers)).unwrap_or(0)
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
        let offer = Offer {
            layers: conditions.layers.iter().filter(is_usable).collect(),
            estimate_bps: conditions.estimate_bps,
            is_lossy: self.crowd.handle_report(now, conditions.loss, conditions.round_trip),
        };
        let wished = offer.covering(&self.view);
        if !offer.layers.is_empty() {
            self.choose(now, &offer, wished, conditions.behind);
        }
        // Of a source that is silent nothing is known: what was chosen stays.
        let pictures = self.pictures.unwrap_or(Pictures::Lane(0));
        Decision {
            pictures,
            reason: self.reason,
            desired_bps: self.desired(now, &offer, wished),
            floor_bps: self.floor(now, &offer),
        }
    }

    /// Below what the estimate is not believed, if it is below that.
    fn floor(&self, now: Instant, offer: &Offer<'_>) -> Option<u64> {
        let estimate = offer.estimate_bps?;
        let least = offer.needs(offer.least()) * SPARE_PERCENT / 100;
        // By then a queue or loss would have been told of.
        let is_forgiven = self
            .moments
            .fell
            .is_some_and(|fell| now.duration_since(fell) >= ABOUT && !self.crowd.is_about(fell));
        let floor = match (is_forgiven, offer.is_lossy) {
            (true, _) => self.before.max(least),
            (false, true) => least,
            (false, false) => return None,
        };
        (estimate < floor).then_some(floor)
    }

    fn choose(&mut self, now: Instant, offer: &Offer<'_>, wished: usize, behind: Duration) {
        if self.view.sound_only {
            return self.set(now, Pictures::Withheld, Reason::Size);
        }
        match self.pictures {
            Some(Pictures::Lane(lane)) => match offer.layers.iter().position(|layer| layer.lane == lane) {
                Some(current) => self.reconsider(now, offer, (current, wished), behind),
                None => self.take(now, offer, offer.best(wished, 100), Reason::Source),
            },
            Some(Pictures::Withheld) if self.reason == Reason::Bandwidth => {
                let fits = offer.fits(offer.least(), SPARE_PERCENT);
                let patience = self.patience();
                if held(&mut self.holds.better, fits, now, patience) {
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
        let has_reason = current < least || self.crowd.is_about(now);
        let is_unfit = !offer.fits(current, 95) && has_reason || behind > BEHIND_MAX && current < least;
        let patience = if current < least { DOWN_AFTER } else { WITHHOLD_AFTER };
        if !is_unfit && !self.short {
            self.before = offer.estimate_bps.unwrap_or(0);
        }
        self.short |= is_unfit || current > wished && !offer.fits(wished, SPARE_PERCENT);
        if held(&mut self.holds.unfit, is_unfit, now, patience) {
            if self.moments.went_up.take().is_some_and(|at| now.duration_since(at) < REGRET) {
                self.up_after = (self.up_after * 2).min(UP_AFTER_MAX);
            }
            match current < least {
                true => self.take(now, offer, offer.best(current + 1, 100), Reason::Bandwidth),
                false => self.set(now, Pictures::Withheld, Reason::Bandwidth),
            }
            self.moments.fell = Some(now);
            return;
        }
        if held(&mut self.holds.oversized, current < wished, now, SIZE_AFTER) {
            return self.take(now, offer, wished, Reason::Size);
        }
        let better = offer.best(wished, SPARE_PERCENT);
        let patience = if self.short { self.patience() } else { SIZE_AFTER };
        if held(&mut self.holds.better, better < current && !is_unfit, now, patience) {
            let reason = if self.short { Reason::Bandwidth } else { Reason::Size };
            self.moments.went_up = Some(now);
            self.take(now, offer, better, reason);
        }
        // What has held for long is no longer doubted.
        if self.moments.went_up.is_some_and(|at| now.duration_since(at) >= REGRET) {
            (self.moments.went_up, self.up_after) = (None, UP_AFTER);
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
        (self.pictures, self.reason, self.moments.fell) = (Some(pictures), reason, None);
        (self.holds.unfit, self.holds.oversized, self.holds.better, self.short) =
            (None, None, None, reason == Reason::Bandwidth);
        // What was just found too much is not looked for at once.
        (self.probed, self.moments.changed) = (Some(now), Some(now));
    }

    /// Room is looked for when what is desired rises: now and then it is let fall for a moment.
    fn desired(&mut self, now: Instant, offer: &Offer<'_>, wished: usize) -> u64 {
        let desired = offer.needs(wished.min(offer.least())) * SPARE_PERCENT / 100 * 11 / 10;
        let is_short = offer.estimate_bps.is_some_and(|estimate| estimate < desired);
        let every = PROBE_EVERY.max(self.patience() / 2);
        if is_short && self.probed.is_none_or(|at| now.duration_since(at) >= every) {
            self.probed = Some(now);
            return desired / 8;
        }
        desired
    }

    /// How long what fits has to fit before it is gone up to.
    fn patience(&self) -> Duration {
        match self.moments.changed {
            Some(changed) if self.crowd.is_about(changed) => self.up_after,
            Some(_) | None => UP_AFTER,
        }
    }
}

/// Whether something has been so for long enough.
pub(super) fn held(since: &mut Option<Instant>, is_so: bool, now: Instant, patience: Duration) -> bool {
    if !is_so {
        *since = None;
        return false;
    }
    now.duration_since(*since.get_or_insert(now)) >= patience
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
        loss: f32,
        round_trip_ms: u64,
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
                loss: 0.0,
                round_trip_ms: 50,
                behind_ms: 0,
                changes: Vec::new(),
                last: None,
            }
        }

        fn run(&mut self, ms: u64) -> &mut Self {
            for _ in 0..ms / 100 {
                let conditions = Conditions {
                    layers: &self.layers,
                    estimate_bps: self.estimate_kbps.map(|kbps| kbps * 1_000),
                    loss: self.loss,
                    round_trip: Some(Duration::from_millis(self.round_trip_ms)),
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
        (viewer.estimate_kbps, viewer.round_trip_ms) = (Some(400), 400);
        viewer.run(1_000);
        assert_eq!(viewer.changes.last(), Some(&(10_300, Pictures::Lane(0), Reason::Bandwidth)));
        viewer.round_trip_ms = 50;
        viewer.run(5_000);
        assert_eq!(viewer.last.expect("it ran").floor_bps, None, "there was a queue");
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
            viewer.round_trip_ms = if is_calm { 50 } else { 300 };
            viewer.run(100);
        }
        let tries =
            viewer.changes[begun..].iter().filter(|(_, pictures, _)| *pictures == Pictures::Lane(1)).count();
        assert!((4..=13).contains(&tries), "{tries} tries in two minutes");
        (viewer.estimate_kbps, viewer.round_trip_ms) = (Some(1_000), 50);
        viewer.run(40_000);
        assert_eq!(viewer.pictures(), Pictures::Lane(1));
        assert_eq!(viewer.chooser.up_after, UP_AFTER, "it has held");
    }

    #[test]
    fn an_estimate_that_falls_without_loss_or_queue_is_forgiven_at_once() {
        let mut viewer = Viewer::new(5_000);
        for _ in 0..6 {
            viewer.run(3_000);
            assert_eq!(viewer.pictures(), Pictures::Lane(2));
            viewer.estimate_kbps = Some(400);
            viewer.run(700);
            assert_eq!(viewer.pictures(), Pictures::Lane(0));
            assert_eq!(viewer.last.expect("it ran").floor_bps, None, "loss may yet be told of");
            viewer.run(1_500);
            assert_eq!(viewer.last.expect("it ran").floor_bps, Some(5_000_000), "as it was before");
            viewer.estimate_kbps = Some(5_000);
        }
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
        viewer.round_trip_ms = 400;
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
        (viewer.estimate_kbps, viewer.loss) = (Some(60), 0.3);
        viewer.run(20_000);
        assert_eq!(viewer.pictures(), Pictures::Lane(0));
        assert!(viewer.last.expect("it ran").floor_bps.is_some_and(|floor| floor > 150_000 + SOUND_BPS));
        viewer.round_trip_ms = 300;
        viewer.run(3_000);
        assert_eq!(viewer.pictures(), Pictures::Withheld, "this is a queue");
        assert_eq!(viewer.last.expect("it ran").floor_bps, None);
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
            let desired = viewer.last.expect("it ran").desired_bps;
            rises += usize::from(desired > before);
            before = desired;
        }
        assert!((4..=5).contains(&rises), "{rises} in ten seconds");
        let mut calm = Viewer::new(9_000);
        calm.run(5_000);
        let desired = calm.last.expect("it ran").desired_bps;
        calm.run(20_000);
        assert_eq!(calm.last.expect("it ran").desired_bps, desired);
    }
}
