//! The model everything live is made of: a broadcast is a set of tracks, a track a sequence of groups,
//! a group a point anyone can join and the frames that continue it.
//!
//! No IO, no clock, no runtime: time and wakers come in as arguments.

pub mod broadcast;
pub mod codec;
pub mod derive;
pub mod frame;
pub mod hub;
pub mod packet;
pub mod path;
pub mod time;
pub mod timeline;
pub mod track;
mod wake;

pub use codec::Codec;
pub use frame::Frame;
pub use packet::Packet;
pub use path::Path;
pub use time::{Span, Timestamp};
