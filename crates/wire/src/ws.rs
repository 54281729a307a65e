//! WebSocket (RFC 6455): the upgrade, and the frames that WS-FLV needs, from either end.
//!
//! A viewer's stream is binary frames with an unmasked header by [`frame_header`]; [`Session`] reads what the other end
//! sends and answers pings and closes. No extension is ever negotiated, so there is nothing to inflate.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use sha1::{Digest, Sha1};

#[cfg(test)]
mod tests;

/// Bytes of one data message of a client, which has nothing to say on WS-FLV and is not listened to.
pub const CLIENT_MESSAGE_BYTES_MAX: u64 = 64 << 10;

/// Bytes of pongs that wait for a peer that pings without reading.
pub const OUTPUT_BYTES_MAX: usize = 16 << 10;

/// §5.5.
const CONTROL_BYTES_MAX: u64 = 125;
/// Two fixed bytes, 64 bits of length, the mask.
const HEADER_BYTES_MAX: usize = 14;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// §7.4.1: all is well.
pub const CLOSE_NORMAL: u16 = 1_000;
/// §7.4.1: the endpoint goes away, such as a server that stops.
pub const CLOSE_GOING_AWAY: u16 = 1_001;
/// §7.4.1.
pub const CLOSE_PROTOCOL: u16 = 1_002;
/// §7.4.1: a close frame without a code.
pub const CLOSE_NONE: u16 = 1_005;
/// §7.4.1.
pub const CLOSE_TOO_BIG: u16 = 1_009;

/// Why a request is no WebSocket handshake that we take (§4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// `Upgrade: websocket` or `Connection: Upgrade` is missing.
    #[error("not a WebSocket request")]
    NotUpgrade,
    /// `Sec-WebSocket-Version` is not 13. The answer names the version (§4.4).
    #[error("WebSocket version is not 13")]
    Version,
    /// `Sec-WebSocket-Key` is missing, repeated or not 16 bytes.
    #[error("bad WebSocket key")]
    Key,
}

impl UpgradeError {
    /// A whole HTTP/1.1 answer that refuses.
    pub const fn response(self) -> &'static str {
        match self {
            UpgradeError::NotUpgrade | UpgradeError::Key => {
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            }
            UpgradeError::Version => {
                "HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            }
        }
    }
}

/// Checks the headers of a GET request (§4.2.1) and gives the 101 answer (§4.2.2), without extensions or subprotocol.
/// `extra` are whole header lines, each with its line end.
pub fn upgrade<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    extra: &str,
) -> Result<String, UpgradeError> {
    let (mut upgrade, mut connection, mut version, mut keys) = (false, false, false, Vec::new());
    for (name, value) in headers {
        match name.to_ascii_lowercase().as_str() {
            "upgrade" => upgrade |= has_token(value, "websocket"),
            "connection" => connection |= has_token(value, "upgrade"),
            "sec-websocket-version" => version |= value.trim_ascii() == b"13",
            "sec-websocket-key" => keys.push(value.trim_ascii()),
            _ => {}
        }
    }
    if !upgrade || !connection {
        return Err(UpgradeError::NotUpgrade);
    }
    if !version {
        return Err(UpgradeError::Version);
    }
    let &[key] = &keys[..] else { return Err(UpgradeError::Key) };
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(UpgradeError::Key);
    }
    let accept = accept_key(key);
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n{extra}\r\n"
    ))
}

/// `Sec-WebSocket-Accept` for a key (§4.2.2), which a client compares.
pub fn accept_key(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// A key for a client's request, of 16 bytes that differ between connections.
pub fn request_key(seed: u128) -> String {
    STANDARD.encode(seed.to_be_bytes())
}

fn has_token(value: &[u8], token: &str) -> bool {
    value.split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The bytes before the payload of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    bytes: [u8; 10],
    len: u8,
}

impl AsRef<[u8]> for FrameHeader {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The header of a whole, unmasked binary message of `len` bytes, as a server sends it (§5.2).
pub const fn frame_header(len: usize) -> FrameHeader {
    header(BINARY, len, 0)
}

/// A whole text message of a server: header and payload, to be sent to any number of clients.
pub fn text_frame(text: &str) -> Bytes {
    let header = header(TEXT, text.len(), 0);
    let mut frame = BytesMut::with_capacity(header.as_ref().len() + text.len());
    frame.put_slice(header.as_ref());
    frame.put_slice(text.as_bytes());
    frame.freeze()
}

const fn header(opcode: u8, len: usize, masked: u8) -> FrameHeader {
    let mut bytes = [FIN | opcode, masked, 0, 0, 0, 0, 0, 0, 0, 0];
    let wide = (len as u64).to_be_bytes();
    let used = match len {
        0..=125 => {
            bytes[1] |= len as u8;
            2
        }
        126..=0xFFFF => {
            bytes[1] |= 126;
            bytes[2] = wide[6];
            bytes[3] = wide[7];
            4
        }
        _ => {
            bytes[1] |= 127;
            let mut at = 0;
            while at < 8 {
                bytes[2 + at] = wide[at];
                at += 1;
            }
            10
        }
    };
    FrameHeader { bytes, len: used }
}

/// What the other end did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes of binary messages, as they come; messages and fragments are not told apart. Only at a client: what a
    /// viewer's client sends is checked, bounded and dropped.
    Data(Bytes),
    /// A whole text message of a client, at a server made by [`Session::server_of_texts`]. Whether it is UTF-8 is for its
    /// reader to find out.
    Text(Bytes),
    /// The other end closes; the answer waits in [`Session::poll_transmit`], then the connection is to be closed.
    Closed {
        /// Its reason; [`CLOSE_NONE`] if it gave none.
        code: u16,
    },
}

/// A breach of the protocol. The close frame that tells waits in [`Session::poll_transmit`]. `at` is the offset of the
/// frame after the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// §5: reserved bits or opcodes, wrong masking, broken fragments, odd lengths.
    #[error("WebSocket frame at byte {at}: {what}")]
    Protocol {
        /// Offset of the frame.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A data message of a client beyond [`CLIENT_MESSAGE_BYTES_MAX`].
    #[error("WebSocket frame at byte {at}: message of {len} bytes")]
    TooLong {
        /// Offset of the frame.
        at: u64,
        /// The message's bytes so far.
        len: u64,
    },
    /// More than [`OUTPUT_BYTES_MAX`] of answers wait.
    #[error("{len} bytes of pongs wait for a peer that does not read")]
    OutputFull {
        /// Bytes waiting.
        len: usize,
    },
}

impl Error {
    /// The code of the close frame (§7.4.1).
    pub const fn close_code(self) -> u16 {
        match self {
            Error::Protocol { .. } | Error::OutputFull { .. } => CLOSE_PROTOCOL,
            Error::TooLong { .. } => CLOSE_TOO_BIG,
        }
    }
}

/// One end of an upgraded connection. Nothing but a control frame's payload is buffered.
#[derive(Debug)]
pub struct Session {
    role: Role,
    pending: Vec<u8>,
    frame: Option<Frame>,
    /// Bytes of the data message that is under way, over its fragments.
    message: Option<u64>,
    /// Whether the message under way is binary.
    binary: bool,
    /// The text message under way, where texts are taken.
    inbox: Option<Vec<u8>>,
    control: Vec<u8>,
    at: u64,
    closed: bool,
    events: VecDeque<Event>,
    output: BytesMut,
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Server,
    /// With the state that masks come from.
    Client {
        masks: u64,
    },
}

/// The frame whose payload is being read.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: u8,
    fin: bool,
    left: u64,
    mask: [u8; 4],
    /// Payload bytes seen, which place the mask.
    seen: u64,
}

impl Session {
    /// The end that answered the upgrade.
    pub fn server() -> Self {
        Self::new(Role::Server)
    }

    /// The end that answered the upgrade, where clients speak in text messages of up to [`CLIENT_MESSAGE_BYTES_MAX`]. Binary
    /// messages are a breach.
    pub fn server_of_texts() -> Self {
        Self { inbox: Some(Vec::new()), ..Self::new(Role::Server) }
    }

    /// The end that asked for it. Masks (§5.3) come from `seed`, which ought to be random.
    pub fn client(seed: u64) -> Self {
        Self::new(Role::Client { masks: seed })
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            pending: Vec::new(),
            frame: None,
            message: None,
            binary: false,
            inbox: None,
            control: Vec::new(),
            at: 0,
            closed: false,
            events: VecDeque::new(),
            output: BytesMut::new(),
        }
    }

    /// Bytes from the other end. What comes after its close frame is ignored (§5.5.1).
    pub fn handle_input(&mut self, data: &[u8]) -> Result<(), Error> {
        let mut input = data;
        while !input.is_empty() && !self.closed {
            if let Err(error) = self.step(&mut input) {
                self.send_close(error.close_code());
                self.closed = true;
                return Err(error);
            }
        }
        Ok(())
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to send, between whole frames of media.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output).freeze())
    }

    /// Queues a ping (§5.5.2).
    pub fn send_ping(&mut self) {
        self.send(PING, &[]);
    }

    /// Queues a close frame (§5.5.1). Nothing may be sent after it.
    pub fn send_close(&mut self, code: u16) {
        self.send(CLOSE, &code.to_be_bytes());
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) {
        match &mut self.role {
            Role::Server => {
                self.output.put_slice(header(opcode, payload.len(), 0).as_ref());
                self.output.put_slice(payload);
            }
            Role::Client { masks } => {
                *masks =
                    masks.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let mask = ((*masks >> 32) as u32).to_be_bytes();
                self.output.put_slice(header(opcode, payload.len(), MASKED).as_ref());
                self.output.put_slice(&mask);
                self.output.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            }
        }
    }

    /// One header, or what is there of one payload.
    fn step(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        let Some(mut frame) = self.frame.take() else {
            self.frame = self.read_header(input)?;
            return if self.frame.is_some_and(|frame| frame.left == 0) { self.step(input) } else { Ok(()) };
        };
        let len = input.len().min(usize::try_from(frame.left).unwrap_or(usize::MAX));
        let (payload, rest) = input.split_at(len);
        *input = rest;
        self.handle_payload(&frame, payload);
        frame.left -= len as u64;
        frame.seen += len as u64;
        self.at += len as u64;
        if frame.left > 0 {
            self.frame = Some(frame);
            return Ok(());
        }
        self.finish(&frame)
    }

    /// Gathers a header byte by byte where it came in pieces. Its own bytes say how long it is.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Error> {
        loop {
            let needed = header_len(&self.pending);
            if self.pending.len() == needed {
                let header = std::mem::take(&mut self.pending);
                let frame = self.parse_header(&header)?;
                self.at += needed as u64;
                return Ok(Some(frame));
            }
            let len = input.len().min(needed - self.pending.len());
            if len == 0 {
                return Ok(None);
            }
            let (now, later) = input.split_at(len);
            self.pending.extend_from_slice(now);
            *input = later;
        }
    }

    /// §5.2.
    fn parse_header(&mut self, bytes: &[u8]) -> Result<Frame, Error> {
        let at = self.at;
        let broken = |what| Error::Protocol { at, what };
        let (&[first, second], rest) = bytes.split_first_chunk().ok_or(broken("no header"))?;
        let (opcode, fin) = (first & 0x0F, first & FIN != 0);
        if first & 0x70 != 0 {
            return Err(broken("reserved bits are set, but no extension was negotiated"));
        }
        let from_client = matches!(self.role, Role::Server);
        if (second & MASKED != 0) != from_client {
            return Err(broken(if from_client { "a client must mask" } else { "a server must not mask" }));
        }
        let mask_bytes = if from_client { 4 } else { 0 };
        let (extended, mask) = rest.split_at(rest.len() - mask_bytes);
        let left = length(second & 0x7F, extended).ok_or(broken("length not in its shortest form"))?;
        match opcode {
            CLOSE | PING | PONG if !fin || left > CONTROL_BYTES_MAX => {
                return Err(broken("a control frame in fragments or beyond 125 bytes"));
            }
            CLOSE | PING | PONG => {}
            TEXT | BINARY | CONTINUATION => self.begin_data(opcode, left)?,
            _ => return Err(broken("reserved opcode")),
        }
        let mask = mask.first_chunk().copied().unwrap_or_default();
        Ok(Frame { opcode, fin, left, mask, seen: 0 })
    }

    /// §5.4: a message begins with its type and goes on with continuations.
    fn begin_data(&mut self, opcode: u8, len: u64) -> Result<(), Error> {
        let at = self.at;
        let so_far = match (opcode, self.message) {
            (CONTINUATION, Some(so_far)) => so_far,
            (CONTINUATION, None) => {
                return Err(Error::Protocol { at, what: "a continuation of nothing" });
            }
            (_, Some(_)) => return Err(Error::Protocol { at, what: "a message begins inside another" }),
            (BINARY, None) if self.inbox.is_some() => {
                return Err(Error::Protocol { at, what: "a binary message, where text is spoken" });
            }
            (_, None) => {
                self.binary = opcode == BINARY;
                0
            }
        };
        let total = so_far.saturating_add(len);
        if matches!(self.role, Role::Server) && total > CLIENT_MESSAGE_BYTES_MAX {
            return Err(Error::TooLong { at, len: total });
        }
        self.message = Some(total);
        Ok(())
    }

    fn handle_payload(&mut self, frame: &Frame, payload: &[u8]) {
        let skipped = (frame.seen % 4) as usize;
        let mask = frame.mask.iter().cycle().skip(skipped);
        let unmasked = payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
        match (frame.opcode, self.role) {
            (CLOSE | PING, _) => self.control.extend(unmasked),
            (TEXT | CONTINUATION, Role::Server) => {
                if let Some(inbox) = &mut self.inbox {
                    inbox.extend(unmasked);
                }
            }
            (TEXT | BINARY | CONTINUATION, Role::Client { .. }) if self.binary && !payload.is_empty() => {
                self.events.push_back(Event::Data(Bytes::copy_from_slice(payload)));
            }
            _ => {}
        }
    }

    fn finish(&mut self, frame: &Frame) -> Result<(), Error> {
        match frame.opcode {
            PING => {
                let payload = std::mem::take(&mut self.control);
                self.send(PONG, &payload);
            }
            CLOSE => self.finish_close()?,
            TEXT | BINARY | CONTINUATION if frame.fin => {
                self.message = None;
                if let Some(inbox) = &mut self.inbox {
                    self.events.push_back(Event::Text(std::mem::take(inbox).into()));
                }
            }
            _ => {}
        }
        match self.output.len() {
            len if len > OUTPUT_BYTES_MAX => Err(Error::OutputFull { len }),
            _ => Ok(()),
        }
    }

    /// §5.5.1: answered with the same code. §7.4: codes that may not be on the wire are answered as a breach.
    fn finish_close(&mut self) -> Result<(), Error> {
        let payload = std::mem::take(&mut self.control);
        let code = match payload.first_chunk().map(|code| u16::from_be_bytes(*code)) {
            None if payload.is_empty() => CLOSE_NONE,
            Some(code @ (1_000..=1_003 | 1_007..=1_014 | 3_000..=4_999)) => code,
            None | Some(_) => return Err(Error::Protocol { at: self.at, what: "bad close code" }),
        };
        self.send_close(if code == CLOSE_NONE { CLOSE_NORMAL } else { code });
        self.closed = true;
        self.events.push_back(Event::Closed { code });
        Ok(())
    }
}

/// The size of the header that begins with `bytes`, as far as they tell.
fn header_len(bytes: &[u8]) -> usize {
    let Some(&second) = bytes.get(1) else { return 2 };
    let extended = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & MASKED != 0 { 4 } else { 0 };
    (2 + extended + mask).min(HEADER_BYTES_MAX)
}

/// §5.2: the minimal form, and below 2^63.
fn length(short: u8, extended: &[u8]) -> Option<u64> {
    let wide = extended.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    match short {
        126 => (wide >= 126).then_some(wide),
        127 => (wide > 0xFFFF && wide >> 63 == 0).then_some(wide),
        _ => Some(u64::from(short)),
    }
}
