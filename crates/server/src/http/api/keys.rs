//! Keys, and what is made with them: tokens and signed addresses; and what holds in each app. A secret is told once, to who
//! makes it; no answer repeats one.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use media::Path;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead, ToWrite};
use super::ask::Told;
use super::fresh;
use crate::access::addresses::{self, Base, Signer};
use crate::access::jwt::{self, Grant, Scope};
use crate::access::{self, now};
use crate::audit::Outcome;
use crate::config::{App, Network, Permission};
use crate::context::Context;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::http::router;
use crate::sessions::Action;
use crate::time::rfc3339;

/// The former value of a key is accepted for a day where the request says nothing.
const KEEP_S: u64 = 86_400;
/// Nothing that is made here is good for longer than a year: keys can be rotated, what they have signed cannot.
const SECONDS_MAX: u64 = 365 * 86_400;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(keys))
        .routes(routes!(rotate))
        .routes(routes!(token))
        .routes(routes!(address))
        .routes(routes!(policies))
}

#[derive(Debug, Serialize, ToSchema)]
struct KeyList {
    keys: Vec<KeyInfo>,
}

#[derive(Debug, Serialize, ToSchema)]
struct KeyInfo {
    /// A JWT names its key by it (`kid`).
    id: String,
    /// publish, play, jwt or admin
    kind: &'static str,
    /// The one app it is for.
    app: Option<String>,
    /// RFC 3339 in UTC.
    created: String,
    /// Until when the value before is accepted, too.
    previous_until: Option<String>,
}

pub(super) fn date(seconds: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The keys, without their values.
#[utoipa::path(
    get, path = "/keys", tag = "access", security(("bearer" = [])),
    responses((status = 200, description = "They", body = KeyList))
)]
async fn keys(_: Admin<ToRead>, State(context): State<Arc<Context>>) -> Response {
    let now = now();
    let keys = context.access.keys();
    let describe = |key: &access::keys::Key| KeyInfo {
        id: key.id.clone(),
        kind: key.kind.name(),
        app: key.app.clone(),
        created: date(key.created),
        previous_until: key.previous_until(now).map(date),
    };
    fresh(KeyList { keys: keys.list().iter().map(describe).collect() })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the former value is accepted; a day where nothing is said, 0 where it is in wrong hands.
    #[schema(maximum = 31_536_000)]
    keep_s: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct Rotated {
    /// The new value, shown this once.
    secret: String,
    /// Until when the former one is accepted.
    previous_until: String,
}

/// Gives a key a new value. No session ends, and both values are accepted for a while.
#[utoipa::path(
    post, path = "/keys/{id}/rotate", tag = "access", security(("bearer" = [])), params(("id" = String, Path)),
    request_body = Rotation,
    responses(
        (status = 200, description = "It has", body = Rotated),
        (status = 404, description = "There is no such key", body = Document, content_type = CONTENT_TYPE),
        (status = 409, description = "The key file cannot be written", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn rotate(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    uri: Uri,
    Told(Rotation { keep_s }): Told<Rotation>,
) -> Result<Response, Problem> {
    let id = uri.path().strip_suffix("/rotate").and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let (id, keep) = (id.to_owned(), within(keep_s.unwrap_or(KEEP_S), 0)?);
    let (rotating, key) = (Arc::clone(&context), id.clone());
    // It writes a file.
    let rotated = tokio::task::spawn_blocking(move || {
        rotating.access.rotate(&rotating.config(), &key, Duration::from_secs(keep))
    });
    let broken = |_| Problem::new(StatusCode::CONFLICT, "the rotation broke off; see the log");
    match rotated.await.map_err(broken)? {
        Ok(secret) => {
            admin.record(&context, "key.rotate", &id, Outcome::Done);
            let secret = secret.expose().to_owned();
            Ok(fresh(Rotated { secret, previous_until: date(now().saturating_add(keep)) }))
        }
        Err(access::Error::Keys(access::keys::Error::Unknown(_))) => {
            Err(Problem::not_found("there is no key of this name; GET /keys lists them"))
        }
        Err(error) => {
            let why = error.to_string();
            admin.record(&context, "key.rotate", &id, Outcome::Failed(&why));
            Err(Problem::new(StatusCode::CONFLICT, format!("the key stays as it was: {why}")))
        }
    }
}

pub(super) fn within(seconds: u64, least: u64) -> Result<u64, Problem> {
    match (least..=SECONDS_MAX).contains(&seconds) {
        true => Ok(seconds),
        false => Err(Problem::bad_request(format!("a time must be {least} to {SECONDS_MAX} seconds"))),
    }
}

/// What a token allows.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ScopeName {
    Publish,
    Play,
    Admin,
    Room,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Publish => Self::Publish,
            ScopeName::Play => Self::Play,
            ScopeName::Admin => Self::Admin,
            ScopeName::Room => Self::Room,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenWish {
    #[schema(min_items = 1)]
    scope: Vec<ScopeName>,
    /// For this broadcast alone, or for all whose path begins so where it ends with `*`.
    path: Option<String>,
    /// For this app alone, likewise.
    app: Option<String>,
    #[schema(minimum = 1, maximum = 31_536_000)]
    seconds: u64,
}

#[derive(Serialize, ToSchema)]
struct TokenMade {
    /// For `Authorization: Bearer`, or `?token=` of a stream's address.
    token: String,
    /// RFC 3339 in UTC.
    expires: String,
}

/// Makes a JWT.
#[utoipa::path(
    post, path = "/tokens", tag = "access", security(("bearer" = [])), request_body = TokenWish,
    responses(
        (status = 200, description = "It is made", body = TokenMade),
        (status = 409, description = "There is no key to sign it with", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn token(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    Told(wish): Told<TokenWish>,
) -> Result<Response, Problem> {
    let expiry = now() + within(wish.seconds, 1)?;
    if wish.scope.is_empty() {
        return Err(Problem::bad_request("a token without a scope allows nothing"));
    }
    let scope: Vec<Scope> = wish.scope.into_iter().map(Scope::from).collect();
    let names: Vec<_> = scope.iter().map(|scope| scope.name()).collect();
    let place = wish.path.as_deref().or(wish.app.as_deref()).unwrap_or("*");
    let target = format!("{} {place}", names.join(" "));
    let sub = Some(admin.principal.name.clone());
    let grant = Grant { scope, path: wish.path, app: wish.app, sub, exp: expiry };
    let made = jwt::make(&context.access.keys(), &context.access.section().audience, &grant);
    let token = made.ok_or_else(|| no_key("jwt"))?;
    admin.record(&context, "token.make", &target, Outcome::Done);
    Ok(fresh(TokenMade { token, expires: date(expiry) }))
}

fn no_key(kind: &str) -> Problem {
    let detail =
        format!("keys.toml has no key of the kind {kind} for this; `openmic token init` makes one of each");
    Problem::new(StatusCode::CONFLICT, detail)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddressWish {
    /// `app/stream`
    path: String,
    #[schema(minimum = 1, maximum = 31_536_000)]
    seconds: u64,
}

#[derive(Serialize, ToSchema)]
struct AddressesMade {
    /// Nothing where nobody may publish in this app.
    publish: Option<PublishAt>,
    /// Nothing where nobody may watch in this app.
    play: Option<PlayAt>,
}

/// For a streaming program with two fields.
#[derive(Serialize, ToSchema)]
pub(super) struct ServerAndKey {
    server: String,
    key: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct PublishAt {
    rtmp: ServerAndKey,
    rtmps: Option<ServerAndKey>,
    whip: String,
    /// A whole command.
    ffmpeg: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct PlayAt {
    flv: String,
    ws_flv: String,
    hls: String,
    rtmp: String,
    whep: String,
    /// Its signature stands behind `#`, which browsers send nowhere.
    page: String,
}

impl From<addresses::Obs> for ServerAndKey {
    fn from(addresses::Obs { server, key }: addresses::Obs) -> Self {
        Self { server, key }
    }
}

impl From<addresses::Publish> for PublishAt {
    fn from(addresses::Publish { rtmp, rtmps, whip, ffmpeg }: addresses::Publish) -> Self {
        Self { rtmp: rtmp.into(), rtmps: rtmps.map(Into::into), whip, ffmpeg }
    }
}

impl From<addresses::Play> for PlayAt {
    fn from(addresses::Play { flv, ws_flv, hls, rtmp, whep, page }: addresses::Play) -> Self {
        Self { flv, ws_flv, hls, rtmp, whep, page }
    }
}

/// Addresses of one broadcast, signed where its app needs it.
#[utoipa::path(
    post, path = "/addresses", tag = "access", security(("bearer" = [])), request_body = AddressWish,
    responses(
        (status = 200, description = "They", body = AddressesMade),
        (status = 409, description = "There is no key to sign them with", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn address(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    uri: Uri,
    headers: HeaderMap,
    Told(wish): Told<AddressWish>,
) -> Result<Response, Problem> {
    let path = Path::new(&wish.path).map_err(|error| Problem::bad_request(error.to_string()))?;
    let keys = context.access.keys();
    let signer = Signer { keys: &keys, expiry: now() + within(wish.seconds, 1)? };
    let base = base(&context, &uri, &headers);
    let publish = match signature(&context, &signer, Action::Publish, &path)? {
        Signed::Nobody => None,
        Signed::With(token) => Some(base.publish(&path, token.as_deref()).into()),
    };
    let play = match signature(&context, &signer, Action::Play, &path)? {
        Signed::Nobody => None,
        Signed::With(token) => Some(base.play(&path, token.as_deref()).into()),
    };
    admin.record(&context, "address.make", path.as_str(), Outcome::Done);
    Ok(fresh(AddressesMade { publish, play }))
}

enum Signed {
    Nobody,
    With(Option<String>),
}

fn signature(context: &Context, signer: &Signer<'_>, action: Action, path: &Path) -> Result<Signed, Problem> {
    match context.access.permission(path, action) {
        Permission::None => Ok(Signed::Nobody),
        Permission::Open => Ok(Signed::With(None)),
        Permission::Keys => {
            let token = signer.token(action, path).ok_or_else(|| no_key(action.name()))?;
            Ok(Signed::With(Some(token)))
        }
    }
}

/// Where whoever asks has reached us, for others that reach us likewise.
pub(super) fn base(context: &Context, uri: &Uri, headers: &HeaderMap) -> Base {
    let addresses = context.addresses;
    let fallback = addresses.http.to_string();
    let authority = router::authority(uri, headers).unwrap_or(&fallback);
    // A page of ours tells its own scheme, which a proxy may have changed on the way.
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let told = origin.filter(|origin| origin.split_once("://").is_some_and(|(_, host)| host == authority));
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let is_secure = addresses.https.is_some_and(|https| port.unwrap_or(443) == https.port());
    let http = told
        .map_or_else(|| format!("{}://{authority}", if is_secure { "https" } else { "http" }), str::to_owned);
    let host = router::without_port(authority);
    let at = |scheme: &str, port: u16, usual: u16| match port == usual {
        true => format!("{scheme}://{host}"),
        false => format!("{scheme}://{host}:{port}"),
    };
    Base {
        http,
        rtmp: at("rtmp", addresses.rtmp.port(), 1935),
        rtmps: addresses.rtmps.map(|rtmps| at("rtmps", rtmps.port(), 443)),
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct PolicyList {
    /// What holds where no app says otherwise.
    usual: PolicyInfo,
    /// The first whose name fits holds.
    apps: Vec<PolicyInfo>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PolicyInfo {
    /// Of the app; `*` at its end stands for anything.
    name: String,
    /// keys, open or none
    publish: &'static str,
    play: &'static str,
    /// Networks; empty: all.
    allow: Vec<String>,
    deny: Vec<String>,
}

/// Who may do what in which app.
#[utoipa::path(
    get, path = "/policies", tag = "access", security(("bearer" = [])),
    responses((status = 200, description = "The rules in effect", body = PolicyList))
)]
async fn policies(_: Admin<ToRead>, State(context): State<Arc<Context>>) -> Response {
    let section = context.access.section();
    let usual = if context.access.is_guarded() { Permission::Keys } else { Permission::Open };
    let list = |networks: &[Network]| networks.iter().map(Network::to_string).collect();
    let app = |app: &App| PolicyInfo {
        name: app.name.clone(),
        publish: app.publish.unwrap_or(usual).name(),
        play: app.play.unwrap_or(usual).name(),
        allow: list(&app.allow),
        deny: list(&app.deny),
    };
    let apps = section.app.iter().map(app).collect();
    let (allow, deny) = (list(&section.allow), list(&section.deny));
    let usual = PolicyInfo { name: "*".into(), publish: usual.name(), play: usual.name(), allow, deny };
    fresh(PolicyList { usual, apps })
}
