//! What is known of the layers of a broadcast: what they are and carry, told by whoever writes them, and who wants which,
//! told by viewers. A broadcast of one rendering has none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::broadcast::Broadcast;

use super::choose::{self, Layer};
use super::sending::Sending;

/// Bitrates are measured over so long, and even out over some of these.
const WINDOW: Duration = Duration::from_millis(500);
/// Of a layer that has not come yet; browsers give 720p about this.
const BITRATE_UNKNOWN: u64 = 2_500_000;

/// The layers of one broadcast.
pub(super) struct Layers {
    /// Whose publisher is woken when wishes change.
    broadcast: Broadcast,
    /// Rises with each set of layers.
    generation: AtomicU64,
    entries: Mutex<Vec<Entry>>,
}

/// One of them; its place is its lane.
struct Entry {
    name: String,
    size: Option<(u32, u32)>,
    rate: Rate,
    sending: Sending,
    wanted: usize,
    keyframes_wanted: u64,
}

/// A layer for people to look at.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    /// Its RID, or the rung of a ladder.
    pub(crate) name: String,
    /// 0 is the best; `None` until its first picture has come.
    pub(crate) rank: Option<u8>,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) bitrate_bps: u64,
    /// It comes now.
    pub(crate) is_active: bool,
    /// Its publisher was told that nobody watches it.
    pub(crate) is_resting: bool,
    /// WebRTC viewers that get or wait for it.
    pub(crate) viewers: usize,
}

/// What viewers wish of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) is_wanted: bool,
    /// Keyframes asked for so far.
    pub(super) keyframes: u64,
}

/// Bytes a second.
#[derive(Default)]
struct Rate {
    since: Option<Instant>,
    bytes: u64,
    bps: Option<u64>,
}

impl Rate {
    fn handle_bytes(&mut self, now: Instant, bytes: usize) {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= WINDOW {
            let bps = self.bytes * 8_000 / passed.as_millis().max(1) as u64;
            // What stood still for long is begun anew.
            self.bps = match self.bps {
                Some(before) if passed < WINDOW * 4 => Some((before * 3 + bps) / 4),
                Some(before) => Some(before),
                None => Some(bps),
            };
            (self.since, self.bytes) = (Some(now), 0);
        }
        self.bytes += bytes as u64;
    }
}

impl Layers {
    pub(super) fn new(broadcast: Broadcast) -> Self {
        Self { broadcast, generation: AtomicU64::new(0), entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another set of layers, by their names; less than two are none.
    pub(super) fn reset(&self, names: &[String]) {
        let entry = |name: &String| Entry {
            name: name.clone(),
            size: None,
            rate: Rate::default(),
            sending: Sending::default(),
            wanted: 0,
            keyframes_wanted: 0,
        };
        let names = if names.len() > 1 { names } else { &[] };
        let mut entries = self.entries();
        *entries = names.iter().map(entry).collect();
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// There is something to choose from.
    pub(super) fn is_many(&self) -> bool {
        !self.entries().is_empty()
    }

    /// Which set of layers this is.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A packet of a layer came.
    pub(super) fn handle_packet(&self, now: Instant, lane: u8, bytes: usize) {
        if let Some(entry) = self.entries().get_mut(usize::from(lane)) {
            entry.sending.handle_packet(now);
            entry.rate.handle_bytes(now, bytes);
        }
    }

    /// How large a layer's pictures are.
    pub(super) fn handle_size(&self, lane: u8, size: (u32, u32)) {
        if let Some(entry) = self.entries().get_mut(usize::from(lane)) {
            entry.size = Some(size);
        }
    }

    /// Its publisher was told to let a layer rest, or not to.
    pub(super) fn set_resting(&self, now: Instant, lane: u8, rests: bool) {
        if let Some(entry) = self.entries().get_mut(usize::from(lane)) {
            entry.sending.set_resting(now, rests);
        }
    }

    /// What viewers wish, by lane.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        let wish = |entry: &Entry| Wish { is_wanted: entry.wanted > 0, keyframes: entry.keyframes_wanted };
        self.entries().iter().map(wish).collect()
    }

    /// A viewer waits for a keyframe of this layer.
    pub(super) fn want_keyframe(&self, lane: u8) {
        let is_known = match self.entries().get_mut(usize::from(lane)) {
            Some(entry) => {
                entry.keyframes_wanted += 1;
                true
            }
            None => false,
        };
        match is_known {
            true => self.broadcast.tell_wishes(),
            false => self.broadcast.want_keyframe(),
        }
    }

    /// Somebody wants this layer until the guard is dropped.
    pub(super) fn want(self: &Arc<Self>, lane: u8) -> Want {
        let mut entries = self.entries();
        let entry = entries.get_mut(usize::from(lane));
        let is_first = entry.is_some_and(|entry| {
            entry.wanted += 1;
            entry.wanted == 1
        });
        let generation = self.generation();
        drop(entries);
        if is_first {
            self.broadcast.tell_wishes();
        }
        Want { layers: Arc::clone(self), lane, generation }
    }

    /// The layers, the best first, into `into`: those that never came are left out.
    pub(super) fn look(&self, now: Instant, into: &mut Vec<Layer>) {
        into.clear();
        let entries = self.entries();
        into.extend(entries.iter().enumerate().filter_map(|(lane, entry)| {
            Some(Layer {
                lane: u8::try_from(lane).ok()?,
                size: Some(entry.size?),
                bitrate_bps: entry.rate.bps.unwrap_or(0),
                is_sent: entry.sending.is_sent(now),
                is_heard: entry.sending.is_heard(now),
                is_resting: entry.sending.is_at_hand(now),
            })
        }));
        into.sort_by_key(|layer| (std::cmp::Reverse(area(layer.size)), layer.lane));
        // One that has only just come is reckoned by its neighbour.
        for index in 0..into.len() {
            let known =
                into.iter().find(|layer| layer.bitrate_bps > 0).map(|l| (l.bitrate_bps, area(l.size).max(1)));
            if let Some(layer) = into.get_mut(index).filter(|layer| layer.bitrate_bps == 0) {
                layer.bitrate_bps =
                    known.map_or(BITRATE_UNKNOWN, |(bps, of)| bps.saturating_mul(area(layer.size)) / of);
            }
        }
    }

    /// The name and size of a layer.
    pub(super) fn named(&self, lane: u8) -> Option<(String, (u32, u32))> {
        self.entries()
            .get(usize::from(lane))
            .map(|entry| (entry.name.clone(), entry.size.unwrap_or_default()))
    }

    /// For people, in the order of the offer.
    pub(crate) fn infos(&self, now: Instant) -> Vec<Info> {
        let mut ranked = Vec::new();
        self.look(now, &mut ranked);
        let rank =
            |lane: usize| ranked.iter().position(|layer: &choose::Layer| usize::from(layer.lane) == lane);
        let info = |(lane, entry): (usize, &Entry)| Info {
            name: entry.name.clone(),
            rank: rank(lane).and_then(|rank| u8::try_from(rank).ok()),
            size: entry.size,
            bitrate_bps: if entry.sending.is_heard(now) { entry.rate.bps.unwrap_or(0) } else { 0 },
            is_active: entry.sending.is_heard(now),
            is_resting: entry.sending.is_resting(),
            viewers: entry.wanted,
        };
        self.entries().iter().enumerate().map(info).collect()
    }
}

fn area(size: Option<(u32, u32)>) -> u64 {
    size.map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

/// A viewer's wish for one layer.
pub(super) struct Want {
    layers: Arc<Layers>,
    lane: u8,
    generation: u64,
}

impl Want {
    /// It is for this lane of the layers that there are now.
    pub(super) fn is_for(&self, lane: u8) -> bool {
        self.lane == lane && self.generation == self.layers.generation()
    }

    /// The same, of these layers.
    pub(super) fn is_of(&self, layers: &Arc<Layers>, lane: u8) -> bool {
        Arc::ptr_eq(&self.layers, layers) && self.is_for(lane)
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        let is_last = {
            let mut entries = self.layers.entries();
            // Wishes for a former set of layers went with it.
            let is_current = self.generation == self.layers.generation();
            match entries.get_mut(usize::from(self.lane)).filter(|_| is_current) {
                Some(entry) => {
                    entry.wanted -= 1;
                    entry.wanted == 0
                }
                None => false,
            }
        };
        if is_last {
            self.layers.broadcast.tell_wishes();
        }
    }
}

#[cfg(test)]
mod tests {
    use media::Path;
    use media::hub::{Hub, Options, Takeover};

    use super::*;

    fn layers(names: &[&str]) -> Arc<Layers> {
        let hub =
            Hub::new(Options { grace: Duration::from_secs(1), broadcasts_max: 1, ring_bytes_max: 1 << 20 });
        let path = Path::new("live/x").expect("a path");
        let producer = hub.claim(&path, Takeover::Newest, Instant::now()).expect("it is free");
        let layers = Arc::new(Layers::new(producer.broadcast()));
        layers.reset(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        layers
    }

    #[test]
    fn one_rendering_is_no_layer() {
        assert!(!layers(&["a"]).is_many() && !layers(&[]).is_many());
        assert!(layers(&["a", "b"]).is_many());
    }

    #[test]
    fn layers_are_known_by_what_came_of_them_the_best_first() {
        let layers = layers(&["l", "m", "h"]);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for ms in (0..3_000).step_by(10) {
            layers.handle_packet(at(ms), 0, 250);
            layers.handle_packet(at(ms), 1, 1_000);
        }
        layers.handle_size(1, (640, 360));
        let mut seen = Vec::new();
        layers.look(at(3_000), &mut seen);
        assert_eq!(seen.len(), 1, "of the others no picture has come");
        layers.handle_size(0, (320, 180));
        layers.look(at(3_000), &mut seen);
        let told: Vec<_> =
            seen.iter().map(|layer| (layer.lane, layer.bitrate_bps / 10_000, layer.is_sent)).collect();
        assert_eq!(told, [(1, 80, true), (0, 20, true)]);
        layers.handle_packet(at(3_500), 0, 250);
        layers.look(at(4_100), &mut seen);
        assert_eq!([seen[0].is_sent, seen[1].is_sent], [false, true], "the larger has fallen silent");
        // The newcomer has four times the pixels of the other.
        layers.handle_size(2, (1_280, 720));
        layers.look(at(4_100), &mut seen);
        assert_eq!((seen[0].lane, seen[0].bitrate_bps / seen[1].bitrate_bps), (2, 4));
        let ranks: Vec<_> = layers.infos(at(4_100)).into_iter().map(|info| (info.name, info.rank)).collect();
        assert_eq!(ranks, [("l".into(), Some(2)), ("m".into(), Some(1)), ("h".into(), Some(0))]);
    }

    #[test]
    fn wishes_are_counted_and_go_with_their_layers() {
        let layers = layers(&["l", "h"]);
        let (first, second) = (layers.want(1), layers.want(1));
        layers.want_keyframe(1);
        let wish = |is_wanted, keyframes| Wish { is_wanted, keyframes };
        assert_eq!(layers.wishes(), [wish(false, 0), wish(true, 1)]);
        drop(first);
        assert_eq!(layers.wishes(), [wish(false, 0), wish(true, 1)]);
        drop(second);
        assert_eq!(layers.wishes(), [wish(false, 0), wish(false, 1)]);
        let former = layers.want(0);
        layers.reset(&["a".into(), "b".into()]);
        assert!(!former.is_for(0));
        let newer = layers.want(0);
        drop(former);
        assert_eq!(layers.wishes(), [wish(true, 0), wish(false, 0)]);
        assert!(newer.is_for(0));
    }
}
