//! Some tracks of a broadcast as a broadcast of their own: one of its layers with the sound, or the sound alone.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use media::broadcast::{Broadcast, Event, Phase, Producer, Selection, TrackId, WriteError};
use tokio::time::{MissedTickBehavior, interval};

use crate::context::Context;
use crate::remade::Remade;

/// How often it is looked whether anybody reads.
const TICK: Duration = Duration::from_millis(500);
/// Frames before others get their turn.
const FRAMES_A_TURN: u32 = 32;
/// The sound's variant among a broadcast's derivations; pictures have their track's number.
const SOUND: u32 = u32::MAX;

struct Selected(Remade);

/// This picture, with sound.
pub(super) fn picture(context: &Arc<Context>, broadcast: &Broadcast, track: TrackId) -> Broadcast {
    selected(context, broadcast, Selection::Picture(track), track.0.into())
}

/// Sound alone.
pub(super) fn sound(context: &Arc<Context>, broadcast: &Broadcast) -> Broadcast {
    selected(context, broadcast, Selection::Sound, SOUND)
}

fn selected(context: &Arc<Context>, broadcast: &Broadcast, selection: Selection, variant: u32) -> Broadcast {
    loop {
        let selected = broadcast.derivations().get_or_start(variant, || {
            let selected = Arc::new(Selected(Remade::new(broadcast)));
            context.spawn(run(Arc::clone(context), broadcast.clone(), selection, Arc::clone(&selected)));
            selected
        });
        if let Some(made) = selected.0.ask() {
            return made;
        }
        // It is just being dropped by its task, which holds it no longer than that takes.
        std::thread::yield_now();
    }
}

async fn run(context: Arc<Context>, source: Broadcast, selection: Selection, selected: Arc<Selected>) {
    let carrying = context.stopping.run_until_cancelled(carry(&source, selection, &selected.0));
    match carrying.await {
        Some(Ok(true)) => selected.0.derived().end(),
        Some(Ok(false)) | None => {}
        Some(Err(error)) => tracing::error!(path = %source.path(), %error, "choosing tracks broke"),
    }
}

/// Runs while somebody reads; tells whether the source has ended.
async fn carry(source: &Broadcast, selection: Selection, remade: &Remade) -> Result<bool, WriteError> {
    let mut reader = source.read(selection);
    let mut producer = (source.phase() == Phase::Live).then(|| remade.derived().claim());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut taken = 0_u32;
    loop {
        tokio::select! {
            event = poll_fn(|cx| reader.poll_next(cx)) => match event {
                Some(event) => handle_event(event, &mut producer, remade)?,
                None => return Ok(true),
            },
            _ = tick.tick() => {
                if remade.stop_if_idle() {
                    return Ok(false);
                }
            }
        }
        taken += 1;
        if taken.is_multiple_of(FRAMES_A_TURN) {
            tokio::task::yield_now().await;
        }
    }
}

fn handle_event(event: Event, producer: &mut Option<Producer>, remade: &Remade) -> Result<(), WriteError> {
    match event {
        Event::Frame { track, codec, frame, .. } => {
            // The next frame claims anew: those that are left of the former publisher belong to it.
            let producer = producer.get_or_insert_with(|| remade.derived().claim());
            if let Some(codec) = codec {
                producer.set_codec(track, (*codec).clone(), None)?;
            }
            producer.write(track, frame)
        }
        Event::Phase(Phase::Waiting | Phase::Ended) => {
            *producer = None;
            Ok(())
        }
        Event::Phase(Phase::Live) | Event::Skipped { .. } => Ok(()),
    }
}
