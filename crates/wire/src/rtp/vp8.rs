//! VP8 payloads (RFC 7741): written with picture numbers and without temporal layers, read with all there is.

use bytes::{BufMut, BytesMut};
use media::Codec;
use media::codec::vp8::{Keyframe, Params};

use super::packetizer::{Sink, pieces};
use super::{Malformed, Picture};

/// Bits of the first byte (§4.2): an extension follows, …
const EXTENDED: u8 = 0x80;
/// … no other frame needs this one, …
const NON_REFERENCE: u8 = 0x20;
/// … a partition begins, …
const START: u8 = 0x10;
/// … and its number.
const PARTITION: u8 = 0x07;

/// Bits of the extension: picture number, …
const PICTURE_ID: u8 = 0x80;
/// … number of the base layer's picture, …
const TL0PICIDX: u8 = 0x40;
/// … and layer or keyframe number, which share a byte.
const LAYER_OR_KEY: u8 = 0x30;

/// Bytes of the descriptor we write.
const DESCRIPTOR_BYTES: usize = 4;

/// Writes a frame. Which pictures need it stands deep in the coded header, so none is called unneeded.
pub(super) fn write(picture_id: u16, payload: &[u8], sink: &mut Sink<'_>) {
    if payload.is_empty() {
        return;
    }
    let [high, low] = (picture_id | 0x8000).to_be_bytes();
    let mut start = START;
    for piece in pieces(payload, sink.payload_max - DESCRIPTOR_BYTES) {
        sink.put(&[&[EXTENDED | start, PICTURE_ID, high, low], piece]);
        start = 0;
    }
}

/// The first byte of a descriptor, and what is behind it all.
fn descriptor(payload: &[u8]) -> Option<(u8, &[u8])> {
    let (&flags, mut rest) = payload.split_first()?;
    let mut next = || -> Option<u8> {
        let (byte, after) = rest.split_first()?;
        rest = after;
        Some(*byte)
    };
    if flags & EXTENDED != 0 {
        let extension = next()?;
        if extension & PICTURE_ID != 0 && next()? & 0x80 != 0 {
            next()?;
        }
        if extension & TL0PICIDX != 0 {
            next()?;
        }
        if extension & LAYER_OR_KEY != 0 {
            next()?;
        }
    }
    Some((flags, rest))
}

/// See [`super::opens_group`]: the inverse key frame flag is the first bit of a frame (RFC 6386 §9.1).
pub(super) fn opens_group(payload: &[u8]) -> bool {
    begins_picture(payload)
        && descriptor(payload).and_then(|(_, data)| data.first()).is_some_and(|byte| byte & 1 == 0)
}

/// Whether a payload can only be the first of its picture.
pub(super) fn begins_picture(payload: &[u8]) -> bool {
    payload.first().is_some_and(|flags| flags & (START | PARTITION) == START)
}

/// See [`super::is_discardable`].
pub(super) fn is_discardable(payload: &[u8]) -> bool {
    payload.first().is_some_and(|flags| flags & NON_REFERENCE != 0)
}

/// Puts frames together.
#[derive(Debug, Default)]
pub(super) struct Reader {
    params: Option<Params>,
}

impl Reader {
    /// The parameters, once a keyframe has come.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.params.clone().map(Codec::Vp8)
    }

    /// The payloads of one frame.
    pub(super) fn read<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Picture>, Malformed> {
        let mut out = BytesMut::new();
        let mut started = false;
        for payload in payloads {
            if begins_picture(payload) == started {
                return Err(Malformed);
            }
            started = true;
            let (_, data) = descriptor(payload).ok_or(Malformed)?;
            out.put_slice(data);
        }
        if out.is_empty() {
            return Ok(None);
        }
        let key = Keyframe::parse(&out).map_err(|_| Malformed)?;
        if let Some(key) = key {
            self.params = Some(Params::from_keyframe(&key));
        }
        Ok(Some(Picture { sync: key.is_some(), payload: out.freeze() }))
    }
}
