//! A reader of single bits and exp-Golomb codes that never reads past its input, and knows what it was reading
//! when the input ended.

use super::Error;

/// Reads a bitstream most significant bit first. Every read names the field, for the error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    codec: &'static str,
    data: &'a [u8],
    /// Position in bits.
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first bit of `data`; `codec` is the name errors carry.
    pub fn new(codec: &'static str, data: &'a [u8]) -> Self {
        Self { codec, data, at: 0 }
    }

    /// Bits that were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bits that are left.
    pub fn remaining(&self) -> usize {
        (self.data.len() * 8).saturating_sub(self.at)
    }

    /// One bit.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, Error> {
        Ok(self.bits(1, field)? != 0)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub fn bits(&mut self, count: u32, field: &'static str) -> Result<u32, Error> {
        debug_assert!(count <= 32);
        if self.remaining() < count as usize {
            return Err(Error::Truncated { codec: self.codec, len: self.data.len(), field });
        }
        let mut value = 0_u64;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8).copied().unwrap_or(0);
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value as u32)
    }

    /// An unsigned number of at most 8 bits.
    pub fn byte(&mut self, count: u32, field: &'static str) -> Result<u8, Error> {
        debug_assert!(count <= 8);
        Ok(self.bits(count, field)? as u8)
    }

    /// Moves past `count` bits.
    pub fn skip(&mut self, count: usize, field: &'static str) -> Result<(), Error> {
        if self.remaining() < count {
            return Err(Error::Truncated { codec: self.codec, len: self.data.len(), field });
        }
        self.at += count;
        Ok(())
    }

    /// Moves to the next byte boundary.
    pub fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// `ue(v)` of ISO 14496-10 §9.1 and ISO 23008-2 §9.2. More than 31 leading zeros, which no field of either
    /// standard may have, are an error.
    pub fn ue(&mut self, field: &'static str) -> Result<u32, Error> {
        let mut zeros = 0;
        while !self.flag(field)? {
            zeros += 1;
            if zeros > 31 {
                return Err(Error::Malformed { codec: self.codec, field });
            }
        }
        let suffix = u64::from(self.bits(zeros, field)?);
        Ok(((1_u64 << zeros) - 1 + suffix) as u32)
    }

    /// `ue(v)` that must not exceed `max`.
    pub fn ue_max(&mut self, max: u32, field: &'static str) -> Result<u32, Error> {
        let value = self.ue(field)?;
        if value > max {
            return Err(Error::Unsupported { codec: self.codec, field, value: value.into() });
        }
        Ok(value)
    }

    /// `se(v)` of ISO 14496-10 §9.1.1.
    pub fn se(&mut self, field: &'static str) -> Result<i32, Error> {
        let code = i64::from(self.ue(field)?);
        let magnitude = (code + 1) / 2;
        Ok(if code % 2 == 0 { -magnitude } else { magnitude } as i32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exp_golomb_codes_of_the_standard_are_read() {
        // 1 | 010 | 011 | 00100 | 00101 | …
        let mut reader = Reader::new("test", &[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let codes: Vec<u32> = (0..5).map(|_| reader.ue("code").unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        let mut reader = Reader::new("test", &[0b0100_1100, 0b1000_0101, 0]);
        let codes: Vec<i32> = (0..4).map(|_| reader.se("code").unwrap()).collect();
        assert_eq!(codes, [1, -1, 2, -2]);
    }

    #[test]
    fn the_longest_code_is_read_and_a_longer_one_is_refused() {
        let mut longest = Reader::new("test", &[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE]);
        assert_eq!(longest.ue("code"), Ok(u32::MAX - 1));
        let mut overflow = Reader::new("test", &[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(overflow.ue("code"), Err(Error::Malformed { codec: "test", field: "code" }));
        let mut short = Reader::new("test", &[0, 0, 0, 1, 0xFF]);
        assert_eq!(short.ue("code"), Err(Error::Truncated { codec: "test", len: 5, field: "code" }));
    }

    proptest! {
        #[test]
        fn no_sequence_of_reads_goes_past_the_end(
            data in proptest::collection::vec(any::<u8>(), 0..32),
            reads in proptest::collection::vec(0_u32..35, 0..64),
        ) {
            let mut reader = Reader::new("test", &data);
            for count in reads {
                let _ = match count {
                    33 => reader.ue("x").map(drop),
                    34 => reader.se("x").map(drop),
                    count => reader.bits(count, "x").map(drop),
                };
                prop_assert!(reader.position() <= data.len() * 8);
            }
        }
    }
}
