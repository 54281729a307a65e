//! RTMP, both ends: handshake, chunk streams, messages and the session above them.
//!
//! [`server::Session`] and [`client::Session`] take bytes and instants and give events and bytes; sockets and TLS are
//! the caller's. What a viewer plays is written once for all viewers by [`chunk::message_into`] and interleaved with
//! the session's own bytes between whole messages. "§" means Adobe's RTMP 1.0; "E-RTMP" the Veovera specification v2.

pub mod chunk;
pub mod client;
pub mod command;
pub mod handshake;
pub mod limits;
pub mod message;
pub mod name;
pub mod server;

mod link;

#[cfg(test)]
mod tests;
