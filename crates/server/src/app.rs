//! The one place where long-lived objects are made and wired.

/// A running server.
pub struct App {}
