//! Writes the multivariant playlist: one variant, and what a player must know to make its buffers.

use bytes::Bytes;
use media::Span;

use super::cut::Cutter;
use super::merge::Lane;
use super::store::Store;

/// Renders it with the variant at `uri` (RFC 8216bis §4.4.6.2); `None` until codecs and a bit rate are known.
pub(super) fn render(cutter: &Cutter, store: &Store, uri: &str) -> Option<Bytes> {
    let peak = store.peak_bits()?;
    let tracks = Lane::ALL.map(|lane| cutter.codec(lane));
    let codecs: Vec<_> = tracks.iter().flatten().filter_map(|codec| codec.rfc6381()).collect();
    if codecs.is_empty() {
        return None;
    }
    // BANDWIDTH must bound what is still to come, so a fifth is added to the peak so far.
    let mut line = format!(
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
        peak.saturating_add(peak / 5),
        store.mean_bits(),
        codecs.join(",")
    );
    if let Some((width, height)) = tracks[0].and_then(|codec| codec.resolution()) {
        line += &format!(",RESOLUTION={width}x{height}");
        // What the codec's parameters say is exact; distances come from stamps that may be rounded.
        let told = tracks[0].and_then(|codec| codec.frame_rate());
        let told = told.map(|rate| f64::from(rate.numerator) / f64::from(rate.denominator));
        let seen = cutter.typical(Lane::Video).filter(|&interval| interval > Span::ZERO);
        if let Some(rate) = told.or_else(|| seen.map(|interval| 1e6 / interval.micros() as f64)) {
            line += &format!(",FRAME-RATE={rate:.3}");
        }
    }
    Some(Bytes::from(format!("#EXTM3U\n#EXT-X-VERSION:9\n{line}\n{uri}\n")))
}
