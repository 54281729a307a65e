//! The words of rooms in the interface, and what they stand for.

use std::time::{Duration, UNIX_EPOCH};

use axum::http::StatusCode;
use room::{DataTrack, Moment, Refusal, Role, Room, Settings, Template};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::problem::Problem;
use crate::rooms::journal::Record;
use crate::time::rfc3339;

/// Members of one room: what one task can tell of a change within a few milliseconds.
const MEMBERS_MAX: u32 = 50_000;
/// Everybody gets the listed and the stage with the welcome.
const LISTED_MAX: u32 = 1_000;
const STAGE_MAX: u32 = 100;
const CHAT_KEPT_MAX: u32 = 500;
/// A day.
const TIME_MAX_MS: u64 = 86_400_000;

#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TemplateName {
    Call,
    ClassSmall,
    ClassLarge,
    Show,
    Meeting,
}

impl From<TemplateName> for Template {
    fn from(name: TemplateName) -> Self {
        match name {
            TemplateName::Call => Self::Call,
            TemplateName::ClassSmall => Self::ClassSmall,
            TemplateName::ClassLarge => Self::ClassLarge,
            TemplateName::Show => Self::Show,
            TemplateName::Meeting => Self::Meeting,
        }
    }
}

impl From<Template> for TemplateName {
    fn from(template: Template) -> Self {
        match template {
            Template::Call => Self::Call,
            Template::ClassSmall => Self::ClassSmall,
            Template::ClassLarge => Self::ClassLarge,
            Template::Show => Self::Show,
            Template::Meeting => Self::Meeting,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleName {
    #[default]
    Guest,
    Cohost,
    Host,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Guest => Self::Guest,
            RoleName::Cohost => Self::Cohost,
            RoleName::Host => Self::Host,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Guest => Self::Guest,
            Role::Cohost => Self::Cohost,
            Role::Host => Self::Host,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DataTrackName {
    /// Everybody reads it.
    All,
    /// The stage and hosts do.
    Stage,
    /// Hosts do.
    Hosts,
}

impl From<DataTrackName> for DataTrack {
    fn from(name: DataTrackName) -> Self {
        match name {
            DataTrackName::All => Self::All,
            DataTrackName::Stage => Self::Stage,
            DataTrackName::Hosts => Self::Hosts,
        }
    }
}

/// What is open.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenWords {
    /// Whether newcomers are let in.
    door: bool,
    /// Whether guests may write.
    chat: bool,
    /// Whether hands may be raised.
    hands: bool,
}

impl From<OpenWords> for room::track::Open {
    fn from(OpenWords { door, chat, hands }: OpenWords) -> Self {
        Self { door, chat, hands }
    }
}

/// What a member on the stage sends.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendingWords {
    pub(super) sound: bool,
    pub(super) picture: bool,
    #[serde(default)]
    pub(super) screen: bool,
}

impl From<room::track::Sending> for SendingWords {
    fn from(room::track::Sending { sound, picture, screen }: room::track::Sending) -> Self {
        Self { sound, picture, screen }
    }
}

impl From<SendingWords> for room::track::Sending {
    fn from(SendingWords { sound, picture, screen }: SendingWords) -> Self {
        Self { sound, picture, screen }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomInfo {
    pub(super) id: String,
    template: TemplateName,
    title: String,
    /// RFC 3339 in UTC.
    born: String,
    open: OpenWords,
    /// All of them, with and without a connection.
    members: u32,
    /// Those with a connection.
    connected: u32,
    /// Who is on the stage, by number, in the order of coming up.
    stage: Vec<u32>,
    /// Who leads.
    host: Option<u32>,
    /// How it behaves.
    #[schema(value_type = Object)]
    settings: Settings,
}

impl RoomInfo {
    pub(super) fn of(room: &Room) -> Self {
        let state = room.state();
        let all = &state.all.state;
        let open = all.open;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            id: room.id().as_str().to_owned(),
            template: state.settings.template.into(),
            title: all.about.title.clone(),
            born: date(all.about.born),
            open: OpenWords { door: open.door, chat: open.chat, hands: open.hands },
            members: count(state.own.len()),
            connected: count(room.connected().count()),
            stage: all.stage.iter().map(|place| place.member.0).collect(),
            host: all.members.iter().find(|person| person.role == Role::Host).map(|person| person.id.0),
            settings: state.settings.clone(),
        }
    }
}

/// A room that is over.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndedInfo {
    id: String,
    template: TemplateName,
    title: String,
    /// RFC 3339 in UTC.
    born: String,
    ended: String,
    /// As the last message to its members had it.
    #[schema(value_type = String)]
    reason: room::Goodbye,
    /// How many there were in it, one after the other.
    members_ever: u32,
}

impl From<Record> for EndedInfo {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            template: record.template.into(),
            title: record.title,
            born: date(Moment::from_millis(record.born)),
            ended: date(Moment::from_millis(record.ended)),
            reason: record.reason,
            members_ever: record.members_ever,
        }
    }
}

pub(super) fn date(at: Moment) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(at.as_millis()))
}

/// A refusal of the room.
pub(super) struct Refused(pub(super) Refusal);

impl From<Refused> for Problem {
    fn from(Refused(refusal): Refused) -> Self {
        let status = match refusal {
            Refusal::Ended | Refusal::NotAMember | Refusal::NotFound | Refusal::UnknownMember => {
                StatusCode::NOT_FOUND
            }
            Refusal::BadMessage
            | Refusal::BadName
            | Refusal::BadText
            | Refusal::BadToken
            | Refusal::BadValue
            | Refusal::MessageTooLong
            | Refusal::UnsupportedVersion => StatusCode::BAD_REQUEST,
            Refusal::Banned | Refusal::NoRight | Refusal::Outranked | Refusal::WrongRoom => {
                StatusCode::FORBIDDEN
            }
            Refusal::TooFast | Refusal::RoomBusy => StatusCode::TOO_MANY_REQUESTS,
            Refusal::AlreadyAnswered
            | Refusal::ChatClosed
            | Refusal::DataFull
            | Refusal::Full
            | Refusal::HandIsUp
            | Refusal::HandsClosed
            | Refusal::HandsFull
            | Refusal::Invited
            | Refusal::InvitationsFull
            | Refusal::Locked
            | Refusal::NoHand
            | Refusal::NoInvitation
            | Refusal::NotOnStage
            | Refusal::NotRinging
            | Refusal::OnStage
            | Refusal::ScreenTaken
            | Refusal::SecondDevice
            | Refusal::StageFull => StatusCode::CONFLICT,
        };
        let code = serde_json::to_value(refusal).unwrap_or_default();
        Self::new(status, format!("{}: {}", code.as_str().unwrap_or_default(), refusal.sentence()))
    }
}

/// These settings with some of them replaced.
pub(super) fn settings(before: &Settings, changes: &Value) -> Result<Settings, Problem> {
    let mut all = serde_json::to_value(before).unwrap_or_default();
    if !changes.is_null() {
        merge(&mut all, changes, "settings").map_err(Problem::bad_request)?;
    }
    let settings: Settings = serde_json::from_value(all)
        .map_err(|error| Problem::bad_request(format!("settings are not understood: {error}")))?;
    check(&settings, before.template).map_err(Problem::bad_request)?;
    Ok(settings)
}

/// Puts what is in `changes` in place; names that are not there are refused.
fn merge(all: &mut Value, changes: &Value, name: &str) -> Result<(), String> {
    match (all, changes) {
        (Value::Object(all), Value::Object(changes)) => changes.iter().try_for_each(|(key, value)| {
            let name = format!("{name}.{key}");
            let own = all.get_mut(key).ok_or_else(|| format!("there is no {name}"))?;
            merge(own, value, &name)
        }),
        (Value::Object(_), _) => Err(format!("{name} must be an object")),
        (own, value) => {
            *own = value.clone();
            Ok(())
        }
    }
}

fn check(settings: &Settings, template: Template) -> Result<(), String> {
    if settings.template != template {
        return Err("the template is chosen by `template`".into());
    }
    let limits = settings.limits;
    let bounds = [
        ("members", limits.members, 2, MEMBERS_MAX),
        ("stage", limits.stage, 1, STAGE_MAX),
        ("listed", limits.listed, 0, LISTED_MAX),
        ("hands", limits.hands, 0, 1_000),
        ("invitations", limits.invitations, 0, 1_000),
        ("chat_kept", limits.chat_kept, 0, CHAT_KEPT_MAX),
    ];
    if let Some((name, _, least, most)) = bounds.iter().find(|(_, n, least, most)| n < least || n > most) {
        return Err(format!("settings.limits.{name} must be {least} to {most}"));
    }
    let times = settings.times;
    let all = [times.grace, times.host_grace, times.hand, times.invitation, times.empty];
    let ring = times.ring.unwrap_or_default();
    match all.iter().chain([&ring]).any(|time| time.0 > TIME_MAX_MS) {
        true => Err("settings.times are milliseconds, a day at most".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn some_settings_of_a_template_are_replaced_and_the_others_stay() {
        let changes = json!({ "limits": { "stage": 4 }, "times": { "grace": 60_000, "ring": null }, "devices": "both" });
        let made = settings(&Template::Call.settings(), &changes).unwrap();
        let usual = Template::Call.settings();
        assert_eq!((made.limits.stage, made.limits.members), (4, usual.limits.members));
        assert_eq!((made.times.grace.0, made.times.ring), (60_000, None));
        assert_eq!(made.devices, room::Devices::Both);
        assert_eq!(settings(&Template::Show.settings(), &Value::Null).unwrap(), Template::Show.settings());
    }

    #[test]
    fn settings_that_there_are_not_or_that_no_room_could_bear_are_refused() {
        for wrong in [
            json!({ "stages": 4 }),
            json!({ "limits": { "stage": 4_000 } }),
            json!({ "limits": { "stage": "4" } }),
            json!({ "limits": 4 }),
            json!({ "limits": { "members": 0 } }),
            json!({ "times": { "empty": 86_400_001 } }),
            json!({ "template": "call" }),
            json!([]),
        ] {
            assert!(settings(&Template::Meeting.settings(), &wrong).is_err(), "{wrong}");
        }
    }
}
