//! The built-in stream: a moving test card with sound, so that a newcomer sees a picture without any other program.

use std::sync::Arc;
use std::time::{Duration, Instant};

use media::Path;
use media::hub::Takeover;
use tracing::{info, warn};
use wire::flv::TagKind;
use wire::flv::file::{Reader, Tag};

use crate::audience::{self, Protocol};
use crate::context::Context;
use crate::ingest::{Error, Publisher};
use crate::sessions::{Action, Opening};

/// Where it plays.
pub const PATH: &str = "live/demo";
/// Made by `cargo xtask clip`.
const CLIP: &[u8] = include_bytes!("../assets/demo.flv");
/// The clip's pictures and its sound are both exactly this long, so that it loops without a seam.
const CLIP_LENGTH: Duration = Duration::from_millis(8_000);

/// Plays the clip again and again until somebody takes over its path or the server stops.
pub async fn play(context: Arc<Context>) {
    let path = Path::new(PATH).expect("a constant path is well-formed");
    let tags = read(CLIP);
    let start = Instant::now();
    let producer = match context.hub.claim(&path, Takeover::Refuse, start) {
        Ok(producer) => producer,
        Err(error) => return warn!(%path, %error, "the demo does not play"),
    };
    let mut publisher = Publisher::new(producer, start);
    let agent = concat!("openmic ", env!("CARGO_PKG_VERSION"), " demo").to_owned();
    let ticket = context.access.sessions.open(Opening {
        action: Action::Publish,
        path: path.clone(),
        protocol: Protocol::Demo,
        peer: None,
        agent,
    });
    publisher.audience().set_publisher(audience::Publisher::of(&ticket));
    let played = tokio::select! {
        played = context.stopping.run_until_cancelled(repeat(&mut publisher, &tags, start)) => played,
        () = ticket.kicked() => return publisher.end(),
    };
    if let Some(error) = played {
        info!(%path, %error, "the demo stops");
    }
}

fn read(clip: &[u8]) -> Vec<Tag> {
    let mut reader = Reader::new();
    reader.handle_input(clip);
    std::iter::from_fn(|| reader.poll_tag().expect("the embedded clip is well-formed")).collect()
}

async fn repeat(publisher: &mut Publisher, tags: &[Tag], start: Instant) -> Error {
    for round in 0.. {
        let offset = CLIP_LENGTH * round;
        for tag in tags.iter().filter(|tag| round == 0 || tag.kind != TagKind::Script) {
            let due = offset + Duration::from_millis(u64::from(tag.timestamp_ms));
            tokio::time::sleep_until((start + due).into()).await;
            let stamp = due.as_millis() as u32;
            if let Err(error) = publisher.handle_tag(Instant::now(), tag.kind, stamp, &tag.body) {
                return error;
            }
        }
    }
    unreachable!("a clip repeats for longer than any server runs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clip_is_as_long_as_its_loop() {
        let tags = read(CLIP);
        let last =
            |kind| tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.timestamp_ms).max().unwrap();
        let end = CLIP_LENGTH.as_millis() as u32;
        assert_eq!(last(TagKind::Video), end - 33, "30 pictures a second");
        assert!((end - 22..end).contains(&last(TagKind::Audio)), "packets of 21.3 ms");
    }
}
