//! Script data on its way in: a name and AMF0 values (annex E.4.4).

use bytes::Bytes;
use media::Timestamp;

use super::demux::{Error, Event};
use crate::amf0::{self, Value};

/// What publishers put before the name of data that the server is to keep (RTMP §7.1.1.4 of the 2012 text, "data
/// message"); it is not part of what viewers get.
const SET_DATA_FRAME: &str = "@setDataFrame";
const CLEAR_DATA_FRAME: &str = "@clearDataFrame";

/// Reads a script body. `Ok(None)` when it says nothing to viewers.
pub(super) fn event(at: Timestamp, body: &Bytes) -> Result<Option<Event>, Error> {
    let mut rest: &[u8] = body;
    let mut front = rest;
    let mut name = amf0::decode(&mut rest)?;
    if name.as_str() == Some(CLEAR_DATA_FRAME) {
        return Ok(None);
    }
    if name.as_str() == Some(SET_DATA_FRAME) {
        front = rest;
        name = amf0::decode(&mut rest)?;
    }
    let Value::String(name) = name else { return Err(Error::ScriptName) };
    let payload = body.slice_ref(front);
    // Viewers' players read it too: what we cannot read is not passed on.
    let values = amf0::decode_all(rest)?;
    Ok(Some(match name.as_str() {
        "onMetaData" => Event::Metadata { at, values, payload },
        _ => Event::Script { at, name, payload },
    }))
}
