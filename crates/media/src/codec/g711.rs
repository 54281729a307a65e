//! G.711: telephone sound, one byte a sample, as cameras and telephony gateways send it. It has no configuration.

/// Samples a second. The standard knows no other rate, and containers leave it out.
pub const SAMPLE_RATE: u32 = 8_000;

/// What a decoder needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    /// How a byte stands for a sample.
    pub law: Law,
    /// Channels, interleaved; 1 nearly always.
    pub channels: u8,
}

/// How a byte stands for a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// A-law: Europe and most of the world (PCMA).
    A,
    /// µ-law: North America and Japan (PCMU).
    Mu,
}

impl Params {
    /// Samples of each channel in a payload.
    pub fn samples(&self, payload: &[u8]) -> u32 {
        (payload.len() / usize::from(self.channels.max(1))) as u32
    }

    /// The sample entry of ISO media files, and the name in `codecs` parameters.
    pub fn rfc6381(&self) -> &'static str {
        match self.law {
            Law::A => "alaw",
            Law::Mu => "ulaw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_milliseconds_are_160_bytes_a_channel() {
        for channels in 1..=2 {
            let params = Params { law: Law::A, channels };
            assert_eq!(params.samples(&vec![0xD5; 160 * usize::from(channels)]), SAMPLE_RATE / 50);
        }
    }
}
