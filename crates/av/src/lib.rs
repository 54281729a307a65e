//! Sound and picture conversion, so that any publisher reaches any viewer: AAC to Opus and back, H.264 without
//! B-pictures, and the voices of a room in one sound.
//!
//! No IO, no clock, no runtime: a frame of a track goes in, frames of the converted track come out.

mod error;
pub mod mix;
pub mod picture;
pub mod silence;
pub mod sound;

pub use error::Error;
pub use silence::silence;
