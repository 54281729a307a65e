//! Fragmented MP4 (ISO 14496-12): init segments and fragments for HLS; and a reader of whole MP4 files for
//! `openmic push`.
//!
//! The boxes are written here and not by a crate because the decoder records must leave byte for byte as the
//! publisher sent them, and a fragment is one buffer with one copy of each payload.

mod boxes;
mod fragment;
mod init;
mod read;

#[cfg(test)]
mod tests;

pub use fragment::{Run, Sample, fragment};
pub use init::{Track, init_segment};
pub use read::{Entry, Error, File, SAMPLES_MAX, codec as entry_codec};

use media::Codec;
use media::codec::{g711, opus};

/// Ticks a second of every video track; all usual frame rates are whole numbers of them.
pub const VIDEO_HZ: u32 = 90_000;

/// Ticks a second of a track in our files: 90 kHz for pictures, the output sample rate for sound
/// (so that an access unit is a whole number of ticks); `None` for data, which MP4 does not carry here.
pub fn timescale(codec: &Codec) -> Option<u32> {
    match codec {
        Codec::H264(_) | Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) | Codec::Vp8(_) => Some(VIDEO_HZ),
        Codec::Aac(aac) => Some(aac.sample_rate.max(1)),
        Codec::Opus(_) => Some(opus::SAMPLE_RATE),
        Codec::G711(_) => Some(g711::SAMPLE_RATE),
        Codec::Data(_) => None,
    }
}

/// Ticks one access unit lasts by its own header, of sound; `None` for pictures, which do not say.
///
/// AAC: `frame_samples` of the core, twice as many of the output with SBR (ISO 14496-3 §4.6.18).
/// Opus: from the table-of-contents byte (RFC 6716 §3.1). G.711: a byte is a sample.
pub fn unit_ticks(codec: &Codec, payload: &[u8]) -> Option<u32> {
    match codec {
        Codec::H264(_) | Codec::H265(_) | Codec::Av1(_) | Codec::Vp9(_) | Codec::Vp8(_) => None,
        Codec::Data(_) => None,
        Codec::Aac(aac) => {
            let ratio = (aac.sample_rate / aac.core_sample_rate.max(1)).clamp(1, 2);
            Some(aac.frame_samples.clamp(1, 4_096) * ratio)
        }
        Codec::Opus(_) => opus::packet_samples(payload),
        Codec::G711(g711) => Some(g711.samples(payload)),
    }
}
