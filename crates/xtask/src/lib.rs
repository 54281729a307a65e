//! Checks of the tree itself and makers of fixtures.
