//! A publisher in real time, round after round, until the test ends it.

use std::time::Duration;

use server::App;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use wire::flv::file::Tag;

use crate::healthy::until;
use crate::rtmp::{PATIENCE, Peer};

/// Of the recordings that are published so, to the next round.
pub const ROUND_MS: u32 = 4_000;

/// Publishes.
pub struct Live {
    stop: oneshot::Sender<()>,
    publishing: JoinHandle<()>,
}

/// What is published.
pub struct Tape {
    /// One round of it.
    pub tags: Vec<Tag>,
    /// How many tracks the broadcast has when all of it is known.
    pub tracks: usize,
    /// What is sent in later rounds, too.
    pub again: fn(&Tag) -> bool,
}

impl Live {
    /// Begins `live/x`, and waits until all tracks are known.
    pub async fn publish(app: &App, tape: Tape) -> Self {
        Self::publish_at(app, "live/x", tape).await
    }

    /// Begins `path`, behind which a query may stand, and waits until all tracks are known.
    pub async fn publish_at(app: &App, path: &str, tape: Tape) -> Self {
        let Tape { tags, tracks, again } = tape;
        let mut peer = Peer::publish(app.addresses().rtmp, path).await;
        let (stop, mut stopped) = oneshot::channel();
        let publishing = tokio::spawn(async move {
            let start = Instant::now();
            for number in 0.. {
                let (round, tag) = ((number / tags.len()) as u32, &tags[number % tags.len()]);
                if round > 0 && !again(tag) {
                    continue;
                }
                let timestamp_ms = round * ROUND_MS + tag.timestamp_ms;
                tokio::select! {
                    _ = &mut stopped => break,
                    () = sleep_until(start + Duration::from_millis(timestamp_ms.into())) => {}
                }
                peer.send(&Tag { timestamp_ms, ..tag.clone() }).await;
            }
            peer.finish().await;
        });
        let live = Self { stop, publishing };
        let bare = path.split('?').next().unwrap_or(path);
        let path = media::Path::new(bare).expect("well-formed");
        let broadcast = app.context().find(&path, PATIENCE).await.expect("somebody publishes");
        until("its tracks are known", || broadcast.tracks().len() >= tracks).await;
        live
    }

    /// Ends the broadcast.
    pub async fn end(self) {
        self.stop.send(()).expect("the publisher still runs");
        self.publishing.await.expect("the publisher was left alone");
    }
}
