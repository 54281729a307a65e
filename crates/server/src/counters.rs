//! What happened to connections since the start, for `/metrics`. What viewers were sent is counted by the egress.

use std::sync::atomic::AtomicU64;

/// Counters that only rise.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections taken, of all protocols.
    pub connections: AtomicU64,
    /// Connections refused because `limits.connections` was reached.
    pub connections_refused: AtomicU64,
    /// Errors of accepting, most of them for want of file descriptors.
    pub accept_errors: AtomicU64,
    /// Tasks that ended in a panic: bugs of ours.
    pub panics: AtomicU64,
}
