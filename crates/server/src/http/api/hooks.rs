//! Webhooks: which there are, what they were told lately, and trying one out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead, ToWrite};
use super::ask::{Asked, Told};
use super::config::Nothing;
use super::fresh;
use crate::audit::Outcome;
use crate::config::{Event, Format, Hook, OnFailure};
use crate::context::Context;
use crate::hooks::{Record, Status};
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::time::rfc3339;

/// Deliveries of one answer where the request names no number.
const LIMIT: usize = 100;
/// As many as are kept.
const LIMIT_MAX: usize = 500;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(hooks)).routes(routes!(deliveries)).routes(routes!(test))
}

#[derive(Debug, Serialize, ToSchema)]
struct HookList {
    /// In the order of the configuration, in which they are asked.
    hooks: Vec<HookInfo>,
}

#[derive(Debug, Serialize, ToSchema)]
struct HookInfo {
    name: String,
    /// Without its query.
    url: String,
    events: Vec<HookEvent>,
    /// Of these apps alone; empty: of all.
    apps: Vec<String>,
    /// It is asked before somebody publishes or plays.
    veto: bool,
    on_failure: HookFailure,
    format: HookFormat,
    /// Notifications that it is still owed.
    waiting: usize,
}

/// What hooks are told of; `test` is sent by `POST /hooks/{name}/test` alone.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HookEvent {
    Publish,
    Unpublish,
    Play,
    Stop,
    End,
    Join,
    Leave,
    StageUp,
    StageDown,
    HandUp,
    RoomEnd,
    Chat,
}

/// What an answer that does not come means.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HookFailure {
    Refuse,
    Allow,
}

/// How bodies look.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HookFormat {
    Openmic,
    Wechat,
}

#[derive(Debug, Serialize, ToSchema)]
struct DeliveryList {
    /// The newest first.
    deliveries: Vec<DeliveryInfo>,
}

/// A question or a notification.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryInfo {
    /// What its receiver knows it by.
    id: String,
    hook: String,
    /// An event's name, or `test`.
    event: &'static str,
    path: String,
    /// RFC 3339 in UTC: when it happened.
    at: String,
    /// So far.
    attempts: u32,
    status: DeliveryStatus,
    /// Of the last answer.
    http_status: Option<u16>,
    /// Why the last attempt failed.
    error: Option<String>,
    /// The last attempt.
    took_ms: Option<u64>,
}

/// `delivered`: it was taken, or a question was answered; `dead`: it was given up, or a question got no answer.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeliveryStatus {
    Delivered,
    Retrying,
    Dead,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Of this hook alone.
    hook: Option<String>,
    /// At most 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// The hooks of the configuration.
#[utoipa::path(
    get, path = "/hooks", tag = "hooks", security(("bearer" = [])),
    responses((status = 200, description = "They", body = HookList))
)]
async fn hooks(_: Admin<ToRead>, State(context): State<Arc<Context>>) -> Response {
    let hooks = context.operation.hooks.list();
    fresh(HookList { hooks: hooks.into_iter().map(|(hook, waiting)| describe(hook, waiting)).collect() })
}

/// The last questions and notifications, 500 at most.
#[utoipa::path(
    get, path = "/hooks/deliveries", tag = "hooks", security(("bearer" = [])), params(Filter),
    responses((status = 200, description = "They", body = DeliveryList))
)]
async fn deliveries(
    _: Admin<ToRead>,
    State(context): State<Arc<Context>>,
    Asked(filter): Asked<Filter>,
) -> Result<Response, Problem> {
    let limit = super::ask::limit(filter.limit, LIMIT, LIMIT_MAX)?;
    let mut all = context.operation.hooks.deliveries(LIMIT_MAX);
    all.retain(|record| filter.hook.as_ref().is_none_or(|hook| *hook == record.hook));
    all.truncate(limit);
    Ok(fresh(DeliveryList { deliveries: all.into_iter().map(DeliveryInfo::from).collect() }))
}

/// Calls a hook once with a `test` event, and tells what came of it.
#[utoipa::path(
    post, path = "/hooks/{name}/test", tag = "hooks", security(("bearer" = [])), params(("name" = String, Path)),
    request_body = Nothing,
    responses(
        (status = 200, description = "It was called, with or without success", body = DeliveryInfo),
        (status = 404, description = "There is no such hook", body = Document, content_type = CONTENT_TYPE)
    )
)]
async fn test(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    uri: Uri,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Response, Problem> {
    // Names have no character that would be encoded.
    let name = uri.path().rsplit('/').nth(1).unwrap_or_default();
    let record = context.operation.hooks.test(name).await;
    let record =
        record.ok_or_else(|| Problem::not_found("there is no hook of this name; GET /hooks lists them"))?;
    let outcome = record.error.as_deref().map_or(Outcome::Done, Outcome::Failed);
    admin.record(&context, "hook.test", name, outcome);
    Ok(fresh(DeliveryInfo::from(record)))
}

fn describe(hook: Hook, waiting: usize) -> HookInfo {
    HookInfo {
        url: hook.url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        name: hook.name,
        events: hook.events.into_iter().map(HookEvent::from).collect(),
        apps: hook.apps,
        veto: hook.veto,
        on_failure: match hook.on_failure {
            OnFailure::Refuse => HookFailure::Refuse,
            OnFailure::Allow => HookFailure::Allow,
        },
        format: match hook.format {
            Format::Openmic => HookFormat::Openmic,
            Format::Wechat => HookFormat::Wechat,
        },
        waiting,
    }
}

impl From<Event> for HookEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Publish => Self::Publish,
            Event::Unpublish => Self::Unpublish,
            Event::Play => Self::Play,
            Event::Stop => Self::Stop,
            Event::End => Self::End,
            Event::Join => Self::Join,
            Event::Leave => Self::Leave,
            Event::StageUp => Self::StageUp,
            Event::StageDown => Self::StageDown,
            Event::HandUp => Self::HandUp,
            Event::RoomEnd => Self::RoomEnd,
            Event::Chat => Self::Chat,
        }
    }
}

impl From<Record> for DeliveryInfo {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            hook: record.hook,
            event: record.event,
            path: record.path,
            at: rfc3339(record.at),
            attempts: record.attempts,
            status: match record.status {
                Status::Delivered => DeliveryStatus::Delivered,
                Status::Retrying => DeliveryStatus::Retrying,
                Status::Dead => DeliveryStatus::Dead,
            },
            http_status: record.http_status,
            error: record.error,
            took_ms: record.took.map(|took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
