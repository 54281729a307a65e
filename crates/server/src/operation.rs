//! What an operator changes and watches while the server runs, wired by [`crate::app`] like the rest of the context.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::audit::Audit;
use crate::bans::Bans;
use crate::config::Config;
use crate::context::Context;
use crate::counters::Answers;
use crate::hooks::Hooks;
use crate::http::{EVENT_STREAMS_MAX, Rate};
use crate::node::Node;
use crate::reload::Reload;
use crate::shed::{self, Shed};
use crate::telemetry::Spans;
use crate::tls::Certificates;

/// Part of the [`Context`].
pub struct Operation {
    /// The log of administrative acts.
    pub audit: Audit,
    /// Paths that nobody may publish for a while.
    pub bans: Bans,
    /// The certificates of HTTPS and RTMPS, where the configuration asks for any.
    pub certificates: Option<Arc<Certificates>>,
    /// What is left for new viewers.
    pub shed: Shed,
    /// Traces of sessions.
    pub(crate) spans: Spans,
    /// Whom the server asks and tells.
    pub hooks: Hooks,
    /// The configuration in effect, and how another takes its place.
    pub(crate) reload: Reload,
    /// How the server and its broadcasts have done lately.
    pub(crate) node: Node,
    /// Answers of the API so far.
    pub(crate) api_requests: Answers,
    /// What peers have asked the API lately.
    pub(crate) rate: Rate,
    /// One permit a stream of events.
    pub(crate) event_streams: Arc<Semaphore>,
}

impl Operation {
    /// For a server with this configuration.
    pub(crate) fn new(config: Config, certificates: Option<Arc<Certificates>>, hooks: Hooks) -> Self {
        Self {
            audit: Audit::new(&config.data.dir),
            bans: Bans::load(&config.data.dir),
            certificates,
            shed: Shed::new(),
            spans: Spans::new(&config.telemetry),
            hooks,
            reload: Reload::new(config),
            node: Node::default(),
            api_requests: Answers::default(),
            rate: Rate::default(),
            event_streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
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
