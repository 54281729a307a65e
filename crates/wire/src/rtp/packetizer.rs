//! Frames of any source into packets, made once for all viewers.

use std::sync::Arc;

use media::codec::Kind;
use media::{Codec, Frame, Packet, Span, Timestamp};

use super::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MIN};
use super::{av1, g711, h264, h265, opus, vp8, vp9};

/// Cuts the frames of one track into packets, numbered without gaps.
#[derive(Clone, Debug)]
pub struct Packetizer {
    payload_max: usize,
    sequence: u64,
    /// Number of the next picture, for formats that tell it; 15 bits of it.
    picture_id: u16,
}

impl Default for Packetizer {
    /// Payloads of at most [`PAYLOAD_BYTES_MAX`].
    fn default() -> Self {
        Self::new(PAYLOAD_BYTES_MAX)
    }
}

impl Packetizer {
    /// Payloads of at most `payload_max` bytes, but not less than [`PAYLOAD_BYTES_MIN`].
    pub fn new(payload_max: usize) -> Self {
        Self { payload_max: payload_max.max(PAYLOAD_BYTES_MIN), sequence: 0, picture_id: 0 }
    }

    /// Appends the packets of a frame; numbers go on from the last call. `codec` is the one of the frame's group, and
    /// `opens_group` says that viewers may begin here, so that they get what decoding needs in the same packets.
    ///
    /// Codecs that WebRTC has no payload for (AAC, data) and frames with nothing in them append nothing.
    pub fn handle_frame(&mut self, codec: &Codec, opens_group: bool, frame: &Frame, out: &mut Vec<Packet>) {
        let before = out.len();
        let opens = opens_group || frame.sync;
        let mut sink =
            Sink { payload_max: self.payload_max, at: frame.pts(), sequence: &mut self.sequence, out };
        let discardable = match codec {
            Codec::H264(params) => h264::write(params, opens, &frame.payload, &mut sink),
            Codec::H265(params) => h265::write(params, opens, &frame.payload, &mut sink),
            Codec::Vp9(_) => {
                vp9::write(self.picture_id, &frame.payload, &mut sink);
                self.picture_id = (self.picture_id + 1) & 0x7FFF;
                false
            }
            Codec::Av1(params) => {
                av1::write(params, opens, &frame.payload, &mut sink);
                false
            }
            Codec::Vp8(_) => {
                vp8::write(self.picture_id, &frame.payload, &mut sink);
                self.picture_id = (self.picture_id + 1) & 0x7FFF;
                false
            }
            Codec::Opus(_) => {
                opus::write(&frame.payload, &mut sink);
                false
            }
            Codec::G711(params) => {
                g711::write(params, &frame.payload, &mut sink);
                false
            }
            Codec::Aac(_) | Codec::Data(_) => return,
        };
        let packets = out.get_mut(before..).unwrap_or_default();
        packets.iter_mut().for_each(|packet| packet.discardable = discardable);
        // Sound uses the marker for the end of silence, of which frames do not tell (RFC 3551 §4.1).
        if codec.kind() == Kind::Video
            && let Some(last) = packets.last_mut()
        {
            last.marker = true;
        }
    }
}

/// Takes the payloads of one frame.
pub(super) struct Sink<'a> {
    pub(super) payload_max: usize,
    at: Timestamp,
    sequence: &'a mut u64,
    out: &'a mut Vec<Packet>,
}

impl Sink<'_> {
    /// One payload, from its parts.
    pub(super) fn put(&mut self, parts: &[&[u8]]) {
        self.put_later(Span::ZERO, parts);
    }

    /// One payload that begins so long after its frame.
    pub(super) fn put_later(&mut self, later: Span, parts: &[&[u8]]) {
        let payload: Arc<[u8]> = parts.concat().into();
        self.out.push(Packet {
            at: self.at + later,
            sequence: *self.sequence,
            marker: false,
            discardable: false,
            payload,
        });
        *self.sequence += 1;
    }
}

/// Cuts `data` into as few pieces of at most `max` bytes as possible, of sizes as equal as possible: a last packet of a
/// few bytes costs as much to send as a full one.
pub(super) fn pieces(data: &[u8], max: usize) -> impl Iterator<Item = &[u8]> {
    let count = data.len().div_ceil(max).max(1);
    data.chunks(data.len().div_ceil(count).max(1))
}
