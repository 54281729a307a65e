//! AV1 payloads (AOM, "RTP Payload Format For AV1"): OBUs without sizes and temporal delimiters, behind an aggregation
//! header.

use bytes::BytesMut;
use media::Codec;
use media::codec::av1::{self, OBUS_MAX, Obu, Params, RECORD_BYTES};

use super::packetizer::Sink;
use super::{Malformed, Picture};

/// Bits of the aggregation header (§4.4): the first element goes on from the packet before, …
const CONTINUES: u8 = 0x80;
/// … the last goes on in the next, …
const GOES_ON: u8 = 0x40;
/// … and a coded video sequence begins.
const NEW_SEQUENCE: u8 = 0x08;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

/// Elements whose number the header can tell (W), so that the last needs no length.
const COUNTED_MAX: usize = 3;

/// Bytes of the length of an element that fits a datagram.
const LENGTH_BYTES_MAX: usize = 2;

/// Writes a temporal unit; the sequence header in front where viewers begin. Which pictures need it, AV1 tells only to
/// decoders.
pub(super) fn write(params: &Params, opens: bool, payload: &[u8], sink: &mut Sink<'_>) {
    let sent = || av1::obus(payload).filter(|obu| is_sent(*obu));
    if sent().next().is_none() {
        return;
    }
    let known = params.config.get(RECORD_BYTES..).unwrap_or_default();
    let lacks_header = opens && !sent().any(|obu| obu.kind() == SEQUENCE_HEADER);
    let front = av1::obus(known).filter(|obu| lacks_header && obu.kind() == SEQUENCE_HEADER);
    let mut packer = Packer { sink, new_sequence: opens, elements: Vec::new(), size: 1, continues: false };
    for obu in front.chain(sent()) {
        let (header, extension) = obu.header();
        let mut element = vec![header];
        element.extend(extension);
        element.extend_from_slice(obu.payload);
        packer.put(&element);
    }
    packer.flush(false);
}

/// §5: delimiters should not be sent, tile lists must not, and padding is for nobody.
fn is_sent(obu: Obu<'_>) -> bool {
    !matches!(obu.kind(), TEMPORAL_DELIMITER | TILE_LIST | PADDING)
}

/// Fills packets with elements.
struct Packer<'a, 'b> {
    sink: &'a mut Sink<'b>,
    new_sequence: bool,
    elements: Vec<Vec<u8>>,
    /// Bytes of the packet as it is, each element with its length.
    size: usize,
    continues: bool,
}

impl Packer<'_, '_> {
    fn put(&mut self, mut element: &[u8]) {
        loop {
            let room = self.sink.payload_max.saturating_sub(self.size + LENGTH_BYTES_MAX);
            if element.len() <= room {
                break;
            }
            // A fragment of a few bytes is not worth its length.
            if room >= LENGTH_BYTES_MAX * 8 {
                let (piece, rest) = element.split_at(room);
                self.add(piece);
                element = rest;
                self.flush(true);
            } else {
                self.flush(false);
            }
        }
        self.add(element);
    }

    fn add(&mut self, piece: &[u8]) {
        self.size += LENGTH_BYTES_MAX + piece.len();
        self.elements.push(piece.to_vec());
    }

    fn flush(&mut self, goes_on: bool) {
        if self.elements.is_empty() {
            return;
        }
        let counted = self.elements.len() <= COUNTED_MAX;
        let count = if counted { self.elements.len() as u8 } else { 0 };
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let header = flag(self.continues, CONTINUES)
            | flag(goes_on, GOES_ON)
            | count << 4
            | flag(self.new_sequence, NEW_SEQUENCE);
        let mut payload = vec![header];
        let last = self.elements.len() - 1;
        for (at, element) in self.elements.drain(..).enumerate() {
            if at < last || !counted {
                put_leb128(element.len(), &mut payload);
            }
            payload.extend_from_slice(&element);
        }
        self.sink.put(&[&payload]);
        self.size = 1;
        self.continues = goes_on;
        self.new_sequence = false;
    }
}

fn put_leb128(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The elements of a packet behind its header. An error is the last item: an element beyond the end.
fn elements(header: u8, mut rest: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let count = usize::from(header >> 4 & 3);
    let mut at = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            // A count that promises more is wrong.
            return (at < count).then(|| {
                at = count;
                Err(Malformed)
            });
        }
        at += 1;
        let len = if at == count { Some(rest.len()) } else { leb128(&mut rest) };
        let element = len.filter(|_| count == 0 || at <= count).and_then(|len| rest.split_at_checked(len));
        let Some((element, after)) = element else {
            (rest, at) = (&[], count);
            return Some(Err(Malformed));
        };
        rest = after;
        Some(Ok(element))
    })
}

fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    // Four bytes make 28 bits, far more than a datagram holds.
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// See [`super::opens_group`]: a coded video sequence begins here.
pub(super) fn opens_group(payload: &[u8]) -> bool {
    matches!(payload, [header, _, ..] if header & NEW_SEQUENCE != 0 && header & CONTINUES == 0)
}

/// Puts temporal units together.
#[derive(Debug, Default)]
pub(super) struct Reader {
    params: Option<Params>,
}

impl Reader {
    /// The parameters, once a sequence header has come.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.params.clone().map(Codec::Av1)
    }

    /// The payloads of one temporal unit. `Ok(None)` when nothing is in them.
    pub(super) fn read<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Picture>, Malformed> {
        let mut unit = TemporalUnit::default();
        for payload in payloads {
            unit.handle_payload(payload)?;
        }
        if unit.open.is_some() {
            return Err(Malformed);
        }
        if unit.out.is_empty() {
            return Ok(None);
        }
        let payload = unit.out.freeze();
        let changed = match &self.params {
            Some(params) => params.changed_by(&payload),
            None => Params::from_payload(&payload),
        };
        self.params = changed.or_else(|| self.params.take());
        Ok(Some(Picture { sync: av1::is_keyframe(&payload), payload }))
    }
}

#[derive(Default)]
struct TemporalUnit {
    out: BytesMut,
    /// An element that goes on in the next packet.
    open: Option<Vec<u8>>,
    count: usize,
}

impl TemporalUnit {
    fn handle_payload(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let (&header, rest) = payload.split_first().ok_or(Malformed)?;
        if (header & CONTINUES != 0) != self.open.is_some() {
            return Err(Malformed);
        }
        let mut elements = elements(header, rest).peekable();
        while let Some(element) = elements.next() {
            let element = element?;
            let goes_on = header & GOES_ON != 0 && elements.peek().is_none();
            match self.open.take() {
                None if !goes_on => self.put(element)?,
                open => {
                    let mut whole = open.unwrap_or_default();
                    whole.extend_from_slice(element);
                    if goes_on {
                        self.open = Some(whole);
                    } else {
                        self.put(&whole)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A whole element. It should be one OBU without a size; a size inside is read too, as §5 allows it.
    fn put(&mut self, element: &[u8]) -> Result<(), Malformed> {
        self.count += 1;
        let obu = av1::obus(element).next().ok_or(Malformed)?;
        if self.count > OBUS_MAX {
            return Err(Malformed);
        }
        if is_sent(obu) {
            obu.write(&mut self.out);
        }
        Ok(())
    }
}
