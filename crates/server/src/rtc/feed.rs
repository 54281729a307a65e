//! From frames to packets: the derivation that fills the lanes of a broadcast whose publisher speaks no WebRTC.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use media::Timestamp;
use media::broadcast::{Event, Reader, Selection, TrackId};
use media::codec::{Codec, Kind as Track};
use media::packet::Format;
use tokio::sync::watch;

use super::lanes::{Forwarded, Kind, Lanes};
use super::packets::Packets;
use crate::context::Context;
use crate::derived::Derived;

/// Frames packetized before others get their turn.
const FRAMES_A_TURN: usize = 32;

/// Runs while somebody holds the lanes, until the broadcast has ended; rests while a WebRTC publisher writes them itself.
pub(super) async fn run(lanes: Weak<Lanes>, context: Arc<Context>, forwarded: watch::Receiver<Forwarded>) {
    if context.stopping.run_until_cancelled(fill(&lanes, &context, forwarded)).await.is_some()
        && let Some(lanes) = lanes.upgrade()
    {
        lanes.end();
    }
}

async fn fill(lanes: &Weak<Lanes>, context: &Arc<Context>, mut forwarded: watch::Receiver<Forwarded>) {
    let Some(mut ending) = lanes.upgrade().map(|lanes| lanes.broadcast().ending()) else { return };
    loop {
        tokio::select! {
            // The sender goes with the lanes.
            rests = forwarded.wait_for(|forwarded| !forwarded.is_on()) => if rests.is_err() { return },
            () = poll_fn(|cx| ending.poll_ended(cx)) => return,
        }
        let Some(mut feed) = Feed::new(lanes, context) else { return };
        tokio::select! {
            () = feed.run(lanes) => return,
            goes_on = forwarded.wait_for(Forwarded::is_on) => if goes_on.is_err() { return },
        }
    }
}

struct Feed {
    reader: Reader,
    /// What a WebRTC publisher wrote up to here is not written again from its frames.
    after: Option<Timestamp>,
    video: Option<Packets>,
    audio: Option<Packets>,
    derived: Arc<Derived>,
    context: Arc<Context>,
}

impl Feed {
    fn new(lanes: &Weak<Lanes>, context: &Arc<Context>) -> Option<Self> {
        let lanes = lanes.upgrade()?;
        let reader = lanes.broadcast().read(Selection::Best);
        Some(Self {
            reader,
            after: lanes.newest_of(Kind::Video),
            video: None,
            audio: None,
            derived: Derived::of(lanes.broadcast()),
            context: Arc::clone(context),
        })
    }

    /// Until the broadcast has ended, or nobody holds the lanes.
    async fn run(&mut self, lanes: &Weak<Lanes>) {
        let mut frames = 0;
        loop {
            let Some(event) = poll_fn(|cx| self.reader.poll_next(cx)).await else { return };
            let Some(lanes) = lanes.upgrade() else { return };
            self.handle_event(&lanes, event);
            frames += 1;
            if frames % FRAMES_A_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Feed {
    fn handle_event(&mut self, lanes: &Lanes, event: Event) {
        let Event::Frame { track, codec, opens_group, frame } = event else { return };
        if codec.is_some() || opens_group {
            self.handle_group(lanes, track);
        }
        // What a WebRTC publisher wrote before it left is in its lane already.
        let is_old = self.after.is_some_and(|after| frame.pts() <= after);
        let packets = [&mut self.video, &mut self.audio].into_iter().flatten();
        if let Some(packets) = packets.filter(|packets| packets.track == track && !is_old).last() {
            packets.handle_frame(lanes, opens_group, &frame);
        }
    }

    /// Looks at what the track is now, whenever one of its groups opens.
    fn handle_group(&mut self, lanes: &Lanes, track: TrackId) {
        let tracks = lanes.broadcast().tracks();
        let Some(info) = tracks.iter().find(|info| info.id == track) else { return };
        let slot = match info.kind {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
            Track::Data => return,
        };
        let capacity = &self.context.shared.capacity;
        match slot {
            Some(packets) if packets.track == track => packets.handle_group(lanes, capacity, info),
            _ => *slot = Packets::new(lanes, capacity, &self.derived, info),
        }
    }
}

/// What a codec becomes for WebRTC, if it can.
pub(super) fn format_of(codec: &Codec) -> Option<Format> {
    match codec {
        Codec::H264(_) => Some(Format::H264),
        Codec::H265(_) => Some(Format::H265),
        Codec::Av1(_) => Some(Format::Av1),
        Codec::Vp9(_) => Some(Format::Vp9),
        Codec::Vp8(_) => Some(Format::Vp8),
        // The others are converted.
        Codec::Opus(_) | Codec::Aac(_) | Codec::G711(_) => Some(Format::Opus),
        Codec::Data(_) => None,
    }
}
