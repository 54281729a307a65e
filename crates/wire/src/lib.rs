//! Protocols and containers as pure state machines: bytes in, events and bytes out.
//!
//! Nothing here opens a socket, reads a clock or knows a runtime. Wire time units (milliseconds of
//! RTMP, 90 kHz of fMP4) exist only in this crate; [`media::Timestamp`] is what leaves it.

pub mod amf0;
pub mod flv;
pub mod fmp4;
pub mod hls;
pub mod rtmp;
pub mod rtp;
pub mod sdp_fragment;
pub mod stun;
pub mod ws;
