//! A synthetic publisher's pictures and sound: parameter sets a decoder accepts, slices of the right sizes filled with
//! noise (servers only forward them), and a [`Stamp`] in front of every picture.

use std::time::Duration;

use crate::stamp::{NAL_BYTES, Stamp};

/// Constrained Baseline, level 3.1, 1280×720, one reference, no reordering (ISO 14496-10 §7.3.2.1).
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
/// AAC LC, 44.1 kHz, stereo (ISO 14496-3 §1.6.2.1), and a frame of silence.
const AAC_CONFIG: &[u8] = &[0x12, 0x10];
const AAC_SILENCE: &[u8] = &[0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];
const AAC_RATE: u64 = 44_100;
const AAC_SAMPLES: u64 = 1_024;
/// A keyframe is this many times as large as the pictures between, as encoders at constant bit rate make them.
const KEY_WEIGHT: u64 = 5;
/// No picture is smaller: there must be room for the stamp and a slice header.
const PICTURE_BYTES_MIN: u64 = 128;
/// FLV's five bytes before a picture and the two NAL lengths.
const OVERHEAD_BYTES: usize = 5 + 4 + NAL_BYTES + 4;

/// What the stream is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bits a second of picture, FLV's own bytes aside.
    pub bitrate: u32,
    /// Pictures a second.
    pub fps: u32,
    /// From keyframe to keyframe.
    pub group: Duration,
    /// Whether there is a silent AAC track of 43 frames a second.
    pub audio: bool,
}

impl Default for Shape {
    /// The stream of the published figures: 2 Mbit/s, 30 pictures a second, a keyframe every 2 seconds.
    fn default() -> Self {
        Self { bitrate: 2_000_000, fps: 30, group: Duration::from_secs(2), audio: false }
    }
}

/// What a [`Source`] produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// FLV's tag type: 8 sound, 9 picture.
    pub kind: u8,
    /// Decoding time in milliseconds since the stream's start.
    pub dts_ms: u32,
    /// A picture that decoding can begin with.
    pub key: bool,
}

/// The stream, one FLV tag body after the other.
#[derive(Clone, Debug)]
pub struct Source {
    shape: Shape,
    pictures: u64,
    sounds: u64,
    group_pictures: u64,
    delta_bytes: usize,
    key_bytes: usize,
    noise: Vec<u8>,
}

impl Source {
    /// A stream from its beginning.
    pub fn new(shape: Shape) -> Self {
        let fps = u64::from(shape.fps.max(1));
        let group_pictures = (shape.group.as_millis() as u64 * fps / 1_000).max(1);
        let group_bytes = u64::from(shape.bitrate) * group_pictures / (8 * fps);
        let delta = (group_bytes / (group_pictures - 1 + KEY_WEIGHT)).max(PICTURE_BYTES_MIN);
        let key_bytes =
            group_bytes.saturating_sub(delta * (group_pictures - 1)).max(PICTURE_BYTES_MIN) as usize;
        Self {
            shape,
            pictures: 0,
            sounds: 0,
            group_pictures,
            delta_bytes: delta as usize,
            key_bytes,
            noise: noise(key_bytes.max(delta as usize)),
        }
    }

    /// When the next unit is due, since the stream's start.
    pub fn due(&self) -> Duration {
        if self.sound_is_next() { self.sound_time() } else { self.picture_time() }
    }

    /// Appends the next unit's FLV tag body to `out`; a picture carries `sent_micros` and its number.
    pub fn next(&mut self, sent_micros: u64, out: &mut Vec<u8>) -> Unit {
        let dts_ms = self.due().as_millis() as u32;
        if self.sound_is_next() {
            self.sounds += 1;
            out.extend_from_slice(&[0xaf, 1]);
            out.extend_from_slice(AAC_SILENCE);
            return Unit { kind: 8, dts_ms, key: true };
        }
        let key = self.pictures.is_multiple_of(self.group_pictures);
        let stamp = Stamp { sent_micros, sequence: self.pictures };
        self.pictures += 1;
        self.picture(key, stamp, out);
        Unit { kind: 9, dts_ms, key }
    }

    /// The tag bodies with the codecs' parameters, each with its tag type.
    pub fn parameters(&self) -> Vec<(u8, Vec<u8>)> {
        let mut tags = vec![(9, avc_config())];
        if self.shape.audio {
            tags.push((8, [&[0xaf, 0], AAC_CONFIG].concat()));
        }
        tags
    }

    /// Whether there is sound.
    pub fn audio(&self) -> bool {
        self.shape.audio
    }

    fn picture(&self, key: bool, stamp: Stamp, out: &mut Vec<u8>) {
        let size = if key { self.key_bytes } else { self.delta_bytes };
        // FLV 10.1 §E.4.3.1: frame type, AVC, one NALU packet, composition time 0.
        out.extend_from_slice(&[if key { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
        out.extend_from_slice(&(NAL_BYTES as u32).to_be_bytes());
        out.extend_from_slice(&stamp.to_nal());
        let slice = size.saturating_sub(OVERHEAD_BYTES).max(3);
        out.extend_from_slice(&(slice as u32).to_be_bytes());
        // NAL header, then first_mb_in_slice 0, a slice type of 7 (I) or 5 (P) and PPS 0 in Exp-Golomb.
        out.extend_from_slice(if key { &[0x65, 0x88, 0x84] } else { &[0x41, 0x9a, 0x24] });
        out.extend_from_slice(&self.noise[..slice - 3]);
    }

    fn sound_is_next(&self) -> bool {
        self.shape.audio && self.sound_time() < self.picture_time()
    }

    fn sound_time(&self) -> Duration {
        Duration::from_micros(self.sounds * AAC_SAMPLES * 1_000_000 / AAC_RATE)
    }

    fn picture_time(&self) -> Duration {
        Duration::from_micros(self.pictures * 1_000_000 / u64::from(self.shape.fps.max(1)))
    }
}

/// FLV's AVC sequence header: the configuration record of ISO 14496-15 §5.3.3.1.
fn avc_config() -> Vec<u8> {
    let mut body = vec![0x17, 0, 0, 0, 0, 1, SPS[1], SPS[2], SPS[3], 0xff, 0xe1, 0, SPS.len() as u8];
    body.extend_from_slice(SPS);
    body.extend_from_slice(&[1, 0, PPS.len() as u8]);
    body.extend_from_slice(PPS);
    body
}

/// Bytes that do not compress and never contain zero, so that no start code or emulation can arise.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8 | 1
    })
    .take(len)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(source: &mut Source) -> Vec<(Unit, Vec<u8>)> {
        let end = source.due() + Duration::from_secs(1);
        let mut units = vec![];
        while source.due() < end {
            let mut body = vec![];
            let unit = source.next(7, &mut body);
            units.push((unit, body));
        }
        units
    }

    #[test]
    fn the_bit_rate_the_rate_and_the_groups_are_as_asked() {
        let mut source = Source::new(Shape { group: Duration::from_secs(1), ..Shape::default() });
        let units = second(&mut source);
        assert_eq!(units.len(), 30);
        assert_eq!(units.iter().filter(|(unit, _)| unit.key).count(), 1);
        let bytes: usize = units.iter().map(|(_, body)| body.len()).sum();
        assert!(bytes.abs_diff(250_000) < 500, "{bytes}");
        assert!(second(&mut source)[0].0.key);
    }

    #[test]
    fn every_picture_carries_its_number_and_time_and_whole_nal_units() {
        let mut source = Source::new(Shape::default());
        for (number, (_, body)) in second(&mut source).iter().enumerate() {
            assert_eq!(
                Stamp::find(&body[..160.min(body.len())]).map(|s| (s.sent_micros, s.sequence)),
                Some((7, number as u64))
            );
            let mut rest = &body[5..];
            let mut units = 0;
            while let Some((len, tail)) = rest.split_first_chunk::<4>() {
                rest = &tail[u32::from_be_bytes(*len) as usize..];
                units += 1;
            }
            assert_eq!((units, rest.len()), (2, 0));
        }
    }

    #[test]
    fn sound_and_pictures_come_in_the_order_of_their_times() {
        let mut source = Source::new(Shape { audio: true, ..Shape::default() });
        let units = second(&mut source);
        assert!(units.windows(2).all(|pair| pair[0].0.dts_ms <= pair[1].0.dts_ms));
        assert_eq!(units.iter().filter(|(unit, _)| unit.kind == 8).count(), 44);
    }
}
