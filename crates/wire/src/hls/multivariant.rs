//! Writes the multivariant playlist: where each variant is, and what a player must know to choose one and to make its
//! buffers.

use std::fmt::Write as _;

use bytes::Bytes;
use media::Span;

use super::cut::Cutter;
use super::merge::Lane;
use super::store::Store;

/// One variant (RFC 8216bis §4.4.6.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its media playlist, relative to the multivariant one.
    pub uri: String,
    /// Bits a second at most.
    pub bandwidth: u64,
    /// Bits a second on average.
    pub average: u64,
    /// RFC 6381, comma-separated.
    pub codecs: String,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Pictures a second.
    pub frame_rate: Option<f64>,
}

impl Variant {
    /// What a packager knows of itself; `None` until codecs and a bit rate are known.
    pub(super) fn of(cutter: &Cutter, store: &Store, uri: &str) -> Option<Self> {
        let peak = store.peak_bits()?;
        let tracks = Lane::ALL.map(|lane| cutter.codec(lane));
        let codecs: Vec<_> = tracks.iter().flatten().filter_map(|codec| codec.rfc6381()).collect();
        if codecs.is_empty() {
            return None;
        }
        // What the codec's parameters say is exact; distances come from stamps that may be rounded.
        let told = tracks[0].and_then(|codec| codec.frame_rate());
        let told = told.map(|rate| f64::from(rate.numerator) / f64::from(rate.denominator));
        let seen = cutter.typical(Lane::Video).filter(|&interval| interval > Span::ZERO);
        let resolution = tracks[0].and_then(|codec| codec.resolution());
        Some(Self {
            uri: uri.to_owned(),
            // It must bound what is still to come, so a fifth is added to the peak so far.
            bandwidth: peak.saturating_add(peak / 5),
            average: store.mean_bits(),
            codecs: codecs.join(","),
            resolution,
            frame_rate: resolution
                .and_then(|_| told.or_else(|| seen.map(|interval| 1e6 / interval.micros() as f64))),
        })
    }

    fn write(&self, out: &mut String) {
        let Self { uri, bandwidth, average, codecs, .. } = self;
        let mut line = format!(
            "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\""
        );
        if let Some((width, height)) = self.resolution {
            line += &format!(",RESOLUTION={width}x{height}");
            if let Some(rate) = self.frame_rate {
                line += &format!(",FRAME-RATE={rate:.3}");
            }
        }
        writeln!(out, "{line}\n{uri}").expect("a string takes everything");
    }
}

/// The playlist of these variants, in the order in which players are to try them. `independent`: each of their segments
/// begins with a keyframe.
pub fn multivariant(variants: &[Variant], independent: bool) -> Bytes {
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    if independent && variants.len() > 1 {
        out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    variants.iter().for_each(|variant| variant.write(&mut out));
    Bytes::from(out)
}
