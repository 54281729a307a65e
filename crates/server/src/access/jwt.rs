//! JSON Web Tokens (RFC 7519): verified with the one algorithm that the key of their `kid` has, and made with a key of ours.

use std::collections::HashMap;

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use media::Path;
use serde::{Deserialize, Serialize};

use super::keys::{Key, Keys, Kind};
use crate::config::{self, Algorithm};

/// A token of a dozen claims and an RSA signature has a fifth of it; nothing of a longer one is looked at.
pub const TOKEN_BYTES_MAX: usize = 4 << 10;
/// Clocks of two machines may differ by this.
const LEEWAY_S: f64 = 10.0;
/// Stands in the first line of a PEM file that nobody should hand us.
const PRIVATE: &[u8] = b"PRIVATE KEY-----";
/// A name in the audit log.
const SUBJECT_CHARS_MAX: usize = 100;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Publishing.
    Publish,
    /// Watching.
    Play,
    /// Everything of the API and the console.
    Admin,
    /// Being in a room.
    Room,
}

impl Scope {
    /// Its word in a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Play => "play",
            Self::Admin => "admin",
            Self::Room => "room",
        }
    }
}

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is none, or no key of ours or known to us made it.
    #[error("the token is none that this server can verify")]
    Token,
    /// It is another audience's.
    #[error("the token is for another audience (aud)")]
    Audience,
    /// It was right.
    #[error("the token has expired")]
    Expired,
    /// It will be right.
    #[error("the token is not valid yet (nbf)")]
    Early,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// The key that signed it.
    pub kid: String,
    /// Whom it was given to, shortened.
    pub subject: Option<String>,
    scopes: Vec<String>,
    path: Option<String>,
    /// Of the token and of its key.
    apps: [Option<String>; 2],
    /// Of a token of rooms.
    room: RoomPart,
}

/// What a token of a room says beside `sub`. Others may have claims of these names and mean something else by them, so
/// nothing here is refused: what cannot be read is not there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct RoomPart {
    #[serde(default)]
    room: Option<serde_json::Value>,
    #[serde(default)]
    name: Option<serde_json::Value>,
    #[serde(default)]
    role: Option<serde_json::Value>,
    #[serde(default)]
    info: Option<serde_json::Value>,
    /// `sub` as it was written.
    #[serde(skip)]
    user: Option<String>,
}

/// RFC 7519 §4.1 and RFC 8693 §4.2 (`scope`). Whatever else stands there is somebody else's.
#[derive(Deserialize)]
struct Payload {
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    scope: Scopes,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    app: Option<String>,
    #[serde(flatten)]
    room: RoomPart,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scopes {
    Spaced(String),
    Listed(Vec<String>),
}

impl Default for Scopes {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// What is asked of a token to be made.
#[derive(Clone, Debug, Serialize)]
pub struct Grant {
    /// What it allows.
    #[serde(serialize_with = "spaced")]
    pub scope: Vec<Scope>,
    /// For this path alone, or for all that begin so where it ends with `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// For this app alone, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Whom it is given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Until when, in seconds since 1970.
    pub exp: u64,
}

fn spaced<S: serde::Serializer>(scopes: &[Scope], to: S) -> Result<S::Ok, S::Error> {
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    to.serialize_str(&names.join(" "))
}

/// One key as the verifier has it.
struct Known {
    key: DecodingKey,
    algorithm: jsonwebtoken::Algorithm,
    /// A former value's end, in seconds since 1970.
    until: Option<u64>,
    app: Option<String>,
    /// It makes tokens of rooms and no others.
    rooms_only: bool,
}

/// Everything tokens are verified with.
pub struct Verifier {
    by_kid: HashMap<String, Vec<Known>>,
    audience: String,
}

/// Why a public key of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("access.jwt_public_keys: {kid}: {what}")]
pub struct KeyError {
    /// Which key.
    pub kid: String,
    /// What is wrong with it.
    pub what: String,
}

impl Verifier {
    /// By the keys of this server, and those of others in the configuration, whose files are read.
    pub fn new(access: &config::Access, keys: &Keys) -> Result<Self, KeyError> {
        let mut by_kid: HashMap<String, Vec<Known>> = HashMap::new();
        for key in keys.of(Kind::Jwt) {
            let known = |(secret, until): (&super::secret::Secret, _)| Known {
                key: DecodingKey::from_secret(secret.expose().as_bytes()),
                algorithm: jsonwebtoken::Algorithm::HS256,
                until,
                app: key.app.clone(),
                rooms_only: false,
            };
            by_kid.insert(key.id.clone(), key.values().map(known).collect());
        }
        for public in &access.jwt_public_keys {
            let wrong = |what: String| KeyError { kid: public.kid.clone(), what };
            let known = public_key(public).map_err(wrong)?;
            if by_kid.insert(public.kid.clone(), vec![known]).is_some() {
                return Err(wrong("two keys have this name (kid)".into()));
            }
        }
        Ok(Self { by_kid, audience: access.audience.clone() })
    }

    /// Takes tokens of rooms that are signed with this key, too.
    pub(crate) fn add_rooms(&mut self, kid: &str, secret: &super::secret::Secret) {
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        let algorithm = jsonwebtoken::Algorithm::HS256;
        let known = Known { key, algorithm, until: None, app: None, rooms_only: true };
        self.by_kid.insert(kid.to_owned(), vec![known]);
    }

    /// What `token` says, if it is right at `now`, in seconds since 1970.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, Wrong> {
        self.verify_at(token, Some(now), now)
    }

    /// The same of a token that may have run out.
    pub(crate) fn verify_old(&self, token: &str, now: u64) -> Result<Claims, Wrong> {
        self.verify_at(token, None, now)
    }

    /// `expires`: the time at which it must not have expired.
    fn verify_at(&self, token: &str, expires: Option<u64>, now: u64) -> Result<Claims, Wrong> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Wrong::Token);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Wrong::Token)?;
        // RFC 7515 §4.1.11: we know no extension, so one that must be known is a reason to refuse.
        let kid = header.kid.filter(|_| header.crit.is_none()).ok_or(Wrong::Token)?;
        let known = self.by_kid.get(&kid).ok_or(Wrong::Token)?;
        let mut current = known.iter().filter(|known| known.until.is_none_or(|until| now < until));
        loop {
            let known = current.next().ok_or(Wrong::Token)?;
            match self.decode(token, known) {
                // The value before, perhaps.
                Err(Wrong::Token) => {}
                decoded => {
                    let claims = decoded?.claims(kid, known.app.clone(), (expires, now))?;
                    let is_right = !known.rooms_only || claims.is_for_rooms_only();
                    return if is_right { Ok(claims) } else { Err(Wrong::Token) };
                }
            }
        }
    }

    fn decode(&self, token: &str, known: &Known) -> Result<Payload, Wrong> {
        let mut validation = Validation::new(known.algorithm);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["aud"]);
        // Times are compared by us: the library would read a clock of its own.
        validation.validate_exp = false;
        jsonwebtoken::decode::<Payload>(token, &known.key, &validation).map(|data| data.claims).map_err(
            |error| {
                match error.kind() {
                    jsonwebtoken::errors::ErrorKind::InvalidAudience => Wrong::Audience,
                    // Among them that it has none.
                    jsonwebtoken::errors::ErrorKind::MissingRequiredClaim(_) => Wrong::Audience,
                    _ => Wrong::Token,
                }
            },
        )
    }
}

/// The file's key, which must be of the kind that the configuration says.
fn public_key(public: &config::PublicKey) -> Result<Known, String> {
    let pem = std::fs::read(&public.file).map_err(|error| format!("{}: {error}", public.file.display()))?;
    if pem.windows(PRIVATE.len()).any(|part| part == PRIVATE) {
        return Err(format!("{} holds a private key; only its owner needs that", public.file.display()));
    }
    let (key, algorithm) = match public.algorithm {
        Algorithm::EdDSA => (DecodingKey::from_ed_pem(&pem), jsonwebtoken::Algorithm::EdDSA),
        Algorithm::ES256 => (DecodingKey::from_ec_pem(&pem), jsonwebtoken::Algorithm::ES256),
        Algorithm::RS256 => (DecodingKey::from_rsa_pem(&pem), jsonwebtoken::Algorithm::RS256),
    };
    let what = |_| format!("{} is no PEM file with a public key for {algorithm:?}", public.file.display());
    Ok(Known { key: key.map_err(what)?, algorithm, until: None, app: None, rooms_only: false })
}

impl Payload {
    fn claims(
        self,
        kid: String,
        key_app: Option<String>,
        (expires, now): (Option<u64>, u64),
    ) -> Result<Claims, Wrong> {
        let now = now as f64;
        if expires.is_some_and(|at| self.exp + LEEWAY_S <= at as f64) {
            return Err(Wrong::Expired);
        }
        if self.nbf.is_some_and(|nbf| nbf - LEEWAY_S > now) {
            return Err(Wrong::Early);
        }
        let scopes = match self.scope {
            Scopes::Spaced(text) => text.split(' ').map(str::to_owned).collect(),
            Scopes::Listed(list) => list,
        };
        let room = RoomPart { user: self.sub.clone(), ..self.room };
        let subject = self.sub.map(|sub| sub.chars().take(SUBJECT_CHARS_MAX).collect());
        Ok(Claims { kid, subject, scopes, path: self.path, apps: [self.app, key_app], room })
    }
}

impl Claims {
    /// Whether it allows this.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| own == scope.name())
    }

    /// Whether it is for this broadcast, as far as it is for some only.
    pub fn is_for(&self, path: &Path) -> bool {
        let fits_app = |app: &Option<String>| app.as_deref().is_none_or(|app| fits(app, path.app()));
        self.apps.iter().all(fits_app) && self.path.as_deref().is_none_or(|own| fits(own, path.as_str()))
    }

    fn is_for_rooms_only(&self) -> bool {
        self.scopes.len() == 1 && self.has(Scope::Room)
    }

    /// What it says of a room in the app `app`; `None` where it is no token of a room, or says of it what cannot be.
    pub fn room(&self, app: &str) -> Option<::room::Claims> {
        let text = |value: &Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => Some(Some(text.clone())),
            Some(serde_json::Value::Null) | None => Some(None),
            Some(_) => None,
        };
        let part = &self.room;
        if !self.has(Scope::Room) || !self.apps.iter().flatten().all(|own| fits(own, app)) {
            return None;
        }
        let role = match text(&part.role)?.as_deref() {
            Some("host") => ::room::Role::Host,
            Some("cohost") => ::room::Role::Cohost,
            Some("guest") | None => ::room::Role::Guest,
            Some(_) => return None,
        };
        // An object is as good as its text: pages parse it.
        let info = match &part.info {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let room = ::room::RoomId::new(&text(&part.room)??)?;
        let user = ::room::UserId::new(part.user.as_deref()?)?;
        Some(::room::Claims { room, user, name: text(&part.name)?, role, info })
    }

    /// It is for the whole server.
    pub fn is_for_everything(&self) -> bool {
        self.path.is_none() && self.apps.iter().all(Option::is_none)
    }
}

/// Whether a name is the pattern, or begins like it where that ends with `*`.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// What is asked of a token for a room.
#[derive(Clone, Debug, Serialize)]
pub struct RoomGrant {
    /// Which room.
    pub room: String,
    /// The user's id.
    pub sub: String,
    /// What others call the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The role the user comes in with.
    pub role: ::room::Role,
    /// For the pages of the application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub info: String,
    /// Until when, in seconds since 1970.
    pub exp: u64,
}

/// A token of a room, signed with the key of this name.
pub fn make_room(kid: &str, secret: &super::secret::Secret, audience: &str, grant: &RoomGrant) -> String {
    #[derive(Serialize)]
    struct Whole<'a> {
        aud: &'a str,
        scope: &'static str,
        #[serde(flatten)]
        grant: &'a RoomGrant,
    }
    let header = Header { kid: Some(kid.to_owned()), ..Header::default() };
    let signing = EncodingKey::from_secret(secret.expose().as_bytes());
    let whole = Whole { aud: audience, scope: Scope::Room.name(), grant };
    jsonwebtoken::encode(&header, &whole, &signing).expect("strings and numbers are always a token")
}

/// A token of a room, signed with the first of `keys` that is for this app of rooms; `None` where there is none.
pub fn make_room_of(keys: &Keys, app: &str, audience: &str, grant: &RoomGrant) -> Option<String> {
    let key: &Key = keys.of(Kind::Jwt).find(|key| key.is_for(app))?;
    Some(make_room(&key.id, key.current(), audience, grant))
}

/// A token of the first of `keys` that is for every app; `None` where there is no such key.
pub fn make(keys: &Keys, audience: &str, grant: &Grant) -> Option<String> {
    #[derive(Serialize)]
    struct Whole<'a> {
        aud: &'a str,
        #[serde(flatten)]
        grant: &'a Grant,
    }
    let key: &Key = keys.of(Kind::Jwt).find(|key| key.app.is_none())?;
    let header = Header { kid: Some(key.id.clone()), ..Header::default() };
    let signing = EncodingKey::from_secret(key.current().expose().as_bytes());
    let whole = Whole { aud: audience, grant };
    Some(jsonwebtoken::encode(&header, &whole, &signing).expect("strings and numbers are always a token"))
}

#[cfg(test)]
mod tests;
