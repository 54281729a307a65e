//! The init segment: `ftyp` and a `moov` without samples, one sample entry a track.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use media::Codec;
use media::codec::{Kind, aac, g711, opus};

use super::boxes::{write, write_full};
use super::timescale;

/// The unity matrix of `mvhd` and `tkhd` (ISO 14496-12 §8.2.2), in 16.16 and 2.30 fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// A track of an init segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// `track_ID`, at least 1 and unique in the file.
    pub id: u32,
    /// What its samples are coded with.
    pub codec: Arc<Codec>,
}

/// Writes the init segment of `tracks` (ISO 14496-12 §8.16, CMAF's header). Data tracks are left out.
pub fn init_segment(tracks: &[Track]) -> Bytes {
    let mut out = BytesMut::with_capacity(2_048);
    write(&mut out, b"ftyp", |out| {
        out.put_slice(b"iso6");
        out.put_u32(0);
        out.put_slice(b"iso6iso5mp41");
    });
    write(&mut out, b"moov", |out| {
        mvhd(out, tracks);
        for track in tracks {
            if let Some(hz) = timescale(&track.codec) {
                trak(out, track, hz);
            }
        }
        write(out, b"mvex", |out| {
            for track in tracks.iter().filter(|track| timescale(&track.codec).is_some()) {
                write_full(out, b"trex", (0, 0), |out| {
                    out.put_u32(track.id);
                    out.put_u32(1);
                    out.put_bytes(0, 12);
                });
            }
        });
    });
    out.freeze()
}

fn mvhd(out: &mut BytesMut, tracks: &[Track]) {
    write_full(out, b"mvhd", (0, 0), |out| {
        out.put_bytes(0, 8);
        out.put_u32(1_000);
        out.put_u32(0);
        out.put_u32(0x1_0000);
        out.put_u16(0x0100);
        out.put_bytes(0, 10);
        MATRIX.iter().for_each(|&value| out.put_u32(value));
        out.put_bytes(0, 24);
        out.put_u32(tracks.iter().map(|track| track.id).max().unwrap_or(0).saturating_add(1));
    });
}

fn trak(out: &mut BytesMut, track: &Track, hz: u32) {
    let audio = track.codec.kind() == Kind::Audio;
    write(out, b"trak", |out| {
        // Flags 7: enabled, in the movie, in the preview.
        write_full(out, b"tkhd", (0, 7), |out| {
            let (width, height) = track.codec.resolution().unwrap_or((0, 0));
            out.put_bytes(0, 8);
            out.put_u32(track.id);
            out.put_bytes(0, 16);
            out.put_u16(0);
            out.put_u16(u16::from(audio));
            out.put_u16(if audio { 0x0100 } else { 0 });
            out.put_u16(0);
            MATRIX.iter().for_each(|&value| out.put_u32(value));
            // 16.16 fixed point.
            out.put_u32(u32::from(pixels(width)) << 16);
            out.put_u32(u32::from(pixels(height)) << 16);
        });
        write(out, b"mdia", |out| mdia(out, track, hz));
    });
}

/// A picture's side as the 16 bits that `tkhd` and sample entries have for it.
fn pixels(side: u32) -> u16 {
    u16::try_from(side).unwrap_or(u16::MAX)
}

fn mdia(out: &mut BytesMut, track: &Track, hz: u32) {
    let audio = track.codec.kind() == Kind::Audio;
    write_full(out, b"mdhd", (0, 0), |out| {
        out.put_bytes(0, 8);
        out.put_u32(hz);
        out.put_u32(0);
        // The language `und` in three times five bits (ISO 14496-12 §8.4.2).
        out.put_u16(0x55c4);
        out.put_u16(0);
    });
    write_full(out, b"hdlr", (0, 0), |out| {
        out.put_u32(0);
        out.put_slice(if audio { b"soun" } else { b"vide" });
        out.put_bytes(0, 12);
        out.put_slice(if audio { b"sound\0" } else { b"video\0" });
    });
    write(out, b"minf", |out| {
        if audio {
            write_full(out, b"smhd", (0, 0), |out| out.put_u32(0));
        } else {
            write_full(out, b"vmhd", (0, 1), |out| out.put_bytes(0, 8));
        }
        write(out, b"dinf", |out| {
            write_full(out, b"dref", (0, 0), |out| {
                out.put_u32(1);
                write_full(out, b"url ", (0, 1), |_| {});
            });
        });
        write(out, b"stbl", |out| {
            write_full(out, b"stsd", (0, 0), |out| {
                out.put_u32(1);
                sample_entry(out, &track.codec);
            });
            for kind in [b"stts", b"stsc", b"stco"] {
                write_full(out, kind, (0, 0), |out| out.put_u32(0));
            }
            write_full(out, b"stsz", (0, 0), |out| out.put_u64(0));
        });
    });
}

fn sample_entry(out: &mut BytesMut, codec: &Codec) {
    match codec {
        Codec::H264(p) => visual(out, b"avc1", (p.width, p.height), |out| record(out, b"avcC", &p.config)),
        Codec::H265(p) => visual(out, b"hvc1", (p.width, p.height), |out| record(out, b"hvcC", &p.config)),
        Codec::Av1(p) => visual(out, b"av01", (p.width, p.height), |out| record(out, b"av1C", &p.config)),
        Codec::Vp9(p) => visual(out, b"vp09", (p.width, p.height), |out| vpcc(out, &p.config)),
        Codec::Vp8(p) => visual(out, b"vp08", (p.width, p.height), |out| vpcc(out, &p.config)),
        Codec::Aac(p) => sound(out, b"mp4a", (p.sample_rate, p.channels), |out| esds(out, p)),
        Codec::Opus(p) => {
            sound(out, b"Opus", (opus::SAMPLE_RATE, p.channels), |out| record(out, b"dOps", &p.dops()))
        }
        // QuickTime's entries (QuickTime File Format, "Sound Sample Descriptions"); they need no record.
        Codec::G711(p) => {
            let entry = match p.law {
                g711::Law::A => b"alaw",
                g711::Law::Mu => b"ulaw",
            };
            sound(out, entry, (g711::SAMPLE_RATE, p.channels), |_| {});
        }
        Codec::Data(_) => {}
    }
}

/// VisualSampleEntry (ISO 14496-12 §12.1.3).
fn visual(
    out: &mut BytesMut,
    kind: &[u8; 4],
    (width, height): (u32, u32),
    config: impl FnOnce(&mut BytesMut),
) {
    write(out, kind, |out| {
        out.put_bytes(0, 6);
        out.put_u16(1);
        out.put_bytes(0, 16);
        out.put_u16(pixels(width));
        out.put_u16(pixels(height));
        // 72 dots an inch both ways.
        out.put_u32(0x48_0000);
        out.put_u32(0x48_0000);
        out.put_u32(0);
        out.put_u16(1);
        out.put_bytes(0, 32);
        out.put_u16(0x18);
        out.put_i16(-1);
        config(out);
    });
}

/// AudioSampleEntry (ISO 14496-12 §12.2.3).
fn sound(out: &mut BytesMut, kind: &[u8; 4], (hz, channels): (u32, u8), config: impl FnOnce(&mut BytesMut)) {
    write(out, kind, |out| {
        out.put_bytes(0, 6);
        out.put_u16(1);
        out.put_bytes(0, 8);
        out.put_u16(u16::from(channels));
        out.put_u16(16);
        out.put_u32(0);
        // 16.16 fixed point; a rate that does not fit is written as 0 and read from the codec's record.
        out.put_u32(u16::try_from(hz).map_or(0, |hz| u32::from(hz) << 16));
        config(out);
    });
}

fn record(out: &mut BytesMut, kind: &[u8; 4], config: &Bytes) {
    write(out, kind, |out| out.put_slice(config));
}

/// `vpcC` is a full box of version 1; some sources hand its header over with the record, some do not.
fn vpcc(out: &mut BytesMut, config: &Bytes) {
    let record = config.strip_prefix(&[1, 0, 0, 0]).filter(|rest| rest.len() >= 8).unwrap_or(config);
    write_full(out, b"vpcC", (1, 0), |out| out.put_slice(record));
}

/// ES descriptor around the AudioSpecificConfig (ISO 14496-1 §7.2.6, ISO 14496-14 §5.6).
fn esds(out: &mut BytesMut, aac: &aac::Params) {
    let config = &aac.config[..aac.config.len().min(64)];
    let len = config.len() as u8;
    write_full(out, b"esds", (0, 0), |out| {
        out.put_slice(&[0x03, 23 + len, 0, 0, 0]);
        // Object type 0x40 is MPEG-4 audio, stream type 5 (audio), not upstream, reserved bit set.
        out.put_slice(&[0x04, 15 + len, 0x40, 0x15, 0, 0, 0]);
        out.put_u64(0);
        out.put_slice(&[0x05, len]);
        out.put_slice(config);
        out.put_slice(&[0x06, 1, 2]);
    });
}
