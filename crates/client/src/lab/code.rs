//! The block code: when a picture was drawn and which one it is, as sixty-four black and white blocks on its left half.
//!
//! Blocks survive scaling, 4:2:0 and lossy coding, only light counts, and a checksum tells when they did not. A browser reads
//! the same code (`blocks.js`).

/// Blocks of a row and of a column.
pub const SIDE: usize = 8;
/// Pixels that a block is at least wide and high: below it, a coder's own blocks blur them into one another.
pub const BLOCK_PIXELS_MIN: usize = 8;
/// Numbers of pictures begin anew after so many: 18 minutes at 30 a second.
pub const SEQUENCES: u16 = 1 << 15;

/// Black and white in the range of video (ITU-R BT.709).
const BLACK: u8 = 16;
const WHITE: u8 = 235;
/// Between the darkest and the lightest block of a code that can be read.
const CONTRAST_MIN: u32 = 60;
/// Microseconds of a tick: 32 bits of them last for 119 hours.
const TICK_MICROS: u64 = 100;

/// What a picture says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// When it was drawn, in ticks of 100 µs since the epoch, modulo 2³².
    pub ticks: u32,
    /// Its number, below [`SEQUENCES`].
    pub sequence: u16,
    /// A beep begins with it.
    pub marked: bool,
}

/// A plane of light.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// Row by row without padding.
    pub luma: &'a [u8],
    /// Pixels of a row.
    pub width: usize,
}

impl Code {
    /// Of a picture that is drawn at `micros` since the epoch.
    pub fn new(micros: u64, sequence: u64, marked: bool) -> Self {
        let sequence = (sequence % u64::from(SEQUENCES)) as u16;
        Self { ticks: (micros / TICK_MICROS) as u32, sequence, marked }
    }

    /// How old the picture is at `micros` since the epoch, in microseconds; negative for one from the future.
    pub fn age(&self, micros: u64) -> i64 {
        let ticks = ((micros / TICK_MICROS) as u32).wrapping_sub(self.ticks) as i32;
        i64::from(ticks) * TICK_MICROS as i64 + (micros % TICK_MICROS) as i64
    }

    /// Draws it on the left half of the plane.
    pub fn draw(&self, luma: &mut [u8], width: usize) {
        let bits = self.bits();
        let height = luma.len() / width.max(1);
        let (across, down) = (width / 2 / SIDE, height / SIDE);
        for (y, row) in luma.chunks_exact_mut(width.max(1)).take(down * SIDE).enumerate() {
            for (x, block) in row.chunks_exact_mut(across.max(1)).take(SIDE).enumerate() {
                let bit = bits >> (y / down.max(1) * SIDE + x) & 1;
                block.fill(if bit == 1 { WHITE } else { BLACK });
            }
        }
    }

    /// Reads it; `None` where there is none, or too little of it is left.
    pub fn read(plane: Plane<'_>) -> Option<Self> {
        let height = plane.luma.len().checked_div(plane.width)?;
        let (across, down) = (plane.width / 2 / SIDE, height / SIDE);
        if across.min(down) < BLOCK_PIXELS_MIN {
            return None;
        }
        let light = |block: usize| {
            let (x, y) = (block % SIDE * across + across / 2, block / SIDE * down + down / 2);
            // The middle of a block is what its neighbours reach least.
            let rows = y - 2..y + 2;
            rows.flat_map(|y| plane.luma[y * plane.width..][x - 2..x + 2].iter())
                .map(|p| u32::from(*p))
                .sum::<u32>()
                / 16
        };
        let lights: [u32; SIDE * SIDE] = std::array::from_fn(light);
        let (dark, bright) = (lights.iter().min()?, lights.iter().max()?);
        if bright - dark < CONTRAST_MIN {
            return None;
        }
        let middle = (dark + bright) / 2;
        let bits = lights.iter().enumerate().map(|(at, light)| u64::from(*light > middle) << at).sum();
        Self::of_bits(bits)
    }

    fn bits(&self) -> u64 {
        let content = u64::from(self.ticks) | u64::from(self.sequence) << 32 | u64::from(self.marked) << 47;
        content | u64::from(checksum(content)) << 48
    }

    fn of_bits(bits: u64) -> Option<Self> {
        let content = bits & ((1 << 48) - 1);
        (bits >> 48 == u64::from(checksum(content))).then_some(Self {
            ticks: content as u32,
            sequence: (content >> 32) as u16 & (SEQUENCES - 1),
            marked: content >> 47 == 1,
        })
    }
}

/// CRC-16/IBM-3740 (polynomial 0x1021, begun with ones) of the six bytes of content, lowest first.
fn checksum(content: u64) -> u16 {
    content.to_le_bytes().iter().take(6).fold(0xFFFF, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte) << 8,
            |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Code = Code { ticks: 0xDEAD_BEEF, sequence: 0x1234, marked: true };

    fn drawn(code: Code, width: usize, height: usize) -> Vec<u8> {
        let mut luma = vec![128; width * height];
        code.draw(&mut luma, width);
        luma
    }

    #[test]
    fn a_code_is_read_from_pictures_of_any_size() {
        for (width, height) in [(1280, 720), (640, 360), (320, 240), (128, 64), (854, 480), (1920, 1080)] {
            let luma = drawn(CODE, width, height);
            assert_eq!(Code::read(Plane { luma: &luma, width }), Some(CODE), "{width}×{height}");
        }
        let extremes = [(0, 0, false), (u32::MAX, SEQUENCES - 1, true)];
        for (ticks, sequence, marked) in extremes {
            let code = Code { ticks, sequence, marked };
            assert_eq!(Code::read(Plane { luma: &drawn(code, 320, 180), width: 320 }), Some(code));
        }
    }

    #[test]
    fn noise_and_a_loss_of_contrast_leave_it_readable() {
        let mut luma = drawn(CODE, 320, 180);
        let mut state = 1_u32;
        for pixel in &mut luma {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 24) as i32 % 40 - 20;
            *pixel = (i32::from(*pixel) / 2 + 60 + noise).clamp(0, 255) as u8;
        }
        assert_eq!(Code::read(Plane { luma: &luma, width: 320 }), Some(CODE));
    }

    #[test]
    fn every_single_wrong_block_is_noticed() {
        let (width, height) = (320, 180);
        for block in 0..SIDE * SIDE {
            let mut luma = drawn(CODE, width, height);
            let (across, down) = (width / 2 / SIDE, height / SIDE);
            for y in block / SIDE * down..(block / SIDE + 1) * down {
                let row = &mut luma[y * width + block % SIDE * across..][..across];
                row.iter_mut().for_each(|pixel| *pixel = 251 - *pixel);
            }
            assert_eq!(Code::read(Plane { luma: &luma, width }), None, "block {block}");
        }
    }

    #[test]
    fn grey_torn_and_tiny_pictures_have_no_code() {
        assert_eq!(Code::read(Plane { luma: &[128; 320 * 180], width: 320 }), None);
        assert_eq!(Code::read(Plane { luma: &[], width: 0 }), None);
        assert_eq!(Code::read(Plane { luma: &drawn(CODE, 64, 64), width: 64 }), None);
        let other = drawn(Code { ticks: 1, sequence: 2, marked: false }, 320, 180);
        let torn = [&drawn(CODE, 320, 180)[..320 * 90], &other[320 * 90..]].concat();
        assert_eq!(Code::read(Plane { luma: &torn, width: 320 }), None);
    }

    #[test]
    fn an_age_crosses_the_wrap_of_the_clock() {
        let drawn = (1_u64 << 32) * TICK_MICROS - 500;
        let code = Code::new(drawn, 40_000, false);
        assert_eq!((code.age(drawn + 82_300), code.age(drawn - 700)), (82_300, -700));
        assert_eq!(code.sequence, 40_000 % SEQUENCES);
    }

    #[test]
    fn the_checksum_is_the_one_of_its_name() {
        // The check value of CRC-16/IBM-3740 is of "123456789"; of six digits it is this.
        let digits = u64::from_le_bytes(*b"123456\0\0");
        assert_eq!(checksum(digits), 0x2EF4);
    }
}
