//! End-to-end tests: one file per behaviour, the server in-process on port 0.

pub mod acme;
pub mod ear;
pub mod folder;
pub mod healthy;
pub mod http;
pub mod keys;
pub mod live;
pub mod raw;
pub mod receiver;
pub mod recording;
pub mod room;
pub mod rtc;
pub mod rtmp;
pub mod scratch;
pub mod stage;
pub mod steady;
pub mod stranger;
pub mod tls;
pub mod toll;
