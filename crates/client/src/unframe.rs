//! Takes the transport's framing off a byte stream without copying or keeping payload: chunked HTTP (RFC 9112 §7.1),
//! WebSocket messages of a server (RFC 6455 §5.2) and FLV tags. The load generator reads thousands of viewers through
//! this, so a step costs a few comparisons a frame.

/// What can be wrong with a peer's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A chunk's size line is no hexadecimal number of at most eight digits.
    #[error("the size line of an HTTP chunk cannot be read")]
    ChunkSize,
    /// A WebSocket frame is masked or longer than 2^32 bytes; servers do neither.
    #[error("a WebSocket frame is masked or too long")]
    WebSocket,
    /// The stream does not begin with an FLV header.
    #[error("the stream does not begin with an FLV header")]
    FlvHeader,
    /// A tag of a type that FLV does not have.
    #[error("an FLV tag has type {0}, which does not exist")]
    FlvTag(u8),
}

/// The framing around an FLV stream.
#[derive(Clone, Debug)]
pub enum Unframe {
    /// None: a body that ends with the connection or a length.
    Identity,
    /// HTTP chunks.
    Chunked(Chunked),
    /// WebSocket frames from a server.
    WebSocket(WebSocket),
}

impl Unframe {
    /// Gives `sink` the payload in `data`, in order, as slices of it.
    pub fn feed<E: From<Error>>(
        &mut self,
        data: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Identity => sink(data),
            Self::Chunked(chunked) => chunked.feed(data, sink),
            Self::WebSocket(websocket) => websocket.feed(data, sink),
        }
    }
}

/// Where in a chunked body we are.
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    /// Payload bytes of the current chunk still to come.
    left: u32,
    /// Digits of the size line so far; what follows `;` is ignored.
    digits: u8,
    size: u32,
    extension: bool,
    ended: bool,
}

impl Chunked {
    /// Whether the last chunk was seen.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn feed<E: From<Error>>(
        &mut self,
        mut data: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !data.is_empty() && !self.ended {
            if self.left > 0 {
                let (payload, rest) = data.split_at(data.len().min(self.left as usize));
                self.left -= payload.len() as u32;
                data = rest;
                sink(payload)?;
            } else {
                self.size_line(data[0])?;
                data = &data[1..];
            }
        }
        Ok(())
    }

    /// The line break after a chunk's data is the same to us as one before its size: both have no digits.
    fn size_line(&mut self, byte: u8) -> Result<(), Error> {
        match byte {
            b'\r' => {}
            b'\n' if self.digits == 0 => {}
            b'\n' => {
                self.ended = self.size == 0;
                *self = Self { left: self.size, ended: self.ended, ..Self::default() };
            }
            b';' if self.digits > 0 => self.extension = true,
            _ if self.extension => {}
            digit => {
                let value = (digit as char).to_digit(16).ok_or(Error::ChunkSize)?;
                self.digits += 1;
                if self.digits > 8 {
                    return Err(Error::ChunkSize);
                }
                self.size = (self.size << 4) | value;
            }
        }
        Ok(())
    }
}

const OPCODE_CONTINUATION: u8 = 0;
const OPCODE_BINARY: u8 = 2;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;

/// Where in a server's WebSocket frames we are. Payload of control frames is passed over.
#[derive(Clone, Debug, Default)]
pub struct WebSocket {
    head: [u8; 10],
    head_len: usize,
    left: u64,
    pings: u32,
    closed: bool,
}

impl WebSocket {
    /// Pings seen and not yet answered; resets the count. (A pong without the ping's payload is what an idle peer
    /// may send at any time, RFC 6455 §5.5.3, and keeps every server we know content.)
    pub fn take_pings(&mut self) -> u32 {
        std::mem::take(&mut self.pings)
    }

    /// Whether the server said goodbye.
    pub fn closed(&self) -> bool {
        self.closed
    }

    fn feed<E: From<Error>>(
        &mut self,
        mut data: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !data.is_empty() {
            if self.left == 0 {
                self.head[self.head_len] = data[0];
                self.head_len += 1;
                data = &data[1..];
                self.finish_head()?;
                continue;
            }
            let (payload, rest) = data.split_at(data.len().min(self.left.min(usize::MAX as u64) as usize));
            self.left -= payload.len() as u64;
            data = rest;
            if matches!(self.head[0] & 0x0f, OPCODE_CONTINUATION | OPCODE_BINARY) {
                sink(payload)?;
            }
        }
        Ok(())
    }

    fn finish_head(&mut self) -> Result<(), Error> {
        if self.head_len < 2 {
            return Ok(());
        }
        let len = self.head[1];
        if len & 0x80 != 0 {
            return Err(Error::WebSocket);
        }
        let whole = match len {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if self.head_len < whole {
            return Ok(());
        }
        self.head_len = 0;
        self.left = match len {
            126 => u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
            127 => {
                let long = self.head[2..10].iter().fold(0, |long: u64, byte| (long << 8) | u64::from(*byte));
                if long > u64::from(u32::MAX) {
                    return Err(Error::WebSocket);
                }
                long
            }
            short => u64::from(short),
        };
        match self.head[0] & 0x0f {
            OPCODE_PING => self.pings += 1,
            OPCODE_CLOSE => self.closed = true,
            _ => {}
        }
        Ok(())
    }
}

/// Bytes of a tag's body that are kept for [`Tag::head`]: FLV's own header and a stamp in the first NAL unit.
pub const HEAD_BYTES: usize = 160;
const FILE_HEADER: usize = 9 + 4;
const TAG_HEADER: usize = 11;
const TAG_TRAILER: u32 = 4;

/// One FLV tag that has wholly arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// 8 sound, 9 picture, 18 script (FLV 10.1 §E.4.1).
    pub kind: u8,
    /// Decoding time in milliseconds.
    pub timestamp_ms: u32,
    /// Bytes of the body.
    pub len: u32,
    /// The body's first bytes, at most [`HEAD_BYTES`].
    pub head: &'a [u8],
}

/// Walks over FLV tags, keeping the head of the current one only.
#[derive(Clone, Debug)]
pub struct Flv {
    buffer: [u8; TAG_HEADER + HEAD_BYTES],
    filled: usize,
    /// Bytes of body and trailer still to come; `None` while a header is being read.
    left: Option<u32>,
    opened: bool,
}

impl Default for Flv {
    fn default() -> Self {
        Self { buffer: [0; TAG_HEADER + HEAD_BYTES], filled: 0, left: None, opened: false }
    }
}

impl Flv {
    /// Gives `sink` every tag that ends in `data`.
    pub fn feed(&mut self, mut data: &[u8], mut sink: impl FnMut(Tag<'_>)) -> Result<(), Error> {
        while !data.is_empty() {
            data = match self.left {
                None => self.header(data)?,
                Some(left) => self.body(data, left),
            };
            if self.left == Some(0) {
                sink(self.tag());
                self.left = None;
                self.filled = 0;
            }
        }
        Ok(())
    }

    fn header<'a>(&mut self, data: &'a [u8]) -> Result<&'a [u8], Error> {
        let wanted = if self.opened { TAG_HEADER } else { FILE_HEADER };
        let (taken, rest) = data.split_at(data.len().min(wanted - self.filled));
        self.keep(taken);
        if self.filled == wanted && self.opened {
            if !matches!(self.buffer[0], 8 | 9 | 18) {
                return Err(Error::FlvTag(self.buffer[0]));
            }
            self.left = Some(self.body_len() + TAG_TRAILER);
        } else if self.filled == wanted {
            if !self.buffer.starts_with(b"FLV") {
                return Err(Error::FlvHeader);
            }
            self.opened = true;
            self.filled = 0;
        }
        Ok(rest)
    }

    fn body<'a>(&mut self, data: &'a [u8], left: u32) -> &'a [u8] {
        let (taken, rest) = data.split_at(data.len().min(left as usize));
        let room = (TAG_HEADER + HEAD_BYTES.min(self.body_len() as usize)).saturating_sub(self.filled);
        self.keep(&taken[..taken.len().min(room)]);
        self.left = Some(left - taken.len() as u32);
        rest
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.buffer[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    fn body_len(&self) -> u32 {
        u32::from_be_bytes([0, self.buffer[1], self.buffer[2], self.buffer[3]])
    }

    fn tag(&self) -> Tag<'_> {
        let [_, _, _, _, t1, t2, t3, t0, ..] = self.buffer;
        Tag {
            kind: self.buffer[0],
            timestamp_ms: u32::from_be_bytes([t0, t1, t2, t3]),
            len: self.body_len(),
            head: &self.buffer[TAG_HEADER..self.filled],
        }
    }
}

#[cfg(test)]
mod tests;
