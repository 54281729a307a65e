//! Rooms served: who is on the stage of each, and what its audience sees and hears of them.

pub mod audience;
mod follow;
mod output;
mod picture;
pub mod stage;
mod voices;
