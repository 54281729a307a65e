//! One picture: copied out of the decoder, which overwrites its own, or drawn.

use openh264::formats::YUVSource;

use crate::Error;

/// Less than a macroblock on a side is nothing the encoder takes.
const SIDE_MIN: usize = 16;

/// A picture of 4:2:0 with even sides: an odd last line or column of the source is left out.
pub struct Picture {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Picture {
    /// A grey picture to draw on, of this width and height; odd ones lose a column or line.
    ///
    /// # Errors
    /// [`Error::Unsupported`] below 16 pixels.
    pub fn grey(width: usize, height: usize) -> Result<Self, Error> {
        let (width, height) = sides(width, height)?;
        let plane = |pixels| vec![128; pixels];
        let (y, u, v) = (plane(width * height), plane(width * height / 4), plane(width * height / 4));
        Ok(Self { width, height, y, u, v })
    }

    /// Pixels of a row, and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// How light each pixel is, 16 black and 235 white, row by row.
    pub fn luma(&self) -> &[u8] {
        &self.y
    }

    /// The same, to draw.
    pub fn luma_mut(&mut self) -> &mut [u8] {
        &mut self.y
    }

    /// Light and the two colours, the latter of half the size.
    pub(super) fn planes(&self) -> [&[u8]; 3] {
        [&self.y, &self.u, &self.v]
    }

    pub(super) fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        [&mut self.y, &mut self.u, &mut self.v]
    }

    /// The copy, rows without padding.
    pub(super) fn copy(source: &impl YUVSource) -> Result<Self, Error> {
        let (width, height) = source.dimensions();
        let (width, height) = sides(width, height)?;
        let strides = source.strides();
        Ok(Self {
            width,
            height,
            y: plane(source.y(), strides.0, width, height),
            u: plane(source.u(), strides.1, width / 2, height / 2),
            v: plane(source.v(), strides.2, width / 2, height / 2),
        })
    }
}

fn sides(width: usize, height: usize) -> Result<(usize, usize), Error> {
    let (width, height) = (width & !1, height & !1);
    if width.min(height) < SIDE_MIN {
        let value = width.min(height) as u64;
        return Err(Error::Unsupported { codec: "H.264", field: "a side in pixels of", value });
    }
    Ok((width, height))
}

fn plane(source: &[u8], stride: usize, width: usize, height: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(width * height);
    for row in source.chunks(stride.max(1)).take(height) {
        out.extend_from_slice(row.get(..width).unwrap_or(row));
    }
    // The encoder reads the whole plane, whatever came.
    out.resize(width * height, 0);
    out
}

impl YUVSource for Picture {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }

    fn y(&self) -> &[u8] {
        &self.y
    }

    fn u(&self) -> &[u8] {
        &self.u
    }

    fn v(&self) -> &[u8] {
        &self.v
    }
}
