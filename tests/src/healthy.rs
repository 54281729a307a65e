//! A publisher and a viewer that do nothing wrong while others misbehave, and what must still be true after.

use std::time::Duration;

use server::{App, Config};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wire::flv::TagKind;
use wire::flv::file::Tag;

use crate::rtmp::{PATIENCE, Peer, Viewer, is_frame, tags};

const RECORDING: &[u8] = include_bytes!("../fixtures/h264_aac.flv");
/// The recording's length to the next round.
const ROUND_MS: u32 = 4_011;
/// The stream goes on at least this long, so that harm has time to show.
const FRAMES_MIN: usize = 30;

/// A server on free ports, its configuration changed by the test.
pub async fn serve(change: impl FnOnce(&mut Config)) -> App {
    let mut config = Config::default();
    config.data.dir = crate::scratch::folder();
    config.http.listen.set_port(0);
    config.rtmp.listen.set_port(0);
    change(&mut config);
    App::start(config).await.expect("port 0 is free")
}

/// Waits until `condition` holds; `what` is the failure's text.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("never came true: {what}"));
}

/// Memory of this process that is in use, in bytes.
pub fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}

/// Publishes in real time, looped, and watches over HTTP-FLV.
pub struct Healthy {
    stop: oneshot::Sender<()>,
    publishing: JoinHandle<usize>,
    watching: JoinHandle<usize>,
}

impl Healthy {
    /// Begins at `path`; the viewer has its first keyframe when this returns.
    pub async fn start(app: &App, path: &str) -> Self {
        let tags = tags(RECORDING);
        let mut publisher = Peer::publish(app.addresses().rtmp, path).await;
        let first = |tag: &Tag| is_frame(tag) && tag.kind == TagKind::Video;
        let before = tags.iter().position(first).expect("a picture") + 1;
        for tag in &tags[..before] {
            publisher.send(tag).await;
        }
        let mut viewer = Viewer::watch(app.addresses().http, path).await;
        viewer.frame().await.expect("the first keyframe");
        let (stop, mut stopped) = oneshot::channel();
        let publishing = tokio::spawn(async move {
            let (start, mut sent) = (Instant::now(), 0);
            // The whole recording round after round, less what was sent above.
            for number in before.. {
                let (round, tag) = (number / tags.len(), &tags[number % tags.len()]);
                if !is_frame(tag) {
                    continue;
                }
                let timestamp_ms = round as u32 * ROUND_MS + tag.timestamp_ms;
                let due = start + Duration::from_millis(timestamp_ms.into());
                tokio::select! {
                    _ = &mut stopped, if sent >= FRAMES_MIN => break,
                    () = sleep_until(due) => {}
                }
                publisher.send(&Tag { timestamp_ms, ..tag.clone() }).await;
                sent += 1;
            }
            publisher.finish().await;
            sent
        });
        let watching = tokio::spawn(async move {
            let mut seen = 0;
            while viewer.frame().await.is_some() {
                seen += 1;
            }
            seen
        });
        Self { stop, publishing, watching }
    }

    /// Ends the broadcast; its viewer must have had every frame, every session must end, and none by a panic.
    pub async fn end_unharmed(self, app: App) {
        self.stop.send(()).expect("the publisher still runs");
        let sent = self.publishing.await.expect("the publisher was left alone");
        let seen = self.watching.await.expect("the viewer was left alone");
        assert_eq!(seen, sent, "frames that the viewer had, and was owed");
        let context = app.context().clone();
        assert!(app.shutdown(PATIENCE).await, "a session did not end with its connection");
        assert_eq!(context.shared.counters.panics.load(std::sync::atomic::Ordering::Relaxed), 0, "panics");
        assert_eq!(
            context.shared.connections.available_permits(),
            context.config().limits.connections,
            "connections held"
        );
    }
}
