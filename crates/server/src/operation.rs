//! What an operator changes and watches while the server runs, wired by [`crate::app`] like the rest of the context.

use std::sync::Arc;

use crate::audit::Audit;
use crate::config::Config;
use crate::context::Context;
use crate::hooks::Hooks;
use crate::reload::Reload;
use crate::shed::{self, Shed};
use crate::tls::Certificates;

/// Part of the [`Context`].
pub struct Operation {
    /// The log of administrative acts.
    pub audit: Audit,
    /// The certificates of HTTPS and RTMPS, where the configuration asks for any.
    pub certificates: Option<Arc<Certificates>>,
    /// What is left for new viewers.
    pub shed: Shed,
    /// Whom the server asks and tells.
    pub hooks: Hooks,
    /// The configuration in effect, and how another takes its place.
    pub(crate) reload: Reload,
}

impl Operation {
    /// For a server with this configuration.
    pub(crate) fn new(config: Config, certificates: Option<Arc<Certificates>>, hooks: Hooks) -> Self {
        Self {
            audit: Audit::new(&config.data.dir),
            certificates,
            shed: Shed::new(),
            hooks,
            reload: Reload::new(config),
        }
    }

    /// The configuration in effect.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.reload.current()
    }
}

/// Looks after what changes by itself, until the server stops.
pub(crate) async fn keep(context: Arc<Context>) {
    let certificates = async {
        let Some(certificates) = context.operation.certificates.clone() else { return };
        let reader = Arc::clone(&context);
        certificates.keep(move || reader.config()).await;
    };
    let all = async { tokio::join!(certificates, shed::keep(Arc::clone(&context))) };
    context.stopping.run_until_cancelled(all).await;
}
