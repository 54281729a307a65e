//! `openmic bench`: what a viewer costs, as a multiple of the least it could cost, measured in one run.

pub mod floor;
pub mod load;
pub mod process;
pub mod source;
pub mod target;
pub mod viewer;
