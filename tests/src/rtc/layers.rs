//! A publisher that sends its pictures in three layers, made up: parameter sets that name a size, and slices of noise that
//! say which layer and which picture they are of.

use std::sync::Arc;

use str0m::media::Rid;

use media::{Packet, Timestamp};

/// A layer as a publisher sends it.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Its name.
    pub rid: &'static str,
    /// Of its pictures, in whole macroblocks.
    pub size: (u32, u32),
    /// Of its slices.
    pub kbps: u32,
}

/// Three, in the order of Chromium's offer, the smallest first.
pub const LAYERS: [Layer; 3] = [
    Layer { rid: "l", size: (320, 192), kbps: 100 },
    Layer { rid: "m", size: (640, 384), kbps: 300 },
    Layer { rid: "h", size: (1_280, 768), kbps: 900 },
];
/// Pictures a second.
pub const FPS: u32 = 25;
/// A slice's payload; what is left is for headers.
const SLICE_BYTES: usize = 1_100;

/// Writes bits, the highest first (H.264 §7.2).
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn bit(&mut self, bit: u32) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
        }
        let last = self.bytes.last_mut().expect("one was pushed");
        *last |= (bit as u8 & 1) << (7 - self.used % 8);
        self.used += 1;
    }

    fn bits(&mut self, value: u32, count: u32) -> &mut Self {
        (0..count).rev().for_each(|at| self.bit(value >> at));
        self
    }

    /// Exponential Golomb (§9.1).
    fn ue(&mut self, value: u32) -> &mut Self {
        let length = 32 - (value + 1).leading_zeros();
        self.bits(0, length - 1).bits(value + 1, length)
    }
}

/// Parameters of constrained baseline pictures of this size (§7.3.2.1.1).
fn sps((width, height): (u32, u32)) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.bits(0x67, 8).bits(66, 8).bits(0xC0, 8).bits(31, 8);
    // Its name, 16 frame numbers, order as decoded, one reference, no gaps.
    bits.ue(0).ue(0).ue(2).ue(1).bits(0, 1);
    bits.ue(width / 16 - 1).ue(height / 16 - 1);
    // Whole frames, direct inference, no crop, no usability information, and the end.
    bits.bits(0b11, 2).bits(0, 1).bits(0, 1).bits(1, 1);
    bits.bytes
}

/// What a slice of [`Layer`] says: which layer of the three, and which picture.
pub fn told(payload: &[u8]) -> Option<(usize, u32)> {
    let [unit, _, layer, a, b, ..] = *payload else { return None };
    let is_slice = matches!(unit & 0x1F, 1 | 5);
    // A real one begins otherwise.
    let [layer, a, b] = [layer, a, b].map(|byte| byte.checked_sub(1).filter(|_| is_slice));
    Some((usize::from(layer?), u32::from(a?) * 250 + u32::from(b?)))
}

/// Decoding can begin with this payload.
pub fn is_keyframe(payload: &[u8]) -> bool {
    matches!(payload.first().map(|unit| unit & 0x1F), Some(5 | 7))
}

/// Which publisher a payload of pictures or sound is of.
pub fn marked(payload: &[u8]) -> u8 {
    payload.last().copied().unwrap_or_default().wrapping_sub(FILLER)
}

/// What slices and sound are filled with, by the first publisher.
const FILLER: u8 = 0x55;

/// The packets of one picture of a layer by the publisher `mark`; numbers go on from `sequence`.
pub fn picture(layer: usize, (number, mark): (u32, u8), sync: bool, sequence: &mut u64) -> Vec<Packet> {
    let Layer { size, kbps, .. } = LAYERS[layer];
    let at = Timestamp::from_micros(i64::from(number) * 1_000_000 / i64::from(FPS));
    let bytes = kbps as usize * 1_000 / 8 / FPS as usize * if sync { 3 } else { 1 };
    let mut payloads = Vec::new();
    if sync {
        payloads.push(sps(size));
        // Picture parameters (§7.3.2.2): CAVLC, and nothing else that matters.
        payloads.push(vec![0x68, 0xCE, 0x3C, 0x80]);
    }
    let slices = bytes.div_ceil(SLICE_BYTES);
    for slice in 0..slices {
        // The slice's first macroblock, 0 or 1, and that all slices of its picture are I, or P (§7.3.3).
        let first = match (slice, sync) {
            (0, true) => 0x88,
            (0, false) => 0x9A,
            (_, true) => 0x42,
            (_, false) => 0x46,
        };
        let counter = [(number / 250 % 250) as u8 + 1, (number % 250) as u8 + 1];
        let mut payload =
            vec![if sync { 0x65 } else { 0x41 }, first, layer as u8 + 1, counter[0], counter[1]];
        payload.resize((bytes / slices).max(payload.len()), FILLER + mark);
        payloads.push(payload);
    }
    let last = payloads.len() - 1;
    let mut packets = Vec::new();
    for (index, payload) in payloads.into_iter().enumerate() {
        *sequence += 1;
        let payload: Arc<[u8]> = payload.into();
        packets.push(Packet { at, sequence: *sequence, marker: index == last, discardable: false, payload });
    }
    packets
}

/// What a publisher of layers sends next, and what it was asked to.
#[derive(Debug, Default)]
pub struct Sending {
    /// Of the picture that is sent next, of each layer.
    pub number: u32,
    sequences: [u64; 4],
    /// A keyframe was asked for, or is due because the layer begins.
    wanted: [bool; 3],
    sent: [bool; 3],
    /// Layers that the test has stopped, as a browser does that lacks bandwidth.
    pub stopped: [bool; 3],
    /// Layers that the server has told to rest.
    pub resting: [bool; 3],
    /// Who sends: marks what is sent.
    pub mark: u8,
    /// How loud its sound is, where that is told.
    pub level: Option<i8>,
    /// Keyframes sent of each.
    pub keyframes: [u32; 3],
}

impl Sending {
    pub(super) fn handle_request(&mut self, rid: Option<Rid>) {
        for (layer, wanted) in LAYERS.iter().zip(&mut self.wanted) {
            *wanted |= rid == Some(Rid::from(layer.rid));
        }
    }

    pub(super) fn handle_said(&mut self, text: &str) {
        let said: serde_json::Value = serde_json::from_str(text).expect("JSON");
        if said["type"] != "layers" {
            return;
        }
        let active = said["active"].as_array().expect("names");
        self.resting = LAYERS.map(|layer| active.iter().all(|rid| rid != layer.rid));
    }

    /// The packets of the next picture of each layer, and of the sound of that time.
    pub(super) fn next(&mut self) -> (Vec<(Rid, Packet)>, Vec<Packet>) {
        let mut packets = Vec::new();
        for (index, layer) in LAYERS.iter().enumerate() {
            let is_sent = !self.stopped[index] && !self.resting[index];
            let begins = is_sent && !std::mem::replace(&mut self.sent[index], is_sent);
            if !is_sent {
                continue;
            }
            let sync = std::mem::take(&mut self.wanted[index]) || begins;
            self.keyframes[index] += u32::from(sync);
            let number = (self.number, self.mark);
            let picture = picture(index, number, sync, &mut self.sequences[index]);
            packets.extend(picture.into_iter().map(|packet| (Rid::from(layer.rid), packet)));
        }
        let mark = self.mark;
        let sound = (0..2).map(|half| {
            self.sequences[3] += 1;
            let at = Timestamp::from_millis(i64::from(self.number) * 40 + half * 20);
            // One frame of 20 ms of noise (RFC 6716 §3.1).
            let payload: Arc<[u8]> = [&[0xF8][..], &[FILLER + mark; 79]].concat().into();
            Packet { at, sequence: self.sequences[3], marker: false, discardable: false, payload }
        });
        let sound = sound.collect();
        self.number += 1;
        (packets, sound)
    }
}
