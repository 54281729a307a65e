//! What encoders of pictures share: how many of them the machine has room for, and at which rate each works.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread;

use media::Span;
use media::broadcast::TrackInfo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Viewers join at keyframes, and each costs bits.
pub(crate) const KEYFRAME_INTERVAL: Span = Span::from_millis(2_000);
/// Macroblocks a second that one core re-encodes, as measured: 1280×720 at 30 a second.
const MACROBLOCKS_A_CORE: u32 = 80 * 45 * 30;
/// Where the source has not shown yet what it takes.
const BITRATE_UNKNOWN_BPS: u64 = 2_500_000;
const BITRATE_BPS: RangeInclusive<u64> = 300_000..=8_000_000;
const FPS_UNKNOWN: f32 = 30.0;
/// Beyond it a source's times are mistaken, not fast.
const FPS: RangeInclusive<f32> = 1.0..=120.0;

/// What all encoders of a server may do together.
pub(crate) struct Capacity(Arc<Semaphore>);

impl Capacity {
    /// Of all cores of this machine.
    pub(crate) fn of_this_machine() -> Self {
        Self::of_cores(thread::available_parallelism().map_or(1, usize::from))
    }

    fn of_cores(cores: usize) -> Self {
        Self(Arc::new(Semaphore::new(cores * MACROBLOCKS_A_CORE as usize)))
    }

    /// Room for pictures of this width, height and rate, until the permit is dropped.
    pub(crate) fn take(&self, size: (u32, u32), fps: f32) -> Option<OwnedSemaphorePermit> {
        self.take_part(size, fps, 100)
    }

    /// The same for work that costs so many percent of encoding them anew.
    pub(crate) fn take_part(
        &self,
        (width, height): (u32, u32),
        fps: f32,
        percent: u32,
    ) -> Option<OwnedSemaphorePermit> {
        let blocks = width.div_ceil(16).saturating_mul(height.div_ceil(16));
        let wanted = (blocks as f32 * fps * percent as f32 / 100.0) as u32;
        Arc::clone(&self.0).try_acquire_many_owned(wanted).ok()
    }
}

/// How fast an encoder is to work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    /// Of what comes out.
    pub(crate) bitrate_bps: u32,
    /// Pictures a second.
    pub(crate) fps: f32,
}

impl Rate {
    /// So many percent of the bits that the source takes, at its rate of pictures.
    pub(crate) fn of(source: &TrackInfo, percent: u64) -> Self {
        let stats = &source.stats;
        let span_us = u64::try_from(stats.group_span.micros()).unwrap_or_default();
        let bits = stats.bitrate_bps().unwrap_or(BITRATE_UNKNOWN_BPS) * percent / 100;
        let told = source.codec.frame_rate().map(|rate| rate.fps() as f32);
        let seen = (span_us > 0).then(|| stats.group_frames as f32 * 1e6 / span_us as f32);
        Self {
            bitrate_bps: bits.clamp(*BITRATE_BPS.start(), *BITRATE_BPS.end()) as u32,
            fps: told.or(seen).unwrap_or(FPS_UNKNOWN).clamp(*FPS.start(), *FPS.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_has_room_for_one_picture_of_720p30_and_gets_it_back() {
        let capacity = Capacity::of_cores(1);
        let permit = capacity.take((1_280, 720), 30.0).expect("a core is free");
        assert!(capacity.take((160, 120), 25.0).is_none());
        drop(permit);
        assert!(capacity.take((1_920, 1_080), 30.0).is_none(), "more than a core");
        assert!(capacity.take((160, 120), 25.0).is_some());
    }
}
