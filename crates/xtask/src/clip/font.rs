//! Letters of the test card, as strokes: lines and arcs on a grid where a lower-case x is one unit high.

use super::paint::{Bounds, Canvas, Ink, Point, length, to_segment};

/// One stroke of a letter, relative to the left end of the baseline, y growing downwards.
#[derive(Clone, Copy)]
enum Stroke {
    Line(f32, f32, f32, f32),
    /// Centre, radius, first and last angle in degrees, clockwise from the right.
    Arc(f32, f32, f32, f32, f32),
}
use Stroke::{Arc, Line};

/// Height of capitals, digits and ascenders in x-heights.
const ASCENT: f32 = 1.55;
/// Room between two letters, edge to edge of their strokes' middle lines.
const GAP: f32 = 0.5;

/// How a text looks: x-height and stroke width in pixels, and its ink.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) weight: f32,
    pub(super) ink: Ink,
}

/// Writes `text` with the left end of its baseline at `at`. A character without a glyph is a space.
pub(super) fn write(canvas: &mut Canvas, at: Point, text: &str, style: Style) {
    let mut pen = at.0;
    for (width, strokes) in text.chars().map(glyph) {
        let origin = Point(pen, at.1);
        let margin = style.weight + 1.0;
        let bounds = Bounds(
            pen - margin,
            at.1 - ASCENT * style.size - margin,
            pen + width * style.size + margin,
            at.1 + 0.6 * style.size + margin,
        );
        if !strokes.is_empty() {
            canvas.fill(bounds, style.ink, |p| {
                let p = Point((p.0 - origin.0) / style.size, (p.1 - origin.1) / style.size);
                let nearest = strokes.iter().map(|s| s.distance(p)).fold(f32::MAX, f32::min);
                nearest * style.size - style.weight / 2.0
            });
        }
        pen += (width + GAP) * style.size;
    }
}

/// How wide `text` is in pixels, from the first stroke to the last.
pub(super) fn width(text: &str, size: f32) -> f32 {
    let units: f32 = text.chars().map(|c| glyph(c).0 + GAP).sum();
    (units - GAP).max(0.0) * size
}

impl Stroke {
    fn distance(&self, p: Point) -> f32 {
        match *self {
            Line(x, y, to_x, to_y) => to_segment(p, Point(x, y), Point(to_x, to_y)),
            Arc(x, y, radius, from, to) => {
                let angle = (p.1 - y).atan2(p.0 - x).to_degrees();
                let within = (angle - from).rem_euclid(360.0) <= to - from;
                let end =
                    |a: f32| Point(x + radius * a.to_radians().cos(), y + radius * a.to_radians().sin());
                let ends = length(p, end(from)).min(length(p, end(to)));
                if within { (length(p, Point(x, y)) - radius).abs() } else { ends }
            }
        }
    }
}

/// Width and strokes of one character.
fn glyph(c: char) -> (f32, &'static [Stroke]) {
    const O: Stroke = Arc(0.5, -0.5, 0.5, 0.0, 360.0);
    const A: f32 = -ASCENT;
    match c {
        'a' => (1.0, &[O, Line(1.0, -1.0, 1.0, 0.0)]),
        'c' => (0.88, &[Arc(0.5, -0.5, 0.5, 45.0, 315.0)]),
        'd' => (1.0, &[O, Line(1.0, A, 1.0, 0.0)]),
        'e' => (1.0, &[Arc(0.5, -0.5, 0.5, 45.0, 360.0), Line(0.0, -0.5, 1.0, -0.5)]),
        'f' => (
            0.6,
            &[Line(0.3, 0.0, 0.3, -1.2), Arc(0.62, -1.2, 0.32, 180.0, 285.0), Line(0.0, -0.95, 0.62, -0.95)],
        ),
        'h' => (
            0.88,
            &[Line(0.0, A, 0.0, 0.0), Arc(0.44, -0.56, 0.44, 180.0, 360.0), Line(0.88, -0.56, 0.88, 0.0)],
        ),
        'i' => (0.0, &[Line(0.0, -1.0, 0.0, 0.0), Line(0.0, -1.42, 0.0, -1.42)]),
        'k' => (0.75, &[Line(0.0, A, 0.0, 0.0), Line(0.0, -0.4, 0.68, -1.0), Line(0.25, -0.6, 0.75, 0.0)]),
        'l' => (0.0, &[Line(0.0, A, 0.0, 0.0)]),
        'm' => (
            1.4,
            &[
                Line(0.0, -1.0, 0.0, 0.0),
                Arc(0.35, -0.65, 0.35, 180.0, 360.0),
                Line(0.7, -0.65, 0.7, 0.0),
                Arc(1.05, -0.65, 0.35, 180.0, 360.0),
                Line(1.4, -0.65, 1.4, 0.0),
            ],
        ),
        'n' => (
            0.88,
            &[Line(0.0, -1.0, 0.0, 0.0), Arc(0.44, -0.56, 0.44, 180.0, 360.0), Line(0.88, -0.56, 0.88, 0.0)],
        ),
        'o' => (1.0, &[O]),
        'p' => (1.0, &[O, Line(0.0, -1.0, 0.0, 0.55)]),
        'r' => (0.55, &[Line(0.0, -1.0, 0.0, 0.0), Arc(0.45, -0.55, 0.45, 180.0, 285.0)]),
        's' => (
            0.7,
            &[
                Arc(0.27, -0.74, 0.26, 90.0, 270.0),
                Line(0.27, -1.0, 0.62, -1.0),
                Line(0.27, -0.48, 0.43, -0.48),
                Arc(0.43, -0.24, 0.24, 270.0, 450.0),
                Line(0.43, 0.0, 0.05, 0.0),
            ],
        ),
        't' => (
            0.62,
            &[Line(0.28, -1.4, 0.28, -0.3), Arc(0.58, -0.3, 0.3, 90.0, 180.0), Line(0.0, -0.95, 0.6, -0.95)],
        ),
        'v' => (0.9, &[Line(0.0, -1.0, 0.45, 0.0), Line(0.45, 0.0, 0.9, -1.0)]),
        'y' => (0.9, &[Line(0.0, -1.0, 0.45, 0.0), Line(0.9, -1.0, 0.22, 0.55)]),
        '×' => (0.7, &[Line(0.0, -1.0, 0.7, -0.3), Line(0.0, -0.3, 0.7, -1.0)]),
        '/' => (0.6, &[Line(0.0, 0.15, 0.6, A)]),
        ':' => (0.0, &[Line(0.0, -0.35, 0.0, -0.35), Line(0.0, -1.1, 0.0, -1.1)]),
        '.' => (0.0, &[Line(0.0, 0.0, 0.0, 0.0)]),
        digit => digit_glyph(digit),
    }
}

/// Digits share one width, so that a running counter does not tremble.
fn digit_glyph(c: char) -> (f32, &'static [Stroke]) {
    const A: f32 = -ASCENT;
    let strokes: &[Stroke] = match c {
        '0' => &[
            Arc(0.42, -1.13, 0.42, 180.0, 360.0),
            Arc(0.42, -0.42, 0.42, 0.0, 180.0),
            Line(0.0, -1.13, 0.0, -0.42),
            Line(0.84, -1.13, 0.84, -0.42),
        ],
        '1' => &[Line(0.12, -1.25, 0.47, A), Line(0.47, A, 0.47, 0.0)],
        '2' => {
            &[Arc(0.42, -1.13, 0.42, 190.0, 395.0), Line(0.76, -0.89, 0.02, 0.0), Line(0.02, 0.0, 0.84, 0.0)]
        }
        '3' => &[Line(0.05, A, 0.78, A), Line(0.78, A, 0.38, -0.92), Arc(0.38, -0.46, 0.46, 270.0, 505.0)],
        '4' => &[Line(0.6, A, 0.0, -0.45), Line(0.0, -0.45, 0.86, -0.45), Line(0.62, -0.95, 0.62, 0.0)],
        '5' => &[Line(0.76, A, 0.14, A), Line(0.14, A, 0.08, -0.86), Arc(0.38, -0.48, 0.48, 230.0, 505.0)],
        '6' => &[Arc(0.42, -0.42, 0.42, 0.0, 360.0), Line(0.06, -0.63, 0.56, A)],
        '7' => &[Line(0.0, A, 0.84, A), Line(0.84, A, 0.3, 0.0)],
        '8' => &[Arc(0.42, -1.2, 0.35, 0.0, 360.0), Arc(0.42, -0.42, 0.42, 0.0, 360.0)],
        '9' => &[Arc(0.42, -1.13, 0.42, 0.0, 360.0), Line(0.78, -0.92, 0.28, 0.0)],
        _ => return (0.5, &[]),
    };
    (0.84, strokes)
}
