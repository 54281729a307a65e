//! Pictures that are shown in another order than they are decoded, made anew in one order: WebRTC knows no other.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use av::picture::{Options, Reencoder};
use media::Frame;
use media::broadcast::TrackInfo;
use media::codec::Codec;
use tokio::sync::OwnedSemaphorePermit;
use wire::rtp::Packetizer;

use super::lanes::Writer;
use crate::audience::Protocol;
use crate::derived::{Cost, Derived};
use crate::encoders::{Capacity, KEYFRAME_INTERVAL, Rate};

/// Pictures that wait for the encoder: a cached group of 10 s at 30 a second, which it gets at once.
const WAITING_MAX: usize = 300;
/// Without B-pictures and CABAC the same picture takes about so many percent of the bits.
const BITRATE_PERCENT: u64 = 140;

/// A running encoder: a thread that ends with this handle.
pub(super) struct Reencode {
    queue: SyncSender<Frame>,
    /// What waited for the encoder was too much; it goes on at the next keyframe.
    behind: bool,
}

impl Reencode {
    /// `None` when the machine has no room for it, or the decoder does not know such pictures; the log says which.
    pub(super) fn start(
        capacity: &Capacity,
        derived: &Arc<Derived>,
        info: &TrackInfo,
        writer: Writer,
    ) -> Option<Self> {
        let Codec::H264(params) = &*info.codec else { return None };
        let options = options(info);
        let Some(permit) = capacity.take((params.width, params.height), options.fps) else {
            tracing::warn!(
                width = params.width,
                height = params.height,
                "no core is free to re-encode a stream with B-frames for WebRTC; push it without (-bf 0)"
            );
            return None;
        };
        let reencoder = Reencoder::new(params, options)
            .inspect_err(
                |error| tracing::warn!(%error, "a stream with B-frames cannot be re-encoded for WebRTC"),
            )
            .ok()?;
        let cost = derived.add("H.264 without B-frames", &[Protocol::Whep]);
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let work = Work { reencoder, writer, cost, _permit: permit };
        let started = thread::Builder::new().name("reencode".into()).spawn(move || work.run(&waiting));
        started.ok().map(|_| Self { queue, behind: false })
    }

    pub(super) fn handle_frame(&mut self, frame: &Frame) {
        if self.behind && !frame.sync {
            return;
        }
        match self.queue.try_send(frame.clone()) {
            Ok(()) => self.behind = false,
            Err(TrySendError::Full(_)) => self.behind = true,
            // It gave up and said why.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

fn options(info: &TrackInfo) -> Options {
    let rate = Rate::of(info, BITRATE_PERCENT);
    Options { bitrate_bps: rate.bitrate_bps, fps: rate.fps, threads: 1, keyframe_interval: KEYFRAME_INTERVAL }
}

struct Work {
    reencoder: Reencoder,
    writer: Writer,
    cost: Cost,
    _permit: OwnedSemaphorePermit,
}

impl Work {
    fn run(mut self, waiting: &Receiver<Frame>) {
        let mut packetizer = Packetizer::default();
        let (mut pictures, mut packets) = (Vec::new(), Vec::new());
        let mut codec = None;
        while let Ok(frame) = waiting.recv() {
            let Self { reencoder, cost, .. } = &mut self;
            if let Err(error) = cost.measure(|| reencoder.handle_frame(&frame, &mut pictures)) {
                tracing::warn!(%error, "re-encoding for WebRTC ended");
                return;
            }
            for (changed, picture) in pictures.drain(..) {
                codec = changed.or(codec);
                let Some(codec) = &codec else { continue };
                packetizer.handle_frame(codec, picture.sync, &picture, &mut packets);
                self.writer.push_frame(&mut packets, picture.sync);
            }
        }
    }
}
