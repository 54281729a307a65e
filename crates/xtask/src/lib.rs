//! Checks of the tree itself and makers of fixtures.

pub mod clip;
pub mod ffmpeg;
pub mod fixtures;
mod flv;
pub mod soak;
pub mod tidy;
