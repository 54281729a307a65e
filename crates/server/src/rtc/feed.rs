//! From frames to packets: the derivation that fills the lanes of a broadcast whose publisher speaks no WebRTC.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use media::Timestamp;
use media::broadcast::{Event, Reader, Selection};
use media::codec::{Codec, Kind as Track};
use media::packet::Format;
use tokio::sync::watch;

use super::lanes::{Kind, Lanes};
use super::packets::Packets;
use crate::context::Context;

/// Frames packetized before others get their turn.
const FRAMES_A_TURN: usize = 32;

/// Runs while somebody holds the lanes; rests while a WebRTC publisher writes them itself.
pub(super) async fn run(lanes: Weak<Lanes>, context: Arc<Context>, mut forwarded: watch::Receiver<bool>) {
    let stopping = context.stopping.clone();
    stopping
        .run_until_cancelled(async {
            loop {
                // The sender goes with the lanes.
                if forwarded.wait_for(|forwarded| !forwarded).await.is_err() {
                    return;
                }
                let Some(mut feed) = Feed::new(&lanes) else { return };
                tokio::select! {
                    () = feed.run(&lanes) => return,
                    changed = forwarded.wait_for(|forwarded| *forwarded) => if changed.is_err() { return },
                }
            }
        })
        .await;
}

struct Feed {
    reader: Reader,
    /// What a WebRTC publisher wrote up to here is not written again from its frames.
    after: Option<Timestamp>,
    video: Option<Packets>,
    audio: Option<Packets>,
}

impl Feed {
    fn new(lanes: &Weak<Lanes>) -> Option<Self> {
        let lanes = lanes.upgrade()?;
        let reader = lanes.broadcast().read(Selection::Best);
        Some(Self { reader, after: lanes.newest(Kind::Video), video: None, audio: None })
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
    fn handle_event(&mut self, lanes: &Arc<Lanes>, event: Event) {
        let Event::Frame { track, codec, opens_group, frame } = event else { return };
        let (kind, lane) = match codec.as_deref().map(Codec::kind) {
            Some(Track::Video) => (Kind::Video, &mut self.video),
            Some(Track::Audio) => (Kind::Audio, &mut self.audio),
            Some(Track::Data) => return,
            None => match (&self.video, &self.audio) {
                (Some(video), _) if video.track == track => (Kind::Video, &mut self.video),
                (_, Some(audio)) if audio.track == track => (Kind::Audio, &mut self.audio),
                _ => return,
            },
        };
        if let Some(codec) = codec {
            match lane {
                Some(packets) if packets.track == track => packets.set_codec(lanes, kind, &codec),
                _ => *lane = Packets::new(lanes, kind, track, &codec),
            }
        }
        // What a WebRTC publisher wrote before it left is in its lane already.
        let is_old = self.after.is_some_and(|after| frame.pts() <= after);
        if let Some(packets) = lane.as_mut().filter(|_| !is_old) {
            packets.handle_frame(opens_group, &frame);
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
        // AAC is converted.
        Codec::Aac(_) | Codec::Opus(_) => Some(Format::Opus),
        Codec::Data(_) => None,
    }
}
