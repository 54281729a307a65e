//! Sessions against each other in virtual time, against captures of real clients, against broken ones.

mod bad;
mod pair;
mod strangers;
