//! The pictures of a publisher that sends them in layers: which layer goes into which track, and which may rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use media::Frame;
use media::broadcast::{Demand, Producer, Rendition, TrackId, WriteError};
use media::codec::Codec;
use str0m::media::Rid;

use super::control::Told;
use super::layers::Layers;
use super::pause::Pauses;
use super::rank::Ranks;

/// How often it is looked whether a layer has stopped, or is wanted.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The tracks by rank: the best is the first picture of any publisher, and sound is between.
const TRACKS: [TrackId; 3] = [TrackId(0), TrackId(2), TrackId(3)];

/// What is known of the layers of one publisher.
pub(super) struct Layered {
    rids: Vec<String>,
    layers: Arc<Layers>,
    ranks: Ranks,
    pauses: Pauses,
    /// Keyframes asked for of each so far.
    asked: Vec<u64>,
    look: Instant,
    /// The peer can be told, and what it has not been told yet.
    is_listening: bool,
    untold: bool,
}

impl Layered {
    pub(super) fn new(rids: Vec<String>, layers: Arc<Layers>, now: Instant) -> Self {
        Self {
            ranks: Ranks::new(rids.len()),
            pauses: Pauses::new(rids.len(), now),
            asked: vec![0; rids.len()],
            layers,
            rids,
            look: now + LOOK_EVERY,
            is_listening: false,
            untold: false,
        }
    }

    /// Which layer bears this name.
    pub(super) fn layer(&self, rid: &Rid) -> Option<u8> {
        let layer = self.rids.iter().position(|known| Rid::from(known.as_str()) == *rid)?;
        u8::try_from(layer).ok()
    }

    pub(super) fn handle_packet(&self, now: Instant, layer: u8, bytes: usize) {
        self.layers.handle_packet(now, layer, bytes);
    }

    pub(super) fn handle_codec(&mut self, layer: u8, codec: &Codec) {
        if let Some(size) = codec.resolution() {
            self.ranks.handle_size(layer.into(), size);
            self.layers.handle_size(layer, size);
        }
    }

    /// Writes a frame of a layer into the tracks that it feeds.
    pub(super) fn write(
        &mut self,
        now: Instant,
        producer: &Producer,
        (layer, codec): (u8, &Codec),
        frame: Frame,
    ) -> Result<(), WriteError> {
        for rank in self.ranks.handle_frame(now, layer.into(), frame.sync) {
            let Some(track) = TRACKS.get(rank) else { continue };
            if frame.sync {
                let rendition = Rendition { set: 0, rank: rank as u8 };
                producer.set_codec(*track, codec.clone(), Some(rendition))?;
            }
            producer.write(*track, frame.clone())?;
        }
        Ok(())
    }

    /// Which layer the best track is made of.
    pub(super) fn best(&self) -> Option<u8> {
        self.ranks.best().and_then(|best| u8::try_from(best).ok())
    }

    /// The layers that somebody has asked for a keyframe of since the last look.
    pub(super) fn take_wishes(&mut self) -> Vec<u8> {
        let wishes = self.layers.wishes();
        let mut wanted = Vec::new();
        for (layer, (wish, asked)) in (0..).zip(wishes.iter().zip(&mut self.asked)) {
            if std::mem::replace(asked, wish.keyframes) != wish.keyframes {
                wanted.push(layer);
            }
        }
        // Whoever wants a layer that rests does not wait for the next look.
        if wishes.iter().enumerate().any(|(layer, wish)| wish.is_wanted && self.pauses.is_resting(layer)) {
            self.look = Instant::now();
        }
        wanted
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.look
    }

    /// Looks which layers are needed; tells the one whose keyframe the best track waits for.
    pub(super) fn handle_timeout(&mut self, now: Instant, demand: Demand) -> Option<u8> {
        if now < self.look {
            return None;
        }
        self.look = now + LOOK_EVERY;
        if self.is_listening {
            let wishes = self.layers.wishes();
            let (ranks, readers) = (&self.ranks, demand.readers);
            let is_needed = |layer: usize| {
                wishes.get(layer).is_some_and(|wish| wish.is_wanted)
                    || readers > 0 && ranks.largest() == Some(layer)
                    || ranks.smallest() == Some(layer)
                    // What has not come yet was not let rest by us.
                    || !ranks.is_known(layer)
            };
            if self.pauses.handle_needs(now, is_needed) {
                self.untold = true;
                for layer in 0..self.rids.len() {
                    self.layers.set_resting(now, layer as u8, self.pauses.is_resting(layer));
                }
            }
        }
        self.ranks.wanted(now).and_then(|layer| u8::try_from(layer).ok())
    }

    /// The peer can be told from now on.
    pub(super) fn handle_listening(&mut self) {
        self.is_listening = true;
    }

    /// What it is to be told.
    pub(super) fn take_told(&mut self) -> Option<Told> {
        if !std::mem::take(&mut self.untold) {
            return None;
        }
        let active = self.rids.iter().enumerate().filter(|(layer, _)| !self.pauses.is_resting(*layer));
        Some(Told::Layers { active: active.map(|(_, rid)| rid.clone()).collect() })
    }
}
