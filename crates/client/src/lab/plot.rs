//! The report's plots as SVG. Colours and type are the page's style sheet's.

use std::fmt::Write;

use super::html::name;
use super::report::Pair;

/// Units of a plot over the page's width; it is scaled to what there is.
const WIDTH: f64 = 960.0;
/// Where names end and the scale begins.
const LEFT: f64 = 220.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 28.0;
const TOP: f64 = 24.0;
/// The ends of the logarithmic scale, in milliseconds.
const LEAST_MS: f64 = 1.0;
const MOST_MS: f64 = 10_000.0;
/// The ends of the scale of sound, in milliseconds, and what viewers do not notice (EBU R 37).
const SOUND_MS: f64 = 120.0;
const SOUND_BAND: (f64, f64) = (-60.0, 40.0);
/// A plot of one pair.
const PANEL: (f64, f64) = (460.0, 150.0);
const PANEL_LEFT: f64 = 44.0;
const PANEL_BOTTOM: f64 = 22.0;

/// All pairs under each other.
pub(super) fn overview(pairs: &[&Pair]) -> String {
    let height = TOP + ROW * pairs.len() as f64 + 8.0;
    let x = |ms: f64| {
        let share = (ms.clamp(LEAST_MS, MOST_MS) / LEAST_MS).log10() / (MOST_MS / LEAST_MS).log10();
        LEFT + share * (WIDTH - LEFT - RIGHT)
    };
    let mut svg = open(WIDTH, height, "How old pictures are, pair by pair");
    for (ms, label) in [(1.0, "1 ms"), (10.0, "10"), (100.0, "100"), (1_000.0, "1 s"), (10_000.0, "10 s")] {
        grid(&mut svg, x(ms), height, label);
    }
    for (number, pair) in pairs.iter().enumerate() {
        let (Some(glass), y) = (pair.glass, TOP + ROW * (number as f64 + 0.5)) else { continue };
        let class = class(pair);
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{:.0}\" y=\"{:.1}\">{}</text>",
            LEFT - 12.0,
            y + 4.0,
            name(pair)
        );
        let (from, to) = (x(glass.min_ms), x(glass.p99_ms));
        bar(&mut svg, &class, (from, to), y);
        if let Some(server) = pair.server {
            bar(&mut svg, "server", (x(LEAST_MS), x(server.p50_ms)), y + 8.5);
        }
        let at = x(glass.p50_ms);
        let _ = write!(svg, "<path class=\"median\" d=\"M{at:.1} {:.1}v14\"/>", y - 7.0);
        let _ = write!(
            svg,
            "<text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{:.0} ms</text>",
            to + 8.0,
            y + 4.0,
            glass.p50_ms
        );
    }
    svg + "</svg>"
}

/// How far sound is from its picture, pair by pair.
pub(super) fn sound(pairs: &[&Pair]) -> String {
    let heard: Vec<_> = pairs.iter().filter_map(|pair| Some((pair, pair.sound?))).collect();
    let height = TOP + ROW * heard.len() as f64 + 8.0;
    let x = |ms: f64| {
        LEFT + (ms.clamp(-SOUND_MS, SOUND_MS) + SOUND_MS) / (2.0 * SOUND_MS) * (WIDTH - LEFT - RIGHT)
    };
    let mut svg = open(WIDTH, height, "How far sound is from its picture");
    let (from, to) = (x(SOUND_BAND.0), x(SOUND_BAND.1));
    let _ = write!(
        svg,
        "<rect class=\"band\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
        to - from,
        height - TOP
    );
    for ms in [-100.0, -60.0, 0.0, 40.0, 100.0] {
        grid(&mut svg, x(ms), height, &signed(ms));
    }
    for (number, (pair, found)) in heard.iter().enumerate() {
        let y = TOP + ROW * (number as f64 + 0.5);
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{:.0}\" y=\"{:.1}\">{}</text>",
            LEFT - 12.0,
            y + 4.0,
            name(pair)
        );
        let (least, most, middle) = (x(found.min_ms), x(found.max_ms), x(found.p50_ms));
        let class = class(pair);
        let _ = write!(svg, "<path class=\"range {class}\" d=\"M{least:.1} {y:.1}H{most:.1}\"/>");
        let _ = write!(svg, "<circle class=\"dot {class}\" cx=\"{middle:.1}\" cy=\"{y:.1}\" r=\"5\"/>");
        let _ = write!(
            svg,
            "<text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{} ms</text>",
            WIDTH - RIGHT + 16.0,
            y + 4.0,
            signed(found.p50_ms)
        );
    }
    svg + "</svg>"
}

/// The ages of one pair's pictures over time.
pub(super) fn series(points: &[(f64, f64)]) -> String {
    let (width, height) = PANEL;
    let base = height - PANEL_BOTTOM;
    let most = ceiling(points.iter().map(|point| point.1).fold(0.0, f64::max));
    let from = points.first().map_or(0.0, |point| point.0);
    let until = points.last().map_or(1.0, |point| point.0).max(from + 0.001);
    let x = |s: f64| PANEL_LEFT + (s - from) / (until - from) * (width - PANEL_LEFT - 8.0);
    let y = |ms: f64| base - ms.max(0.0) / most * (base - 10.0);
    let mut svg = open(width, height, "Age of each picture over time");
    for share in [0.0, 0.5, 1.0] {
        let (at, value) = (y(most * share), most * share);
        let _ = write!(svg, "<path class=\"grid\" d=\"M{PANEL_LEFT} {at:.1}H{:.0}\"/>", width - 8.0);
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{:.0}\" y=\"{:.1}\">{value:.0}</text>",
            PANEL_LEFT - 6.0,
            at + 4.0
        );
    }
    for (s, anchor) in [(from, "start"), (until, "end")] {
        let _ = write!(
            svg,
            "<text class=\"axis\" text-anchor=\"{anchor}\" x=\"{:.1}\" y=\"{:.0}\">{s:.1} s</text>",
            x(s),
            height - 6.0
        );
    }
    let line: Vec<String> = points.iter().map(|(s, ms)| format!("{:.1},{:.1}", x(*s), y(*ms))).collect();
    let _ = write!(svg, "<polyline class=\"line\" points=\"{}\"/>", line.join(" "));
    svg + "</svg>"
}

/// The next of 1, 2 and 5 times a power of ten, at least 10.
fn ceiling(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(10.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// Whole milliseconds with their sign, which zero has none of.
pub(super) fn signed(ms: f64) -> String {
    let whole = ms.round() as i64;
    if whole == 0 { "0".to_owned() } else { format!("{whole:+}") }
}

fn class(pair: &Pair) -> String {
    format!("{} {}", pair.input, pair.reader)
}

fn open(width: f64, height: f64, label: &str) -> String {
    format!("<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{label}\">")
}

fn grid(svg: &mut String, x: f64, height: f64, label: &str) {
    let _ = write!(svg, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{height:.0}\"/>");
    let _ = write!(svg, "<text class=\"axis\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"14\">{label}</text>");
}

fn bar(svg: &mut String, class: &str, (from, to): (f64, f64), y: f64) {
    let height = if class == "server" { 3.0 } else { 14.0 };
    let _ = write!(
        svg,
        "<rect class=\"bar {class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height}\" rx=\"{:.1}\"/>",
        y - height / 2.0,
        (to - from).max(2.0),
        height / 4.0,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number_above_all_values() {
        assert_eq!(
            [0.0, 3.0, 10.0, 11.0, 47.0, 50.0, 512.0].map(ceiling),
            [10.0, 10.0, 10.0, 20.0, 50.0, 50.0, 1_000.0]
        );
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!([-0.4, 0.3, -1.6, 40.0].map(signed), ["0", "0", "-2", "+40"]);
    }

    #[test]
    fn a_plot_of_nothing_or_of_one_picture_has_no_number_that_is_none() {
        for points in [&[][..], &[(1.0, 5.0)]] {
            let svg = series(points);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
