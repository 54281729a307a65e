//! The picture: a dark studio card with a clock, a ball on a figure of eight, a flash at each second, level
//! meters, colour bars and a frame counter. Everything that moves comes round in eight seconds.

use std::f32::consts::TAU;

use super::font::{self, Style};
use super::paint::{Bounds, Canvas, Ink, Point, Rgb, ink, length, mix, rgb};
use super::{RATE, SECONDS};

const INK: u32 = 0xe8_edf6;
const MUTED: u32 = 0x7d_8aa3;
const ACCENT: u32 = 0x2d_d4bf;
const WARM: u32 = 0xff_b020;
const LIVE: u32 = 0xff_4d5e;
/// Bars at 75 %: white, yellow, cyan, green, magenta, red, blue (after SMPTE ECR 1-1978), then black.
const BARS: [u32; 8] =
    [0xbf_bfbf, 0xbf_bf00, 0x00_bfbf, 0x00_bf00, 0xbf_00bf, 0xbf_0000, 0x00_00bf, 0x00_0000];

const CLOCK: Point = Point(640.0, 322.0);
const CLOCK_RADIUS: f32 = 176.0;
const FLASH: Bounds = Bounds(72.0, 262.0, 192.0, 382.0);

/// The card: what does not move is drawn once.
pub(super) struct Card {
    still: Canvas,
    size: (u32, u32),
}

impl Card {
    /// The card for 1280×720; positions are in pixels of that size.
    pub(super) fn new(size: (u32, u32)) -> Self {
        let mut still = Canvas::new(size, background);
        draw_grid(&mut still, size);
        draw_path(&mut still);
        draw_dial(&mut still);
        draw_bars(&mut still);
        draw_labels(&mut still, size);
        Self { still, size }
    }

    /// Picture `frame` of the round as 24-bit RGB.
    pub(super) fn draw(&self, frame: u32) -> Vec<u8> {
        let mut canvas = self.still.clone();
        let t = frame as f32 / RATE as f32;
        draw_ball(&mut canvas, t);
        draw_hand(&mut canvas, t);
        draw_flash(&mut canvas, t.fract());
        draw_meters(&mut canvas, t.fract());
        draw_counters(&mut canvas, frame, self.size);
        canvas.bytes()
    }
}

fn background(p: Point) -> Rgb {
    let away = (length(p, Point(640.0, 300.0)) / 780.0).min(1.0);
    mix(rgb(0x1a_2336), rgb(0x0a_0e17), away * away * (3.0 - 2.0 * away))
}

fn draw_grid(canvas: &mut Canvas, (width, height): (u32, u32)) {
    let (w, h) = (width as f32, height as f32);
    for x in (80..width).step_by(80).map(|x| x as f32) {
        canvas.rect(Bounds(x, 0.0, x + 1.0, h), 0.0, ink(INK, 0.035));
    }
    for y in (40..height).step_by(80).map(|y| y as f32) {
        canvas.rect(Bounds(0.0, y, w, y + 1.0), 0.0, ink(INK, 0.035));
    }
    // The corners of the safe area, 5 % from each edge.
    let (left, top) = (w * 0.025, h * 0.04);
    for (x, dx) in [(left, 26.0), (w - left, -26.0)] {
        for (y, dy) in [(top, 26.0), (h - top, -26.0)] {
            canvas.line(Point(x, y), Point(x + dx, y), 2.0, ink(MUTED, 0.8));
            canvas.line(Point(x, y), Point(x, y + dy), 2.0, ink(MUTED, 0.8));
        }
    }
}

/// The ball's place: a figure of eight, once a round across and twice up and down.
fn orbit(t: f32) -> Point {
    let turn = TAU * t / SECONDS as f32;
    Point(CLOCK.0 + 372.0 * turn.sin(), CLOCK.1 + 128.0 * (2.0 * turn).sin())
}

fn draw_path(canvas: &mut Canvas) {
    for step in 0..320 {
        let at = |step: u16| orbit(f32::from(step) * SECONDS as f32 / 320.0);
        canvas.line(at(step), at(step + 1), 1.5, ink(WARM, 0.14));
    }
}

fn draw_dial(canvas: &mut Canvas) {
    canvas.disc(CLOCK, CLOCK_RADIUS, ink(0x0b_101b, 0.72));
    canvas.ring(CLOCK, CLOCK_RADIUS, 3.0, ink(MUTED, 0.45));
    for tick in 0..SECONDS * 5 {
        let major = tick % 5 == 0;
        let angle = TAU * tick as f32 / (SECONDS * 5) as f32;
        let (length, width, colour) = if major { (18.0, 4.0, INK) } else { (8.0, 2.0, MUTED) };
        let (outer, inner) =
            (on_dial(angle, CLOCK_RADIUS - 12.0), on_dial(angle, CLOCK_RADIUS - 12.0 - length));
        canvas.line(outer, inner, width, ink(colour, 0.9));
        if major {
            let text = (tick / 5).to_string();
            let style = Style { size: 13.0, weight: 2.6, ink: ink(INK, 0.85) };
            let place = on_dial(angle, CLOCK_RADIUS - 52.0);
            let left = place.0 - font::width(&text, style.size) / 2.0;
            font::write(canvas, Point(left, place.1 + 10.0), &text, style);
        }
    }
}

/// The point at `angle` clockwise from the top, `radius` from the clock's centre.
fn on_dial(angle: f32, radius: f32) -> Point {
    Point(CLOCK.0 + radius * angle.sin(), CLOCK.1 - radius * angle.cos())
}

fn draw_bars(canvas: &mut Canvas) {
    let (left, top, width) = (72.0, 566.0, 142.0);
    for (i, bar) in BARS.into_iter().enumerate() {
        let x = left + width * i as f32;
        canvas.rect(Bounds(x, top, x + width, top + 58.0), 0.0, ink(bar, 1.0));
    }
    for step in 0..16_u8 {
        let (x, level) = (left + 71.0 * f32::from(step), f32::from(step) / 15.0);
        canvas.rect(Bounds(x, top + 58.0, x + 71.0, top + 80.0), 0.0, Ink { colour: [level; 3], alpha: 1.0 });
    }
}

fn draw_labels(canvas: &mut Canvas, (width, _): (u32, u32)) {
    font::write(
        canvas,
        Point(76.0, 118.0),
        "openmic",
        Style { size: 42.0, weight: 10.0, ink: ink(INK, 1.0) },
    );
    let small = Style { size: 13.0, weight: 2.4, ink: ink(MUTED, 1.0) };
    font::write(canvas, Point(102.0, 176.0), "live/demo", small);
    let text = "1280×720 30 fps";
    font::write(canvas, Point(width as f32 - 76.0 - font::width(text, 13.0), 176.0), text, small);
    font::write(canvas, Point(72.0, 416.0), "flash", small);
    font::write(canvas, Point(1096.0, 416.0), "l", small);
    font::write(canvas, Point(1172.0, 416.0), "r", small);
}

fn draw_ball(canvas: &mut Canvas, t: f32) {
    for back in (1..=14_u8).rev() {
        let fade = 1.0 - f32::from(back) / 15.0;
        canvas.disc(orbit(t - f32::from(back) * 0.03), 6.0 + 11.0 * fade, ink(WARM, 0.16 * fade));
    }
    let at = orbit(t);
    canvas.disc(at, 20.0, ink(WARM, 1.0));
    canvas.disc(Point(at.0 - 6.0, at.1 - 6.0), 6.0, ink(0xff_e3a8, 0.75));
}

fn draw_hand(canvas: &mut Canvas, t: f32) {
    let angle = TAU * t / SECONDS as f32;
    // The arc already swept, as a ring cut by its angle.
    let bounds = Bounds::around(CLOCK, CLOCK_RADIUS + 6.0);
    canvas.fill(bounds, ink(ACCENT, 1.0), |p| {
        let swept = (p.0 - CLOCK.0).atan2(CLOCK.1 - p.1).rem_euclid(TAU) <= angle;
        if swept { (length(p, CLOCK) - CLOCK_RADIUS).abs() - 3.0 } else { 1.0 }
    });
    let beat = t.fract();
    if beat < 0.5 {
        canvas.ring(CLOCK, CLOCK_RADIUS + 44.0 * beat, 2.5, ink(ACCENT, 0.5 * (1.0 - 2.0 * beat)));
    }
    canvas.line(on_dial(angle, -26.0), on_dial(angle, CLOCK_RADIUS - 22.0), 5.0, ink(ACCENT, 1.0));
    canvas.disc(CLOCK, 11.0, ink(ACCENT, 1.0));
    canvas.disc(CLOCK, 4.5, ink(0x0b_101b, 1.0));
}

/// White on the first picture of each second, gone after a fifth of it: the eye's half of the beep.
fn draw_flash(canvas: &mut Canvas, beat: f32) {
    canvas.rect(FLASH, 18.0, ink(0x0b_101b, 0.8));
    let level = (1.0 - beat * 5.0).max(0.0);
    if level > 0.0 {
        canvas.rect(FLASH, 18.0, ink(0xff_ffff, level));
    }
    let dot = if beat < 0.5 { 1.0 } else { 0.35 };
    canvas.disc(Point(82.0, 169.0), 6.5, ink(LIVE, dot));
}

fn draw_meters(canvas: &mut Canvas, beat: f32) {
    let level = 0.16 + 0.74 * (-beat * 9.0).exp();
    for x in [1080.0, 1156.0] {
        for cell in 0..10_u8 {
            let y = 370.0 - 12.0 * f32::from(cell);
            let lit = f32::from(cell) < level * 10.0;
            let colour = if cell < 7 { ACCENT } else { WARM };
            canvas.rect(Bounds(x, y, x + 44.0, y + 8.0), 3.0, ink(colour, if lit { 0.95 } else { 0.14 }));
        }
    }
}

fn draw_counters(canvas: &mut Canvas, frame: u32, (width, _): (u32, u32)) {
    let text = format!("{:02}:{:02}", frame / RATE, frame % RATE);
    let style = Style { size: 34.0, weight: 6.5, ink: ink(INK, 1.0) };
    font::write(canvas, Point(width as f32 - 76.0 - font::width(&text, style.size), 118.0), &text, style);
}
