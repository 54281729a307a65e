//! The recordings as a WebRTC publisher would send them: pictures of one, sound of another, cut into packets.

use std::collections::BTreeMap;

use media::{Codec, Frame, Packet};
use wire::flv::file::Tag;
use wire::flv::{Demuxer, Event};
use wire::rtp::Packetizer;

use crate::rtmp::tags;

/// What is sent: pictures or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// H.264.
    Video,
    /// Opus.
    Audio,
}

/// One frame with its packets.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Pictures or sound.
    pub kind: Kind,
    /// As it was recorded.
    pub frame: Frame,
    /// As it is sent.
    pub packets: Vec<Packet>,
}

/// H.264 of 25 pictures a second with a keyframe each second, and Opus in packets of 20 ms, in order of time.
pub fn h264_opus() -> Vec<Unit> {
    let mut units = units(include_bytes!("../fixtures/h264_aac.flv"), Kind::Video);
    units.extend(units_of_opus());
    units.sort_by_key(|unit| unit.frame.dts);
    units
}

fn units_of_opus() -> Vec<Unit> {
    units(include_bytes!("../fixtures/vp9_opus.flv"), Kind::Audio)
}

/// All frames of one kind in a recording.
pub fn frames(recording: &[u8], kind: Kind) -> Vec<(Codec, Frame)> {
    frames_of(&tags(recording), kind)
}

/// The same of its tags.
pub fn frames_of(tags: &[Tag], kind: Kind) -> Vec<(Codec, Frame)> {
    let (mut demuxer, mut codecs, mut frames) = (Demuxer::new(), BTreeMap::new(), Vec::new());
    for tag in tags {
        for event in demuxer.handle_tag(tag.kind, tag.timestamp_ms, &tag.body) {
            match event.expect("a well-formed recording") {
                Event::Codec { track, codec } => drop(codecs.insert(track, codec)),
                Event::Frame { track, at, cts, sync, payload } => {
                    let codec: &Codec = &codecs[&track];
                    let is_video = codec.kind() == media::codec::Kind::Video;
                    if is_video == (kind == Kind::Video) {
                        frames.push((codec.clone(), Frame { dts: at, cts, sync, payload }));
                    }
                }
                Event::Metadata { .. } | Event::Script { .. } | Event::Sei { .. } | Event::End { .. } => {}
            }
        }
    }
    frames
}

fn units(recording: &[u8], kind: Kind) -> Vec<Unit> {
    Unit::cut(frames(recording, kind), kind)
}

impl Unit {
    /// Cuts the frames of one track.
    pub fn cut(frames: Vec<(Codec, Frame)>, kind: Kind) -> Vec<Self> {
        let mut packetizer = Packetizer::default();
        let cut = |(codec, frame): (Codec, Frame)| {
            let mut packets = Vec::new();
            packetizer.handle_frame(&codec, frame.sync && kind == Kind::Video, &frame, &mut packets);
            Self { kind, frame, packets }
        };
        frames.into_iter().map(cut).collect()
    }
}
