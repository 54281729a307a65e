//! Checks of the tree itself and makers of fixtures.

pub mod tidy;
