//! One child at work on one track: what goes in, what comes out, what it costs, and whether it still answers.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::Frame;
use media::broadcast::{TrackId, TrackInfo};
use media::codec::Codec;
use tokio::sync::OwnedSemaphorePermit;

use super::BITRATE_PERCENT;
use super::argv::{self, Wanted};
use super::child::Child;
use super::input::Input;
use super::output::{self, Made, Output};
use super::tool::Ffmpeg;
use crate::audience::Protocol;
use crate::derived::{Cost, Derived};
use crate::encoders::Rate;

/// Who gets what it makes.
const VIEWERS: &[Protocol] = &[Protocol::Rtmp, Protocol::Flv, Protocol::WsFlv, Protocol::Hls, Protocol::Whep];
/// A child that is fed and says nothing for so long hangs, or understands nothing.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often its cost is looked up.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// One child at work.
pub(super) struct Conversion {
    track: TrackId,
    codec: Arc<Codec>,
    child: Child,
    output: Output,
    /// What waited for it was too much; it goes on at the next keyframe.
    behind: bool,
    begun: bool,
    started: Instant,
    /// The first picture that it was given since it last said something.
    asked: Option<Instant>,
    counted: Instant,
    cost: Cost,
    _permit: OwnedSemaphorePermit,
}

/// Why a child is of no use.
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
    /// Begins with the picture `first`.
    pub(super) fn start(
        ffmpeg: &Ffmpeg,
        derived: &Arc<Derived>,
        info: &TrackInfo,
        first: &Frame,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        let (width, height) = info.codec.resolution().unwrap_or_default();
        let wanted = Wanted { width, height, rate: Rate::of(info, BITRATE_PERCENT) };
        let child = Child::start(ffmpeg, &argv::arguments(&wanted), &info.codec, first.dts)?;
        let now = Instant::now();
        Ok(Self {
            track: info.id,
            codec: Arc::clone(&info.codec),
            child,
            output: Output::new(Input::new(first.dts).zero()),
            behind: false,
            begun: false,
            started: now,
            asked: None,
            counted: now,
            cost: derived.add(name(&info.codec), VIEWERS),
            _permit: permit,
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
        if self.behind && !frame.sync {
            return;
        }
        self.behind = !self.child.push(frame);
        self.asked.get_or_insert_with(Instant::now);
    }

    pub(super) fn finish(&mut self) {
        self.child.finish();
    }

    /// What comes out next; `None` at the end. May be cancelled.
    pub(super) async fn made(&mut self) -> Result<Option<Vec<Made>>, Failure> {
        let bytes = self.child.read().await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut made = Vec::new();
        self.output.handle_input(&bytes, &mut made)?;
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
            self.cost.count(self.child.busy());
        }
    }

    /// How it ended and what it said last.
    pub(super) async fn last_words(self) -> String {
        self.child.last_words().await
    }
}

fn name(source: &Codec) -> &'static str {
    match source {
        Codec::H265(_) => "H.264 from H.265",
        Codec::Av1(_) => "H.264 from AV1",
        Codec::Vp9(_) => "H.264 from VP9",
        Codec::Vp8(_) => "H.264 from VP8",
        Codec::H264(_) | Codec::Aac(_) | Codec::Opus(_) | Codec::G711(_) | Codec::Data(_) => "H.264",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use media::broadcast::TrackStats;
    use media::codec::{Kind, vp8};
    use media::{Span, Timestamp};

    use super::*;
    use crate::encoders::Capacity;

    /// A conversion by a program that is no FFmpeg.
    fn by(program: &str) -> Conversion {
        let key = vp8::Keyframe { profile: 0, width: 160, height: 120 };
        let codec = Arc::new(Codec::Vp8(vp8::Params::from_keyframe(&key)));
        let stats = TrackStats::default();
        let info = TrackInfo { id: TrackId(0), kind: Kind::Video, codec, rendition: None, stats };
        let payload = vec![0; 10].into();
        let first = Frame { dts: Timestamp::ZERO, cts: Span::ZERO, sync: true, payload };
        let permit = Capacity::of_this_machine().take((160, 120), 25.0).expect("nobody else encodes");
        let program =
            Ffmpeg::find(Path::new(program), std::env::var_os("PATH")).expect("every system has it");
        Conversion::start(&program, &Arc::default(), &info, &first, permit).expect("it starts")
    }

    #[tokio::test]
    async fn a_child_that_writes_garbage_is_a_failure_and_one_that_ends_is_an_end() {
        let garbage = by("echo").made().await.expect_err("its arguments are no FLV").to_string();
        assert!(garbage.contains("no FLV"), "{garbage}");
        assert_eq!(by("false").made().await.expect("an end is no error"), None);
    }
}
