//! A member for a device that only publishes, such as a streaming program or a Mini Program: it gets addresses, and is there
//! for as long as it publishes.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use media::Path as Broadcast;
use room::{Claims, MemberId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::{MemberChange, MemberInfo, carry_out};
use super::words::{Refused, RoleName};
use super::{Admin, At, ToWrite, Told, check_person, find, fresh, no_such, sign};
use crate::access::addresses::{self, Signer};
use crate::access::jwt::RoomGrant;
use crate::access::now;
use crate::audit::Outcome;
use crate::context::Context;
use crate::http::api::keys::{PlayAt, PublishAt, base, date, within};
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::sessions::Action;

/// A day, where the request says nothing.
const SECONDS: u64 = 86_400;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HostedWish {
    /// The user's id, as the application knows it.
    user: String,
    name: String,
    #[serde(default)]
    role: RoleName,
    /// For the pages of the application, up to 512 bytes.
    #[serde(default)]
    info: String,
    /// Whether it goes up to the stage at once, without which it cannot publish.
    #[serde(default = "yes")]
    stage: bool,
    /// How long the addresses let new sessions begin; a day where nothing is said.
    #[schema(minimum = 1, maximum = 31_536_000)]
    seconds: Option<u64>,
}

fn yes() -> bool {
    true
}

#[derive(Serialize, ToSchema)]
struct Hosted {
    member: MemberInfo,
    /// Where it publishes.
    push: PublishAt,
    /// Where it hears and sees everybody else, and never itself.
    play: PlayAt,
    /// The same right as a token, for programs that take one (`Authorization: Bearer`).
    token: String,
    /// Until when addresses and token let sessions begin. RFC 3339 in UTC.
    expires: String,
}

/// Where whoever asks has reached us.
pub(super) struct Reached(addresses::Base);

impl FromRequestParts<Arc<Context>> for Reached {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, Problem> {
        Ok(Self(base(context, &parts.uri, &parts.headers)))
    }
}

/// Makes a member that has no page. It has ten minutes to begin publishing; later it is there as long as it publishes, and
/// for the room's time of grace.
#[utoipa::path(
    post, path = "/rooms/{room}/members", tag = "rooms", security(("bearer" = [])), params(("room" = String, Path)),
    request_body = HostedWish,
    responses(
        (status = 201, description = "It is there", body = Hosted),
        (status = 404, description = "There is no such room", body = Document, content_type = CONTENT_TYPE),
        (status = 409, description = "The room refuses", body = Document, content_type = CONTENT_TYPE)
    )
)]
pub(super) async fn make(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
    Reached(base): Reached,
    Told(wish): Told<HostedWish>,
) -> Result<Response, Problem> {
    let handle = find(&context, &room)?;
    check_person(&wish.user, Some(&wish.name), &wish.info)?;
    let expiry = now() + within(wish.seconds.unwrap_or(SECONDS), 1)?;
    let user = room::UserId::new(&wish.user).ok_or_else(no_such)?;
    let (id, role) = (handle.id().clone(), wish.role.into());
    let claims = Claims { room: id, user, name: Some(wish.name.clone()), role, info: wish.info.clone() };
    let member = handle.host(claims).await.map_err(Refused)?;
    if wish.stage {
        match carry_out(&handle, member, MemberChange::up()).await {
            // The room puts everybody up.
            Ok(()) | Err(room::Refusal::OnStage) => {}
            Err(refusal) => {
                // A member that cannot publish is of no use to whoever asked for it.
                let _ = handle.command_as(member, room::Command::Leave {}).await;
                return Err(Refused(refusal).into());
            }
        }
    }
    admin.record(&context, "room.member.make", &format!("{room} {}", wish.user), Outcome::Done);
    let grant = RoomGrant {
        room: handle.id().as_str().to_owned(),
        sub: wish.user,
        name: Some(wish.name),
        role,
        info: wish.info,
        exp: expiry,
    };
    let token = sign(&context, grant).await?;
    let (push, play) = places(&context, (&room, member), expiry, &token, &base)?;
    let info = handle.ask(move |room| MemberInfo::of(room, member)).await.flatten().ok_or_else(no_such)?;
    let hosted = Hosted { member: info, push, play, token, expires: date(expiry) };
    Ok((StatusCode::CREATED, fresh(hosted)).into_response())
}

/// Signed where there are keys, and with the member's token where there are none.
fn places(
    context: &Context,
    (room, member): (&str, MemberId),
    expiry: u64,
    token: &str,
    base: &addresses::Base,
) -> Result<(PublishAt, PlayAt), Problem> {
    let keys = context.access.keys();
    let signer = Signer { keys: &keys, expiry };
    let path = |text: String| Broadcast::new(&text).map_err(|error| Problem::bad_request(error.to_string()));
    let push = path(format!("{}/{room}/{}", context.rooms.app(), member.0))?;
    let play = path(format!("{}/others", push.as_str()))?;
    let signed = |action, path| signer.token(action, path).unwrap_or_else(|| token.to_owned());
    let push = base.publish(&push, Some(&signed(Action::Publish, &push)));
    let play = base.play(&play, Some(&signed(Action::Play, &play)));
    Ok((push.into(), play.into()))
}
