//! Pictures that are shown in another order than they are decoded, made anew in one order: WebRTC knows no other.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use av::picture::{Options, Reencoder};
use media::broadcast::TrackInfo;
use media::codec::{Codec, h264};
use media::{Frame, Span};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::rtp::Packetizer;

use super::lanes::Writer;
use crate::audience::Protocol;
use crate::derived::{Cost, Derived};

/// Pictures that wait for the encoder: a cached group of 10 s at 30 a second, which it gets at once.
const WAITING_MAX: usize = 300;
/// Macroblocks a second that one core re-encodes, as measured: 1280×720 at 30 a second.
const MACROBLOCKS_A_CORE: u32 = 80 * 45 * 30;
/// Viewers join at keyframes, and each costs bits.
const KEYFRAME_INTERVAL: Span = Span::from_millis(2_000);
/// Without B-pictures and CABAC the same picture takes about so many percent of the bits.
const BITRATE_PERCENT: u64 = 140;
/// Where the source has not shown yet what it takes.
const BITRATE_UNKNOWN_BPS: u64 = 2_500_000;
const BITRATE_BPS: std::ops::RangeInclusive<u64> = 300_000..=8_000_000;
const FPS_UNKNOWN: f32 = 30.0;

/// What all encoders of a server may do together.
pub(crate) struct Capacity(Arc<Semaphore>);

impl Capacity {
    /// Of all cores of this machine.
    pub(crate) fn of_this_machine() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores * MACROBLOCKS_A_CORE as usize)))
    }

    /// Room for pictures of this size and rate, until the permit is dropped.
    fn take(&self, params: &h264::Params, fps: f32) -> Option<OwnedSemaphorePermit> {
        let blocks = params.width.div_ceil(16).saturating_mul(params.height.div_ceil(16));
        let wanted = (blocks as f32 * fps) as u32;
        Arc::clone(&self.0).try_acquire_many_owned(wanted).ok()
    }
}

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
        let Some(permit) = capacity.take(params, options.fps) else {
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
    let stats = &info.stats;
    let span_us = u64::try_from(stats.group_span.micros()).unwrap_or_default();
    let measured = |count: u64| count.saturating_mul(1_000_000).checked_div(span_us);
    let bits = measured(stats.group_bytes * 8).unwrap_or(BITRATE_UNKNOWN_BPS) * BITRATE_PERCENT / 100;
    let told = info.codec.frame_rate().map(|rate| rate.fps() as f32);
    let seen = (span_us > 0).then(|| stats.group_frames as f32 * 1e6 / span_us as f32);
    Options {
        bitrate_bps: bits.clamp(*BITRATE_BPS.start(), *BITRATE_BPS.end()) as u32,
        fps: told.or(seen).unwrap_or(FPS_UNKNOWN).clamp(1.0, 120.0),
        threads: 1,
        keyframe_interval: KEYFRAME_INTERVAL,
    }
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
                let mut opens = picture.sync;
                for packet in packets.drain(..) {
                    self.writer.push(packet, std::mem::take(&mut opens));
                }
            }
        }
    }
}
