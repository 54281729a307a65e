//! Which layer of a publisher feeds which track of frames: the best that comes is the best track, the others follow by
//! size. Pure, and time is an argument.

use std::time::{Duration, Instant};

use super::simulcast::LAYERS_MAX;

/// A layer that is silent for longer has stopped, for want of bandwidth or of power: the next one goes on.
pub(super) const SILENT: Duration = Duration::from_secs(1);

/// What is known of the layers, in the order of the offer.
#[derive(Debug)]
pub(super) struct Ranks {
    layers: Vec<Layer>,
    /// By rank, who feeds its track now.
    feeds: [Option<usize>; LAYERS_MAX],
}

#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    /// Pixels of its pictures, once one has come.
    area: Option<u64>,
    heard: Option<Instant>,
}

impl Ranks {
    /// Of so many layers.
    pub(super) fn new(layers: usize) -> Self {
        Self { layers: vec![Layer::default(); layers.min(LAYERS_MAX)], feeds: [None; LAYERS_MAX] }
    }

    /// How large a layer's pictures are from now on.
    pub(super) fn handle_size(&mut self, layer: usize, (width, height): (u32, u32)) {
        if let Some(known) = self.layers.get_mut(layer) {
            known.area = Some(u64::from(width) * u64::from(height));
        }
    }

    /// The ranks whose tracks a frame of this layer goes to.
    pub(super) fn handle_frame(
        &mut self,
        now: Instant,
        layer: usize,
        sync: bool,
    ) -> impl Iterator<Item = usize> + use<> {
        if let Some(known) = self.layers.get_mut(layer) {
            known.heard = Some(now);
        }
        if sync {
            self.handle_keyframe(now, layer);
        }
        let feeds = self.feeds;
        (0..LAYERS_MAX).filter(move |rank| feeds.get(*rank) == Some(&Some(layer)))
    }

    /// Layers change places at keyframes only.
    fn handle_keyframe(&mut self, now: Instant, layer: usize) {
        let Some(own) = self.order().position(|known| known == layer) else { return };
        let best = self.feeds.first().copied().flatten();
        let is_better = match best {
            Some(best) => best == layer || self.is_silent(now, best) || self.is_larger(layer, best),
            None => true,
        };
        for (rank, feed) in self.feeds.iter_mut().enumerate() {
            let is_own = rank == own && rank > 0 || rank == 0 && is_better;
            if is_own {
                *feed = Some(layer);
            } else if *feed == Some(layer) && rank > 0 {
                *feed = None;
            }
        }
    }

    /// The layer whose keyframe is waited for, so that the best track goes on.
    pub(super) fn wanted(&self, now: Instant) -> Option<usize> {
        let best = self.best()?;
        if !self.is_silent(now, best) {
            return None;
        }
        self.order().find(|layer| !self.is_silent(now, *layer))
    }

    /// Who feeds the best track now.
    pub(super) fn best(&self) -> Option<usize> {
        self.feeds.first().copied().flatten()
    }

    /// The largest layer that has ever come.
    pub(super) fn largest(&self) -> Option<usize> {
        self.order().next()
    }

    /// And the smallest.
    pub(super) fn smallest(&self) -> Option<usize> {
        self.order().last()
    }

    /// It has come.
    pub(super) fn is_known(&self, layer: usize) -> bool {
        self.layers.get(layer).is_some_and(|known| known.area.is_some())
    }

    fn is_silent(&self, now: Instant, layer: usize) -> bool {
        let heard = self.layers.get(layer).and_then(|known| known.heard);
        heard.is_none_or(|heard| now.saturating_duration_since(heard) > SILENT)
    }

    fn is_larger(&self, layer: usize, other: usize) -> bool {
        let area = |layer: usize| self.layers.get(layer).and_then(|known| known.area);
        area(layer) > area(other)
    }

    /// The layers that have come, the largest first.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let mut known: Vec<(u64, usize)> =
            self.layers.iter().enumerate().filter_map(|(layer, known)| Some((known.area?, layer))).collect();
        known.sort_by_key(|(area, layer)| (std::cmp::Reverse(*area), *layer));
        known.into_iter().map(|(_, layer)| layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sender {
        ranks: Ranks,
        start: Instant,
    }

    impl Sender {
        fn new() -> Self {
            Self { ranks: Ranks::new(3), start: Instant::now() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn frame(&mut self, ms: u64, layer: usize, sync: bool) -> Vec<usize> {
            let size = [(320, 180), (640, 360), (1280, 720)][layer];
            if sync {
                self.ranks.handle_size(layer, size);
            }
            self.ranks.handle_frame(self.at(ms), layer, sync).collect()
        }

        /// A picture of each of these layers every 40 ms.
        fn run(&mut self, from_ms: u64, to_ms: u64, layers: &[usize]) {
            for ms in (from_ms..to_ms).step_by(40) {
                for layer in layers {
                    self.frame(ms, *layer, false);
                }
            }
        }
    }

    #[test]
    fn layers_take_their_places_as_they_come() {
        let mut sender = Sender::new();
        assert_eq!(sender.frame(0, 0, true), [0], "the only one is the best");
        assert_eq!(sender.frame(10, 1, true), [0]);
        assert_eq!(
            sender.frame(40, 0, false),
            Vec::<usize>::new(),
            "its place is taken and its next begins with a keyframe"
        );
        assert_eq!(sender.frame(80, 0, true), [1]);
        assert_eq!(sender.frame(90, 2, true), [0]);
        assert_eq!((sender.frame(100, 1, true), sender.frame(110, 0, true)), (vec![1], vec![2]));
        assert_eq!([2, 1, 0].map(|layer| sender.frame(120, layer, false)), [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn the_next_one_goes_on_when_the_best_falls_silent_and_gives_way_when_it_returns() {
        let mut sender = Sender::new();
        for layer in 0..3 {
            sender.frame(0, layer, true);
        }
        for layer in 0..3 {
            sender.frame(5, layer, true);
        }
        sender.run(10, 1_000, &[0, 1, 2]);
        assert_eq!(sender.ranks.wanted(sender.at(1_000)), None);
        sender.run(1_000, 1_900, &[0, 1]);
        assert_eq!(sender.frame(1_900, 1, true), [1], "not yet");
        sender.run(1_900, 2_040, &[0, 1]);
        assert_eq!(sender.ranks.wanted(sender.at(2_040)), Some(1), "its keyframe is asked for");
        assert_eq!(sender.frame(2_050, 1, false), [1]);
        assert_eq!(sender.frame(2_100, 1, true), [0, 1]);
        assert_eq!(sender.frame(2_140, 1, false), [0, 1]);
        assert_eq!(sender.ranks.wanted(sender.at(2_140)), None);
        assert_eq!(sender.frame(3_000, 2, true), [0], "it has returned");
        assert_eq!(sender.frame(3_040, 1, false), [1]);
    }

    #[test]
    fn the_best_goes_on_by_its_own_keyframes_whatever_smaller_ones_bring() {
        let mut sender = Sender::new();
        for layer in [2, 1, 0] {
            sender.frame(0, layer, true);
        }
        for ms in (40..4_000).step_by(40) {
            assert_eq!(sender.frame(ms, 2, ms % 1_000 == 0), [0]);
            assert_eq!(sender.frame(ms, 1, true), [1]);
        }
    }
}
