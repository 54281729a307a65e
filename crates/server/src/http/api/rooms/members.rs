//! Members of a room for back-ends: listed, made for devices that only publish, moved, muted, removed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use room::track::{Media, Sending};
use room::{Command, MemberId, Room};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::hosted;
use super::words::{Refused, RoleName, SendingWords, date};
use super::{Admin, Asked, At, ToRead, ToWrite, Told, find, fresh, limit, no_such};
use crate::audit::Outcome;
use crate::context::Context;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::rooms::handle::Handle;

/// Members of one answer.
const LIST_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(list, hosted::make)).routes(routes!(one, change, remove))
}

#[derive(Debug, Serialize, ToSchema)]
struct MemberList {
    members: Vec<MemberInfo>,
    /// There are more.
    more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberInfo {
    /// Its number in this room.
    id: u32,
    user: String,
    name: String,
    role: RoleName,
    info: String,
    /// Whether others see it by name.
    listed: bool,
    /// Until when its place is kept, if it has no connection. RFC 3339 in UTC.
    away_until: Option<String>,
    /// Whether its hand is up.
    hand: bool,
    /// Whether it may follow an invitation to the stage.
    invited: bool,
    /// What it sends, if it is on the stage.
    sending: Option<SendingWords>,
}

impl MemberInfo {
    pub(super) fn of(room: &Room, member: MemberId) -> Option<Self> {
        let state = room.state();
        let own = &state.own.get(&member)?.state;
        Some(Self {
            id: member.0,
            user: own.user.as_str().to_owned(),
            name: own.name.clone(),
            role: own.role.into(),
            info: own.info.clone(),
            listed: own.listed,
            away_until: own.away_until.map(date),
            hand: own.hand.is_some(),
            invited: own.invited_until.is_some(),
            sending: state.all.state.place(member).map(|place| place.sending.into()),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListWish {
    limit: Option<usize>,
    /// Only those with a higher number: the last of the list before.
    #[serde(default)]
    after: u32,
}

/// The members of a room, by number.
#[utoipa::path(
    get, path = "/rooms/{room}/members", tag = "rooms", security(("bearer" = [])),
    params(("room" = String, Path), ("limit" = Option<usize>, Query, description = "1 to 1,000"),
        ("after" = Option<u32>, Query, description = "Those with a higher number than this")),
    responses(
        (status = 200, description = "They", body = MemberList),
        (status = 404, description = "There is no such room", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn list(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    At(room): At<String>,
    Asked(wish): Asked<ListWish>,
) -> Result<Response, Problem> {
    let most = limit(wish.limit, LIST_MAX, LIST_MAX)?;
    let handle = find(&context, &room)?;
    let list = handle.ask(move |room| {
        let from = MemberId(wish.after.saturating_add(1));
        let mut numbers = room.state().own.range(from..).map(|(member, _)| *member);
        let members = numbers.by_ref().take(most).filter_map(|member| MemberInfo::of(room, member)).collect();
        MemberList { members, more: numbers.next().is_some() }
    });
    list.await.map(fresh).ok_or_else(no_such)
}

async fn info(handle: &Handle, member: MemberId) -> Result<Response, Problem> {
    let info = handle.ask(move |room| MemberInfo::of(room, member)).await.flatten();
    info.map(fresh).ok_or_else(|| Refused(room::Refusal::UnknownMember).into())
}

/// One member.
#[utoipa::path(
    get, path = "/rooms/{room}/members/{member}", tag = "rooms", security(("bearer" = [])),
    params(("room" = String, Path), ("member" = u32, Path)),
    responses(
        (status = 200, description = "It", body = MemberInfo),
        (status = 404, description = "There is none", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn one(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    At((room, member)): At<(String, u32)>,
) -> Result<Response, Problem> {
    info(&find(&context, &room)?, MemberId(member)).await
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberChange {
    /// To the stage or off it. Nobody is pulled up: a raised hand is answered, others are invited; a member that was made
    /// here goes up.
    stage: Option<bool>,
    /// Switched off: sound, picture, screen.
    #[schema(value_type = Option<Vec<String>>)]
    mute: Option<Vec<Media>>,
    /// cohost or guest
    role: Option<RoleName>,
    /// Only of a member that was made here: what is passed on of what it sends.
    sending: Option<SendingWords>,
}

impl MemberChange {
    /// To the stage.
    pub(super) fn up() -> Self {
        Self { stage: Some(true), ..Self::default() }
    }
}

/// Moves a member, mutes it, changes its role.
#[utoipa::path(
    patch, path = "/rooms/{room}/members/{member}", tag = "rooms", security(("bearer" = [])),
    params(("room" = String, Path), ("member" = u32, Path)), request_body = MemberChange,
    responses(
        (status = 200, description = "As it is now", body = MemberInfo),
        (status = 404, description = "There is none", body = Document, content_type = CONTENT_TYPE),
        (status = 409, description = "The room refuses", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn change(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At((room, member)): At<(String, u32)>,
    Told(change): Told<MemberChange>,
) -> Result<Response, Problem> {
    let (handle, id) = (find(&context, &room)?, MemberId(member));
    let done = carry_out(&handle, id, change).await;
    let why = done.err().map(|refusal| refusal.sentence());
    let target = format!("{room} {member}");
    admin.record(&context, "room.member", &target, why.map_or(Outcome::Done, Outcome::Failed));
    done.map_err(Refused)?;
    info(&handle, id).await
}

pub(super) async fn carry_out(
    handle: &Handle,
    member: MemberId,
    change: MemberChange,
) -> Result<(), room::Refusal> {
    let MemberChange { stage, mute, role, sending } = change;
    if let Some(role) = role {
        handle.command(Command::Appoint { member, role: role.into() }).await?;
    }
    match stage {
        Some(true) => bring_up(handle, member).await?,
        Some(false) => handle.command(Command::TakeDown { member }).await?,
        None => {}
    }
    for media in mute.unwrap_or_default() {
        handle.command(Command::Mute { member, media }).await?;
    }
    if let Some(sending) = sending {
        let sending: Sending = sending.into();
        handle.command_as(member, Command::Publish { sending }).await?;
    }
    Ok(())
}

/// A hand is answered, anybody else is invited; a member that was made here follows at once.
async fn bring_up(handle: &Handle, member: MemberId) -> Result<(), room::Refusal> {
    match handle.command(Command::BringUp { member }).await {
        Err(room::Refusal::NoHand) => {}
        done => return done,
    }
    handle.command(Command::Invite { member }).await?;
    match handle.command_as(member, Command::Accept {}).await {
        // It has a connection of its own, and decides itself.
        Err(room::Refusal::NoRight) => Ok(()),
        done => done,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoveWish {
    #[serde(default)]
    ban: bool,
}

/// Removes a member; with `ban=true` its user may not come back, with any device or name.
#[utoipa::path(
    delete, path = "/rooms/{room}/members/{member}", tag = "rooms", security(("bearer" = [])),
    params(("room" = String, Path), ("member" = u32, Path), ("ban" = Option<bool>, Query)),
    responses(
        (status = 204, description = "It has left"),
        (status = 404, description = "There is none", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn remove(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    At((room, member)): At<(String, u32)>,
    Asked(RemoveWish { ban }): Asked<RemoveWish>,
) -> Result<StatusCode, Problem> {
    let id = MemberId(member);
    let command = if ban { Command::Ban { member: id } } else { Command::Remove { member: id } };
    find(&context, &room)?.command(command).await.map_err(Refused)?;
    let what = if ban { "room.ban" } else { "room.remove" };
    admin.record(&context, what, &format!("{room} {member}"), Outcome::Done);
    Ok(StatusCode::NO_CONTENT)
}
