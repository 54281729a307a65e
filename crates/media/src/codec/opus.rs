//! Opus (RFC 6716) and its configuration in containers: `OpusHead` (RFC 7845 §5.1), `dOps`.

use bytes::Bytes;

/// Opus always decodes to this rate, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;

/// What an Opus decoder needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Output channels, 1–255.
    pub channels: u8,
    /// Samples at 48 kHz that a decoder discards at the start.
    pub pre_skip: u16,
    /// Rate of the original sound in Hz, for information; 0 when unknown.
    pub input_sample_rate: u32,
    /// Gain in Q7.8 dB that a decoder applies.
    pub output_gain: i16,
    /// Channel mapping family and, for families other than 0, the table of RFC 7845 §5.1.1.
    pub mapping_family: u8,
    /// Stream count, coupled count and mapping; empty for family 0.
    pub mapping_table: Bytes,
}
