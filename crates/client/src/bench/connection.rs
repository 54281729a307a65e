//! A connection of the load generator, of either kind.

use mio::{Interest, Registry, Token};

use super::viewer::{Role, Viewer};
use super::whep::Whep;

/// TCP or WebRTC.
pub(super) enum Connection {
    Stream(Box<Viewer>),
    Whep(Box<Whep>),
}

impl Connection {
    pub(super) fn role(&self) -> Role {
        match self {
            Self::Stream(viewer) => viewer.role(),
            Self::Whep(_) => Role::Watch,
        }
    }

    /// Whether the stream flows, or an idle connection has its answer.
    pub(super) fn settled(&self) -> bool {
        match self {
            Self::Stream(viewer) => viewer.settled(),
            Self::Whep(viewer) => viewer.last().is_some(),
        }
    }

    /// The number of the newest picture that came.
    pub(super) fn last(&self) -> Option<u64> {
        match self {
            Self::Stream(viewer) => viewer.seen().last,
            Self::Whep(viewer) => viewer.last(),
        }
    }

    /// Waits for its socket from now on.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        match self {
            Self::Stream(viewer) => {
                registry.register(viewer.socket(), token, Interest::READABLE | Interest::WRITABLE)
            }
            Self::Whep(viewer) => registry.register(viewer.socket(), token, Interest::READABLE),
        }
    }
}
