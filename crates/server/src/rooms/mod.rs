//! Rooms served: who is on the stage of each, for those who carry and mix their media.

pub mod stage;
