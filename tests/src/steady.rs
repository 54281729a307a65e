//! A WebRTC publisher and viewer that do nothing wrong while others misbehave: the twin of [`crate::healthy`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use media::{Frame, Packet, Span};
use server::App;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::healthy::until;
use crate::recording::{Kind, Unit, h264_opus};
use crate::rtc::{Client, Options, Resource};

/// The recording's length to the next round.
const ROUND: Span = Span::from_millis(4_000);
/// The stream goes on at least this long, so that harm has time to show.
const FRAMES_MIN: usize = 60;

/// Publishes in real time, looped, and watches.
pub struct Steady {
    stop: oneshot::Sender<()>,
    publishing: JoinHandle<(Client, usize)>,
    watching: JoinHandle<()>,
    seen: Arc<AtomicUsize>,
    /// The publisher's and the viewer's HTTP resource.
    pub resources: [Resource; 2],
    /// Our halves of both sessions' ICE user names, in the same order.
    pub ufrags: [String; 2],
}

impl Steady {
    /// Begins at `path`; the viewer has its first picture when this returns.
    pub async fn start(app: &App, path: &str) -> Self {
        let publisher = Client::connect(app, path, Options { audio: false, ..Options::PUBLISH }).await;
        let mut units = h264_opus();
        units.retain(|unit| unit.kind == Kind::Video);
        publisher.send(&units[0]).await;
        let mut viewer = Client::connect(app, path, Options { audio: false, ..Options::WATCH }).await;
        viewer.packet_of(Kind::Video).await;
        let resources = [publisher.resource.clone(), viewer.resource.clone()];
        let ufrags = [ufrag(&publisher).await, ufrag(&viewer).await];
        let seen = Arc::new(AtomicUsize::new(1));
        let (stop, stopped) = oneshot::channel();
        let publishing = tokio::spawn(publish(publisher, units, stopped));
        let counted = Arc::clone(&seen);
        let watching = tokio::spawn(async move {
            while viewer.packet().await.is_some() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, publishing, watching, seen, resources, ufrags }
    }

    /// Ends the broadcast; its viewer must have had 99 of 100 packets, and be told of the end.
    pub async fn end_unharmed(self) {
        self.stop.send(()).expect("the publisher still runs");
        let (publisher, sent) = self.publishing.await.expect("the publisher was left alone");
        until("the viewer has had 99 of 100 packets", || {
            self.seen.load(Ordering::Relaxed) * 100 >= sent * 99
        })
        .await;
        assert_eq!(publisher.resource.delete().await.status, 200);
        self.watching.await.expect("the viewer was left alone");
    }
}

async fn ufrag(client: &Client) -> String {
    let (reply, own) = oneshot::channel();
    let tell = |own: str0m::IceCreds| reply.send(own.ufrag).expect("it is waited for");
    client.tell(move |driver| tell(driver.rtc.direct_api().local_ice_credentials())).await;
    own.await.expect("the peer runs")
}

async fn publish(publisher: Client, units: Vec<Unit>, mut stopped: oneshot::Receiver<()>) -> (Client, usize) {
    let round_packets: usize = units.iter().map(|unit| unit.packets.len()).sum();
    let start = Instant::now();
    let mut sent = units[0].packets.len();
    for number in 1.. {
        let (round, unit) = (number / units.len(), &units[number % units.len()]);
        let shift = Span::from_micros(ROUND.micros() * round as i64);
        let shifted = |packet: &Packet| Packet {
            at: packet.at + shift,
            sequence: packet.sequence + (round * round_packets) as u64,
            ..packet.clone()
        };
        let unit = Unit {
            kind: unit.kind,
            frame: Frame { dts: unit.frame.dts + shift, ..unit.frame.clone() },
            packets: unit.packets.iter().map(shifted).collect(),
        };
        let due = Duration::from_micros((unit.frame.dts - units[0].frame.dts).micros() as u64);
        tokio::select! {
            _ = &mut stopped, if number >= FRAMES_MIN => break,
            () = sleep_until(start + due) => {}
        }
        publisher.send(&unit).await;
        sent += unit.packets.len();
    }
    (publisher, sent)
}
