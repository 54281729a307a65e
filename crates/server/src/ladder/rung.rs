//! One rung: how large, how many bits, and what the machine has to have free for it.

use media::broadcast::TrackInfo;
use media::codec::Codec;

use super::Refusal;
use super::pictures::Pictures;
use crate::config;
use crate::context::Context;
use crate::encoders::Rate;
use crate::transcode::{self, Means, Room};

/// A rung this close to the source in its shorter side, in percent, is not worth its cost.
const CLOSE_PERCENT: u64 = 90;
/// Decoding alone, of what decoding and encoding cost: an estimate, not measured yet.
const DECODE_PERCENT: u32 = 25;
/// FFmpeg with x264, decoding included, of what we take for encoding ourselves. FFmpeg 5.1 took 0.17 of a core for 480p30 and
/// 0.14 for 360p30 of a source of 720p, which are 37 and 57 %.
const CHILD_PERCENT: u32 = 60;
/// Less than this is no picture, whatever the source takes.
const BITRATE_MIN_BPS: u32 = 50_000;

/// One size that is made of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rung {
    height: u32,
    bitrate_bps: u32,
}

impl Rung {
    /// The configured rung of this source; `None` where the source is not clearly larger, or its size not known.
    pub(super) fn of(rung: config::Rung, source: &TrackInfo) -> Option<Self> {
        let own = Self { height: rung.height, bitrate_bps: rung.kbps.saturating_mul(1_000) };
        own.is_below(source.codec.resolution()?).then_some(own)
    }

    /// The shorter side in pixels.
    pub(crate) fn height(self) -> u32 {
        self.height
    }

    /// Whether it is clearly smaller than such pictures.
    pub(crate) fn is_below(self, (width, height): (u32, u32)) -> bool {
        let source = u64::from(width.min(height));
        u64::from(self.height) * 100 < source * CLOSE_PERCENT
    }

    /// Width and height that it makes of a source's: of the same shape, even, never larger.
    pub(crate) fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        let short = width.min(height).max(1);
        let wanted = self.height.min(short);
        let side = |pixels: u32| {
            // To the nearest even number.
            let scaled =
                (u64::from(pixels) * u64::from(wanted) + u64::from(short)) / (2 * u64::from(short)) * 2;
            u32::try_from(scaled).unwrap_or(u32::MAX).max(2)
        };
        (side(width), side(height))
    }

    /// How fast it is encoded: every picture of the source, and never more bits than the source takes.
    pub(crate) fn rate(self, source: &TrackInfo) -> Rate {
        let Rate { fps, .. } = Rate::of(source, 100);
        let most =
            source.stats.bitrate_bps().map_or(u32::MAX, |bits| u32::try_from(bits).unwrap_or(u32::MAX));
        Rate { bitrate_bps: self.bitrate_bps.min(most).max(BITRATE_MIN_BPS), fps }
    }

    /// Its name.
    pub(crate) fn name(self) -> String {
        format!("{}p", self.height)
    }
}

/// What makes a rung of this source: this process while the machine holds it, else a child, else nothing.
pub(crate) fn room(
    context: &Context,
    source: &media::broadcast::Broadcast,
    rung: Rung,
    info: &TrackInfo,
) -> Result<Room, Refusal> {
    let slot = context.shared.rungs.take(context.config().ladder.max)?;
    let capacity = &context.shared.capacity;
    let own = info.codec.resolution().unwrap_or_default();
    let (size, fps) = (rung.size(own), rung.rate(info).fps);
    let is_ours = matches!(&*info.codec, Codec::H264(params) if av::picture::Ordered::check(params).is_ok());
    if is_ours {
        // What is decoded already for another rung is not decoded again.
        let decoded = Pictures::is_running(source, info.id);
        let decoding = (!decoded).then(|| capacity.take_part(own, fps, DECODE_PERCENT));
        let encoding = capacity.take(size, fps);
        if let (Some(encoding), None | Some(Some(_))) = (encoding, &decoding) {
            let means = Means::Inside { decoding: decoding.flatten() };
            return Ok(Room { means, slot: Some(slot), permit: encoding });
        }
    }
    let codec = info.codec.name();
    let ffmpeg = match &context.shared.ffmpeg {
        Ok(ffmpeg) => ffmpeg.clone(),
        Err(missing) if !is_ours => {
            let missing = missing.clone();
            return Err(transcode::Refusal::Missing { codec, missing }.into());
        }
        Err(_) => return Err(full(rung, info)),
    };
    let permit = capacity.take_part(size, fps, CHILD_PERCENT).ok_or_else(|| full(rung, info))?;
    Ok(Room { means: Means::Child(ffmpeg), slot: Some(slot), permit })
}

fn full(rung: Rung, info: &TrackInfo) -> Refusal {
    let (width, height) = info.codec.resolution().unwrap_or_default();
    let (codec, what) = (info.codec.name(), rung.name());
    transcode::Refusal::NoRoom { codec, what, width, height }.into()
}

#[cfg(test)]
mod tests {
    use media::Span;
    use media::broadcast::{TrackId, TrackStats};
    use media::codec::{Kind, vp8};

    use super::*;

    fn rung(height: u32) -> Rung {
        Rung { height, bitrate_bps: 1_000_000 }
    }

    #[test]
    fn a_rung_keeps_the_source_s_shape_has_even_sides_and_is_never_larger() {
        let cases = [
            (480, (1_920, 1_080), (854, 480)),
            (360, (1_280, 720), (640, 360)),
            (720, (1_080, 1_920), (720, 1_280)),
            (360, (1_440, 1_080), (480, 360)),
            (360, (3_440, 1_440), (860, 360)),
            (120, (321, 241), (160, 120)),
            (480, (400, 300), (400, 300)),
            (480, (2_000, 2), (2_000, 2)),
            (360, (0, 0), (2, 2)),
        ];
        for (height, source, wanted) in cases {
            assert_eq!(rung(height).size(source), wanted, "{height} of {source:?}");
        }
    }

    #[test]
    fn a_rung_that_is_hardly_smaller_than_the_source_is_left_out() {
        assert!(rung(720).is_below((1_920, 1_080)) && rung(480).is_below((960, 540)));
        assert!(!rung(480).is_below((854, 480)) && !rung(720).is_below((1_280, 800)));
        assert!(!rung(480).is_below((480, 640)) && rung(360).is_below((480, 640)));
    }

    #[test]
    fn a_rung_takes_its_own_bits_but_no_more_than_the_source() {
        let key = vp8::Keyframe { profile: 0, width: 1_280, height: 720 };
        let codec = std::sync::Arc::new(Codec::Vp8(vp8::Params::from_keyframe(&key)));
        let stats = TrackStats {
            group_span: Span::from_millis(1_000),
            group_frames: 25,
            group_bytes: 100_000,
            ..TrackStats::default()
        };
        let mut info = TrackInfo { id: TrackId(0), kind: Kind::Video, codec, rendition: None, stats };
        assert_eq!(rung(480).rate(&info), Rate { bitrate_bps: 800_000, fps: 25.0 });
        info.stats.group_bytes = 1_000_000;
        assert_eq!(rung(480).rate(&info).bitrate_bps, 1_000_000);
        info.stats.group_bytes = 10;
        assert_eq!(rung(480).rate(&info).bitrate_bps, BITRATE_MIN_BPS);
        info.stats = TrackStats::default();
        assert_eq!(rung(480).rate(&info).bitrate_bps, 1_000_000, "nothing is known yet");
    }
}
