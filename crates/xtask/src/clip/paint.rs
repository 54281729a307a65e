//! A canvas on which every shape is a signed distance in pixels: negative inside, and half a pixel of it blends.

/// A colour, 0 to 1 a channel, as shown (gamma-encoded).
pub(super) type Rgb = [f32; 3];

/// A colour from `0xRRGGBB`.
pub(super) fn rgb(hex: u32) -> Rgb {
    [16, 8, 0].map(|shift| (hex >> shift & 255) as f32 / 255.0)
}

/// What a shape is painted with: a colour, and how much of it (0 to 1).
#[derive(Clone, Copy)]
pub(super) struct Ink {
    pub(super) colour: Rgb,
    pub(super) alpha: f32,
}

/// An ink from `0xRRGGBB`.
pub(super) fn ink(hex: u32, alpha: f32) -> Ink {
    Ink { colour: rgb(hex), alpha }
}

/// A position in pixels, y growing downwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point(pub(super) f32, pub(super) f32);

/// The smallest rectangle worth testing for a shape: left, top, right, bottom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds(pub(super) f32, pub(super) f32, pub(super) f32, pub(super) f32);

impl Bounds {
    /// A square of `radius` around `centre`, with room for the soft edge.
    pub(super) fn around(centre: Point, radius: f32) -> Self {
        let r = radius + 1.0;
        Self(centre.0 - r, centre.1 - r, centre.0 + r, centre.1 + r)
    }
}

/// A picture being drawn.
#[derive(Clone)]
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
}

impl Canvas {
    /// A picture whose pixels are `shade(centre of the pixel)`.
    pub(super) fn new((width, height): (u32, u32), shade: impl Fn(Point) -> Rgb) -> Self {
        let (width, height) = (width as usize, height as usize);
        let at = |i: usize| Point((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        Self { width, height, pixels: (0..width * height).map(|i| shade(at(i))).collect() }
    }

    /// Blends `ink` in wherever `distance` is negative.
    pub(super) fn fill(&mut self, bounds: Bounds, ink: Ink, distance: impl Fn(Point) -> f32) {
        let clamp = |v: f32, max: usize| (v.max(0.0) as usize).min(max);
        let columns = clamp(bounds.0, self.width)..clamp(bounds.2 + 1.0, self.width);
        for y in clamp(bounds.1, self.height)..clamp(bounds.3 + 1.0, self.height) {
            for x in columns.clone() {
                let cover =
                    ink.alpha * (0.5 - distance(Point(x as f32 + 0.5, y as f32 + 0.5))).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let pixel = &mut self.pixels[y * self.width + x];
                    *pixel = mix(*pixel, ink.colour, cover);
                }
            }
        }
    }

    /// A filled circle.
    pub(super) fn disc(&mut self, centre: Point, radius: f32, ink: Ink) {
        self.fill(Bounds::around(centre, radius), ink, |p| length(p, centre) - radius);
    }

    /// A circle's line of `width`.
    pub(super) fn ring(&mut self, centre: Point, radius: f32, width: f32, ink: Ink) {
        let bounds = Bounds::around(centre, radius + width);
        self.fill(bounds, ink, |p| (length(p, centre) - radius).abs() - width / 2.0);
    }

    /// A straight line of `width` with round ends.
    pub(super) fn line(&mut self, from: Point, to: Point, width: f32, ink: Ink) {
        let r = width / 2.0 + 1.0;
        let bounds =
            Bounds(from.0.min(to.0) - r, from.1.min(to.1) - r, from.0.max(to.0) + r, from.1.max(to.1) + r);
        self.fill(bounds, ink, |p| to_segment(p, from, to) - width / 2.0);
    }

    /// A rectangle, its corners rounded by `radius`.
    pub(super) fn rect(&mut self, b: Bounds, radius: f32, ink: Ink) {
        let middle = Point((b.0 + b.2) / 2.0, (b.1 + b.3) / 2.0);
        let half = Point((b.2 - b.0) / 2.0 - radius, (b.3 - b.1) / 2.0 - radius);
        self.fill(b, ink, |p| {
            let (x, y) = ((p.0 - middle.0).abs() - half.0, (p.1 - middle.1).abs() - half.1);
            x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0) - radius
        });
    }

    /// The picture as 24-bit RGB rows from the top.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.pixels.iter().flatten().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
    }
}

/// `a` to `b` by `t` of 0 to 1.
pub(super) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}

/// The distance between two points.
pub(super) fn length(a: Point, b: Point) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// The distance from `p` to the line from `a` to `b`.
pub(super) fn to_segment(p: Point, a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let square = dx * dx + dy * dy;
    let t = if square > 0.0 { ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / square } else { 0.0 };
    let t = t.clamp(0.0, 1.0);
    length(p, Point(a.0 + t * dx, a.1 + t * dy))
}
