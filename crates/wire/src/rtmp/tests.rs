//! Sessions against each other in virtual time.
mod pair;
