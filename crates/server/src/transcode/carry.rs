//! Takes a broadcast's frames over into the derived one: sound as it is, pictures through FFmpeg.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::broadcast::{Broadcast, Event, Phase, Producer, Selection, TrackId, TrackInfo, WriteError};
use media::codec::{Codec, Kind};
use media::{Frame, Timestamp};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::conversion::{Begin, Conversion, Failure};
use super::output::Made;
use super::{Goal, Room, Task, picture};
use crate::context::Context;
use crate::ladder;
use crate::remade::Remade;

/// How often idleness, silence of the child and sound that waits are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Frames before others get their turn.
const FRAMES_A_TURN: u32 = 32;
/// Sound waits for the picture of its time, so that both are joined together: so long for the child's first one …
const HELD_AT_FIRST: Duration = Duration::from_secs(2);
/// … and so long for the others, of which a slow source has few.
const HELD: Duration = Duration::from_millis(200);
/// Far more packets than come within that time.
const HELD_FRAMES_MAX: usize = 2_048;
/// What the child still has when its input ends comes within this.
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// It is started again so often, if it does not run for [`STEADY`] in between.
const FAILURES_MAX: u32 = 4;
const STEADY: Duration = Duration::from_secs(60);
/// Before the first of these; twice as long before each further one.
const REST: Duration = Duration::from_millis(500);
/// Until room or FFmpeg itself is looked for again.
const REFUSED_REST: Duration = Duration::from_secs(10);

/// Why carrying is over.
pub(super) enum Over {
    /// The source has ended.
    Ended,
    /// Nobody reads.
    Idle,
    /// A bug of ours.
    Broke(WriteError),
    /// FFmpeg cannot do it; the log says why.
    Failed,
}

/// Runs while somebody reads and the source goes on.
pub(super) async fn carry(
    context: &Arc<Context>,
    source: &Broadcast,
    remade: &Remade,
    Task { goal, room }: Task,
) -> Over {
    let mut reader = source.read(Selection::Best);
    let producer = (source.phase() == Phase::Live).then(|| remade.derived().claim());
    let mut carrier = Carrier {
        context,
        source,
        remade,
        goal,
        producer,
        room,
        way: Way::None,
        held: VecDeque::new(),
        shown: None,
        failures: 0,
    };
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut taken = 0_u32;
    loop {
        let done = tokio::select! {
            event = poll_fn(|cx| reader.poll_next(cx)) => match event {
                Some(event) => carrier.handle_event(event).await,
                None => return carrier.drain().await.err().unwrap_or(Over::Ended),
            },
            made = carrier.way.made() => carrier.handle_made(made).await,
            _ = tick.tick() => {
                if remade.stop_if_idle() {
                    return Over::Idle;
                }
                carrier.handle_tick().await
            }
        };
        if let Err(over) = done {
            return over;
        }
        taken += 1;
        if taken.is_multiple_of(FRAMES_A_TURN) {
            tokio::task::yield_now().await;
        }
    }
}

struct Carrier<'a> {
    context: &'a Arc<Context>,
    source: &'a Broadcast,
    remade: &'a Remade,
    goal: Goal,
    /// Absent while the source has no publisher.
    producer: Option<Producer>,
    /// What the first conversion was promised.
    room: Option<Room>,
    way: Way,
    /// Sound and data that wait for the picture of their time, and since when.
    held: VecDeque<(Instant, TrackId, Frame)>,
    /// The newest picture that was made.
    shown: Option<Timestamp>,
    /// Of children, one after the other.
    failures: u32,
}

/// What becomes of pictures.
enum Way {
    /// There are none yet.
    None,
    /// They are what is wanted.
    Through(TrackId),
    Converted(Box<Conversion>),
    /// They are left out until then.
    Resting(TrackId, Instant),
}

impl Way {
    fn is_of(&self, track: TrackId) -> bool {
        match self {
            Self::None => false,
            Self::Through(own) | Self::Resting(own, _) => *own == track,
            Self::Converted(conversion) => conversion.track() == track,
        }
    }

    /// What comes out of a conversion; for ever pending where there is none.
    async fn made(&mut self) -> Result<Option<Vec<Made>>, Failure> {
        match self {
            Self::Converted(conversion) => conversion.made().await,
            Self::None | Self::Through(_) | Self::Resting(..) => std::future::pending().await,
        }
    }

    /// How long sound waits at most.
    fn patience(&self) -> Duration {
        match self {
            Self::Converted(conversion) if conversion.has_begun() => HELD,
            Self::Converted(_) => HELD_AT_FIRST,
            Self::None | Self::Through(_) | Self::Resting(..) => Duration::ZERO,
        }
    }
}

impl Carrier<'_> {
    async fn handle_event(&mut self, event: Event) -> Result<(), Over> {
        match event {
            Event::Frame { track, codec, frame, .. } => {
                if self.producer.is_none() {
                    self.producer = Some(self.remade.derived().claim());
                }
                match codec {
                    Some(codec) if codec.kind() == Kind::Video => {
                        self.set_picture(track, &codec, &frame).await?;
                    }
                    Some(codec) => self.set_codec(track, (*codec).clone())?,
                    None => {}
                }
                match self.way.is_of(track) {
                    true => self.handle_picture(track, frame),
                    false => self.hold(track, frame),
                }
            }
            Event::Phase(Phase::Waiting | Phase::Ended) => {
                self.drain().await?;
                self.producer = None;
                Ok(())
            }
            // The next frame claims anew: those that are left of the former publisher belong to it.
            Event::Phase(Phase::Live) | Event::Skipped { .. } => Ok(()),
        }
    }

    /// A group of pictures opens with `first`.
    async fn set_picture(&mut self, track: TrackId, codec: &Arc<Codec>, first: &Frame) -> Result<(), Over> {
        let is_wanted = self.goal.takes(codec);
        match &self.way {
            Way::Converted(conversion) if conversion.is_of(track, codec) => return Ok(()),
            Way::Resting(_, until) if !is_wanted && Instant::now() < *until => return Ok(()),
            Way::None | Way::Through(_) | Way::Converted(_) | Way::Resting(..) => {}
        }
        self.drain().await?;
        if is_wanted {
            self.way = Way::Through(track);
            self.room = None;
            return self.set_codec(track, (**codec).clone());
        }
        let Some(info) = picture(self.source).filter(|info| info.id == track) else { return Ok(()) };
        let started = match self.room(&info) {
            Ok(Some(room)) => {
                let (source, derived, goal) = (self.source, self.remade.derivations(), self.goal);
                Conversion::start(&Begin { source, derived, goal, info: &info, first }, room)
            }
            // It is what is wanted by now: the next group tells.
            Ok(None) => return Ok(()),
            Err(refusal) => {
                tracing::warn!(path = %self.source.path(), "{refusal}");
                self.way = Way::Resting(track, Instant::now() + REFUSED_REST);
                return Ok(());
            }
        };
        match started {
            Ok(conversion) => self.way = Way::Converted(Box::new(conversion)),
            Err(error) => self.fail(track, &Failure::Process(error), "")?,
        }
        Ok(())
    }

    /// What the first conversion was promised, or what a further one gets.
    fn room(&mut self, info: &TrackInfo) -> Result<Option<Room>, ladder::Refusal> {
        match self.room.take() {
            Some(room) => Ok(Some(room)),
            None => self.goal.room(self.context, self.source, info),
        }
    }

    fn handle_picture(&mut self, track: TrackId, frame: Frame) -> Result<(), Over> {
        match &mut self.way {
            Way::Through(_) => self.write(track, frame),
            Way::Converted(conversion) => {
                conversion.push(&frame);
                Ok(())
            }
            Way::None | Way::Resting(..) => Ok(()),
        }
    }

    fn set_codec(&self, track: TrackId, codec: Codec) -> Result<(), Over> {
        let Some(producer) = &self.producer else { return Ok(()) };
        producer.set_codec(track, codec, None).map_err(Over::Broke)
    }

    fn write(&self, track: TrackId, frame: Frame) -> Result<(), Over> {
        let Some(producer) = &self.producer else { return Ok(()) };
        producer.write(track, frame).map_err(Over::Broke)
    }

    fn hold(&mut self, track: TrackId, frame: Frame) -> Result<(), Over> {
        self.held.push_back((Instant::now(), track, frame));
        self.release()
    }

    /// Writes the sound whose picture is there, or has been waited for long enough.
    fn release(&mut self) -> Result<(), Over> {
        let patience = self.way.patience();
        while let Some((since, _, frame)) = self.held.front() {
            let is_due = self.shown.is_some_and(|shown| frame.dts <= shown);
            if !is_due && since.elapsed() < patience && self.held.len() < HELD_FRAMES_MAX {
                break;
            }
            if let Some((_, track, frame)) = self.held.pop_front() {
                self.write(track, frame)?;
            }
        }
        Ok(())
    }

    async fn handle_made(&mut self, made: Result<Option<Vec<Made>>, Failure>) -> Result<(), Over> {
        match made {
            Ok(Some(made)) => self.take(made),
            Ok(None) => self.give_up(Failure::Ended).await,
            Err(failure) => self.give_up(failure).await,
        }
    }

    fn take(&mut self, made: Vec<Made>) -> Result<(), Over> {
        let Way::Converted(conversion) = &self.way else { return Ok(()) };
        let track = conversion.track();
        for made in made {
            match made {
                Made::Codec(codec) => self.set_codec(track, codec)?,
                Made::Picture(frame) => {
                    if self.shown.is_none() {
                        // A rung that joins others in the middle of a group: sound of before its first picture would
                        // come in a heap behind it.
                        self.held.retain(|(_, _, held)| held.dts >= frame.dts);
                    }
                    self.shown = self.shown.max(Some(frame.dts));
                    self.write(track, frame)?;
                }
            }
        }
        self.release()
    }

    async fn handle_tick(&mut self) -> Result<(), Over> {
        if let Way::Converted(conversion) = &mut self.way {
            conversion.count();
            if conversion.ran() >= STEADY {
                self.failures = 0;
            }
            if conversion.is_stuck() {
                self.give_up(Failure::Stuck).await?;
            }
        }
        self.release()
    }

    /// The child is of no use any more.
    async fn give_up(&mut self, failure: Failure) -> Result<(), Over> {
        match std::mem::replace(&mut self.way, Way::None) {
            Way::Converted(conversion) => {
                let track = conversion.track();
                let said = conversion.last_words().await;
                self.fail(track, &failure, &said)
            }
            Way::None | Way::Through(_) | Way::Resting(..) => Ok(()),
        }
    }

    fn fail(&mut self, track: TrackId, failure: &Failure, said: &str) -> Result<(), Over> {
        self.failures += 1;
        let path = self.source.path();
        if self.failures > FAILURES_MAX {
            tracing::error!(%path, %failure, said, "H.264 cannot be made of this stream; its viewers are let go");
            return Err(Over::Failed);
        }
        let rest = REST * 2_u32.pow(self.failures - 1);
        tracing::warn!(%path, %failure, said, ?rest, "making H.264 failed; it is tried again");
        self.way = Way::Resting(track, Instant::now() + rest);
        Ok(())
    }

    /// Takes what the child still has, and lets go of it.
    async fn drain(&mut self) -> Result<(), Over> {
        let end = async {
            if let Way::Converted(conversion) = &mut self.way {
                conversion.finish();
            }
            while let Way::Converted(conversion) = &mut self.way {
                match conversion.made().await {
                    Ok(Some(made)) => self.take(made)?,
                    Ok(None) | Err(_) => break,
                }
            }
            Ok(())
        };
        let drained = timeout(DRAIN_MAX, end).await.unwrap_or(Ok(()));
        self.way = Way::None;
        drained?;
        self.release()
    }
}
