//! One track of frames on its way into its lane: converted where WebRTC does not know its codec, then packetized.

use std::sync::Arc;

use av::sound::{Channels, Converter, Target};
use media::broadcast::TrackId;
use media::codec::Codec;
use media::{Frame, Packet};
use wire::rtp::Packetizer;

use super::feed::format_of;
use super::lanes::{Kind, Lanes, Writer};

/// Opus for WebRTC viewers: transparent for speech, good for music.
const OPUS_BITRATE: u32 = 96_000;

/// One track on its way.
pub(super) struct Packets {
    pub(super) track: TrackId,
    codec: Arc<Codec>,
    sound: Option<Converter>,
    packetizer: Packetizer,
    writer: Writer,
    frames: Vec<Frame>,
    packets: Vec<Packet>,
}

impl Packets {
    /// `None` when WebRTC has nothing for this codec.
    pub(super) fn new(lanes: &Arc<Lanes>, kind: Kind, track: TrackId, codec: &Arc<Codec>) -> Option<Self> {
        Some(Self {
            track,
            sound: converter(codec),
            codec: Arc::clone(codec),
            packetizer: Packetizer::default(),
            writer: lanes.write(kind, format_of(codec)?),
            frames: Vec::new(),
            packets: Vec::new(),
        })
    }

    /// The next group's parameters.
    pub(super) fn set_codec(&mut self, lanes: &Arc<Lanes>, kind: Kind, codec: &Arc<Codec>) {
        if self.codec == *codec {
            return;
        }
        if let Some(format) = format_of(codec).filter(|format| *format != self.writer.format()) {
            self.writer = lanes.write(kind, format);
        }
        self.sound = converter(codec);
        self.codec = Arc::clone(codec);
    }

    pub(super) fn handle_frame(&mut self, opens_group: bool, frame: &Frame) {
        match &mut self.sound {
            None => self.packetizer.handle_frame(&self.codec, opens_group, frame, &mut self.packets),
            Some(converter) => {
                if let Err(error) = converter.handle_frame(frame, &mut self.frames) {
                    tracing::warn!(%error, "sound cannot be converted; it starts anew");
                    self.sound = self::converter(&self.codec);
                }
                if let Some(converter) = &self.sound {
                    for frame in self.frames.drain(..) {
                        self.packetizer.handle_frame(converter.codec(), false, &frame, &mut self.packets);
                    }
                }
            }
        }
        let mut opens = opens_group;
        for packet in self.packets.drain(..) {
            self.writer.push(packet, std::mem::take(&mut opens));
        }
    }
}

fn converter(codec: &Codec) -> Option<Converter> {
    let Codec::Aac(params) = codec else { return None };
    let channels = if params.channels == 1 { Channels::Mono } else { Channels::Stereo };
    let target = Target::Opus { channels, bitrate_bps: OPUS_BITRATE };
    Converter::new(codec, target)
        .inspect_err(|error| tracing::warn!(%error, "the sound of this broadcast is not for WebRTC viewers"))
        .ok()
}
