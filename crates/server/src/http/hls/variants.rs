//! The variants of a multivariant playlist. What runs says itself what it takes; of the rest it is told beforehand, for
//! nothing is started before somebody asks for it.

use media::broadcast::{Broadcast, TrackInfo};
use media::codec::Kind;
use wire::hls::{Variant, rendition_uri};

use crate::bridge::is_of_browsers;
use crate::context::Context;
use crate::ladder::{self, Offer, Origin};

/// A rate that is not known yet, of sound.
const SOUND_BPS: u64 = 128_000;
/// A variant's peak, in percent of its mean: keyframes come in one piece, and encoders overshoot.
const PEAK_PERCENT: u64 = 150;
/// A variant is told to take at most this part, in percent, of the better one before it.
const BELOW_PERCENT: u64 = 90;
/// What players get of sound that they do not know.
const AAC: &str = "mp4a.40.2";
/// ISO 14496-10 table A-1: level, macroblocks a second, macroblocks a picture.
const LEVELS: [(u8, u32, u32); 14] = [
    (10, 1_485, 99),
    (11, 3_000, 396),
    (12, 6_000, 396),
    (13, 11_880, 396),
    (21, 19_800, 792),
    (22, 20_250, 1_620),
    (30, 40_500, 1_620),
    (31, 108_000, 3_600),
    (32, 216_000, 5_120),
    (40, 245_760, 8_192),
    (42, 522_240, 8_704),
    (50, 589_824, 22_080),
    (51, 983_040, 36_864),
    (52, 2_073_600, 36_864),
];

/// Every rendition of `broadcast` beside the one that `source` is, in a session of this name.
pub(super) fn others(
    context: &Context,
    broadcast: &Broadcast,
    source: &Variant,
    token: &str,
) -> Vec<Variant> {
    let tracks = broadcast.tracks();
    let sound = tracks.iter().find(|track| track.kind == Kind::Audio);
    // What stands first is the source itself.
    let offers = ladder::offers(context, broadcast).into_iter().skip(1);
    let mut known = Known { sound, frame_rate: source.frame_rate, above: (source.bandwidth, source.average) };
    offers
        .filter_map(|offer| {
            let name = offer.rendition.to_string();
            known.variant(&offer, rendition_uri(broadcast.path().stream(), token, Some(&name)))
        })
        .collect()
}

struct Known<'a> {
    sound: Option<&'a TrackInfo>,
    frame_rate: Option<f64>,
    /// Peak and mean of the one before, which is better.
    above: (u64, u64),
}

impl Known<'_> {
    fn variant(&mut self, offer: &Offer, uri: String) -> Option<Variant> {
        let (picture, bits) = match &offer.origin {
            Origin::Published(track) => {
                (Some(track.codec.rfc6381()?.into_owned()), track.stats.bitrate_bps()?)
            }
            Origin::Rung { rate, .. } => {
                (Some(self.codec_of(offer.size?, rate.fps)), rate.bitrate_bps.into())
            }
            Origin::Sound => (None, 0),
        };
        let codecs: Vec<_> = picture.into_iter().chain(self.sound_codec()).collect();
        let wanted = bits + self.sound_bits();
        // Players order variants by these, and what they really take is not known yet.
        let below = |above: u64, own: u64| own.min(above * BELOW_PERCENT / 100);
        let (peak, mean) = self.above;
        self.above = (below(peak, wanted * PEAK_PERCENT / 100), below(mean, wanted));
        let (bandwidth, average) = self.above;
        Some(Variant {
            uri,
            bandwidth,
            average,
            codecs: codecs.join(","),
            resolution: offer.size,
            frame_rate: self.frame_rate.filter(|_| offer.size.is_some()),
        })
    }

    fn codec_of(&self, size: (u32, u32), fps: f32) -> String {
        // In Main, which what is made in Constrained Baseline fits, too.
        format!("avc1.4D40{:02X}", level(size, self.frame_rate.unwrap_or(fps.into())))
    }

    fn sound_codec(&self) -> Option<String> {
        let codec = &self.sound?.codec;
        match is_of_browsers(codec) {
            true => Some(AAC.into()),
            false => codec.rfc6381().map(String::from),
        }
    }

    fn sound_bits(&self) -> u64 {
        let bits = |track: &TrackInfo| {
            track.stats.bitrate_bps().filter(|_| !is_of_browsers(&track.codec)).unwrap_or(SOUND_BPS)
        };
        self.sound.map_or(0, bits)
    }
}

/// The lowest level that holds such pictures.
fn level((width, height): (u32, u32), fps: f64) -> u8 {
    let blocks = width.div_ceil(16) * height.div_ceil(16);
    let rate = f64::from(blocks) * fps;
    let holds =
        |(_, a_second, a_picture): &&(u8, u32, u32)| blocks <= *a_picture && rate <= f64::from(*a_second);
    LEVELS.iter().find(holds).map_or(52, |(level, ..)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_the_lowest_that_holds_the_pictures() {
        assert_eq!(level((1_280, 720), 30.0), 31);
        assert_eq!(level((1_280, 720), 60.0), 32);
        assert_eq!(level((854, 480), 30.0), 31, "54 × 30 × 30 is more than 40,500");
        assert_eq!(level((640, 360), 30.0), 30);
        assert_eq!(level((86, 64), 25.0), 10);
        assert_eq!(level((8_192, 8_192), 120.0), 52);
    }
}
