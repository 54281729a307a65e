//! One conversion of one track at work: what goes in, what comes out, what it costs, and whether it still answers.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::Frame;
use media::broadcast::{Broadcast, TrackId, TrackInfo};
use media::codec::Codec;
use tokio::sync::OwnedSemaphorePermit;

use super::argv;
use super::child::Child;
use super::goal::{Goal, Means, Room};
use super::input::Input;
use super::output::{self, Made, Output};
use crate::audience::Protocol;
use crate::derived::{Cost, Derived};
use crate::ladder::{self, Encoding};

/// Who gets what it makes.
const VIEWERS: &[Protocol] = &[Protocol::Rtmp, Protocol::Flv, Protocol::WsFlv, Protocol::Hls, Protocol::Whep];
/// A child that is fed and says nothing for so long hangs, or understands nothing.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often its cost is looked up.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// One conversion at work.
pub(super) struct Conversion {
    track: TrackId,
    codec: Arc<Codec>,
    engine: Engine,
    begun: bool,
    started: Instant,
    /// The first picture that it was given since it last said something.
    asked: Option<Instant>,
    counted: Instant,
    cost: Arc<Cost>,
    _right: (OwnedSemaphorePermit, Option<ladder::Slot>),
}

/// What does the work.
enum Engine {
    Child(Box<Piped>),
    Inside(Encoding),
}

/// A child and what is read of it.
struct Piped {
    child: Child,
    output: Output,
    /// What waited for it was too much; it goes on at the next keyframe.
    behind: bool,
}

/// What begins one.
pub(super) struct Begin<'a> {
    pub(super) source: &'a Broadcast,
    pub(super) derived: &'a Arc<Derived>,
    pub(super) goal: Goal,
    pub(super) info: &'a TrackInfo,
    /// The picture that it begins with.
    pub(super) first: &'a Frame,
}

/// Why a conversion is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Process(#[from] io::Error),
    #[error(transparent)]
    Output(#[from] output::Error),
    #[error("it ended by itself")]
    Ended,
    #[error("nothing came out of it for {} s", ANSWER_MAX.as_secs())]
    Stuck,
}

impl Conversion {
    /// Begins it.
    pub(super) fn start(begin: &Begin<'_>, room: Room) -> io::Result<Self> {
        let Begin { source, derived, goal, info, first } = begin;
        let Room { means, slot, permit } = room;
        let cost = Arc::new(derived.add(goal.name(&info.codec, &means), VIEWERS));
        let engine = match (means, goal) {
            (Means::Inside { decoding }, Goal::Rung(rung)) => {
                let source = ladder::Decoded { broadcast: source, info, decoding };
                Engine::Inside(Encoding::start(source, *rung, Arc::clone(&cost))?)
            }
            (Means::Inside { .. }, Goal::H264) => {
                return Err(io::Error::other("only rungs are made in this process"));
            }
            (Means::Child(ffmpeg), _) => {
                let arguments = argv::arguments(&goal.wanted(info));
                let child = Child::start(&ffmpeg, &arguments, &info.codec, first.dts)?;
                let output = Output::new(Input::new(first.dts).zero());
                Engine::Child(Box::new(Piped { child, output, behind: false }))
            }
        };
        let now = Instant::now();
        Ok(Self {
            track: info.id,
            codec: Arc::clone(&info.codec),
            engine,
            begun: false,
            started: now,
            asked: None,
            counted: now,
            cost,
            _right: (permit, slot),
        })
    }

    pub(super) fn track(&self) -> TrackId {
        self.track
    }

    pub(super) fn is_of(&self, track: TrackId, codec: &Arc<Codec>) -> bool {
        self.track == track && self.codec == *codec
    }

    /// A picture has come out.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// How long it has run.
    pub(super) fn ran(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn push(&mut self, frame: &Frame) {
        match &mut self.engine {
            Engine::Child(piped) if piped.behind && !frame.sync => return,
            Engine::Child(piped) => piped.behind = !piped.child.push(frame),
            Engine::Inside(encoding) => encoding.push(&self.codec, frame),
        }
        self.asked.get_or_insert_with(Instant::now);
    }

    pub(super) fn finish(&mut self) {
        match &mut self.engine {
            Engine::Child(piped) => piped.child.finish(),
            Engine::Inside(encoding) => encoding.finish(),
        }
    }

    /// What comes out next; `None` at the end. May be cancelled.
    pub(super) async fn made(&mut self) -> Result<Option<Vec<Made>>, Failure> {
        let mut made = Vec::new();
        match &mut self.engine {
            Engine::Child(piped) => {
                let bytes = piped.child.read().await?;
                if bytes.is_empty() {
                    return Ok(None);
                }
                piped.output.handle_input(&bytes, &mut made)?;
            }
            Engine::Inside(encoding) => match encoding.made().await {
                Some(one) => made.push(one),
                None => return Ok(None),
            },
        }
        if made.iter().any(|made| matches!(made, Made::Picture(_))) {
            self.begun = true;
            self.asked = None;
        }
        Ok(Some(made))
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.asked.is_some_and(|asked| asked.elapsed() >= ANSWER_MAX)
    }

    /// Looks up what it costs, now and then.
    pub(super) fn count(&mut self) {
        if self.counted.elapsed() >= COUNT_INTERVAL {
            self.counted = Instant::now();
            match &mut self.engine {
                Engine::Child(piped) => self.cost.count(piped.child.busy()),
                // It counts by itself.
                Engine::Inside(_) => {}
            }
        }
    }

    /// How it ended and what it said last.
    pub(super) async fn last_words(self) -> String {
        match self.engine {
            Engine::Child(piped) => piped.child.last_words().await,
            Engine::Inside(encoding) => encoding.last_words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use media::broadcast::TrackStats;
    use media::codec::{Kind, vp8};
    use media::{Path, Span, Timestamp, hub};

    use super::super::tool::Ffmpeg;
    use super::*;
    use crate::encoders::Capacity;

    fn source() -> Broadcast {
        let options = hub::Options { grace: Duration::ZERO, broadcasts_max: 1, ring_bytes_max: 1 << 20 };
        let path = Path::new("live/x").unwrap();
        hub::Hub::new(options).claim(&path, hub::Takeover::Newest, Instant::now()).unwrap().broadcast()
    }

    /// A conversion by a program that is no FFmpeg.
    fn by(program: &str) -> Conversion {
        let key = vp8::Keyframe { profile: 0, width: 160, height: 120 };
        let codec = Arc::new(Codec::Vp8(vp8::Params::from_keyframe(&key)));
        let stats = TrackStats::default();
        let info = TrackInfo { id: TrackId(0), kind: Kind::Video, codec, rendition: None, stats };
        let payload = vec![0; 10].into();
        let first = Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync: true, payload };
        let permit = Capacity::of_this_machine().take((160, 120), 25.0).expect("nobody else encodes");
        let program = Ffmpeg::find(std::path::Path::new(program), std::env::var_os("PATH"))
            .expect("every system has it");
        let source = source();
        let (derived, goal) = (Arc::default(), Goal::H264);
        let begin = Begin { source: &source, derived: &derived, goal, info: &info, first: &first };
        let room = Room { means: Means::Child(program), slot: None, permit };
        Conversion::start(&begin, room).expect("it starts")
    }

    #[tokio::test]
    async fn a_child_that_writes_garbage_is_a_failure_and_one_that_ends_is_an_end() {
        let garbage = by("echo").made().await.expect_err("its arguments are no FLV").to_string();
        assert!(garbage.contains("no FLV"), "{garbage}");
        assert_eq!(by("false").made().await.expect("an end is no error"), None);
    }
}
