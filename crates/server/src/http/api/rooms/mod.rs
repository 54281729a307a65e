//! Rooms for back-ends: made, listed, changed, closed; tokens for their users; commands that outrank everybody.

pub(in crate::http) mod demo;
mod hosted;
mod members;
mod words;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use room::{Command, RoomId, text};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead, ToWrite};
use super::ask::{Asked, Told, limit};
use super::fresh;
use super::keys::{date, within};
use crate::access::jwt::RoomGrant;
use crate::access::now;
use crate::audit::Outcome;
use crate::context::Context;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::rooms::CannotMake;
use crate::rooms::handle::{Handle, Input};
use words::{EndedInfo, OpenWords, Refused, RoleName, RoomInfo, TemplateName, settings};

/// Rooms of one answer.
const LIST_MAX: usize = 10_000;
/// Where the request says nothing.
const LIST_USUAL: usize = 1_000;
/// Of letters that nobody confuses when they are read out.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz";

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(one, change, close))
        .routes(routes!(token))
        .routes(routes!(data))
        .routes(routes!(command))
        .merge(members::routes())
}

/// The segments of an address, whose types say what they must be.
struct At<T>(T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Context>> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, Problem> {
        let Path(at) = Path::from_request_parts(parts, context)
            .await
            .map_err(|error| Problem::bad_request(format!("the address is not understood: {error}")))?;
        Ok(Self(at))
    }
}

/// A name nobody guesses that can be read out: `abcd-efgh`, of 36 bits.
fn random_id() -> RoomId {
    let bytes = crate::access::random::<8>();
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    let text: String = bytes.iter().map(letter).collect();
    RoomId::new(&format!("{}-{}", &text[..4], &text[4..])).expect("letters and a dash")
}

/// The room of an address.
fn find(context: &Context, room: &str) -> Result<Handle, Problem> {
    let id = RoomId::new(room);
    id.and_then(|id| context.rooms.get(&id)).ok_or_else(no_such)
}

fn no_such() -> Problem {
    Problem::not_found("there is no such room; GET /api/v1/rooms lists those there are")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListWish {
    limit: Option<usize>,
    #[serde(default)]
    ended: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct RoomList {
    rooms: Vec<RoomInfo>,
    /// With `ended=true`: those that are over, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Vec<EndedInfo>>,
}

/// The rooms there are, by name.
#[utoipa::path(
    get, path = "/rooms", tag = "rooms", security(("bearer" = [])),
    params(("limit" = Option<usize>, Query, description = "1 to 10,000; 1,000 where nothing is said"),
        ("ended" = Option<bool>, Query, description = "Those that are over, too")),
    responses((status = 200, description = "They", body = RoomList))
)]
async fn list(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    Asked(wish): Asked<ListWish>,
) -> Result<Response, Problem> {
    let most = limit(wish.limit, LIST_USUAL, LIST_MAX)?;
    let mut rooms = Vec::new();
    for handle in context.rooms.list().into_iter().take(most) {
        rooms.extend(handle.ask(RoomInfo::of).await);
    }
    let ended = match wish.ended {
        true => {
            let records = context.rooms.ended(u32::try_from(most).unwrap_or(u32::MAX)).await;
            Some(records.into_iter().map(EndedInfo::from).collect())
        }
        false => None,
    };
    Ok(fresh(RoomList { rooms, ended }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoomWish {
    /// Letters, digits, `-` and `_`, up to 64; made up where it is missing.
    id: Option<String>,
    template: TemplateName,
    #[serde(default)]
    title: String,
    /// In place of what the template has: `{"limits": {"stage": 4}, "times": {"grace": 60000}, "moderated": true}`. Times are
    /// in milliseconds; the answer shows all there are.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: serde_json::Value,
}

/// Makes a room. It ends when nobody has been in it for `settings.times.empty`.
#[utoipa::path(
    post, path = "/rooms", tag = "rooms", security(("bearer" = [])), request_body = RoomWish,
    responses(
        (status = 201, description = "It is made, and written down", body = RoomInfo),
        (status = 409, description = "There is one of this name", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn make(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    Told(wish): Told<RoomWish>,
) -> Result<Response, Problem> {
    let id = match &wish.id {
        Some(id) => RoomId::new(id).ok_or_else(|| {
            Problem::bad_request("id must be 1 to 64 letters, digits, - and _; without one it is made up")
        })?,
        None => random_id(),
    };
    let settings = settings(&room::Template::from(wish.template).settings(), &wish.settings)?;
    let handle = begin(&context, id, settings, &wish.title).await?;
    admin.record(&context, "room.make", handle.id().as_str(), Outcome::Done);
    let info = handle.ask(RoomInfo::of).await.ok_or_else(no_such)?;
    let location = format!("/api/v1/rooms/{}", info.id);
    let mut response = (StatusCode::CREATED, fresh(info)).into_response();
    if let Ok(location) = location.try_into() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn begin(
    context: &Arc<Context>,
    id: RoomId,
    settings: room::Settings,
    title: &str,
) -> Result<Handle, Problem> {
    if context.draining.is_cancelled() {
        return Err(Problem::draining());
    }
    if !title.is_empty() && text::title(title).is_none() {
        return Err(Problem::bad_request("title must be one line of up to 128 characters that can be seen"));
    }
    context.make_room(id, settings, title).await.map_err(|error| match error {
        CannotMake::Taken => Problem::new(StatusCode::CONFLICT, error.to_string()),
        CannotMake::Full => Problem::unavailable(error.to_string(), 60),
    })
}

/// One room.
#[utoipa::path(
    get, path = "/rooms/{room}", tag = "rooms", security(("bearer" = [])), params(("room" = String, Path)),
    responses(
        (status = 200, description = "It", body = RoomInfo),
        (status = 404, description = "There is none", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn one(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
) -> Result<Response, Problem> {
    let info = find(&context, &room)?.ask(RoomInfo::of).await;
    info.map(fresh).ok_or_else(no_such)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoomChange {
    title: Option<String>,
    /// What is open.
    open: Option<OpenWords>,
    /// As when it was made, in place of what it has: `{"limits": {"stage": 4}}`. Who is in or up stays so, also beyond a smaller
    /// limit; `limits.chat_kept` is what it was made with.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: serde_json::Value,
}

/// Changes the title, what is open, and how the room behaves.
#[utoipa::path(
    patch, path = "/rooms/{room}", tag = "rooms", security(("bearer" = [])), params(("room" = String, Path)),
    request_body = RoomChange,
    responses(
        (status = 200, description = "As it is now", body = RoomInfo),
        (status = 404, description = "There is none", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn change(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
    Told(change): Told<RoomChange>,
) -> Result<Response, Problem> {
    let handle = find(&context, &room)?;
    if !change.settings.is_null() {
        let before = handle.ask(|room| room.state().settings.clone()).await.ok_or_else(no_such)?;
        let settings = Box::new(settings(&before, &change.settings)?);
        handle.send(Input::Configure { settings }).await;
    }
    if let Some(to) = change.title {
        handle.command(Command::SetTitle { to }).await.map_err(Refused)?;
    }
    if let Some(open) = change.open {
        handle.command(Command::SetOpen { open: open.into() }).await.map_err(Refused)?;
    }
    admin.record(&context, "room.change", &room, Outcome::Done);
    handle.ask(RoomInfo::of).await.map(fresh).ok_or_else(no_such)
}

/// Closes a room: everybody in it is told, and may not come back.
#[utoipa::path(
    delete, path = "/rooms/{room}", tag = "rooms", security(("bearer" = [])), params(("room" = String, Path)),
    responses(
        (status = 204, description = "It is over"),
        (status = 404, description = "There is none", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn close(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
) -> Result<StatusCode, Problem> {
    find(&context, &room)?.command(Command::End {}).await.map_err(Refused)?;
    admin.record(&context, "room.close", &room, Outcome::Done);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenWish {
    /// The user's id, as the application knows it: up to 64 characters without blanks. Bans hold on to it.
    user: String,
    /// What others call the user; missing, the user says.
    name: Option<String>,
    #[serde(default)]
    role: RoleName,
    /// For the pages of the application, up to 512 bytes.
    #[serde(default)]
    info: String,
    #[schema(minimum = 1, maximum = 31_536_000)]
    seconds: u64,
}

#[derive(Serialize, ToSchema)]
struct RoomToken {
    /// For `join` on the WebSocket, as the bearer of WHIP, and as `?auth=` of the audience's addresses.
    token: String,
    /// RFC 3339 in UTC.
    expires: String,
}

/// A token that lets one user into this room.
#[utoipa::path(
    post, path = "/rooms/{room}/tokens", tag = "rooms", security(("bearer" = [])), params(("room" = String, Path)),
    request_body = TokenWish,
    responses(
        (status = 200, description = "It is made", body = RoomToken),
        (status = 404, description = "There is no such room", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn token(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
    Told(wish): Told<TokenWish>,
) -> Result<Response, Problem> {
    let handle = find(&context, &room)?;
    let exp = now() + within(wish.seconds, 1)?;
    check_person(&wish.user, wish.name.as_deref(), &wish.info)?;
    let target = format!("{room} {}", wish.user);
    let TokenWish { user: sub, name, role, info, .. } = wish;
    let room = handle.id().as_str().to_owned();
    let token = sign(&context, RoomGrant { room, sub, name, role: role.into(), info, exp }).await?;
    admin.record(&context, "room.token", &target, Outcome::Done);
    Ok(fresh(RoomToken { token, expires: date(exp) }))
}

/// What the room would refuse when the user comes is better refused now.
fn check_person(user: &str, name: Option<&str>, info: &str) -> Result<(), Problem> {
    if room::UserId::new(user).is_none() {
        return Err(Problem::bad_request("user must be 1 to 64 characters that can be seen, without blanks"));
    }
    if name.is_some_and(|name| text::name(name).is_none()) {
        return Err(Problem::bad_request("name must be one line of 1 to 64 characters that can be seen"));
    }
    match info.len() > text::INFO_BYTES_MAX {
        true => Err(Problem::bad_request("info must be 512 bytes at most")),
        false => Ok(()),
    }
}

/// It may write the key's file, the first time.
async fn sign(context: &Arc<Context>, grant: RoomGrant) -> Result<String, Problem> {
    let signer = Arc::clone(context);
    let signed = super::blocking(move || signer.access.room_token(&signer.config(), &grant)).await?;
    signed.map_err(|error| {
        tracing::error!(%error, "tokens of rooms cannot be signed");
        Problem::new(StatusCode::CONFLICT, format!("the token cannot be signed: {error}"))
    })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DataWish {
    track: words::DataTrackName,
    /// `A-Z a-z 0-9 . _ -`, up to 64.
    key: String,
    /// Up to 4,096 bytes of text; null takes the entry away.
    value: Option<String>,
}

/// Sets custom data, which the page of everybody who may see it gets at once.
#[utoipa::path(
    put, path = "/rooms/{room}/data", tag = "rooms", security(("bearer" = [])), params(("room" = String, Path)),
    request_body = DataWish,
    responses(
        (status = 204, description = "It is set"),
        (status = 404, description = "There is no such room", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn data(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
    Told(DataWish { track, key, value }): Told<DataWish>,
) -> Result<StatusCode, Problem> {
    let command = Command::SetData { track: track.into(), key, value };
    find(&context, &room)?.command(command).await.map_err(Refused)?;
    admin.record(&context, "room.data", &room, Outcome::Done);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CommandWish {
    /// As members send it: `{"name": "mute_all"}`, `{"name": "unban", "user": "u7"}`. docs/signalling.md lists them.
    #[schema(value_type = Object)]
    command: Command,
}

/// Does what a host may do, and outranks everybody. It is written down when this answers.
#[utoipa::path(
    post, path = "/rooms/{room}/commands", tag = "rooms", security(("bearer" = [])), params(("room" = String, Path)),
    request_body = CommandWish,
    responses(
        (status = 204, description = "It is done"),
        (status = 404, description = "There is no such room, or whoever or whatever is named", body = Document,
            content_type = CONTENT_TYPE),
        (status = 409, description = "The room refuses; `detail` begins with the code", body = Document,
            content_type = CONTENT_TYPE)
    )
)]
async fn command(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
    Told(CommandWish { command }): Told<CommandWish>,
) -> Result<StatusCode, Problem> {
    let told = serde_json::to_value(&command).unwrap_or_default();
    let target = format!("{room} {}", told["name"].as_str().unwrap_or_default());
    let done = find(&context, &room)?.command(command).await;
    let why = done.err().map(|refusal| refusal.sentence());
    admin.record(&context, "room.command", &target, why.map_or(Outcome::Done, Outcome::Failed));
    done.map_err(Refused)?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_name_can_be_read_out_and_is_never_the_same() {
        let (one, other) = (random_id(), random_id());
        assert_ne!(one, other);
        assert!(one.as_str().len() == 9 && one.as_str().as_bytes()[4] == b'-', "{one:?}");
    }
}
