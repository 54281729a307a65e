//! The other end of every protocol: publisher, player and load generator.

#[cfg(target_os = "linux")]
pub mod bench;
pub mod http;
#[cfg(target_os = "linux")]
pub mod lab;
pub mod link;
pub mod net;
pub mod play;
pub mod push;
pub mod stamp;
pub mod stats;
pub mod unframe;
pub mod url;
