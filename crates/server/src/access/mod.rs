//! Access: who may publish, watch and administer, decided once, when a session begins.

pub mod addresses;
pub mod jwt;
pub mod keys;
mod names;
mod proxy;
mod query;
mod rules;
mod secret;
pub mod signed;
mod throttle;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use axum::http::{Extensions, HeaderMap, header};
pub use media::Path;

use crate::audience::Protocol;
use crate::config::{self, Config, Permission};
use crate::context::Context;
use crate::sessions::{Action, Opening, Sessions, Ticket};
use keys::Keys;
use names::Names;
pub(crate) use proxy::Way;
pub use query::Credentials;
pub use rules::Error;
use rules::Rules;
pub use secret::Secret;
pub(crate) use secret::{hex, random};
use throttle::Throttle;

/// Shown in the console; the rest says nothing.
const AGENT_CHARS_MAX: usize = 200;

/// Access as a whole: its rules, and who was let in.
#[derive(Default)]
pub struct Access {
    /// Who publishes and watches now.
    pub sessions: Sessions,
    /// The names of HLS sessions.
    pub(crate) names: Names,
    rules: ArcSwap<Rules>,
    throttle: Throttle,
    /// One change of the key file at a time: two at once could each lose the other's.
    turn: Mutex<()>,
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
    /// Wrong credentials came too often from there: 429.
    TooMany {
        /// How long nothing more is looked at.
        wait: Duration,
    },
}

impl Refused {
    fn unauthorized(detail: impl Into<String>) -> Self {
        Self { why: Why::Unauthorized, detail: detail.into() }
    }

    fn forbidden(detail: impl Into<String>) -> Self {
        Self { why: Why::Forbidden, detail: detail.into() }
    }
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

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

impl Access {
    /// By the rules of this configuration and the keys beside it.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self { rules: ArcSwap::from_pointee(Rules::load(config)?), ..Self::default() })
    }

    /// Reads the keys again, to go by them and by `config` from the next session on. On an error nothing has changed.
    pub(crate) fn reload(&self, config: &Config) -> Result<impl FnOnce() + '_, Error> {
        let next = Arc::new(Rules::load(config)?);
        Ok(move || self.rules.store(next))
    }

    /// Administrative requests need a token.
    pub fn is_guarded(&self) -> bool {
        self.rules.load().guarded
    }

    /// Whether this needs a signed address or a token.
    pub fn permission(&self, path: &Path, action: Action) -> Permission {
        self.rules.load().permission(path.app(), action)
    }

    /// The `[access]` section that is gone by.
    pub fn section(&self) -> config::Access {
        self.rules.load().access().clone()
    }

    /// The keys that are gone by.
    pub fn keys(&self) -> Keys {
        self.rules.load().keys.clone()
    }

    /// Whom a request is from that came over a connection of `peer`.
    pub(crate) fn origin(&self, peer: SocketAddr, way: &Way) -> SocketAddr {
        static TOLD: Once = Once::new();
        let rules = self.rules.load();
        if !rules.guarded && rules.proxies().is_empty() && way.is_told() {
            // To a server on loopback everybody who comes through a proxy looks like somebody of this machine.
            TOLD.call_once(|| {
                tracing::warn!(
                    "a request has come through a proxy, and nobody is asked for credentials: if others reach this \
                     server by it, set access.required = true and http.trusted_proxies"
                );
            });
        }
        way.origin(rules.proxies(), peer)
    }

    /// Whether the request is let in.
    ///
    /// # Errors
    /// [`Refused`], in words for whoever asked.
    pub(crate) fn check(&self, request: &Request<'_>) -> Result<(), Refused> {
        let has_any = !Credentials::of(request.query, request.caller.bearer.as_deref()).is_empty();
        let decide = |rules: &Rules| rules.check(request, now());
        let counts = has_any && self.permission(request.path, request.action) == Permission::Keys;
        self.slowed(request.caller, counts, decide)
    }

    /// Tells by whose right an administrative request is made.
    ///
    /// # Errors
    /// [`Refused`], in words for whoever asked.
    pub fn authorize(&self, caller: &Caller, right: Right) -> Result<Principal, Refused> {
        self.slowed(caller, caller.bearer.is_some(), |rules| rules.authorize(caller, right, now()))
    }

    /// What a token says of a room and of who brings it. With `may_be_old` one that has run out is taken.
    ///
    /// # Errors
    /// [`Refused`], in words for whoever asked.
    pub(crate) fn room_claims(
        &self,
        caller: &Caller,
        token: &str,
        may_be_old: bool,
    ) -> Result<::room::Claims, Refused> {
        self.slowed(caller, true, |rules| {
            rules.check_origin(caller)?;
            rules.room_claims(token, may_be_old, now())
        })
    }

    /// Makes a token of a room. Where there is no key to sign it with, one is made.
    ///
    /// It may write a file: call it where blocking is allowed.
    ///
    /// # Errors
    /// That file cannot be written.
    pub(crate) fn room_token(&self, config: &Config, grant: &jwt::RoomGrant) -> Result<String, Error> {
        let audience = &config.access.audience;
        let sign = |rules: &Rules| {
            rules.room_signer().map(|(kid, secret)| jwt::make_room(kid, secret, audience, grant))
        };
        if let Some(token) = sign(&self.rules.load()) {
            return Ok(token);
        }
        let _turn: MutexGuard<'_, ()> = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        keys::rooms::load_or_make(&config.data.dir)?;
        self.rules.store(Arc::new(Rules::load(config)?));
        let rules = self.rules.load();
        let (kid, secret) = rules.room_signer().expect("it was made a moment ago");
        Ok(jwt::make_room(kid, secret, audience, grant))
    }

    /// Decides; where there is something to `count` by, only for who has not guessed too often.
    fn slowed<T>(
        &self,
        caller: &Caller,
        count: bool,
        decide: impl FnOnce(&Rules) -> Result<T, rules::Denied>,
    ) -> Result<T, Refused> {
        let peer = rules::counted(caller.peer).filter(|_| count);
        let at = Instant::now();
        if let Some(wait) = peer.and_then(|peer| self.throttle.blocked(peer, at)) {
            return Err(rules::too_many(wait));
        }
        decide(&self.rules.load()).map_err(|denied| {
            if let Some(peer) = peer.filter(|_| denied.is_guess) {
                self.throttle.failed(peer, at);
            }
            denied.refused
        })
    }

    /// Gives a key a new value, in the file and for this server, and shows it. The old one is accepted for `kept`.
    ///
    /// It writes a file: call it where blocking is allowed.
    ///
    /// # Errors
    /// The key file cannot be read or written, or has no such key; then nothing has changed.
    pub fn rotate(&self, config: &Config, id: &str, kept: Duration) -> Result<Secret, Error> {
        let _turn: MutexGuard<'_, ()> = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = Keys::path(&config.data.dir);
        // Of the file and not of memory: somebody may have changed it since it was read.
        let mut keys = Keys::load(&path)?.unwrap_or_default();
        let now = now();
        let shown = keys.rotate(id, now, now.saturating_add(kept.as_secs()))?;
        let rules = Rules::new(config, keys)?;
        rules.keys.save(&path)?;
        self.rules.store(Arc::new(rules));
        Ok(shown)
    }
}

/// Whether a server could go by this configuration and the keys beside it, and which keys those are.
///
/// # Errors
/// As [`App::start`](crate::App::start) would have them.
pub fn inspect(config: &Config) -> Result<Keys, Error> {
    Rules::load(config).map(|rules| rules.keys)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    // Before 1970 nothing has expired, which is the same as in it.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Context {
    /// Lets somebody publish or watch, until the ticket is dropped, or says why not.
    ///
    /// # Errors
    /// [`Refused`], in words for whoever asked.
    pub async fn admit(self: &Arc<Self>, request: &Request<'_>) -> Result<Ticket, Refused> {
        let admitted = self.let_in(request).await;
        if let Err(refused) = &admitted {
            self.operation.spans.refused(request, refused);
        }
        admitted
    }

    async fn let_in(self: &Arc<Self>, request: &Request<'_>) -> Result<Ticket, Refused> {
        match self.rooms.place(request.path) {
            Some(place) => self.check_room(&place, request)?,
            None => self.access.check(request)?,
        }
        match request.action {
            Action::Publish => self.operation.bans.check(request.path, now())?,
            Action::Play => self.room_for_viewer()?,
        }
        let id = self.access.sessions.reserve();
        let attendance = self.operation.hooks.ask(id, request).await?;
        let opening = Opening {
            action: request.action,
            path: request.path.clone(),
            protocol: request.protocol,
            peer: request.caller.peer,
            agent: request.caller.agent.clone(),
        };
        Ok(self.access.sessions.open_as(id, opening).attended(attendance))
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
