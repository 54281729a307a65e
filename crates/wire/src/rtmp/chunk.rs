//! Chunk streams (§5.3): messages cut into chunks that interleave, and back.
//!
//! The reader keeps no input buffer: at most one header's bytes wait, payload goes straight into its message.

use bytes::{BufMut, Bytes, BytesMut};

use super::limits::{
    CHUNK_BYTES_DEFAULT, CHUNK_STREAMS_MAX, MESSAGE_BYTES_MAX, PARTIAL_BYTES_MAX, RESERVE_BYTES_MAX,
};
use super::message::{TYPE_ABORT, TYPE_SET_CHUNK_SIZE};

#[cfg(test)]
mod tests;

/// Basic header 3 + message header 11 + extended timestamp 4.
const HEADER_BYTES_MAX: usize = 18;

/// Timestamps from here on are in the extended field (§5.3.1.3).
const EXTENDED: u32 = 0xFF_FFFF;

/// The longest message that a header can announce.
const LENGTH_MAX: usize = 0xFF_FFFF;

/// A whole message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where and when it belongs.
    pub header: Header,
    /// The body, in one buffer of its own.
    pub payload: Bytes,
}

/// What every message says about itself (§5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Chunk stream, 2..=65,599.
    pub csid: u32,
    /// Milliseconds, absolute, wrapping at 2^32.
    pub timestamp_ms: u32,
    /// See the `TYPE_*` constants of [`super::message`].
    pub type_id: u8,
    /// Message stream: 0 for the connection, else what `createStream` answered.
    pub stream_id: u32,
}

/// A peer's breach of the chunk format. `at` is the offset of the chunk, in bytes after the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "csid and at are described once, on the enum")]
pub enum Error {
    /// A chunk that refers to an earlier header where there is none (§5.3.1.2).
    #[error("chunk stream {csid} at byte {at}: no earlier header to repeat")]
    NoHeader { csid: u32, at: u64 },
    /// A new header while a message of this chunk stream is unfinished.
    #[error("chunk stream {csid} at byte {at}: a message begins inside another")]
    Interrupted { csid: u32, at: u64 },
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("chunk stream {csid} at byte {at}: message of {len} bytes, {MESSAGE_BYTES_MAX} allowed")]
    MessageTooLong { csid: u32, at: u64, len: u32 },
    /// More than [`CHUNK_STREAMS_MAX`].
    #[error("chunk stream {csid} at byte {at}: more than {CHUNK_STREAMS_MAX} chunk streams")]
    TooManyStreams { csid: u32, at: u64 },
    /// More than [`PARTIAL_BYTES_MAX`].
    #[error("chunk stream {csid} at byte {at}: unfinished messages hold more than {PARTIAL_BYTES_MAX} bytes")]
    PartialTooLarge { csid: u32, at: u64 },
    /// A chunk size of 0 or of 2^31 and more (§5.4.1).
    #[error("chunk size {size} at byte {at}")]
    ChunkSize { size: u32, at: u64 },
    /// A control message of the chunk layer that is too short.
    #[error("control message {type_id} at byte {at}: {len} bytes")]
    Control { type_id: u8, at: u64, len: usize },
}

/// Chunks in, messages out. Chunk size changes and aborts are followed here and never come out.
#[derive(Debug)]
pub struct Reader {
    streams: Vec<Stream>,
    current: Option<Current>,
    /// The start of a header whose rest has not come.
    pending: [u8; HEADER_BYTES_MAX],
    pending_len: u8,
    chunk_size: u32,
    partial_bytes: usize,
    at: u64,
}

/// The chunk whose payload is being read.
#[derive(Debug, Clone, Copy)]
struct Current {
    index: usize,
    left: usize,
}

/// What a chunk stream remembers for headers that refer to it.
#[derive(Debug)]
struct Stream {
    header: Header,
    /// The last timestamp field as sent: absolute of format 0, else a difference. Repeated by format 3.
    field: u32,
    extended: bool,
    len: u32,
    payload: Vec<u8>,
    open: bool,
}

/// One chunk's header, absent fields as zero.
struct Parsed {
    format: u8,
    csid: u32,
    /// `None` in format 3.
    field: Option<u32>,
    extended: bool,
    len: u32,
    type_id: u8,
    stream_id: u32,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader at the first byte after the handshake.
    pub const fn new() -> Self {
        Self {
            streams: Vec::new(),
            current: None,
            pending: [0; HEADER_BYTES_MAX],
            pending_len: 0,
            chunk_size: CHUNK_BYTES_DEFAULT,
            partial_bytes: 0,
            at: 0,
        }
    }

    /// Consumes from the front of `input` up to the end of the next message; `None` when all is consumed without
    /// one. After an error the connection cannot be read on.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.open_chunk(input)? {
                    Some(current) => current,
                    None => return Ok(None),
                },
            };
            self.copy_payload(&mut current, input)?;
            if current.left > 0 {
                self.current = Some(current);
                return Ok(None);
            }
            if let Some(message) = self.finish_chunk(current.index)? {
                return Ok(Some(message));
            }
        }
    }

    /// A reader that has consumed `at` bytes, for what happens after gigabytes.
    #[cfg(test)]
    pub(super) fn starting_at(at: u64) -> Self {
        Self { at, ..Self::new() }
    }

    /// Bytes consumed so far.
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// Heap held, in bytes, for the memory budget of idle sessions.
    pub fn heap_bytes(&self) -> usize {
        self.streams.capacity() * size_of::<Stream>() + self.partial_bytes
    }

    /// Reads one header from what waits and `input`, and applies it to its stream.
    fn open_chunk(&mut self, input: &mut &[u8]) -> Result<Option<Current>, Error> {
        let waiting = usize::from(self.pending_len);
        let mut head = self.pending;
        let added = input.len().min(HEADER_BYTES_MAX - waiting);
        head[waiting..waiting + added].copy_from_slice(&input[..added]);
        let Some((parsed, used)) = self.parse(&head[..waiting + added]) else {
            self.pending = head;
            self.pending_len = (waiting + added) as u8;
            *input = &input[added..];
            return Ok(None);
        };
        let current = self.apply(&parsed)?;
        self.at += used as u64;
        if used >= waiting {
            self.pending_len = 0;
            *input = &input[used - waiting..];
        } else {
            self.pending.copy_within(used..waiting, 0);
            self.pending_len = (waiting - used) as u8;
        }
        Ok(Some(current))
    }

    /// The header at the start of `head` and its size; `None` when it is not all there.
    fn parse(&self, head: &[u8]) -> Option<(Parsed, usize)> {
        let mut cursor = head;
        let first = take::<1>(&mut cursor)?[0];
        let csid = match first & 0x3F {
            0 => 64 + u32::from(take::<1>(&mut cursor)?[0]),
            1 => 64 + u32::from(u16::from_le_bytes(take(&mut cursor)?)),
            csid => u32::from(csid),
        };
        let format = first >> 6;
        let mut parsed =
            Parsed { format, csid, field: None, extended: false, len: 0, type_id: 0, stream_id: 0 };
        if format == 3 {
            let stream = self.streams.iter().find(|stream| stream.header.csid == csid);
            if let Some(stream) = stream.filter(|stream| stream.extended) {
                parsed.field = repeated_field(stream, &mut cursor)?;
            }
            return Some((parsed, head.len() - cursor.len()));
        }
        let mut field = u24(&mut cursor)?;
        if format <= 1 {
            parsed.len = u24(&mut cursor)?;
            parsed.type_id = take::<1>(&mut cursor)?[0];
        }
        if format == 0 {
            parsed.stream_id = u32::from_le_bytes(take(&mut cursor)?);
        }
        if field == EXTENDED {
            parsed.extended = true;
            field = u32::from_be_bytes(take(&mut cursor)?);
        }
        parsed.field = Some(field);
        Some((parsed, head.len() - cursor.len()))
    }

    /// Brings the stream's state up to the header and opens the chunk's payload.
    fn apply(&mut self, parsed: &Parsed) -> Result<Current, Error> {
        let (csid, at) = (parsed.csid, self.at);
        let index = self.stream_index(parsed)?;
        let chunk_size = self.chunk_size as usize;
        let stream = &mut self.streams[index];
        if stream.open && parsed.format != 3 {
            return Err(Error::Interrupted { csid, at });
        }
        if !stream.open {
            stream.begin(parsed);
            if stream.len > MESSAGE_BYTES_MAX {
                return Err(Error::MessageTooLong { csid, at, len: stream.len });
            }
        }
        let left = (stream.len as usize - stream.payload.len()).min(chunk_size);
        Ok(Current { index, left })
    }

    /// Format 1 on a new chunk stream is let through: librtmp opens its ping stream that way.
    fn stream_index(&mut self, parsed: &Parsed) -> Result<usize, Error> {
        let (csid, at) = (parsed.csid, self.at);
        if let Some(index) = self.streams.iter().position(|stream| stream.header.csid == csid) {
            return Ok(index);
        }
        if parsed.format >= 2 {
            return Err(Error::NoHeader { csid, at });
        }
        if self.streams.len() >= CHUNK_STREAMS_MAX {
            return Err(Error::TooManyStreams { csid, at });
        }
        self.streams.push(Stream {
            header: Header { csid, timestamp_ms: 0, type_id: 0, stream_id: 0 },
            field: 0,
            extended: false,
            len: 0,
            payload: Vec::new(),
            open: false,
        });
        Ok(self.streams.len() - 1)
    }

    fn copy_payload(&mut self, current: &mut Current, input: &mut &[u8]) -> Result<(), Error> {
        let stream = &mut self.streams[current.index];
        let waiting = usize::from(self.pending_len);
        let from_pending = waiting.min(current.left);
        let from_input = input.len().min(current.left - from_pending);
        let added = from_pending + from_input;
        if self.partial_bytes + added > PARTIAL_BYTES_MAX {
            return Err(Error::PartialTooLarge { csid: stream.header.csid, at: self.at });
        }
        stream.reserve(added);
        stream.payload.extend_from_slice(&self.pending[..from_pending]);
        stream.payload.extend_from_slice(&input[..from_input]);
        self.pending.copy_within(from_pending..waiting, 0);
        self.pending_len = (waiting - from_pending) as u8;
        *input = &input[from_input..];
        self.partial_bytes += added;
        self.at += added as u64;
        current.left -= added;
        Ok(())
    }

    fn finish_chunk(&mut self, index: usize) -> Result<Option<Message>, Error> {
        let stream = &mut self.streams[index];
        if stream.payload.len() < stream.len as usize {
            return Ok(None);
        }
        stream.open = false;
        let payload = Bytes::from(std::mem::take(&mut stream.payload));
        let header = stream.header;
        self.partial_bytes -= payload.len();
        match header.type_id {
            TYPE_SET_CHUNK_SIZE => self.set_chunk_size(&payload)?,
            TYPE_ABORT => self.abort(&payload)?,
            _ => return Ok(Some(Message { header, payload })),
        }
        Ok(None)
    }

    /// §5.4.1. No message is longer than 2^24 - 1 bytes, so larger sizes mean that one.
    fn set_chunk_size(&mut self, payload: &[u8]) -> Result<(), Error> {
        let size = self.control_u32(TYPE_SET_CHUNK_SIZE, payload)?;
        if size == 0 || size > i32::MAX as u32 {
            return Err(Error::ChunkSize { size, at: self.at });
        }
        self.chunk_size = size.min(LENGTH_MAX as u32);
        Ok(())
    }

    /// §5.4.2: the rest of an unfinished message will not come.
    fn abort(&mut self, payload: &[u8]) -> Result<(), Error> {
        let csid = self.control_u32(TYPE_ABORT, payload)?;
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.header.csid == csid) {
            self.partial_bytes -= stream.payload.len();
            stream.payload = Vec::new();
            stream.open = false;
        }
        Ok(())
    }

    fn control_u32(&self, type_id: u8, payload: &[u8]) -> Result<u32, Error> {
        let bytes =
            payload.first_chunk().ok_or(Error::Control { type_id, at: self.at, len: payload.len() })?;
        Ok(u32::from_be_bytes(*bytes))
    }
}

impl Stream {
    /// A new message. After format 0 a format 3 adds the absolute timestamp once more, as §5.3.1.2.4 says and
    /// librtmp, ffmpeg and SRS do.
    fn begin(&mut self, parsed: &Parsed) {
        self.open = true;
        if let Some(field) = parsed.field {
            self.field = field;
        }
        if parsed.format != 3 {
            self.extended = parsed.extended;
        }
        if parsed.format <= 1 {
            self.len = parsed.len;
            self.header.type_id = parsed.type_id;
        }
        if parsed.format == 0 {
            self.header.stream_id = parsed.stream_id;
            self.header.timestamp_ms = self.field;
        } else {
            self.header.timestamp_ms = self.header.timestamp_ms.wrapping_add(self.field);
        }
    }

    /// Room for `added` more bytes: exactly the message for ordinary ones; a long one grows with what really came, and
    /// ends exact too, so that nothing is copied or wasted when it becomes [`Bytes`].
    fn reserve(&mut self, added: usize) {
        let (have, len) = (self.payload.len(), self.len as usize);
        if have + added > self.payload.capacity() {
            let wanted = RESERVE_BYTES_MAX.max((have + added) * 2).min(len);
            self.payload.reserve_exact(wanted - have);
        }
    }
}

/// The extended timestamp that format 3 repeats (§5.3.1.3), or nothing: some encoders leave it out, and payload follows
/// at once. Outer `None`: more bytes are needed to tell. They are told apart by comparing, byte by byte; where format 3
/// begins a message the field is always there, and new.
fn repeated_field(stream: &Stream, cursor: &mut &[u8]) -> Option<Option<u32>> {
    if !stream.open {
        return take(cursor).map(|field| Some(u32::from_be_bytes(field)));
    }
    let seen = &cursor[..cursor.len().min(4)];
    let absolute = stream.header.timestamp_ms;
    let repeats = |value: u32| value.to_be_bytes().starts_with(seen);
    if !repeats(stream.field) && !repeats(absolute) {
        return Some(None);
    }
    take::<4>(cursor)?;
    Some(Some(stream.field))
}

fn take<const N: usize>(cursor: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = cursor.split_first_chunk::<N>()?;
    *cursor = rest;
    Some(*bytes)
}

fn u24(cursor: &mut &[u8]) -> Option<u32> {
    take::<3>(cursor).map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
}

/// A payload that no header can announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of {len} bytes does not fit into RTMP")]
pub struct TooLong {
    /// Its bytes; 16,777,215 would fit.
    pub len: usize,
}

/// Appends a whole message, its payload given in `parts`, in chunks of `chunk_size`: format 0, then format 3.
///
/// The bytes depend on the arguments alone, never on what was sent before, so one buffer serves all viewers that have
/// the same chunk size. The price against formats 1 and 2 is 4 to 8 bytes a message.
pub fn message_into(
    out: &mut BytesMut,
    header: &Header,
    parts: &[&[u8]],
    chunk_size: u32,
) -> Result<(), TooLong> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    if len > LENGTH_MAX {
        return Err(TooLong { len });
    }
    let chunk_size = (chunk_size as usize).max(1);
    out.reserve(HEADER_BYTES_MAX + len + len / chunk_size * 7);
    let timestamp = header.timestamp_ms;
    basic_header(out, 0, header.csid);
    out.put_uint(u64::from(timestamp.min(EXTENDED)), 3);
    out.put_uint(len as u64, 3);
    out.put_u8(header.type_id);
    out.put_u32_le(header.stream_id);
    extended_timestamp(out, timestamp);
    let mut room = chunk_size;
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            if room == 0 {
                basic_header(out, 3, header.csid);
                extended_timestamp(out, timestamp);
                room = chunk_size;
            }
            let (now, later) = rest.split_at(rest.len().min(room));
            out.put_slice(now);
            room -= now.len();
            rest = later;
        }
    }
    Ok(())
}

/// §5.3.1.1, in the shortest of its three forms.
fn basic_header(out: &mut BytesMut, format: u8, csid: u32) {
    let format = format << 6;
    match csid {
        ..64 => out.put_u8(format | csid as u8),
        64..320 => out.put_slice(&[format, (csid - 64) as u8]),
        320.. => {
            out.put_u8(format | 1);
            out.put_u16_le((csid - 64) as u16);
        }
    }
}

fn extended_timestamp(out: &mut BytesMut, timestamp: u32) {
    if timestamp >= EXTENDED {
        out.put_u32(timestamp);
    }
}
