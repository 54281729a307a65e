//! VP9 payloads (RFC 9628): written in non-flexible mode without layers, read with layers and in both modes.

use bytes::{BufMut, Bytes, BytesMut};
use media::Codec;
use media::codec::vp9::{self, Keyframe, Params};

use super::packetizer::{Sink, pieces};
use super::{Malformed, Picture};

/// Bits of the first byte (§4.2): a picture number is there, …
const PICTURE_ID: u8 = 0x80;
/// … the frame is predicted from others, …
const PREDICTED: u8 = 0x40;
/// … layer numbers are there, …
const LAYERS: u8 = 0x20;
/// … references are listed in each frame, …
const FLEXIBLE: u8 = 0x10;
/// … a layer's frame begins, …
const BEGIN: u8 = 0x08;
/// … it ends, …
const END: u8 = 0x04;
/// … and a scalability structure is there.
const STRUCTURE: u8 = 0x02;

/// Bytes of the longest descriptor we write: flags, picture number, and the structure with one size.
const DESCRIPTOR_BYTES_MAX: usize = 8;

/// References a frame of the flexible mode may list.
const REFERENCES_MAX: usize = 3;

/// Layer frames of one picture: eight spatial layers, and as many as a superframe can hold.
const LAYERS_MAX: usize = 8;

/// Writes a superframe. Which pictures need it, VP9 tells only to decoders.
pub(super) fn write(picture_id: u16, payload: &[u8], sink: &mut Sink<'_>) {
    if payload.is_empty() {
        return;
    }
    let key = Keyframe::parse(payload).ok().flatten();
    let [high, low] = (picture_id | 0x8000).to_be_bytes();
    let predicted = if key.is_some() { 0 } else { PREDICTED };
    // N_S 0, Y 1, G 0: one layer, its size, and nothing about the pattern of references.
    let structure = key.map(|key| {
        let ([w1, w0], [h1, h0]) = ((key.width as u16).to_be_bytes(), (key.height as u16).to_be_bytes());
        [0x10, w1, w0, h1, h0]
    });
    let mut pieces = pieces(payload, sink.payload_max - DESCRIPTOR_BYTES_MAX).peekable();
    let mut begin = BEGIN;
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_none() { END } else { 0 };
        let structure = structure.as_ref().filter(|_| begin != 0);
        let flags = PICTURE_ID | predicted | begin | end | structure.map_or(0, |_| STRUCTURE);
        sink.put(&[&[flags, high, low], structure.map_or(&[][..], |bytes| bytes), piece]);
        begin = 0;
    }
}

/// What a descriptor tells of its payload.
struct Descriptor<'a> {
    flags: u8,
    /// Spatial layer, and whether it is predicted from the one below.
    spatial: u8,
    inter_layer: bool,
    data: &'a [u8],
}

impl<'a> Descriptor<'a> {
    /// §4.2.
    fn parse(payload: &'a [u8]) -> Option<Self> {
        let (&flags, mut rest) = payload.split_first()?;
        let mut take = |count: usize| -> Option<&'a [u8]> {
            let (field, after) = rest.split_at_checked(count)?;
            rest = after;
            Some(field)
        };
        if flags & PICTURE_ID != 0 && take(1)?.first()? & 0x80 != 0 {
            take(1)?;
        }
        let (mut spatial, mut inter_layer) = (0, false);
        if flags & LAYERS != 0 {
            let layers = *take(1)?.first()?;
            (spatial, inter_layer) = (layers >> 1 & 7, layers & 1 != 0);
            if flags & FLEXIBLE == 0 {
                take(1)?;
            }
        }
        if flags & FLEXIBLE != 0 && flags & PREDICTED != 0 {
            let mut count = 1;
            while take(1)?.first()? & 1 != 0 {
                count += 1;
                if count > REFERENCES_MAX {
                    return None;
                }
            }
        }
        if flags & STRUCTURE != 0 {
            skip_structure(&mut take)?;
        }
        Some(Self { flags, spatial, inter_layer, data: rest })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// §4.2.1: sizes of the layers, then the references of a group of pictures.
fn skip_structure<'a>(take: &mut impl FnMut(usize) -> Option<&'a [u8]>) -> Option<()> {
    let head = *take(1)?.first()?;
    if head & 0x10 != 0 {
        take((usize::from(head >> 5) + 1) * 4)?;
    }
    if head & 0x08 != 0 {
        for _ in 0..*take(1)?.first()? {
            let references = take(1)?.first()? >> 2 & 3;
            take(references.into())?;
        }
    }
    Some(())
}

/// See [`super::opens_group`].
pub(super) fn opens_group(payload: &[u8]) -> bool {
    Descriptor::parse(payload).is_some_and(|descriptor| {
        descriptor.has(BEGIN)
            && !descriptor.has(PREDICTED)
            && descriptor.spatial == 0
            && !descriptor.inter_layer
            && vp9::is_keyframe(descriptor.data)
    })
}

/// Whether a payload can only be the first of its picture.
pub(super) fn begins_picture(payload: &[u8]) -> bool {
    Descriptor::parse(payload).is_some_and(|descriptor| descriptor.has(BEGIN) && descriptor.spatial == 0)
}

/// Puts superframes together.
#[derive(Debug, Default)]
pub(super) struct Reader {
    params: Option<Params>,
}

impl Reader {
    /// The parameters, once a keyframe has come.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.params.clone().map(Codec::Vp9)
    }

    /// The payloads of one picture, all its layers.
    pub(super) fn read<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Picture>, Malformed> {
        let mut out = BytesMut::new();
        let mut begins = Vec::new();
        let mut open = false;
        for payload in payloads {
            let descriptor = Descriptor::parse(payload).ok_or(Malformed)?;
            if descriptor.has(BEGIN) == open {
                return Err(Malformed);
            }
            if descriptor.has(BEGIN) {
                begins.push(out.len());
            }
            open = !descriptor.has(END);
            out.put_slice(descriptor.data);
        }
        if open || begins.len() > LAYERS_MAX {
            return Err(Malformed);
        }
        if out.is_empty() {
            return Ok(None);
        }
        if begins.len() > 1 {
            put_index(&begins, &mut out);
        }
        let payload = out.freeze();
        Ok(Some(Picture { sync: self.take_keyframe(&payload)?, payload }))
    }

    fn take_keyframe(&mut self, payload: &Bytes) -> Result<bool, Malformed> {
        let Some(key) = Keyframe::parse(payload).map_err(|_| Malformed)? else { return Ok(false) };
        self.params = Some(match &self.params {
            Some(params) => params.with_keyframe(&key),
            None => Params::from_keyframe(&key),
        });
        Ok(true)
    }
}

/// The superframe index (VP9 bitstream annex B), by which decoders find the layers' frames in one payload.
fn put_index(begins: &[usize], out: &mut BytesMut) {
    let ends = begins.iter().skip(1).copied().chain([out.len()]);
    let sizes: Vec<u32> = begins.iter().zip(ends).map(|(begin, end)| (end - begin) as u32).collect();
    // Sizes of four bytes: they fit every frame.
    let marker = 0b110 << 5 | 3 << 3 | (sizes.len() - 1) as u8;
    out.put_u8(marker);
    sizes.iter().for_each(|size| out.put_u32_le(*size));
    out.put_u8(marker);
}
