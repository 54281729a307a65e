//! Pictures made smaller, plane by plane.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::{NAME, Picture};
use crate::Error;

/// Makes pictures of whatever size pictures of one.
pub struct Scaler {
    resizer: Resizer,
    options: ResizeOptions,
    width: usize,
    height: usize,
}

impl Scaler {
    /// To this width and height; odd ones lose a column or line.
    ///
    /// # Errors
    /// [`Error::Unsupported`] below 16 pixels.
    pub fn new(width: usize, height: usize) -> Result<Self, Error> {
        let (width, height) = Picture::grey(width, height)?.size();
        // Its support grows with the factor: every pixel of the source has its part, and nothing flickers.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        Ok(Self { resizer: Resizer::new(), options, width, height })
    }

    /// The picture in that size.
    ///
    /// # Errors
    /// [`Error::Library`] when the library fails.
    pub fn scale(&mut self, picture: &Picture) -> Result<Picture, Error> {
        let mut scaled = Picture::grey(self.width, self.height)?;
        let (from, to) = (picture.size(), (self.width, self.height));
        let half = |(width, height): (usize, usize)| (width / 2, height / 2);
        for (index, (source, target)) in picture.planes().into_iter().zip(scaled.planes_mut()).enumerate() {
            let (from, to) = if index == 0 { (from, to) } else { (half(from), half(to)) };
            self.plane((source, from), (target, to))?;
        }
        Ok(scaled)
    }

    fn plane(
        &mut self,
        (source, from): (&[u8], (usize, usize)),
        (target, to): (&mut [u8], (usize, usize)),
    ) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Library {
            codec: NAME,
            doing: "scaling",
            reason: error.to_string(),
        };
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        let source =
            ImageRef::new(side(from.0), side(from.1), source, PixelType::U8).map_err(|e| failed(&e))?;
        let mut target =
            Image::from_slice_u8(side(to.0), side(to.1), target, PixelType::U8).map_err(|e| failed(&e))?;
        self.resizer.resize(&source, &mut target, &self.options).map_err(|e| failed(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_light_and_its_halves_when_it_gets_smaller() {
        let mut drawn = Picture::grey(128, 96).unwrap();
        for row in drawn.luma_mut().chunks_mut(128) {
            row[..64].fill(40);
            row[64..].fill(200);
        }
        let scaled = Scaler::new(43, 32).unwrap().scale(&drawn).unwrap();
        assert_eq!(scaled.size(), (42, 32), "even sides");
        for row in scaled.luma().chunks(42) {
            assert!(
                row[..20].iter().all(|light| *light == 40) && row[22..].iter().all(|light| *light == 200)
            );
            assert!(row[20..22].iter().all(|light| (40..=200).contains(light)));
        }
        let [_, u, v] = scaled.planes();
        assert!(u.len() == 21 * 16 && u.iter().chain(v).all(|colour| *colour == 128));
    }

    #[test]
    fn sides_too_small_to_encode_are_refused() {
        assert!(Scaler::new(16, 16).is_ok() && Scaler::new(15, 400).is_err());
    }
}
