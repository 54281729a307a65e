//! One track of frames on its way into its lane: converted where WebRTC does not know its codec or its order, then
//! packetized.

use std::sync::Arc;
use std::time::Instant;

use av::sound::{Channels, Converter, Target};
use media::broadcast::{TrackId, TrackInfo};
use media::codec::{Codec, h264};
use media::{Frame, Packet, Timestamp};
use wire::rtp::Packetizer;

use super::feed::format_of;
use super::lanes::{Kind, Lanes, Writer};
use super::loudness::Meter;
use super::reencode::Reencode;
use crate::audience::Protocol;
use crate::derived::{Cost, Derived};
use crate::encoders::Capacity;

/// Opus for WebRTC viewers: transparent for speech, good for music.
const OPUS_BITRATE: u32 = 96_000;

/// One track on its way.
pub(super) struct Packets {
    pub(super) track: TrackId,
    codec: Arc<Codec>,
    way: Way,
    derived: Arc<Derived>,
}

/// How frames become packets.
enum Way {
    Pictures(Output),
    /// Opus.
    Sound(Box<Meter>, Output),
    /// Sound of another codec.
    Converted(Box<Converter>, Cost, Output),
    /// Pictures in showing order, from an encoder.
    Reencoded(Reencode),
    /// No core is free to encode: pictures that no other needs are left out, which mostly are those out of order.
    Sparse(Output, Option<Timestamp>),
}

/// The last steps.
struct Output {
    packetizer: Packetizer,
    writer: Writer,
    frames: Vec<Frame>,
    packets: Vec<Packet>,
}

impl Packets {
    /// `None` when WebRTC has nothing for this codec.
    pub(super) fn new(
        lanes: &Lanes,
        capacity: &Capacity,
        derived: &Arc<Derived>,
        info: &TrackInfo,
    ) -> Option<Self> {
        let way = Way::of(lanes, capacity, derived, info)?;
        Some(Self { track: info.id, way, codec: Arc::clone(&info.codec), derived: Arc::clone(derived) })
    }

    /// A group opens: its parameters may be others, and its pictures may have turned out to be out of order.
    pub(super) fn handle_group(&mut self, lanes: &Lanes, capacity: &Capacity, info: &TrackInfo) {
        let is_out_of_order = info.stats.reordered && matches!(self.way, Way::Pictures(_));
        if *self.codec == *info.codec && !is_out_of_order {
            return;
        }
        self.codec = Arc::clone(&info.codec);
        if let Some(way) = Way::of(lanes, capacity, &self.derived, info) {
            self.way = way;
        }
    }

    /// Takes a frame, and tells `lanes` how loud it is where it is sound.
    pub(super) fn handle_frame(&mut self, lanes: &Lanes, opens_group: bool, frame: &Frame) {
        match &mut self.way {
            Way::Pictures(output) => output.put(&self.codec, opens_group, frame),
            Way::Sound(meter, output) => {
                lanes.handle_sound(Instant::now(), meter, frame);
                output.put(&self.codec, opens_group, frame);
            }
            Way::Reencoded(encoder) => encoder.handle_frame(frame),
            Way::Sparse(output, newest) => {
                let in_order = newest.is_none_or(|newest| frame.pts() > newest);
                if !h264::is_disposable(&frame.payload) && in_order {
                    *newest = Some(frame.pts());
                    output.put(&self.codec, opens_group, frame);
                }
            }
            Way::Converted(converter, cost, output) => {
                let mut frames = std::mem::take(&mut output.frames);
                if let Err(error) = cost.measure(|| converter.handle_frame(frame, &mut frames)) {
                    tracing::warn!(%error, "sound cannot be converted; it starts anew");
                    if let Some(anew) = converter_of(&self.codec) {
                        **converter = anew;
                    }
                }
                if let Some(level) = converter.level_db() {
                    lanes.loudness().handle_level(Instant::now(), level.round() as i8);
                }
                for frame in frames.drain(..) {
                    output.put(converter.codec(), false, &frame);
                }
                output.frames = frames;
            }
        }
    }
}

impl Way {
    fn of(lanes: &Lanes, capacity: &Capacity, derived: &Arc<Derived>, info: &TrackInfo) -> Option<Self> {
        let format = format_of(&info.codec)?;
        let kind = if format.is_video() { Kind::Video } else { Kind::Audio };
        let output = || Output {
            packetizer: Packetizer::default(),
            writer: lanes.write(kind, format),
            frames: Vec::new(),
            packets: Vec::new(),
        };
        match &*info.codec {
            Codec::Aac(_) | Codec::G711(_) => {
                let from =
                    if matches!(&*info.codec, Codec::Aac(_)) { "Opus from AAC" } else { "Opus from G.711" };
                let cost = derived.add(from, &[Protocol::Whep]);
                Some(Self::Converted(Box::new(converter_of(&info.codec)?), cost, output()))
            }
            Codec::Opus(_) => Some(Self::Sound(Box::default(), output())),
            Codec::H264(_) if info.stats.reordered => {
                let encoder = Reencode::start(capacity, derived, info, lanes.write(kind, format));
                Some(encoder.map_or_else(|| Self::Sparse(output(), None), Self::Reencoded))
            }
            Codec::H264(_)
            | Codec::H265(_)
            | Codec::Av1(_)
            | Codec::Vp8(_)
            | Codec::Vp9(_)
            | Codec::Data(_) => Some(Self::Pictures(output())),
        }
    }
}

impl Output {
    fn put(&mut self, codec: &Codec, opens_group: bool, frame: &Frame) {
        self.packetizer.handle_frame(codec, opens_group, frame, &mut self.packets);
        self.writer.push_frame(&mut self.packets, opens_group);
    }
}

fn converter_of(codec: &Codec) -> Option<Converter> {
    let channels = match codec {
        Codec::Aac(params) if params.channels != 1 => Channels::Stereo,
        Codec::G711(params) if params.channels != 1 => Channels::Stereo,
        _ => Channels::Mono,
    };
    let target = Target::Opus { channels, bitrate_bps: OPUS_BITRATE };
    Converter::new(codec, target)
        .inspect_err(|error| tracing::warn!(%error, "the sound of this broadcast is not for WebRTC viewers"))
        .ok()
}
