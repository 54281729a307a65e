//! HTTP: pages, API, metrics, HTTP-FLV, WS-FLV and HLS on one port, encrypted on another.

mod accept;
mod api;
mod flv;
mod head;
mod hls;
mod machinery;
mod metrics;
mod pages;
mod problem;
mod router;
mod sdp_body;
mod stage;
mod target;
mod trust;
mod webrtc;

pub(crate) use accept::serve;
pub(crate) use api::{EVENT_STREAMS_MAX, Rate};
pub use hls::Ended as EndedHls;
