//! What happened to connections since the start, for `/metrics`. What viewers were sent is counted by the egress.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

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

/// Answers of the API by their class.
#[derive(Debug, Default)]
pub struct Answers([AtomicU64; 3], AtomicU64);

impl Answers {
    /// The classes, as metrics call them.
    pub const CLASSES: [&'static str; 3] = ["2xx", "4xx", "5xx"];

    /// Counts one.
    pub fn count(&self, status: StatusCode) {
        let class = match status.as_u16() {
            ..400 => 0,
            400..500 => 1,
            500.. => 2,
        };
        self.0[class].fetch_add(1, Ordering::Relaxed);
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// So far, with their classes.
    pub fn by_class(&self) -> [(&'static str, u64); 3] {
        let mut counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Self::CLASSES.map(|class| (class, counts.next().unwrap_or(0)))
    }

    /// Those of the 4xx that said "too many".
    pub fn limited(&self) -> &AtomicU64 {
        &self.1
    }
}
