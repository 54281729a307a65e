//! One broadcast made of a stage: for the audience, or for a member who hears everybody else. It is there for as long as the
//! room is, and costs something only while somebody reads it.

use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use av::mix::{self, Block, OUTPUT_DELAY, STEP_SAMPLES};
use av::sound::{Channels, Target, Writer};
use media::broadcast::{Producer, TrackId, WriteError};
use media::codec::opus;
use media::hub::{ClaimError, Takeover};
use media::{Codec, Frame, Path, Span, Timestamp};
use room::MemberId;

use super::picture::{Look, Picture};
use super::voices::voice;
use crate::audience::Protocol;
use crate::context::Context;
use crate::derived::{Cost, Derived};

const SOUND: TrackId = TrackId(1);
/// Several voices at a time, and music: what is transparent for stereo.
const OPUS_BITRATE: u32 = 128_000;
/// It goes on for this long without a reader: players that reconnect find it running.
const LINGER: Duration = Duration::from_secs(5);
const VIEWERS: &[Protocol] = &[Protocol::Rtmp, Protocol::Flv, Protocol::WsFlv, Protocol::Hls, Protocol::Whep];

/// One broadcast.
pub(super) struct Output {
    /// Whose own voice and picture are not in it.
    pub(super) without: Option<MemberId>,
    path: Path,
    producer: Producer,
    readers: usize,
    /// The last time that somebody read.
    read: Instant,
    running: Option<Running>,
}

/// What there is only while somebody reads.
struct Running {
    sound: mix::Output,
    /// Since the first picture was written.
    writer: Option<Writer>,
    picture: Picture,
    /// From the mixer's timeline to the broadcast's.
    zero: Span,
    block: Box<Block>,
    frames: Vec<Frame>,
    cost: Cost,
}

impl Output {
    /// Begins the broadcast.
    pub(super) fn claim(
        context: &Context,
        path: Path,
        without: Option<MemberId>,
    ) -> Result<Self, ClaimError> {
        let now = Instant::now();
        let producer = context.hub.claim(&path, Takeover::Newest, now)?;
        // Players learn from it that sound has to be converted for them.
        let _ = producer.set_codec(SOUND, Codec::Opus(opus::Params::simple(2)), None);
        Ok(Self { without, path, producer, readers: 0, read: now, running: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Ready once somebody reads; an error when another publishes in its place.
    pub(super) fn poll_readers(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), WriteError>> {
        while let Poll::Ready(demand) = self.producer.poll_demand(cx) {
            self.readers = demand?.readers;
        }
        if self.readers > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Begins to make it, at `now` of the mixer's timeline, which began at `epoch`.
    pub(super) fn run(&mut self, epoch: Instant, now: Timestamp) {
        let broadcast = self.producer.broadcast();
        let zero = match epoch.checked_duration_since(broadcast.started()) {
            Some(later) => Span::from(later),
            None => -Span::from(broadcast.started() - epoch),
        };
        let what = if self.without.is_some() { "the others of a room" } else { "the sound of a room" };
        self.read = Instant::now();
        self.running = Some(Running {
            sound: mix::Output::new(self.without.map(voice)),
            writer: None,
            picture: Picture::new(self.without, zero, now),
            zero,
            block: Box::new([[0.0; 2]; STEP_SAMPLES]),
            frames: Vec::new(),
            cost: Derived::of(&broadcast).add(what, VIEWERS),
        });
    }

    /// Whether it is to be stopped, since nobody has read it for a while.
    pub(super) fn is_idle(&mut self) -> bool {
        if self.readers > 0 {
            self.read = Instant::now();
        }
        self.read.elapsed() >= LINGER
    }

    /// What the voices of all cost is counted here.
    pub(super) fn count(&self, busy: Duration) {
        if let Some(running) = &self.running {
            running.cost.count(busy);
        }
    }

    /// Writes the step that the mixer has just made.
    pub(super) fn step(&mut self, look: &Look<'_>) -> Result<(), WriteError> {
        let begin = Instant::now();
        let Some(running) = &mut self.running else { return Ok(()) };
        running.picture.step(look, &self.producer)?;
        running.sound.take(look.mixer, &mut running.block);
        if running.picture.has_begun() {
            running.write_sound(look.now, &self.producer)?;
        }
        running.cost.count(begin.elapsed());
        Ok(())
    }

    /// Ends it for its readers.
    pub(super) fn end(self) {
        self.producer.end();
    }
}

impl Running {
    fn write_sound(&mut self, now: Timestamp, producer: &Producer) -> Result<(), WriteError> {
        let Self { writer, block, frames, zero, .. } = self;
        if writer.is_none() {
            let target = Target::Opus { channels: Channels::Stereo, bitrate_bps: OPUS_BITRATE };
            match Writer::new(target, Channels::Stereo, now + *zero - OUTPUT_DELAY) {
                Ok(made) => {
                    producer.set_codec(SOUND, made.codec().clone(), None)?;
                    *writer = Some(made);
                }
                Err(error) => tracing::error!(%error, "the sound of a room cannot be coded"),
            }
        }
        let Some(writer) = writer else { return Ok(()) };
        if let Err(error) = writer.push(block.as_flattened(), frames) {
            tracing::warn!(%error, "20 ms of a room's sound could not be coded");
        }
        frames.drain(..).try_for_each(|frame| producer.write(SOUND, frame))
    }
}

/// Whether somebody on the stage wants one without itself: browsers get everybody's voice by itself.
pub(super) fn wants_others(context: &Arc<Context>, path: &Path) -> bool {
    let publishes = context.hub.get(path);
    !publishes.is_some_and(|broadcast| crate::audience::Audience::of(&broadcast).is_of_browser())
}
