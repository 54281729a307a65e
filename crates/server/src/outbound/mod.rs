//! Calls to other people's servers, guarded: names and redirects must not lead into the network we stand in.
//!
//! A name is resolved once, by us; what it resolves to is judged, and the connection goes to exactly the judged
//! address, so a second answer of the name's server (DNS rebinding) is never asked for. Redirects are not followed: the
//! answer is returned as it is, and whoever wants to follow one passes its target through the same door.

pub mod address;
mod client;
mod tls;
pub mod url;

pub use client::{Answer, Client, Error, Request};
pub use url::Url;
