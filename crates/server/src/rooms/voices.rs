//! The sound of everybody on a stage on its way into the mixer: who has one to be passed on, and what comes of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};

use av::mix::{Mixer, Voice};
use media::Timestamp;
use media::broadcast::{Broadcast, Event, Phase, Reader, Selection, TrackId};
use media::codec::Kind;
use room::MemberId;

use super::stage::Stage;
use crate::context::Context;

/// Steps until it is looked again who publishes: 100 ms.
const LOOK_STEPS: u32 = 5;

/// Somebody on the stage who publishes.
pub(super) struct Seen {
    pub(super) member: MemberId,
    pub(super) broadcast: Broadcast,
    /// It has pictures, and they may be passed on.
    pub(super) has_picture: bool,
    /// Its sound may be passed on.
    has_sound: bool,
}

/// Everybody's sound.
pub(super) struct Voices {
    pub(super) mixer: Mixer,
    /// Everybody on the stage who publishes, in the order of coming up.
    pub(super) seen: Vec<Seen>,
    sources: HashMap<MemberId, Source>,
    steps: u32,
}

/// The sound of one member.
struct Source {
    broadcast: Broadcast,
    reader: Reader,
    track: Option<TrackId>,
}

/// The voice of a member in the mixer.
pub(super) fn voice(member: MemberId) -> Voice {
    Voice(member.0)
}

/// What is there to be read now: `None` for nothing yet, `Some(None)` at the end. Rooms look at every step and are not
/// woken by each frame of each member.
pub(super) fn now(reader: &mut Reader) -> Option<Option<Event>> {
    match reader.poll_next(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(event) => Some(event),
        Poll::Pending => None,
    }
}

impl Voices {
    pub(super) fn new() -> Self {
        let mixer = Mixer::new(Timestamp::ZERO);
        Self { mixer, seen: Vec::new(), sources: HashMap::new(), steps: 0 }
    }

    /// Reads what everybody has sent since the last step and mixes the next one.
    pub(super) fn step(&mut self, context: &Arc<Context>, stage: &Stage, has_changed: bool) {
        if has_changed || self.steps.is_multiple_of(LOOK_STEPS) {
            self.look(context, stage);
        }
        self.steps = self.steps.wrapping_add(1);
        let Self { mixer, sources, .. } = self;
        sources.retain(|member, source| {
            let goes_on = source.read(voice(*member), mixer);
            if !goes_on {
                mixer.leave(voice(*member));
            }
            goes_on
        });
        self.mixer.step();
    }

    /// Who publishes now, and whose sound is to be heard.
    fn look(&mut self, context: &Context, stage: &Stage) {
        let seen = stage.performers.iter().filter_map(|performer| {
            let broadcast = context.hub.get(&performer.path)?;
            let sending = performer.sending;
            let has_picture = (sending.picture || sending.screen)
                && broadcast.phase() == Phase::Live
                && broadcast.tracks().iter().any(|track| track.kind == Kind::Video);
            Some(Seen { member: performer.member, broadcast, has_picture, has_sound: sending.sound })
        });
        self.seen = seen.collect();
        let Self { mixer, seen, sources, .. } = self;
        sources.retain(|member, source| {
            let stays = seen.iter().any(|one| {
                one.has_sound && one.member == *member && one.broadcast.same_as(&source.broadcast)
            });
            if !stays {
                mixer.leave(voice(*member));
            }
            stays
        });
        for one in seen.iter().filter(|one| one.has_sound) {
            sources.entry(one.member).or_insert_with(|| Source {
                broadcast: one.broadcast.clone(),
                reader: one.broadcast.read(Selection::Sound),
                track: None,
            });
        }
    }
}

impl Source {
    /// Takes what has come; `false` at the end.
    fn read(&mut self, voice: Voice, mixer: &mut Mixer) -> bool {
        while let Some(event) = now(&mut self.reader) {
            let Some(event) = event else { return false };
            let Event::Frame { track, codec, frame, .. } = event else { continue };
            if let Some(codec) = codec.filter(|codec| codec.kind() == Kind::Audio) {
                self.track = Some(track);
                if let Err(error) = mixer.join(voice, &codec) {
                    tracing::debug!(path = %self.broadcast.path(), %error, "a voice is not heard");
                }
            }
            if self.track == Some(track)
                && let Err(error) = mixer.handle_frame(voice, &frame)
            {
                tracing::debug!(path = %self.broadcast.path(), %error, "a voice comes in anew");
            }
        }
        true
    }
}
