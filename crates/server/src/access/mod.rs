//! Access: who may publish and who may watch, decided once, when a session begins.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap, header};
use media::Path;

use crate::audience::Protocol;
use crate::context::Context;
use crate::sessions::{Action, Opening, Sessions, Ticket};

/// Shown in the console; the rest says nothing.
const AGENT_CHARS_MAX: usize = 200;

/// Access as a whole: its rules, and who was let in.
#[derive(Debug, Default)]
pub struct Access {
    /// Who publishes and watches now.
    pub sessions: Sessions,
}

/// Where a request of HTTP came from, beside it in its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// From where.
    pub peer: Option<SocketAddr>,
    /// What it calls itself.
    pub agent: String,
    /// The token of its `Authorization: Bearer`.
    pub bearer: Option<String>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Publish or play.
    pub action: Action,
    /// Which broadcast.
    pub path: &'a Path,
    /// How.
    pub protocol: Protocol,
    /// The query of the address, without its question mark.
    pub query: &'a str,
    /// Who.
    pub caller: &'a Caller,
}

/// Why somebody may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// What is missing.
    pub why: Why,
    /// What to do, for whoever asked: never what a secret is.
    pub detail: String,
}

/// Kinds of refusal, as HTTP tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No credentials, or wrong or old ones: 401.
    Unauthorized,
    /// Nobody with these credentials may: 403.
    Forbidden,
    /// Nobody can tell now: 503.
    Unavailable,
}

/// A bearer token is nobody's to read in a log.
impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("peer", &self.peer).field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl Caller {
    /// Who sent a request of HTTP with these headers.
    pub(crate) fn of_http(extensions: &Extensions, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            peer: extensions.get::<Peer>().map(|Peer(peer)| *peer),
            agent: shortened(text(header::USER_AGENT).unwrap_or_default()),
            bearer: text(header::AUTHORIZATION).and_then(bearer).map(str::to_owned),
        }
    }
}

/// What is kept of what a peer calls itself.
pub(crate) fn shortened(agent: &str) -> String {
    agent.chars().take(AGENT_CHARS_MAX).collect()
}

/// The token of an `Authorization` header's value (RFC 6750 §2.1).
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// What somebody who administers may be asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Reads what is live, who watches and how the server does.
    Read,
    /// Changes something: sends sessions away, makes keys, reloads.
    Write,
}

/// By whose right something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name of the key or token, for the audit log; never a secret.
    pub name: String,
}

impl Access {
    /// Administrative requests need a token.
    pub fn is_guarded(&self) -> bool {
        false
    }

    /// Tells by whose right an administrative request is made.
    ///
    /// # Errors
    /// [`Refused`], in words for whoever asked.
    pub fn authorize(&self, _caller: &Caller, _right: Right) -> Result<Principal, Refused> {
        Ok(Principal { name: "anybody on this machine".into() })
    }
}

impl Context {
    /// Lets somebody publish or watch, until the ticket is dropped, or says why not.
    ///
    /// # Errors
    /// [`Refused`], in words for whoever asked.
    pub async fn admit(self: &Arc<Self>, request: &Request<'_>) -> Result<Ticket, Refused> {
        if request.action == Action::Play {
            self.room_for_viewer()?;
        }
        Ok(self.access.sessions.open(Opening {
            action: request.action,
            path: request.path.clone(),
            protocol: request.protocol,
            peer: request.caller.peer,
            agent: request.caller.agent.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_and_never_shown() {
        assert_eq!(bearer("Bearer abc.def"), Some("abc.def"));
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
        let caller = Caller { bearer: Some("secret".into()), ..Caller::default() };
        assert!(!format!("{caller:?}").contains("secret"));
    }
}
