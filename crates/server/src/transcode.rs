//! A broadcast with other pictures than are published: H.264 for viewers that can play nothing else, or smaller ones. Made
//! by an `ffmpeg` of its own or in this process, once for all viewers, while somebody reads it. Sound passes through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use media::broadcast::{Broadcast, TrackInfo};
use media::codec::{Codec, Kind};

use crate::audience::Audience;
use crate::context::Context;
use crate::ladder;
use crate::remade::Remade;
use crate::rtmp::query_value;

mod argv;
mod carry;
mod child;
mod conversion;
mod goal;
mod input;
mod output;
mod tool;

pub(crate) use goal::{Goal, Means, Room};
pub(crate) use output::Made;
pub use tool::find as find_ffmpeg;
pub(crate) use tool::{Ffmpeg, Missing};

use carry::Over;

/// A faster encoder's H.264 takes about so many percent of the bits of newer codecs.
const BITRATE_PERCENT: u64 = 150;
/// After it has failed it is not tried again for this long, whoever asks.
const FAILED_REST: Duration = Duration::from_secs(30);

/// Which pictures a viewer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Picture {
    /// Those that are published.
    Any,
    /// H.264, for it plays nothing else.
    H264,
}

/// Why no H.264 is made of a broadcast's pictures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no FFmpeg.
    #[error("this stream is {codec}, and the server cannot make H.264 of it: {missing}")]
    Missing {
        /// Of the pictures.
        codec: &'static str,
        /// Why not.
        missing: Missing,
    },
    /// Other encoders take all cores.
    #[error(
        "this stream is {codec} of {width}×{height}, and no core of the server is free to make {what} of it; \
         try again later"
    )]
    NoRoom {
        /// Of the pictures.
        codec: &'static str,
        /// What was to be made.
        what: String,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// It was tried just now.
    #[error("H.264 could not be made of this stream; the server's log says why")]
    Failed,
}

impl Picture {
    /// What a query says: `video=h264`.
    pub(crate) fn asked(query: &str) -> Self {
        match query_value(query, "video") {
            Some("h264") => Self::H264,
            Some(_) | None => Self::Any,
        }
    }
}

/// One running conversion.
struct Transcoder {
    remade: Remade,
    failed: AtomicBool,
}

/// Whether players get the pictures of another broadcast than this.
pub(crate) fn is_needed(broadcast: &Broadcast, asked: Picture) -> bool {
    match picture(broadcast).map(|track| track.codec) {
        // What has not shown a picture yet may have one that they cannot play.
        None => asked == Picture::H264 || Audience::of(broadcast).is_of_browser(),
        Some(codec) => is_foreign(&codec, asked),
    }
}

/// Whether players do not know such pictures, or `asked` says that they do not.
pub(crate) fn is_foreign(codec: &Codec, asked: Picture) -> bool {
    match codec {
        Codec::H264(_) => false,
        // No player of FLV or HLS knows it.
        Codec::Vp8(_) => true,
        Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) => asked == Picture::H264,
        Codec::Aac(_) | Codec::Opus(_) | Codec::G711(_) | Codec::Data(_) => false,
    }
}

/// The broadcast that players are served: `broadcast` itself, or one with H.264 where [`is_needed`].
pub(crate) fn for_players(
    context: &Arc<Context>,
    broadcast: &Broadcast,
    asked: Picture,
) -> Result<Broadcast, Refusal> {
    if is_needed(broadcast, asked) { in_h264(context, broadcast) } else { Ok(broadcast.clone()) }
}

/// This broadcast with pictures in H.264.
pub(crate) fn in_h264(context: &Arc<Context>, broadcast: &Broadcast) -> Result<Broadcast, Refusal> {
    made(context, broadcast, Goal::H264).map_err(|refusal| match refusal {
        ladder::Refusal::Transcode(refusal) => refusal,
        // Of rungs alone.
        ladder::Refusal::Unreadable
        | ladder::Refusal::Unknown { .. }
        | ladder::Refusal::NotAllowed
        | ladder::Refusal::TooMany { .. } => Refusal::Failed,
    })
}

/// This broadcast with other pictures.
pub(crate) fn made(
    context: &Arc<Context>,
    broadcast: &Broadcast,
    goal: Goal,
) -> Result<Broadcast, ladder::Refusal> {
    let variant = goal.variant();
    loop {
        let transcoder = match broadcast.derivations().get::<Transcoder>(variant) {
            Some(running) => running,
            None => {
                let room = picture(broadcast).map(|info| goal.room(context, broadcast, &info));
                let task = Task { goal, room: room.transpose()?.flatten() };
                broadcast.derivations().get_or_start(variant, || start(context, broadcast, task))
            }
        };
        if transcoder.failed.load(Ordering::Acquire) {
            return Err(Refusal::Failed.into());
        }
        if let Some(made) = transcoder.remade.ask() {
            return Ok(made);
        }
        // It is just being dropped by its task, which holds it no longer than that takes.
        std::thread::yield_now();
    }
}

/// Readers of the rung of this height now; `None` where it does not run.
pub(crate) fn readers(broadcast: &Broadcast, height: u32) -> Option<usize> {
    let running = broadcast.derivations().get::<Transcoder>(height)?;
    Some(running.remade.derived().readers())
}

/// The picture that readers of the best tracks get.
fn picture(broadcast: &Broadcast) -> Option<TrackInfo> {
    let tracks = broadcast.tracks().into_iter().filter(|track| track.kind == Kind::Video);
    tracks.min_by_key(TrackInfo::place)
}

/// What a conversion begins with.
struct Task {
    goal: Goal,
    /// For its first picture.
    room: Option<Room>,
}

fn start(context: &Arc<Context>, broadcast: &Broadcast, begin: Task) -> Arc<Transcoder> {
    let transcoder = Arc::new(Transcoder { remade: Remade::new(broadcast), failed: AtomicBool::new(false) });
    let (task, context) = (Arc::clone(&transcoder), Arc::clone(context));
    let source = broadcast.clone();
    Arc::clone(&context).spawn(async move {
        let stopping = context.stopping.clone();
        stopping.run_until_cancelled(run(&context, source, &task, begin)).await;
    });
    transcoder
}

async fn run(context: &Arc<Context>, source: Broadcast, transcoder: &Transcoder, begin: Task) {
    let remade = &transcoder.remade;
    match carry::carry(context, &source, remade, begin).await {
        Over::Ended => remade.derived().end(),
        Over::Idle => {}
        Over::Broke(error) => tracing::error!(path = %source.path(), %error, "making H.264 broke"),
        Over::Failed => {
            transcoder.failed.store(true, Ordering::Release);
            remade.derived().end();
            // The rings are not kept with it.
            drop(source);
            tokio::time::sleep(FAILED_REST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asks_for_h264_by_name() {
        assert_eq!(Picture::asked("wait_ms=1&video=h264"), Picture::H264);
        assert_eq!(Picture::asked("video=av1"), Picture::Any);
        assert_eq!(Picture::asked(""), Picture::Any);
    }
}
