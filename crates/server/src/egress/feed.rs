//! The derivation that muxes a broadcast into one format's bytes, run once while anyone watches it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use media::Timestamp;
use media::broadcast::{Broadcast, Event, Phase, Selection, TrackId};
use media::codec::{Codec, Kind};
use media::track::{Consumer, Item, Producer, Retention};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::Format;
use super::mux::Mux;
use crate::counters::Counters;
use crate::guard::guarded;

/// The flags of an FLV header are written once picture and sound are known, or after this.
const TRACKS_KNOWN_AFTER: Duration = Duration::from_secs(1);
/// Frames held back until then; a second of sound and pictures is far less.
const HELD_MAX: usize = 1_024;

/// The muxed bytes of one frame, with new parameters before it if there are any.
#[derive(Clone)]
pub(super) struct Chunk {
    dts: Timestamp,
    pub(super) bytes: Bytes,
}

/// What a viewer is sent before a group's first frame.
pub(super) struct Preamble {
    /// Once, when it joins: file header and metadata.
    pub(super) intro: Bytes,
    /// Whenever it joins or skips: the parameters of all tracks.
    pub(super) headers: Bytes,
}

impl Item for Chunk {
    type Head = Preamble;

    fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn dts(&self) -> Timestamp {
        self.dts
    }
}

/// A running mux and the ring it writes.
pub(super) struct Feed {
    ring: Consumer<Chunk>,
    _task: AbortOnDropHandle<()>,
}

impl Feed {
    /// The feed of these tracks in this format, started if nobody watched them so far.
    pub(super) fn of(
        broadcast: &Broadcast,
        format: Format,
        tracks: Selection,
        counters: &Arc<Counters>,
    ) -> Arc<Self> {
        let variant = format as u32 * 2 + u32::from(tracks == Selection::All);
        broadcast.derivations().get_or_start(variant, || {
            let ring = Producer::new(Retention::default());
            let consumer = ring.subscribe();
            let writer = Writer { mux: Mux::new(format), ring, chunks: 0 };
            let muxing =
                guarded("the muxing of a broadcast", counters, writer.run(broadcast.clone(), tracks));
            let task = tokio::spawn(async move {
                muxing.await;
            });
            Arc::new(Self { ring: consumer, _task: AbortOnDropHandle::new(task) })
        })
    }

    /// A cursor of its own on the ring.
    pub(super) fn subscribe(&self) -> Consumer<Chunk> {
        self.ring.clone()
    }
}

struct Writer {
    mux: Mux,
    ring: Producer<Chunk>,
    chunks: u64,
}

struct Arrived {
    track: TrackId,
    codec: Option<Arc<Codec>>,
    opens_group: bool,
    frame: media::Frame,
}

impl Writer {
    async fn run(mut self, broadcast: Broadcast, tracks: Selection) {
        let mut reader = broadcast.read(tracks);
        let deadline = match broadcast.started().elapsed() > TRACKS_KNOWN_AFTER {
            // Whoever joins a broadcast that has run for a while finds its tracks there, unless it is just being made.
            true if broadcast.phase() == Phase::Live && !reader.tracks().is_empty() => Instant::now(),
            _ => Instant::now() + TRACKS_KNOWN_AFTER,
        };
        for (track, codec) in reader.tracks() {
            self.mux.set_codec(track, &codec);
        }
        let mut held = Some(Vec::new());
        loop {
            let next = poll_fn(|cx| reader.poll_next(cx));
            let event = match &held {
                Some(_) => timeout_at(deadline, next).await,
                None => Ok(next.await),
            };
            match event {
                Ok(None) => break,
                Ok(Some(Event::Frame { track, codec, opens_group, frame })) => {
                    let arrived = Arrived { track, codec, opens_group, frame };
                    match &mut held {
                        Some(frames) => self.hold(frames, arrived),
                        None => self.write(arrived),
                    }
                }
                Ok(Some(Event::Skipped { .. } | Event::Phase(_))) | Err(_) => {}
            }
            let known = self.mux.has(Kind::Video) && self.mux.has(Kind::Audio);
            let full = held.as_ref().is_some_and(|frames| frames.len() >= HELD_MAX);
            if known || full || Instant::now() >= deadline {
                held.take().into_iter().flatten().for_each(|arrived| self.write(arrived));
            }
        }
        held.take().into_iter().flatten().for_each(|arrived| self.write(arrived));
    }

    fn hold(&mut self, frames: &mut Vec<Arrived>, arrived: Arrived) {
        if let Some(codec) = &arrived.codec {
            self.mux.set_codec(arrived.track, codec);
        }
        frames.push(arrived);
    }

    fn write(&mut self, arrived: Arrived) {
        let Arrived { track, codec, opens_group, frame } = arrived;
        let mut bytes = BytesMut::with_capacity(frame.payload.len() + 64);
        if let Some(codec) = &codec
            && self.mux.set_codec(track, codec)
        {
            self.mux.write_header(track, frame.dts, &mut bytes);
        }
        let leads = opens_group && self.mux.lead() == Some(track);
        let head = (leads || self.chunks == 0).then(|| Arc::new(self.mux.preamble(frame.dts)));
        self.mux.write_frame(track, &frame, &mut bytes);
        if bytes.is_empty() {
            return;
        }
        self.ring.push(self.chunks, head, Chunk { dts: frame.dts, bytes: bytes.freeze() });
        self.chunks += 1;
    }
}
