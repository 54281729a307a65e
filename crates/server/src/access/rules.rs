//! The decision itself: what the configuration and the keys say of one request, at one time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::jwt::{self, Claims, Scope, Verifier, fits};
use super::keys::{self, Keys, Kind};
use super::query::Credentials;
use super::secret::{Secret, equal, sha256_hex};
use super::signed::{self, Subject};
use super::{Caller, Principal, Refused, Request, Right, Why};
use crate::config::{self, App, Config, Invalid, Network, Permission};
use crate::sessions::Action;

/// Why a server has no rules to go by.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file cannot be used.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// A public key of the configuration cannot be used.
    #[error(transparent)]
    PublicKey(#[from] jwt::KeyError),
    /// There are no keys, and there must be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// What is asked for, and by what it is decided. A reload makes another.
pub(crate) struct Rules {
    /// Credentials are needed where no app says otherwise.
    pub(crate) guarded: bool,
    /// Other machines reach this one.
    beyond: bool,
    access: config::Access,
    proxies: Vec<Network>,
    pub(crate) keys: Keys,
    verifier: Verifier,
    /// The app of rooms, where everything needs credentials.
    rooms: String,
    /// What their tokens are signed with where `keys` has nothing for it.
    rooms_key: Option<Secret>,
}

/// A refusal, and whether somebody may be guessing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) refused: Refused,
    pub(crate) is_guess: bool,
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self { refused, is_guess: false }
    }
}

impl Default for Rules {
    /// Those of a server on loopback without keys.
    fn default() -> Self {
        let (access, keys) = (config::Access::default(), Keys::default());
        let verifier = Verifier::new(&access, &keys).expect("no key is wrong where there is none");
        let (proxies, rooms) = (Vec::new(), config::Rooms::default().app);
        Self { guarded: false, beyond: false, access, proxies, keys, verifier, rooms, rooms_key: None }
    }
}

impl Rules {
    /// Reads the key file of this configuration.
    pub(crate) fn load(config: &Config) -> Result<Self, Error> {
        let keys = Keys::load(&Keys::path(&config.data.dir))?.unwrap_or_default();
        Self::new(config, keys)
    }

    pub(crate) fn new(config: &Config, keys: Keys) -> Result<Self, Error> {
        let access = config.access.clone();
        if keys.list().is_empty() && access.jwt_public_keys.is_empty() {
            config.check_without_keys()?;
        }
        let beyond = config.beyond_loopback().is_some();
        let guarded = access.required || beyond && !access.open_to_everyone;
        let mut verifier = Verifier::new(&access, &keys)?;
        let rooms_key = keys::rooms::load(&config.data.dir)?;
        if let Some(secret) = &rooms_key {
            verifier.add_rooms(keys::rooms::KID, secret);
        }
        let (proxies, rooms) = (config.http.trusted_proxies.clone(), config.rooms.app.clone());
        Ok(Self { guarded, beyond, access, proxies, keys, verifier, rooms, rooms_key })
    }

    /// What tokens of rooms are signed with.
    pub(crate) fn room_signer(&self) -> Option<(&str, &Secret)> {
        let key = self.keys.of(Kind::Jwt).find(|key| key.is_for(&self.rooms));
        let key = key.map(|key| (key.id.as_str(), key.current()));
        key.or_else(|| Some((keys::rooms::KID, self.rooms_key.as_ref()?)))
    }

    /// What a token says of a room. One that comes back may bring a token that has run out since.
    pub(crate) fn room_claims(
        &self,
        token: &str,
        may_be_old: bool,
        now: u64,
    ) -> Result<::room::Claims, Denied> {
        let claims = match may_be_old {
            true => self.verifier.verify_old(token, now),
            false => self.verifier.verify(token, now),
        }?;
        claims.room(&self.rooms).ok_or_else(|| Refused::forbidden("this is no token of a room").into())
    }

    pub(crate) fn proxies(&self) -> &[Network] {
        &self.proxies
    }

    pub(crate) fn access(&self) -> &config::Access {
        &self.access
    }

    /// Whether this needs credentials, nobody's, or none.
    pub(crate) fn permission(&self, app: &str, action: Action) -> Permission {
        let own = self.app(app).and_then(|app| match action {
            Action::Publish => app.publish,
            Action::Play => app.play,
        });
        // Who one is in a room comes from the token, wherever the server listens.
        let is_room =
            app.strip_prefix(&self.rooms).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match own {
            Some(Permission::None) => Permission::None,
            _ if is_room || own.is_none() && self.guarded => Permission::Keys,
            own => own.unwrap_or(Permission::Open),
        }
    }

    fn app(&self, name: &str) -> Option<&App> {
        self.access.app.iter().find(|app| fits(&app.name, name))
    }

    /// Where this may come from. The demo, which has no peer, comes from here.
    fn check_address(&self, app: Option<&App>, peer: Option<SocketAddr>) -> Result<(), Refused> {
        let Some(peer) = peer.map(|peer| peer.ip()) else { return Ok(()) };
        let lists = [Some((&self.access.allow, &self.access.deny)), app.map(|app| (&app.allow, &app.deny))];
        let may = |(allow, deny): (&Vec<Network>, &Vec<Network>)| {
            let holds = |list: &[Network]| list.iter().any(|network| network.contains(peer));
            !holds(deny) && (allow.is_empty() || holds(allow))
        };
        match lists.into_iter().flatten().all(may) {
            true => Ok(()),
            false => {
                Err(Refused::forbidden("this is not allowed from your address (access.allow, access.deny)"))
            }
        }
    }

    /// Whether somebody may ask from there at all.
    pub(crate) fn check_origin(&self, caller: &Caller) -> Result<(), Refused> {
        self.check_address(self.app(&self.rooms), caller.peer)
    }

    /// Whether the request is let in at `now`, in seconds since 1970.
    pub(crate) fn check(&self, request: &Request<'_>, now: u64) -> Result<(), Denied> {
        let app = request.path.app();
        self.check_address(self.app(app), request.caller.peer)?;
        match self.permission(app, request.action) {
            Permission::Open => Ok(()),
            Permission::None => {
                let detail = format!("nobody may {} in the app {app} (access.app)", request.action.name());
                Err(Refused::forbidden(detail).into())
            }
            Permission::Keys => self.check_credentials(request, now),
        }
    }

    fn check_credentials(&self, request: &Request<'_>, now: u64) -> Result<(), Denied> {
        let credentials = Credentials::of(request.query, request.caller.bearer.as_deref());
        if credentials.is_empty() {
            let detail = format!(
                "to {} here an address must be signed (auth= or txSecret= with txTime=) or bring a token (token= or \
                 Authorization: Bearer); `openmic token make` makes both",
                request.action.name()
            );
            return Err(Refused::unauthorized(detail).into());
        }
        // Any one that is right lets in; of those that are wrong the last says why.
        let mut denied = None;
        for token in credentials.tokens.into_iter().flatten() {
            match self.check_token(token, request, now) {
                Ok(()) => return Ok(()),
                Err(why) => denied = Some(why),
            }
        }
        if let Some(tx) = credentials.tx {
            match tx.check(self.signers(request, now), request.path.stream(), now) {
                Ok(()) => return Ok(()),
                Err(why) => denied = Some(why.into()),
            }
        }
        Err(denied.unwrap_or_else(|| signed::Wrong::Signature.into()))
    }

    /// A token of either kind.
    fn check_token(&self, token: &str, request: &Request<'_>, now: u64) -> Result<(), Denied> {
        if token.starts_with(signed::VERSION) {
            let subject = Subject { action: request.action, path: request.path };
            return Ok(signed::check_auth(token, self.signers(request, now), subject, now)?);
        }
        let claims = self.verifier.verify(token, now)?;
        let (scope, path) = (scope(request.action), request.path);
        if !claims.has(scope) {
            return Err(Refused::forbidden(format!("the token has not the scope {}", scope.name())).into());
        }
        match claims.is_for(path) {
            true => Ok(()),
            false => Err(Refused::forbidden("the token is for another app or stream").into()),
        }
    }

    /// The values that sign addresses of this action and app.
    fn signers<'a>(&'a self, request: &Request<'a>, now: u64) -> impl Iterator<Item = &'a super::Secret> {
        let (app, kind) = (request.path.app(), kind(request.action));
        let values = self.keys.of(kind).filter(move |key| key.is_for(app)).flat_map(keys::Key::values);
        values.filter(move |(_, until)| until.is_none_or(|until| now < until)).map(|(secret, _)| secret)
    }

    /// By whose right `caller` administers.
    pub(crate) fn authorize(&self, caller: &Caller, right: Right, now: u64) -> Result<Principal, Denied> {
        self.check_address(None, caller.peer)?;
        let is_open = match right {
            _ if self.guarded => false,
            Right::Read => true,
            // Open to everyone means streams. Nobody can have meant that everyone ends them.
            Right::Write => {
                !self.beyond || caller.peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
            }
        };
        match caller.bearer.as_deref().map(|token| self.administrator(token, now)) {
            Some(Ok(principal)) => Ok(principal),
            // A console that still holds a token of another day is as welcome as one without.
            Some(Err(_)) | None if is_open => Ok(Principal { name: "anybody".into() }),
            Some(Err(denied)) => Err(denied),
            None => Err(Refused::unauthorized(
                "this needs a token of administration (Authorization: Bearer): the one that `openmic token init` \
                 printed, or one of `openmic token make --admin`",
            )
            .into()),
        }
    }

    fn administrator(&self, token: &str, now: u64) -> Result<Principal, Denied> {
        if let Some(name) = self.admin_key(token, now) {
            return Ok(Principal { name: format!("key:{name}") });
        }
        let claims: Claims = self.verifier.verify(token, now)?;
        match claims.has(Scope::Admin) && claims.is_for_everything() {
            true => {
                let subject = claims.subject.map(|subject| format!(":{subject}")).unwrap_or_default();
                Ok(Principal { name: format!("jwt:{}{subject}", claims.kid) })
            }
            false => Err(Refused::forbidden("the token has not the scope admin for the whole server").into()),
        }
    }

    /// The key whose token this is. Every value is compared with, whether or not one before it was equal.
    fn admin_key(&self, token: &str, now: u64) -> Option<&str> {
        let hash = sha256_hex(token);
        let mut found = None;
        for key in self.keys.of(Kind::Admin) {
            for (value, until) in key.values() {
                let is_it = equal(value.expose().to_ascii_lowercase().as_bytes(), hash.as_bytes());
                if is_it && until.is_none_or(|until| now < until) {
                    found = Some(key.id.as_str());
                }
            }
        }
        found
    }
}

fn scope(action: Action) -> Scope {
    match action {
        Action::Publish => Scope::Publish,
        Action::Play => Scope::Play,
    }
}

pub(super) fn kind(action: Action) -> Kind {
    match action {
        Action::Publish => Kind::Publish,
        Action::Play => Kind::Play,
    }
}

impl From<signed::Wrong> for Denied {
    fn from(wrong: signed::Wrong) -> Self {
        let detail = match wrong {
            signed::Wrong::Signature => format!("{wrong}: another key, action, stream or time was signed"),
            signed::Wrong::Expired => format!("{wrong}; ask for a new address"),
        };
        Self { refused: Refused::unauthorized(detail), is_guess: wrong == signed::Wrong::Signature }
    }
}

impl From<jwt::Wrong> for Denied {
    fn from(wrong: jwt::Wrong) -> Self {
        Self { refused: Refused::unauthorized(wrong.to_string()), is_guess: wrong == jwt::Wrong::Token }
    }
}

/// Told to who has guessed too often.
pub(super) fn too_many(wait: Duration) -> Refused {
    let detail = "too many wrong credentials came from your address; wait a minute".to_owned();
    Refused { why: Why::TooMany { wait }, detail }
}

/// Whom failures are counted for.
pub(super) fn counted(peer: Option<SocketAddr>) -> Option<IpAddr> {
    peer.map(|peer| peer.ip())
}

#[cfg(test)]
mod tests;
