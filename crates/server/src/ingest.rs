//! From a publisher's FLV tags to its broadcast: RTMP sessions and the demo write through here.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::broadcast::{Broadcast, Producer, Rendition, TrackId, WriteError};
use media::codec::{Codec, Kind, data, g711, opus};
use media::timeline::{SampleClock, Timeline};
use media::{Frame, Span, Timestamp};
use tracing::{debug, warn};
use wire::flv::demux::{self, Demuxer, Event};
use wire::flv::{TagKind, TrackKey};

use crate::audience::Audience;

/// Tags in a row that may be broken before the publisher is closed: nothing good will follow.
const BROKEN_IN_A_ROW_MAX: u32 = 200;

const SCRIPT_TRACK: TrackId = TrackId(2);
const SEI_TRACK: TrackId = TrackId(3);
/// Tracks beyond the first of their kind begin here, pictures at even numbers and sound at odd ones.
const FURTHER_TRACKS: u8 = 4;

/// Why a publisher cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer session took over, or the broadcast was ended.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What it sends cannot be carried.
    #[error(transparent)]
    Media(#[from] demux::Error),
}

/// One publishing session.
pub struct Publisher {
    producer: Producer,
    /// Held so that who publishes is known even while nobody watches.
    audience: Arc<Audience>,
    demuxer: Demuxer,
    timeline: Timeline,
    clocks: Vec<(TrackId, SampleClock)>,
    broken_in_a_row: u32,
    told: bool,
}

impl Publisher {
    /// A session that begins at `now` on the broadcast it claimed.
    pub fn new(producer: Producer, now: Instant) -> Self {
        let timeline = producer.timeline(now);
        let audience = Audience::of(&producer.broadcast());
        Self {
            producer,
            audience,
            demuxer: Demuxer::new(),
            timeline,
            clocks: Vec::new(),
            broken_in_a_row: 0,
            told: false,
        }
    }

    /// What it publishes.
    pub fn broadcast(&self) -> Broadcast {
        self.producer.broadcast()
    }

    /// The people around it, itself among them.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The writing end, to learn of demand and of being overtaken.
    pub fn producer(&mut self) -> &mut Producer {
        &mut self.producer
    }

    /// Ends the broadcast on purpose.
    pub fn end(self) {
        self.producer.end();
    }

    /// Takes one tag or RTMP message that arrived at `now`.
    pub fn handle_tag(
        &mut self,
        now: Instant,
        kind: TagKind,
        timestamp_ms: u32,
        body: &Bytes,
    ) -> Result<(), Error> {
        for event in self.demuxer.handle_tag(kind, timestamp_ms, body) {
            match event {
                Ok(event) => {
                    self.broken_in_a_row = 0;
                    self.handle_event(now, event)?;
                }
                Err(error) => self.handle_broken(error)?,
            }
        }
        Ok(())
    }

    fn handle_broken(&mut self, error: demux::Error) -> Result<(), Error> {
        self.broken_in_a_row += 1;
        if error.is_fatal() || self.broken_in_a_row > BROKEN_IN_A_ROW_MAX {
            return Err(error.into());
        }
        let path = self.producer.broadcast().path().clone();
        match std::mem::replace(&mut self.told, true) {
            false => warn!(%path, %error, "a tag was dropped; further ones are logged at debug level"),
            true => debug!(%path, %error, "a tag was dropped"),
        }
        Ok(())
    }

    fn handle_event(&mut self, now: Instant, event: Event) -> Result<(), Error> {
        match event {
            Event::Codec { track, codec } => {
                let id = track_id(track);
                self.set_clock(id, &codec);
                self.producer.set_codec(id, codec, rendition(track))?;
            }
            Event::Frame { track, at, cts, sync, payload } => {
                let id = track_id(track);
                let stamp = self.timeline.map(now, id, at);
                let dts = self.exact(id, stamp, &payload);
                self.producer.write(id, Frame { dts, cts, sync, payload })?;
            }
            // What viewers' players want to know is written anew for each of them.
            Event::Metadata { .. } => {}
            Event::Script { at, payload, .. } => {
                self.set_data(SCRIPT_TRACK, data::Format::Amf0)?;
                let dts = self.timeline.map(now, SCRIPT_TRACK, at);
                self.producer.write(SCRIPT_TRACK, Frame { dts, cts: Span::ZERO, sync: true, payload })?;
            }
            Event::Sei { at, cts, payload, .. } => {
                self.set_data(SEI_TRACK, data::Format::Sei)?;
                let dts = self.timeline.map(now, SEI_TRACK, at);
                self.producer.write(SEI_TRACK, Frame { dts, cts, sync: true, payload })?;
            }
            Event::End { track } => debug!(?track, "the source says that this track has ended"),
        }
        Ok(())
    }

    fn set_data(&mut self, id: TrackId, format: data::Format) -> Result<(), WriteError> {
        self.producer.set_codec(id, Codec::Data(format), None)
    }

    /// Sound gets a clock that counts samples, anew when its rate changes.
    fn set_clock(&mut self, id: TrackId, codec: &Codec) {
        let rate = match codec {
            Codec::Aac(params) => params.core_sample_rate,
            Codec::Opus(_) => opus::SAMPLE_RATE,
            Codec::G711(_) => g711::SAMPLE_RATE,
            Codec::H264(_) | Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) | Codec::Vp8(_) => return,
            Codec::Data(_) => return,
        };
        match self.clocks.iter_mut().find(|(clock, _)| *clock == id) {
            Some((_, clock)) if clock.rate() == rate => {}
            Some((_, clock)) => *clock = SampleClock::new(rate),
            None => self.clocks.push((id, SampleClock::new(rate))),
        }
    }

    fn exact(&mut self, id: TrackId, stamp: Timestamp, payload: &[u8]) -> Timestamp {
        let Some((_, clock)) = self.clocks.iter_mut().find(|(clock, _)| *clock == id) else { return stamp };
        let key = if id == TrackId(1) { TrackKey::AUDIO } else { further_sound(id) };
        let samples = match self.demuxer.codec(key) {
            Some(Codec::Aac(params)) => Some(params.frame_samples),
            Some(Codec::Opus(_)) => opus::packet_samples(payload),
            Some(Codec::G711(params)) => Some(params.samples(payload)),
            _ => None,
        };
        samples.map_or(stamp, |samples| clock.map(stamp, samples))
    }
}

/// Stable over republishing, whatever order tracks appear in.
fn track_id(key: TrackKey) -> TrackId {
    match (key.kind, key.id) {
        (Kind::Video, 0) => TrackId(0),
        (Kind::Audio, 0) => TrackId(1),
        (Kind::Data, _) => SCRIPT_TRACK,
        (Kind::Video, further) => TrackId((FURTHER_TRACKS - 2).saturating_add(further.saturating_mul(2))),
        (Kind::Audio, further) => TrackId((FURTHER_TRACKS - 1).saturating_add(further.saturating_mul(2))),
    }
}

fn further_sound(id: TrackId) -> TrackKey {
    TrackKey { kind: Kind::Audio, id: id.0.saturating_sub(FURTHER_TRACKS - 1) / 2 }
}

/// Further pictures of a multitrack publisher are rungs of the same ladder, best first.
fn rendition(key: TrackKey) -> Option<Rendition> {
    (key.kind == Kind::Video && key.id > 0).then_some(Rendition { set: 0, rank: key.id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_track_of_a_publisher_has_an_id_of_its_own_and_sound_finds_its_way_back() {
        let keys = (0..16).flat_map(|id| [Kind::Video, Kind::Audio].map(|kind| TrackKey { kind, id }));
        let mut ids: Vec<u8> =
            keys.clone().map(|key| track_id(key).0).chain([SCRIPT_TRACK.0, SEI_TRACK.0]).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
        for key in keys.filter(|key| key.kind == Kind::Audio && key.id > 0) {
            assert_eq!(further_sound(track_id(key)), key);
        }
    }
}
