//! What messages mean: protocol control (§5.4), user control (§7.1.7), media, aggregates (§7.1.6).

use bytes::{BufMut, Bytes, BytesMut};

use super::chunk::{self, Header, Message};
use super::limits::AGGREGATE_MESSAGES_MAX;

/// §5.4.1.
pub const TYPE_SET_CHUNK_SIZE: u8 = 1;
/// §5.4.2.
pub const TYPE_ABORT: u8 = 2;
/// §5.4.3.
pub const TYPE_ACKNOWLEDGEMENT: u8 = 3;
/// §7.1.7.
pub const TYPE_USER_CONTROL: u8 = 4;
/// §5.4.4.
pub const TYPE_WINDOW_ACK_SIZE: u8 = 5;
/// §5.4.5.
pub const TYPE_SET_PEER_BANDWIDTH: u8 = 6;
/// §7.1.4.
pub const TYPE_AUDIO: u8 = 8;
/// §7.1.5.
pub const TYPE_VIDEO: u8 = 9;
/// §7.1.2, in AMF3: one format byte, then AMF0 in practice.
pub const TYPE_DATA_AMF3: u8 = 15;
/// §7.1.1, in AMF3: one format byte, then AMF0 in practice.
pub const TYPE_COMMAND_AMF3: u8 = 17;
/// §7.1.2.
pub const TYPE_DATA: u8 = 18;
/// §7.1.1.
pub const TYPE_COMMAND: u8 = 20;
/// §7.1.6.
pub const TYPE_AGGREGATE: u8 = 22;

/// The chunk stream of protocol control, fixed by §5.4.
pub const CSID_CONTROL: u32 = 2;
/// The chunk stream of commands.
pub const CSID_COMMAND: u32 = 3;
/// The chunk stream on which we send audio.
pub const CSID_AUDIO: u32 = 4;
/// The chunk stream on which we send status and script data.
pub const CSID_DATA: u32 = 5;
/// The chunk stream on which we send video.
pub const CSID_VIDEO: u32 = 6;

/// The message stream of every publisher and viewer: one media stream a connection, so that all viewers' bytes agree.
pub const MEDIA_STREAM: u32 = 1;

/// What a media message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An FLV AudioTagHeader and its data.
    Audio,
    /// An FLV VideoTagHeader and its data.
    Video,
    /// AMF0 script data: a name, then values.
    Data,
}

impl Kind {
    const fn of(type_id: u8) -> Option<Kind> {
        match type_id {
            TYPE_AUDIO => Some(Kind::Audio),
            TYPE_VIDEO => Some(Kind::Video),
            TYPE_DATA | TYPE_DATA_AMF3 => Some(Kind::Data),
            _ => None,
        }
    }

    /// The header under which we send such a message; with [`chunk::message_into`] the bytes are those of every viewer.
    pub const fn header(self, timestamp_ms: u32) -> Header {
        let (csid, type_id) = match self {
            Kind::Audio => (CSID_AUDIO, TYPE_AUDIO),
            Kind::Video => (CSID_VIDEO, TYPE_VIDEO),
            Kind::Data => (CSID_DATA, TYPE_DATA),
        };
        Header { csid, timestamp_ms, type_id, stream_id: MEDIA_STREAM }
    }
}

/// Audio, video or script data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Which of the three.
    pub kind: Kind,
    /// Milliseconds as on the wire: any origin, wraps at 2^32, may jump.
    pub timestamp_ms: u32,
    /// An FLV tag body, shared with no other message's buffer except those of one aggregate.
    pub payload: Bytes,
}

/// A message that is for the connection itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The peer has received this many bytes, modulo 2^32.
    Acknowledgement(u32),
    /// The peer wants an acknowledgement each time it has sent this many bytes.
    WindowAckSize(u32),
    /// The peer wants no more than this many bytes under way.
    SetPeerBandwidth(u32),
    /// The stream has become functional.
    StreamBegin(u32),
    /// The stream has no more data.
    StreamEof(u32),
    /// The client's buffer.
    BufferLength {
        /// Message stream.
        stream_id: u32,
        /// Milliseconds.
        ms: u32,
    },
    /// To be answered with the same number.
    Ping(u32),
    /// The answer.
    Pong(u32),
}

impl Control {
    /// `None` for what we know no use for, and for bodies that are too short.
    pub fn parse(message: &Message) -> Option<Control> {
        let body = &message.payload[..];
        let number = || body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match message.header.type_id {
            TYPE_ACKNOWLEDGEMENT => Some(Control::Acknowledgement(number()?)),
            TYPE_WINDOW_ACK_SIZE => Some(Control::WindowAckSize(number()?)),
            TYPE_SET_PEER_BANDWIDTH => Some(Control::SetPeerBandwidth(number()?)),
            TYPE_USER_CONTROL => Self::parse_user(body),
            _ => None,
        }
    }

    fn parse_user(body: &[u8]) -> Option<Control> {
        let (event, rest) = body.split_first_chunk::<2>()?;
        let (first, rest) = rest.split_first_chunk::<4>()?;
        let first = u32::from_be_bytes(*first);
        match u16::from_be_bytes(*event) {
            0 => Some(Control::StreamBegin(first)),
            1 => Some(Control::StreamEof(first)),
            3 => {
                let ms = u32::from_be_bytes(*rest.first_chunk()?);
                Some(Control::BufferLength { stream_id: first, ms })
            }
            6 => Some(Control::Ping(first)),
            7 => Some(Control::Pong(first)),
            _ => None,
        }
    }

    /// Appends the message.
    pub fn write(self, out: &mut BytesMut) {
        let mut body = BytesMut::with_capacity(10);
        let type_id = match self {
            Control::Acknowledgement(count) => control(&mut body, TYPE_ACKNOWLEDGEMENT, count),
            Control::WindowAckSize(size) => control(&mut body, TYPE_WINDOW_ACK_SIZE, size),
            Control::SetPeerBandwidth(size) => {
                control(&mut body, TYPE_SET_PEER_BANDWIDTH, size);
                body.put_u8(2); // dynamic, §5.4.5
                TYPE_SET_PEER_BANDWIDTH
            }
            Control::StreamBegin(stream) => user(&mut body, 0, stream),
            Control::StreamEof(stream) => user(&mut body, 1, stream),
            Control::BufferLength { stream_id, ms } => {
                user(&mut body, 3, stream_id);
                body.put_u32(ms);
                TYPE_USER_CONTROL
            }
            Control::Ping(number) => user(&mut body, 6, number),
            Control::Pong(number) => user(&mut body, 7, number),
        };
        write_control(out, type_id, &body);
    }
}

fn control(body: &mut BytesMut, type_id: u8, number: u32) -> u8 {
    body.put_u32(number);
    type_id
}

fn user(body: &mut BytesMut, event: u16, number: u32) -> u8 {
    body.put_u16(event);
    body.put_u32(number);
    TYPE_USER_CONTROL
}

/// Appends the announcement of our chunk size (§5.4.1), which holds from the next chunk on.
pub fn write_chunk_size(out: &mut BytesMut, size: u32) {
    write_control(out, TYPE_SET_CHUNK_SIZE, &size.to_be_bytes());
}

fn write_control(out: &mut BytesMut, type_id: u8, body: &[u8]) {
    let header = Header { csid: CSID_CONTROL, timestamp_ms: 0, type_id, stream_id: 0 };
    chunk::message_into(out, &header, &[body], super::limits::CHUNK_BYTES_DEFAULT)
        .expect("control messages have at most ten bytes");
}

/// A message as media, its payload made plain: the format byte of AMF3 data and the `@setDataFrame` around metadata
/// removed, by slicing. `None` for other types and for empty ones, which mean nothing.
pub fn media(message: Message) -> Option<Media> {
    let Message { header, mut payload } = message;
    let kind = Kind::of(header.type_id)?;
    if header.type_id == TYPE_DATA_AMF3 {
        payload = amf0_of_amf3(payload)?;
    }
    if kind == Kind::Data {
        payload = without_data_frame(payload);
    }
    (!payload.is_empty()).then_some(Media { kind, timestamp_ms: header.timestamp_ms, payload })
}

/// Messages of the AMF3 types begin with a format byte; 0 says that AMF0 follows, and all that is known to exist do.
pub(super) fn amf0_of_amf3(payload: Bytes) -> Option<Bytes> {
    (payload.first() == Some(&0)).then(|| payload.slice(1..))
}

/// `@setDataFrame` and `@clearDataFrame` address the server; what follows is the message for the viewers.
fn without_data_frame(payload: Bytes) -> Bytes {
    let wrappers: [&[u8]; 2] = [b"\x02\x00\x0D@setDataFrame", b"\x02\x00\x0F@clearDataFrame"];
    let wrapper = wrappers.into_iter().find(|wrapper| payload.starts_with(wrapper));
    wrapper.map_or_else(|| payload.clone(), |wrapper| payload.slice(wrapper.len()..))
}

/// An aggregate that is not what §7.1.6 describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// A message in it reaches beyond its end.
    #[error("aggregate at byte {at}: {missing} bytes missing")]
    Truncated {
        /// Offset of the inner message.
        at: usize,
        /// Bytes that it would need beyond the end.
        missing: usize,
    },
    /// More than [`AGGREGATE_MESSAGES_MAX`].
    #[error("aggregate at byte {at}: more than {AGGREGATE_MESSAGES_MAX} messages")]
    TooMany {
        /// Offset of the first message too many.
        at: usize,
    },
}

/// FLV tag header: type 1, size 3, timestamp 3 and its upper byte 1, stream 3.
const TAG_HEADER_BYTES: usize = 11;
const BACK_POINTER_BYTES: usize = 4;

/// The media in an aggregate (§7.1.6). Their timestamps count from the first one's, which is the aggregate's own.
/// Payloads are slices of the aggregate's buffer. A missing last back pointer is forgiven.
pub fn unpack(message: &Message) -> Result<Vec<Media>, AggregateError> {
    let body = &message.payload;
    let mut media_messages = Vec::new();
    let mut first = None;
    let mut at = 0;
    for count in 0.. {
        let rest = body.get(at..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        if count >= AGGREGATE_MESSAGES_MAX {
            return Err(AggregateError::TooMany { at });
        }
        let missing = |wanted: usize| AggregateError::Truncated { at, missing: wanted - rest.len() };
        let Some(&[type_id, l0, l1, l2, t0, t1, t2, t3, ..]) = rest.first_chunk::<TAG_HEADER_BYTES>() else {
            return Err(missing(TAG_HEADER_BYTES));
        };
        let end = TAG_HEADER_BYTES + u32::from_be_bytes([0, l0, l1, l2]) as usize;
        if rest.len() < end {
            return Err(missing(end));
        }
        let timestamp = u32::from_be_bytes([t3, t0, t1, t2]);
        let since_first = timestamp.wrapping_sub(*first.get_or_insert(timestamp));
        let timestamp_ms = message.header.timestamp_ms.wrapping_add(since_first);
        let header = Header { timestamp_ms, type_id, ..message.header };
        media_messages
            .extend(media(Message { header, payload: body.slice(at + TAG_HEADER_BYTES..at + end) }));
        at += end + BACK_POINTER_BYTES;
    }
    Ok(media_messages)
}
