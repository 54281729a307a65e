//! A broadcast as players of FLV, RTMP and HLS know it: sound in AAC whatever a browser sends, and without the gaps
//! of a muted microphone or a camera that is off, over which such players stumble. Made once for all of them, while somebody watches.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use media::broadcast::{Broadcast, Event, Phase, Producer, Selection, TrackId, WriteError};
use media::codec::{Codec, Kind};
use media::{Frame, Span, Timestamp};
use tokio::time::{MissedTickBehavior, interval};

use crate::audience::Audience;
use crate::context::Context;
use crate::derived::Derived;
use crate::ladder::{self, Asked, Found, Refusal, Rendition};
use crate::remade::Remade;
use crate::transcode;

mod sound;
#[cfg(test)]
mod tests;

use sound::Sound;

/// How often gaps are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Without a picture for this long while there is sound, the last keyframe is shown again, and again each time.
const STILL_AFTER: Span = Span::from_millis(1_000);
/// It lies this far behind the sound, so that a picture that comes back finds its place.
const STILL_BEHIND: Span = Span::from_millis(200);
/// Frames before others get their turn.
const FRAMES_A_TURN: u32 = 32;

/// One broadcast made of another one.
struct Bridge(Remade);

/// The broadcast that players are served: the rendition that is `asked` for, where they know its codecs, or one with
/// pictures in H.264 and sound in AAC where they do not, or where `asked` says that they do not.
pub(crate) fn for_players(
    context: &Arc<Context>,
    broadcast: &Broadcast,
    asked: Asked,
) -> Result<Broadcast, Refusal> {
    let needs_sound = is_needed(broadcast, asked);
    let broadcast = match ladder::find(context, broadcast, asked.rendition)? {
        Found::Source => transcode::for_players(context, broadcast, asked.picture)?,
        Found::Layer(layer, info) if transcode::is_foreign(&info.codec, asked.picture) => {
            transcode::in_h264(context, &layer)?
        }
        Found::Layer(made, _) | Found::Made(made) => made,
    };
    Ok(if needs_sound { with_sound(context, &broadcast) } else { broadcast })
}

fn with_sound(context: &Arc<Context>, broadcast: &Broadcast) -> Broadcast {
    loop {
        let bridge = broadcast.derivations().get_or_start(0, || {
            let bridge = Arc::new(Bridge(Remade::new(broadcast)));
            context.spawn(run(Arc::clone(context), broadcast.clone(), Arc::clone(&bridge)));
            bridge
        });
        if let Some(made) = bridge.0.ask() {
            return made;
        }
        // It is just being dropped by its task, which holds it no longer than that takes.
        std::thread::yield_now();
    }
}

/// Players that know a newer picture know Opus beside it (Enhanced RTMP); those of H.264 or of sound alone may be as old
/// as the format.
fn is_needed(broadcast: &Broadcast, asked: Asked) -> bool {
    let tracks = broadcast.tracks();
    let pictures = || tracks.iter().filter(|track| track.kind == Kind::Video);
    // Smaller pictures are H.264 whatever the source is, and who asks for sound alone may be as old.
    let is_made = asked.rendition != Rendition::Source;
    let is_classic = is_made
        || transcode::is_needed(broadcast, asked.picture)
        || pictures().all(|track| matches!(&*track.codec, Codec::H264(_)));
    let is_foreign = tracks.iter().any(|track| is_of_browsers(&track.codec));
    // A browser that has just begun has not said yet what it sends, and sends no AAC ever.
    is_classic && (is_foreign || Audience::of(broadcast).is_of_browser())
}

/// Sound that players get as AAC.
pub(crate) fn is_of_browsers(codec: &Codec) -> bool {
    matches!(codec, Codec::Opus(_) | Codec::G711(_))
}

async fn run(context: Arc<Context>, source: Broadcast, bridge: Arc<Bridge>) {
    let carrying = context.stopping.run_until_cancelled(carry(&source, &bridge));
    match carrying.await {
        Some(Over::Ended) => bridge.0.derived().end(),
        Some(Over::Idle) | None => {}
        Some(Over::Failed(error)) => tracing::error!(path = %source.path(), %error, "the bridge broke"),
    }
}

enum Over {
    Ended,
    Idle,
    Failed(WriteError),
}

async fn carry(source: &Broadcast, bridge: &Bridge) -> Over {
    let mut reader = source.read(Selection::All);
    let mut carrier = Carrier {
        source,
        producer: None,
        sounds: HashMap::new(),
        newest: None,
        still: None,
        heard: None,
        derived: Arc::clone(bridge.0.derivations()),
    };
    if source.phase() == Phase::Live {
        carrier.producer = Some(bridge.0.derived().claim());
    }
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut taken = 0_u32;
    loop {
        let done = tokio::select! {
            event = poll_fn(|cx| reader.poll_next(cx)) => match event {
                Some(event) => carrier.handle_event(bridge, event),
                None => return Over::Ended,
            },
            _ = tick.tick() => {
                if bridge.0.stop_if_idle() {
                    return Over::Idle;
                }
                carrier.fill()
            }
        };
        if let Err(error) = done {
            return Over::Failed(error);
        }
        taken += 1;
        if taken.is_multiple_of(FRAMES_A_TURN) {
            tokio::task::yield_now().await;
        }
    }
}

/// Takes frames over from the source, sound in another codec.
struct Carrier<'a> {
    source: &'a Broadcast,
    /// Absent while the source has no publisher.
    producer: Option<Producer>,
    sounds: HashMap<TrackId, Sound>,
    derived: Arc<Derived>,
    /// The newest picture's time: sound has to keep up with it.
    newest: Option<Timestamp>,
    /// The newest picture that needs no other, to be shown again while none comes.
    still: Option<(TrackId, Frame)>,
    /// The newest sound's time: the picture has to keep up with it.
    heard: Option<Timestamp>,
}

impl Carrier<'_> {
    fn handle_event(&mut self, bridge: &Bridge, event: Event) -> Result<(), WriteError> {
        match event {
            Event::Frame { track, codec, frame, .. } => {
                if self.producer.is_none() {
                    self.producer = Some(bridge.0.derived().claim());
                }
                if let Some(codec) = codec {
                    self.set_codec(track, &codec)?;
                }
                self.handle_frame(track, frame)
            }
            Event::Phase(Phase::Waiting | Phase::Ended) => {
                self.producer = None;
                Ok(())
            }
            // The next frame claims anew: those that are left of the former publisher belong to it.
            Event::Phase(Phase::Live) | Event::Skipped { .. } => Ok(()),
        }
    }

    fn set_codec(&mut self, track: TrackId, codec: &Codec) -> Result<(), WriteError> {
        let Some(producer) = &self.producer else { return Ok(()) };
        if is_of_browsers(codec) {
            let sound = match self.sounds.remove(&track) {
                Some(sound) if sound.is_of(codec) => Some(sound),
                _ => Sound::new(codec, &self.derived),
            };
            if let Some(sound) = sound {
                producer.set_codec(track, sound.codec().clone(), None)?;
                self.sounds.insert(track, sound);
            }
            return Ok(());
        }
        self.sounds.remove(&track);
        let rendition =
            self.source.tracks().iter().find(|info| info.id == track).and_then(|info| info.rendition);
        producer.set_codec(track, codec.clone(), rendition)
    }

    fn handle_frame(&mut self, track: TrackId, frame: Frame) -> Result<(), WriteError> {
        let Some(producer) = &self.producer else { return Ok(()) };
        match self.sounds.get_mut(&track) {
            Some(sound) => {
                self.heard = Some(frame.dts);
                sound.handle_frame(&frame).try_for_each(|frame| producer.write(track, frame))
            }
            None => {
                self.newest = Some(frame.dts);
                if frame.sync {
                    self.still = Some((track, frame.clone()));
                }
                match producer.write(track, frame) {
                    // Sound that cannot be converted is left out; the picture goes on.
                    Err(WriteError::NoCodec(_)) => Ok(()),
                    written => written,
                }
            }
        }
    }

    /// Puts silence where sound has stopped while pictures go on, and a still picture where they have stopped.
    fn fill(&mut self) -> Result<(), WriteError> {
        let (Some(producer), Some(newest)) = (&self.producer, self.newest) else { return Ok(()) };
        if let (Some((track, still)), Some(heard)) = (&self.still, self.heard)
            && heard - newest > STILL_AFTER
        {
            let dts = heard - STILL_BEHIND;
            producer.write(*track, Frame { dts, cts: Span::ZERO, ..still.clone() })?;
            self.newest = Some(dts);
        }
        let newest = self.newest.unwrap_or(newest);
        for (track, sound) in &mut self.sounds {
            sound.fill(newest).try_for_each(|frame| producer.write(*track, frame))?;
        }
        Ok(())
    }
}
