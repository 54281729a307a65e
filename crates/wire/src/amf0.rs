//! AMF0 values: the encoding of RTMP commands and FLV script data ("Action Message Format – AMF 0", 2007).
//!
//! A peer's message is bounded in depth and in number of values, never only by what it claims about itself:
//! member counts are hints (§2.10) and preallocate nothing.

use std::fmt;

use bytes::{BufMut, BytesMut};

#[cfg(test)]
mod tests;

/// Containers inside one another. Real metadata nests three deep; the bound keeps recursion off the stack's end.
pub const NESTING_MAX: usize = 64;

/// Values in one message, members included. A keyframe index of a ten-hour file (two arrays, a number a group of
/// two seconds) has 36,000; an 8 MB message of one-byte nulls would otherwise expand to 250 MB.
pub const VALUES_MAX: usize = 65_536;

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0A;
const DATE: u8 = 0x0B;
const LONG_STRING: u8 = 0x0C;
const UNSUPPORTED: u8 = 0x0D;
const XML: u8 = 0x0F;
const TYPED_OBJECT: u8 = 0x10;
const AVMPLUS: u8 = 0x11;

/// One AMF0 value (§2.1). Members keep the order in which they were sent, duplicates included.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// §2.2: IEEE 754 double.
    Number(f64),
    /// §2.3.
    Boolean(bool),
    /// §2.4, and the long string of §2.14 and the XML document of §2.17, which differ only in their marker. Bytes
    /// that are not UTF-8 (encoders that send GBK titles) become U+FFFD.
    String(String),
    /// §2.5, and the typed object of §2.18 without its class name.
    Object(Vec<(String, Value)>),
    /// §2.10: an object whose encoder announced its size.
    EcmaArray(Vec<(String, Value)>),
    /// §2.12.
    StrictArray(Vec<Value>),
    /// §2.13; the time zone that follows it is reserved and not kept.
    Date {
        /// Milliseconds since the Unix epoch, UTC.
        unix_ms: f64,
    },
    /// §2.7.
    Null,
    /// §2.8, and the "unsupported" marker of §2.15.
    Undefined,
}

/// Why bytes are not an AMF0 value, and at which offset of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input ends inside a value, or a length points beyond it.
    #[error("AMF0 at byte {at}: {missing} bytes missing")]
    Truncated {
        /// Offset of the field that does not fit.
        at: usize,
        /// How many bytes that field would still need.
        missing: usize,
    },
    /// More than [`NESTING_MAX`] containers inside one another.
    #[error("AMF0 at byte {at}: nested deeper than {NESTING_MAX}")]
    TooDeep {
        /// Offset of the container's marker.
        at: usize,
    },
    /// More than [`VALUES_MAX`] values.
    #[error("AMF0 at byte {at}: more than {VALUES_MAX} values")]
    TooManyValues {
        /// Offset of the first value too many.
        at: usize,
    },
    /// AMF3 inside AMF0 (§2.19), which a peer may send only after we agreed to `objectEncoding` 3. We never do.
    #[error("AMF0 at byte {at}: switches to AMF3, which is not spoken here")]
    Amf3 {
        /// Offset of the marker.
        at: usize,
    },
    /// A marker that is reserved (§2.6, §2.16), a reference (§2.9) or unknown.
    #[error("AMF0 at byte {at}: marker {marker:#04x} is not supported")]
    Marker {
        /// The marker byte.
        marker: u8,
        /// Its offset.
        at: usize,
    },
}

impl Value {
    /// The first member of this name; `None` for anything but an object or ECMA array.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.members()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The members of an object or ECMA array, in the order sent.
    pub fn members(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Object(members) | Value::EcmaArray(members) => Some(members),
            Value::Number(_)
            | Value::Boolean(_)
            | Value::String(_)
            | Value::StrictArray(_)
            | Value::Date { .. }
            | Value::Null
            | Value::Undefined => None,
        }
    }

    /// The elements of a strict array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::StrictArray(values) = self { Some(values) } else { None }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Boolean(boolean) = self { Some(*boolean) } else { None }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(string) = self { Some(string) } else { None }
    }

    /// An object from literal names, for commands that we build.
    pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

impl From<&str> for Value {
    fn from(string: &str) -> Value {
        Value::String(string.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Value {
        Value::Boolean(boolean)
    }
}

impl fmt::Display for Value {
    /// For logs: scalars as they are, containers as their size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Boolean(boolean) => write!(f, "{boolean}"),
            Value::String(string) => write!(f, "{string:?}"),
            Value::Object(members) => write!(f, "object({})", members.len()),
            Value::EcmaArray(members) => write!(f, "array({})", members.len()),
            Value::StrictArray(values) => write!(f, "list({})", values.len()),
            Value::Date { unix_ms } => write!(f, "date({unix_ms})"),
            Value::Null => f.write_str("null"),
            Value::Undefined => f.write_str("undefined"),
        }
    }
}

/// One value from the front of `input`, which moves past it. On an error `input` stays where it was; offsets in the
/// error count from its start.
pub fn decode(input: &mut &[u8]) -> Result<Value, Error> {
    let mut reader = Reader { data: input, at: 0, values: 0 };
    let value = reader.value(0)?;
    *input = input.get(reader.at..).unwrap_or_default();
    Ok(value)
}

/// All values of a message. [`VALUES_MAX`] counts over the whole message.
pub fn decode_all(input: &[u8]) -> Result<Vec<Value>, Error> {
    let mut reader = Reader { data: input, at: 0, values: 0 };
    let mut values = Vec::new();
    while reader.at < input.len() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

/// Appends `value`. A member name longer than 65,535 bytes, which the format cannot hold, is cut at a character.
pub fn encode(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Number(number) => {
            out.put_u8(NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(boolean) => out.put_slice(&[BOOLEAN, u8::from(*boolean)]),
        Value::String(string) => encode_string(string, out),
        Value::Object(members) => {
            out.put_u8(OBJECT);
            encode_members(members, out);
        }
        Value::EcmaArray(members) => {
            out.put_u8(ECMA_ARRAY);
            out.put_u32(u32::try_from(members.len()).unwrap_or(u32::MAX));
            encode_members(members, out);
        }
        Value::StrictArray(values) => {
            let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
            out.put_u8(STRICT_ARRAY);
            out.put_u32(count);
            values.iter().take(count as usize).for_each(|value| encode(value, out));
        }
        Value::Date { unix_ms } => {
            out.put_u8(DATE);
            out.put_f64(*unix_ms);
            out.put_i16(0);
        }
        Value::Null => out.put_u8(NULL),
        Value::Undefined => out.put_u8(UNDEFINED),
    }
}

/// [`encode`] for each of `values`.
pub fn encode_all(values: &[Value], out: &mut BytesMut) {
    values.iter().for_each(|value| encode(value, out));
}

/// Appends a string (§2.4), or a long string (§2.14) where 16 bits of length do not do.
pub fn encode_string(string: &str, out: &mut BytesMut) {
    if let Ok(len) = u16::try_from(string.len()) {
        out.put_u8(STRING);
        out.put_u16(len);
        out.put_slice(string.as_bytes());
    } else {
        let kept = floor_char(string, u32::MAX as usize);
        out.put_u8(LONG_STRING);
        out.put_u32(kept.len() as u32);
        out.put_slice(kept.as_bytes());
    }
}

fn encode_members(members: &[(String, Value)], out: &mut BytesMut) {
    for (name, value) in members {
        let name = floor_char(name, u16::MAX as usize);
        out.put_u16(name.len() as u16);
        out.put_slice(name.as_bytes());
        encode(value, out);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}

fn floor_char(string: &str, len_max: usize) -> &str {
    string.get(..string.floor_char_boundary(len_max)).unwrap_or(string)
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    /// `depth` is the number of containers around the value.
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let at = self.at;
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(Error::TooManyValues { at });
        }
        let marker = self.u8()?;
        if matches!(marker, OBJECT | ECMA_ARRAY | STRICT_ARRAY | TYPED_OBJECT) && depth >= NESTING_MAX {
            return Err(Error::TooDeep { at });
        }
        Ok(match marker {
            NUMBER => Value::Number(self.f64()?),
            BOOLEAN => Value::Boolean(self.u8()? != 0),
            STRING => Value::String(self.string()?),
            OBJECT => Value::Object(self.members(depth, None)?),
            NULL => Value::Null,
            UNDEFINED | UNSUPPORTED => Value::Undefined,
            ECMA_ARRAY => {
                let claimed = self.u32()?;
                Value::EcmaArray(self.members(depth, Some(claimed))?)
            }
            STRICT_ARRAY => Value::StrictArray(self.elements(depth)?),
            DATE => {
                let unix_ms = self.f64()?;
                self.take(2)?;
                Value::Date { unix_ms }
            }
            LONG_STRING | XML => {
                let len = self.u32()? as usize;
                Value::String(text(self.take(len)?))
            }
            TYPED_OBJECT => {
                self.string()?;
                Value::Object(self.members(depth, None)?)
            }
            AVMPLUS => return Err(Error::Amf3 { at }),
            marker => return Err(Error::Marker { marker, at }),
        })
    }

    /// Members up to the end marker. Some encoders leave the marker of an ECMA array out where the message ends; with
    /// as many members as were `claimed` nothing can be missing, so that is an end too.
    fn members(&mut self, depth: usize, claimed: Option<u32>) -> Result<Vec<(String, Value)>, Error> {
        let mut members = Vec::new();
        loop {
            let complete = claimed.is_some_and(|claimed| members.len() as u64 >= u64::from(claimed));
            if complete && self.at == self.data.len() {
                return Ok(members);
            }
            let name = self.string()?;
            if name.is_empty() && self.data.get(self.at) == Some(&OBJECT_END) {
                self.at += 1;
                return Ok(members);
            }
            members.push((name, self.value(depth + 1)?));
        }
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        let count = self.u32()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(values)
    }

    fn string(&mut self) -> Result<String, Error> {
        let len = self.array::<2>().map(u16::from_be_bytes)?;
        Ok(text(self.take(usize::from(len))?))
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    fn f64(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("take gave N bytes"))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let bytes = rest
            .get(..len)
            .ok_or(Error::Truncated { at: self.at, missing: len.saturating_sub(rest.len()) })?;
        self.at += len;
        Ok(bytes)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
