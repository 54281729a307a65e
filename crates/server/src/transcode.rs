//! A broadcast whose pictures are H.264 whatever its publisher sends, for viewers that can play nothing else: made by an
//! `ffmpeg` of its own, once for all of them, while somebody reads it. Sound passes through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use media::broadcast::{Broadcast, TrackInfo};
use media::codec::{Codec, Kind};
use tokio::sync::OwnedSemaphorePermit;

use crate::audience::Audience;
use crate::context::Context;
use crate::encoders::Rate;
use crate::remade::Remade;
use crate::rtmp::query_value;

mod argv;
mod carry;
mod child;
mod conversion;
mod input;
mod output;
mod tool;

pub use tool::find as find_ffmpeg;
pub(crate) use tool::{Ffmpeg, Missing};

use carry::Over;

/// A faster encoder's H.264 takes about so many percent of the bits of newer codecs.
const BITRATE_PERCENT: u64 = 150;
/// After it has failed it is not tried again for this long, whoever asks.
const FAILED_REST: Duration = Duration::from_secs(30);

/// Which pictures a viewer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        "this stream is {codec} of {width}×{height}, and no core of the server is free to make H.264 of it; \
         try again later"
    )]
    NoRoom {
        /// Of the pictures.
        codec: &'static str,
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
        Some(codec) => match &*codec {
            Codec::H264(_) => false,
            // No player of FLV or HLS knows it.
            Codec::Vp8(_) => true,
            Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) => asked == Picture::H264,
            Codec::Aac(_) | Codec::Opus(_) | Codec::G711(_) | Codec::Data(_) => false,
        },
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
    loop {
        let transcoder = match broadcast.derivations().get::<Transcoder>(0) {
            Some(running) => running,
            None => {
                let permit = picture(broadcast).map(|info| room(context, &info)).transpose()?.flatten();
                broadcast.derivations().get_or_start(0, || start(context, broadcast, permit))
            }
        };
        if transcoder.failed.load(Ordering::Acquire) {
            return Err(Refusal::Failed);
        }
        if let Some(made) = transcoder.remade.ask() {
            return Ok(made);
        }
        // It is just being dropped by its task, which holds it no longer than that takes.
        std::thread::yield_now();
    }
}

/// The picture that readers of the best tracks get.
fn picture(broadcast: &Broadcast) -> Option<TrackInfo> {
    let tracks = broadcast.tracks().into_iter().filter(|track| track.kind == Kind::Video);
    tracks.min_by_key(|track| (track.rendition.map_or(0, |rendition| rendition.rank), track.id))
}

/// The right to convert this track; `None` where nothing is to be converted.
fn room(context: &Context, info: &TrackInfo) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
    if matches!(&*info.codec, Codec::H264(_)) {
        return Ok(None);
    }
    let codec = info.codec.name();
    if let Err(missing) = &context.shared.ffmpeg {
        return Err(Refusal::Missing { codec, missing: missing.clone() });
    }
    let (width, height) = info.codec.resolution().unwrap_or_default();
    let fps = Rate::of(info, BITRATE_PERCENT).fps;
    let permit = context.shared.capacity.take((width, height), fps);
    permit.map(Some).ok_or(Refusal::NoRoom { codec, width, height })
}

fn start(
    context: &Arc<Context>,
    broadcast: &Broadcast,
    permit: Option<OwnedSemaphorePermit>,
) -> Arc<Transcoder> {
    let transcoder = Arc::new(Transcoder { remade: Remade::new(broadcast), failed: AtomicBool::new(false) });
    let (task, context) = (Arc::clone(&transcoder), Arc::clone(context));
    let source = broadcast.clone();
    Arc::clone(&context).spawn(async move {
        let stopping = context.stopping.clone();
        stopping.run_until_cancelled(run(&context, source, &task, permit)).await;
    });
    transcoder
}

async fn run(
    context: &Arc<Context>,
    source: Broadcast,
    transcoder: &Transcoder,
    permit: Option<OwnedSemaphorePermit>,
) {
    let remade = &transcoder.remade;
    match carry::carry(context, &source, remade, permit).await {
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
