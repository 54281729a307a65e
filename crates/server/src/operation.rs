//! What an operator changes and watches while the server runs, wired by [`crate::app`] like the rest of the context.

use crate::audit::Audit;
use crate::config::Config;
use crate::reload::Reload;

/// Part of the [`Context`](crate::context::Context).
pub struct Operation {
    /// The log of administrative acts.
    pub audit: Audit,
    /// The configuration in effect, and how another takes its place.
    pub(crate) reload: Reload,
}

impl Operation {
    /// For a server with this configuration.
    pub(crate) fn new(config: Config) -> Self {
        Self { audit: Audit::new(&config.data.dir), reload: Reload::new(config) }
    }
}
