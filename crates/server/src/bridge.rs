//! A broadcast as players of FLV, RTMP and HLS know it: sound in AAC whatever a browser sends, and without the gaps
//! of a muted microphone or a camera that is off, over which such players stumble. Made once for all of them, while somebody watches.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::broadcast::{Broadcast, Derived, Event, Phase, Producer, Selection, TrackId, WriteError};
use media::codec::{Codec, Kind};
use media::{Frame, Span, Timestamp};
use tokio::time::{MissedTickBehavior, interval};

use crate::audience::{Audience, Protocol};
use crate::context::Context;
use crate::derived::Derived as Derivations;

mod sound;
#[cfg(test)]
mod tests;

use sound::Sound;

/// It goes on for this long without a viewer: players that reconnect find it running.
const LINGER: Duration = Duration::from_secs(5);
/// How often gaps are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Without a picture for this long while there is sound, the last keyframe is shown again, and again each time.
const STILL_AFTER: Span = Span::from_millis(1_000);
/// It lies this far behind the sound, so that a picture that comes back finds its place.
const STILL_BEHIND: Span = Span::from_millis(200);
/// Frames before others get their turn.
const FRAMES_A_TURN: u32 = 32;

/// One broadcast made of another one.
struct Bridge {
    derived: Derived,
    /// Of the source, and found as that of the derived broadcast, too.
    _audience: Arc<Audience>,
    state: Mutex<State>,
}

struct State {
    asked: Instant,
    stopped: bool,
}

/// The broadcast that players are served: `broadcast` itself where they know its codecs.
pub(crate) fn for_players(context: &Arc<Context>, broadcast: &Broadcast) -> Broadcast {
    if !is_needed(broadcast) {
        return broadcast.clone();
    }
    loop {
        let bridge = broadcast.derivations().get_or_start(0, || {
            let bridge = Arc::new(Bridge::new(broadcast));
            context.spawn(run(Arc::clone(context), broadcast.clone(), Arc::clone(&bridge)));
            bridge
        });
        if bridge.ask() {
            return bridge.derived.broadcast();
        }
        // It is just being dropped by its task, which holds it no longer than that takes.
        std::thread::yield_now();
    }
}

/// Players that know a newer picture know Opus beside it (Enhanced RTMP); those of H.264 or of sound alone may be as old
/// as the format.
fn is_needed(broadcast: &Broadcast) -> bool {
    let tracks = broadcast.tracks();
    let is_classic =
        tracks.iter().filter(|track| track.kind == Kind::Video).all(|track| is_h264(&track.codec));
    let is_foreign = tracks.iter().any(|track| is_of_browsers(&track.codec));
    // A browser that has just begun has not said yet what it sends, and sends no AAC ever.
    let publisher = Audience::of(broadcast).publisher();
    let by_browser = publisher.is_some_and(|publisher| publisher.protocol == Protocol::Whip);
    is_classic && (is_foreign || by_browser)
}

fn is_h264(codec: &Codec) -> bool {
    matches!(codec, Codec::H264(_))
}

fn is_of_browsers(codec: &Codec) -> bool {
    matches!(codec, Codec::Opus(_) | Codec::G711(_))
}

impl Bridge {
    fn new(source: &Broadcast) -> Self {
        let derived = source.derived();
        let audience = Audience::of(source);
        let shared = Arc::clone(&audience);
        drop(derived.broadcast().derivations().get_or_start(0, || shared));
        let state = Mutex::new(State { asked: Instant::now(), stopped: false });
        Self { derived, _audience: audience, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is about to read; `false` when it has just stopped.
    fn ask(&self) -> bool {
        let mut state = self.state();
        state.asked = Instant::now();
        !state.stopped
    }

    /// Stops it unless somebody reads, or is about to.
    fn stop_if_idle(&self) -> bool {
        let mut state = self.state();
        state.stopped = self.derived.readers() == 0 && state.asked.elapsed() >= LINGER;
        state.stopped
    }
}

async fn run(context: Arc<Context>, source: Broadcast, bridge: Arc<Bridge>) {
    let carrying = context.stopping.run_until_cancelled(carry(&source, &bridge));
    match carrying.await {
        Some(Over::Ended) => bridge.derived.end(),
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
        derived: Derivations::of(source),
    };
    if source.phase() == Phase::Live {
        carrier.producer = Some(bridge.derived.claim());
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
                if bridge.stop_if_idle() {
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
    derived: Arc<Derivations>,
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
                    self.producer = Some(bridge.derived.claim());
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
