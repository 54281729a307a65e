//! What members of the lab send: one loop of coded pictures and sound for all, each packet of which says whose it is.
//!
//! A server passes both on without looking into them, so that what arrives proves whom it came from, and when it was sent.

use anyhow::Context;
use av::picture::{Encoder, Options, Picture};
use av::sound::{Channels, Target, Writer};
use media::{Codec, Frame, Packet, Span, Timestamp};
use wire::rtp::Packetizer;

use crate::lab::wall_micros;

/// Pictures a second, and their size: what fifty members can send on two cores.
pub(super) const FPS: u32 = 10;
const SIZE: (usize, usize) = (160, 96);
const PICTURE_BPS: u32 = 60_000;
/// Pictures of the loop, the first of which is the only keyframe.
const PICTURES: usize = 30;
/// Sound of one packet.
pub(super) const SOUND_TICK: Span = Span::from_millis(20);
const SOUND_BPS: u32 = 24_000;
const SAMPLES: usize = 960;
const TONE_HZ: f32 = 440.0;
/// Packets of the loop of sound: a whole number of the tone's periods.
const SOUNDS: usize = 50;
/// What a tag begins with: sixteen bytes as a user-data SEI wants them (ITU-T H.264 §D.1.6).
const MAGIC: [u8; 16] = *b"openmic.lab.room";
const TAG_BYTES: usize = MAGIC.len() + 10 + 10 + 17;
/// A SEI unit, user data of nobody's registry, and the end of its bits.
const SEI: u8 = 6;
const USER_DATA: u8 = 5;
const STOP_BIT: u8 = 0x80;

/// Whose a packet is, which of its pictures, and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The member.
    pub(super) member: u32,
    /// Pictures and packets of sound are counted apart.
    pub(super) number: u32,
    /// Microseconds since the epoch.
    pub(super) sent: u64,
}

impl Tag {
    fn now(member: u32, number: u32) -> Self {
        Self { member, number, sent: wall_micros() }
    }

    /// In digits, so that nothing in it looks like the beginning of a unit.
    fn bytes(self) -> Vec<u8> {
        let digits = format!("{:010}{:010}{:017}", self.member, self.number, self.sent);
        [&MAGIC[..], digits.as_bytes()].concat()
    }

    /// The tag in a packet's payload, if one is there.
    pub(super) fn of(payload: &[u8]) -> Option<Self> {
        let at = payload.windows(MAGIC.len()).position(|window| window == MAGIC)?;
        let digits = payload.get(at + MAGIC.len()..at + TAG_BYTES)?;
        let number = |from: usize, to: usize| std::str::from_utf8(digits.get(from..to)?).ok()?.parse().ok();
        let (member, sequence, sent): (u64, u64, u64) = (number(0, 10)?, number(10, 20)?, number(20, 37)?);
        Some(Self { member: member.try_into().ok()?, number: sequence.try_into().ok()?, sent })
    }
}

/// The loop that all members send.
#[derive(Debug)]
pub(super) struct Reel {
    picture: Codec,
    pictures: Vec<Frame>,
    sound: Codec,
    sounds: Vec<Vec<u8>>,
}

impl Reel {
    /// Draws, plays and encodes it.
    pub(super) fn new() -> anyhow::Result<Self> {
        let (picture, pictures) = pictures()?;
        let (sound, sounds) = sounds()?;
        Ok(Self { picture, pictures, sound, sounds })
    }
}

fn pictures() -> anyhow::Result<(Codec, Vec<Frame>)> {
    let interval = Span::from_ticks(PICTURES as i64, FPS);
    let options =
        Options { bitrate_bps: PICTURE_BPS, fps: FPS as f32, threads: 1, keyframe_interval: interval };
    let mut encoder = Encoder::new(options)?;
    let mut picture = Picture::grey(SIZE.0, SIZE.1)?;
    let (mut codec, mut frames) = (None, Vec::new());
    for number in 0..PICTURES {
        for (at, pixel) in picture.luma_mut().iter_mut().enumerate() {
            let (x, y) = (at % SIZE.0, at / SIZE.0);
            *pixel = ((x + 2 * number) ^ y) as u8;
        }
        let at = Timestamp::ZERO + Span::from_ticks(number as i64, FPS);
        let (changed, frame) = encoder.encode(&picture, at)?.context("the encoder left a picture out")?;
        codec = changed.or(codec);
        frames.push(frame);
    }
    Ok((codec.context("pictures without parameters")?, frames))
}

fn sounds() -> anyhow::Result<(Codec, Vec<Vec<u8>>)> {
    let target = Target::Opus { channels: Channels::Mono, bitrate_bps: SOUND_BPS };
    let mut writer = Writer::new(target, Channels::Mono, Timestamp::ZERO)?;
    let sample = |at: usize| (at as f32 * TONE_HZ * std::f32::consts::TAU / 48_000.0).sin() * 0.25;
    let samples: Vec<f32> = (0..(SOUNDS + 1) * SAMPLES).map(sample).collect();
    let mut frames = Vec::new();
    writer.push(&samples, &mut frames)?;
    // Of one frame a packet, which is what there is room for a tag behind.
    let sounds: Vec<Vec<u8>> =
        frames.iter().map(|frame| frame.payload.to_vec()).filter(|packet| packet[0] & 3 == 0).collect();
    anyhow::ensure!(sounds.len() >= SOUNDS, "the encoder made packets of several frames");
    Ok((writer.codec().clone(), sounds))
}

/// One member's way through the loop.
#[derive(Debug)]
pub(super) struct Projector {
    member: u32,
    /// Which picture of the loop is next, and which it is of all.
    at: usize,
    pictures: u32,
    sounds: u32,
    packetizers: (Packetizer, Packetizer),
}

impl Projector {
    pub(super) fn new(member: u32) -> Self {
        Self { member, at: 0, pictures: 0, sounds: 0, packetizers: Default::default() }
    }

    /// The next picture is the keyframe.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }

    /// Packets of the next picture, stamped so.
    pub(super) fn picture(&mut self, reel: &Reel, at: Timestamp) -> Vec<Packet> {
        let frame = &reel.pictures[self.at];
        let tag = Tag::now(self.member, self.pictures).bytes();
        let unit = [&[SEI, USER_DATA, tag.len() as u8][..], &tag, &[STOP_BIT]].concat();
        let payload = [&(unit.len() as u32).to_be_bytes()[..], &unit, &frame.payload].concat();
        let tagged = Frame { dts: at, cts: Span::ZERO, sync: frame.sync, payload: payload.into() };
        (self.at, self.pictures) = ((self.at + 1) % reel.pictures.len(), self.pictures + 1);
        let mut packets = Vec::new();
        self.packetizers.0.handle_frame(&reel.picture, frame.sync, &tagged, &mut packets);
        packets
    }

    /// The packet of the next sound, stamped so.
    pub(super) fn sound(&mut self, reel: &Reel, at: Timestamp) -> Vec<Packet> {
        let plain = &reel.sounds[self.sounds as usize % reel.sounds.len()];
        let tag = Tag::now(self.member, self.sounds).bytes();
        self.sounds += 1;
        let payload = padded(plain, &tag);
        let frame = Frame { dts: at, cts: Span::ZERO, sync: true, payload: payload.into() };
        let mut packets = Vec::new();
        self.packetizers.1.handle_frame(&reel.sound, false, &frame, &mut packets);
        packets
    }
}

/// An Opus packet of one frame with this behind it as padding (RFC 6716 §3.2.5).
fn padded(packet: &[u8], padding: &[u8]) -> Vec<u8> {
    const ONE_PADDED: u8 = 0b0100_0001;
    [&[packet[0] | 3, ONE_PADDED, padding.len() as u8][..], &packet[1..], padding].concat()
}

#[cfg(test)]
mod tests {
    use media::codec::nal;

    use super::*;

    #[test]
    fn what_is_sent_says_whose_it_is_and_can_be_decoded() {
        let reel = Reel::new().expect("codecs of this build");
        let mut projector = Projector::new(4_294_967_295);
        for number in 0..PICTURES as u32 + 2 {
            let packets = projector.picture(&reel, Timestamp::ZERO);
            let tags: Vec<Tag> = packets.iter().filter_map(|packet| Tag::of(&packet.payload)).collect();
            assert_eq!(tags.len(), 1, "one tag a picture");
            assert_eq!((tags[0].member, tags[0].number), (4_294_967_295, number));
        }
        let mut reader = av::sound::Reader::new(&reel.sound).expect("Opus");
        let mut samples = Vec::new();
        for number in 0..10 {
            let packets = projector.sound(&reel, Timestamp::ZERO);
            assert_eq!(Tag::of(&packets[0].payload).map(|tag| tag.number), Some(number));
            reader.read(&packets[0].payload, Timestamp::ZERO, &mut samples).expect("a packet with padding");
        }
        assert!(samples.iter().any(|sample| sample.abs() > 0.1), "it sounds");
        assert_eq!(Tag::of(&MAGIC), None);
        assert_eq!(Tag::of(b""), None);
    }

    #[test]
    fn a_loop_begins_with_its_only_keyframe() {
        let reel = Reel::new().expect("codecs of this build");
        let keyframes: Vec<bool> = reel.pictures.iter().map(|frame| frame.sync).collect();
        assert!(keyframes[0] && !keyframes[1..].contains(&true), "{keyframes:?}");
        let units = nal::units(&reel.pictures[0].payload);
        assert!(units.count() >= 1, "units with their lengths");
    }
}
