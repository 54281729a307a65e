//! Commands (§7.2): a name, a transaction, a command object, arguments, in AMF0.

use bytes::{Bytes, BytesMut};

use super::chunk::{self, Header, TooLong};
use super::message::{CSID_COMMAND, CSID_DATA, MEDIA_STREAM, TYPE_COMMAND, TYPE_DATA};
use crate::amf0::{self, Value};

/// A command as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Such as `publish`.
    pub name: String,
    /// 0 where no answer is wanted.
    pub transaction: f64,
    /// The command object; null in commands on a media stream.
    pub object: Value,
    /// What follows.
    pub arguments: Vec<Value>,
}

/// Why a message is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not AMF0.
    #[error(transparent)]
    Amf(#[from] amf0::Error),
    /// It does not begin with a string.
    #[error("a command without a name")]
    NoName,
}

impl Command {
    /// From a message's body. A missing transaction or object (hardware encoders leave them out of `FCUnpublish`) is
    /// read as 0 and null.
    pub fn parse(payload: &[u8]) -> Result<Command, Error> {
        let mut values = amf0::decode_all(payload)?.into_iter();
        let Some(Value::String(name)) = values.next() else { return Err(Error::NoName) };
        let transaction = values.next().and_then(|value| value.as_f64()).unwrap_or(0.0);
        let object = values.next().unwrap_or(Value::Null);
        Ok(Command { name, transaction, object, arguments: values.collect() })
    }

    /// The argument of this index as a string.
    pub fn text(&self, index: usize) -> Option<&str> {
        self.arguments.get(index)?.as_str()
    }

    /// The argument of this index as a number.
    pub fn number(&self, index: usize) -> Option<f64> {
        self.arguments.get(index)?.as_f64()
    }
}

/// A status (§7.2.2, `onStatus`): what happened to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `status`, `warning` or `error`.
    pub level: String,
    /// Such as `NetStream.Play.Start`.
    pub code: String,
    /// For people.
    pub description: String,
}

impl Status {
    /// Of level `status`.
    pub fn ok(code: &str, description: &str) -> Status {
        Status { level: "status".to_owned(), code: code.to_owned(), description: description.to_owned() }
    }

    /// Of level `error`.
    pub fn error(code: &str, description: &str) -> Status {
        Status { level: "error".to_owned(), ..Status::ok(code, description) }
    }

    /// The information object of a `_result`, `_error` or `onStatus`; absent members are empty.
    pub fn of(value: &Value) -> Status {
        let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Status { level: text("level"), code: text("code"), description: text("description") }
    }

    /// As an information object.
    pub fn to_value(&self) -> Value {
        Value::object([
            ("level", Value::from(self.level.as_str())),
            ("code", Value::from(self.code.as_str())),
            ("description", Value::from(self.description.as_str())),
        ])
    }
}

/// Status codes that servers and players agree on.
pub mod code {
    /// The answer to `connect`.
    pub const CONNECT_SUCCESS: &str = "NetConnection.Connect.Success";
    /// The app is not acceptable.
    pub const CONNECT_INVALID_APP: &str = "NetConnection.Connect.InvalidApp";
    /// Come back, possibly elsewhere (E-RTMP, reconnect request).
    pub const CONNECT_RECONNECT: &str = "NetConnection.Connect.ReconnectRequest";
    /// A command that does not exist.
    pub const CALL_FAILED: &str = "NetConnection.Call.Failed";
    /// Publishing may begin.
    pub const PUBLISH_START: &str = "NetStream.Publish.Start";
    /// Publishing is refused; encoders show the description.
    pub const PUBLISH_BAD_NAME: &str = "NetStream.Publish.BadName";
    /// The answer to `FCUnpublish`.
    pub const UNPUBLISH_SUCCESS: &str = "NetStream.Unpublish.Success";
    /// A new list of streams begins.
    pub const PLAY_RESET: &str = "NetStream.Play.Reset";
    /// Playing begins.
    pub const PLAY_START: &str = "NetStream.Play.Start";
    /// Playing has ended.
    pub const PLAY_STOP: &str = "NetStream.Play.Stop";
    /// There is no such stream.
    pub const PLAY_STREAM_NOT_FOUND: &str = "NetStream.Play.StreamNotFound";
    /// A publisher has begun.
    pub const PLAY_PUBLISH_NOTIFY: &str = "NetStream.Play.PublishNotify";
    /// The publisher has ended.
    pub const PLAY_UNPUBLISH_NOTIFY: &str = "NetStream.Play.UnpublishNotify";
    /// Live streams cannot seek.
    pub const SEEK_FAILED: &str = "NetStream.Seek.Failed";
    /// The player has paused.
    pub const PAUSE_NOTIFY: &str = "NetStream.Pause.Notify";
    /// The player goes on.
    pub const UNPAUSE_NOTIFY: &str = "NetStream.Unpause.Notify";
    /// The answer to `FCSubscribe`, and what begins the data of a stream.
    pub const PLAY_DATA_START: &str = "NetStream.Data.Start";
}

/// Appends a command on `stream_id`, as chunks of `chunk_size`.
pub fn write(out: &mut BytesMut, stream_id: u32, values: &[Value], chunk_size: u32) -> Result<(), TooLong> {
    let csid = if stream_id == 0 { CSID_COMMAND } else { CSID_DATA };
    let header = Header { csid, timestamp_ms: 0, type_id: TYPE_COMMAND, stream_id };
    chunk::message_into(out, &header, &[&encoded(values)], chunk_size)
}

/// Appends a script data message on the media stream, as chunks of `chunk_size`.
pub fn write_data(out: &mut BytesMut, values: &[Value], chunk_size: u32) -> Result<(), TooLong> {
    let header = Header { csid: CSID_DATA, timestamp_ms: 0, type_id: TYPE_DATA, stream_id: MEDIA_STREAM };
    chunk::message_into(out, &header, &[&encoded(values)], chunk_size)
}

fn encoded(values: &[Value]) -> Bytes {
    let mut body = BytesMut::new();
    amf0::encode_all(values, &mut body);
    body.freeze()
}
