//! Rooms that anybody may make, to try what rooms are: on a laptop, or where `rooms.demo` says so.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use room::{Command, DataTrack, Role};
use serde::{Deserialize, Serialize};

use super::words::{Refused, RoleName, TemplateName};
use super::{At, Told, begin, check_person, find, fresh, no_such, random_id, sign};
use crate::access::jwt::RoomGrant;
use crate::access::{Caller, now};
use crate::config;
use crate::context::Context;
use crate::http::problem::Problem;

/// Half a day, the length of a class and a party after it.
const TOKEN_S: u64 = 43_200;
/// A class on one network comes at once; nobody makes rooms by the hundred.
const RATE: config::Api = config::Api { requests_per_second: 2, burst: 120 };
/// What tells rooms that were made here from others, which are not anybody's to enter.
const MARK: &str = "openmic.demo";

pub(in crate::http) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/demo/rooms", post(make)).route("/demo/rooms/{room}/tokens", post(token))
}

/// There are such rooms, and whoever asks has not asked too often.
fn check(context: &Context, caller: &Caller) -> Result<(), Problem> {
    if !context.config().has_demo_rooms(context.access.is_guarded()) {
        return Err(Problem::not_found("this server has no demo rooms (rooms.demo)"));
    }
    let Some(peer) = caller.peer else { return Ok(()) };
    context.rooms.demo_rate.check(peer.ip(), &RATE).map_err(|wait| {
        let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
        Problem::later(StatusCode::TOO_MANY_REQUESTS, "that is a lot of demo rooms; wait a little", seconds)
    })
}

struct From(Caller);

impl<S: Sync> axum::extract::FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self(Caller::of_http(&parts.extensions, &parts.headers)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    template: TemplateName,
    name: String,
}

#[derive(Serialize)]
struct Made {
    room: String,
    token: String,
}

async fn make(
    From(caller): From,
    State(context): State<Arc<Context>>,
    Told(Wish { template, name }): Told<Wish>,
) -> Result<Response, Problem> {
    check(&context, &caller)?;
    check_person("u", Some(&name), "")?;
    let template: room::Template = template.into();
    let handle = begin(&context, random_id(), template.settings(), "").await?;
    let mark = Command::SetData { track: DataTrack::Hosts, key: MARK.into(), value: Some("true".into()) };
    handle.command(mark).await.map_err(Refused)?;
    let room = handle.id().as_str().to_owned();
    let token = sign(&context, grant(&room, name, Role::Host)).await?;
    Ok((StatusCode::CREATED, fresh(Made { room, token })).into_response())
}

fn grant(room: &str, name: String, role: Role) -> RoomGrant {
    let sub = format!("demo-{}", crate::access::hex(&crate::access::random::<8>()));
    RoomGrant {
        room: room.to_owned(),
        sub,
        name: Some(name),
        role,
        info: String::new(),
        exp: now() + TOKEN_S,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenWish {
    name: String,
    #[serde(default)]
    role: RoleName,
}

#[derive(Serialize)]
struct Token {
    token: String,
}

async fn token(
    From(caller): From,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
    Told(TokenWish { name, role }): Told<TokenWish>,
) -> Result<Response, Problem> {
    check(&context, &caller)?;
    check_person("u", Some(&name), "")?;
    if role != RoleName::Guest {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "who makes a demo room hosts it; others come as guests, and the host may appoint them",
        ));
    }
    let handle = find(&context, &room)?;
    let marked = handle.ask(|room| room.state().hosts.state.data.iter().any(|datum| datum.key == MARK));
    if marked.await != Some(true) {
        return Err(no_such());
    }
    let token = sign(&context, grant(handle.id().as_str(), name, Role::Guest)).await?;
    Ok((StatusCode::CREATED, fresh(Token { token })).into_response())
}
