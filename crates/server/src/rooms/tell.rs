//! What a back-end is told of a room, and what it is asked: the changes that are written down, as webhooks; and how long
//! members are on the stage, for the usage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use media::Path;
use room::track::{all, hidden, hosts};
use room::{Change, ChatId, MemberId};

use super::handle::Input;
use super::task::Task;
use crate::config::Event;
use crate::hooks::InRoom;
use crate::usage::{Key, Sums};

/// What the usage calls being on a stage.
const ACTION: &str = "stage";
const PROTOCOL: &str = "room";

/// Who is on the stage, since when or since it was last counted.
pub(super) struct Presence {
    since: BTreeMap<MemberId, Instant>,
    counted: Instant,
}

impl Default for Presence {
    fn default() -> Self {
        Self { since: BTreeMap::new(), counted: Instant::now() }
    }
}

impl Presence {
    /// How long ago it was counted.
    pub(super) fn age(&self) -> Duration {
        self.counted.elapsed()
    }
}

impl Task {
    /// `{app}/{room}`, by which hooks know it.
    fn path(&self) -> Option<Path> {
        Path::new(&format!("{}/{}", self.context.rooms.app(), self.room.id().as_str())).ok()
    }

    /// These changes are written down.
    pub(super) fn note(&mut self, changes: &[Change]) {
        let has_hooks = self.context.operation.hooks.has_any();
        for change in changes {
            self.roster.note(change);
            if let Change::Hidden(hidden::Change::Gone { member, .. }) = change {
                self.hosted.forget(*member);
            }
            if has_hooks && let Some((event, what)) = self.event(change) {
                self.tell(event, what);
            }
        }
    }

    fn tell(&self, event: Event, what: InRoom) {
        if let Some(path) = self.path() {
            self.context.operation.hooks.tell_of_room(event, path, what);
        }
    }

    /// What a back-end calls this change, if it has a name for it.
    fn event(&self, change: &Change) -> Option<(Event, InRoom)> {
        match change {
            Change::Hidden(hidden::Change::Entered { own }) => {
                let what = InRoom {
                    room: self.room.id().as_str().to_owned(),
                    member: Some(own.id.0),
                    user: Some(own.user.as_str().to_owned()),
                    name: Some(own.name.clone()),
                    role: Some(own.role),
                    ..InRoom::default()
                };
                Some((Event::Join, what))
            }
            Change::Hidden(hidden::Change::Gone { member, user }) => {
                let what = InRoom { user: Some(user.as_str().to_owned()), ..self.about(*member) };
                Some((Event::Leave, what))
            }
            Change::All(all::Change::Up { place }) => Some((Event::StageUp, self.about(place.member))),
            Change::All(all::Change::Down { member }) => Some((Event::StageDown, self.about(*member))),
            Change::Hosts(hosts::Change::HandUp { hand }) => Some((Event::HandUp, self.about(hand.member))),
            Change::All(all::Change::Ended { ended }) => {
                let room = self.room.id().as_str().to_owned();
                Some((Event::RoomEnd, InRoom { room, reason: Some(ended.reason), ..InRoom::default() }))
            }
            Change::All(_) | Change::Stage(_) | Change::Hosts(_) | Change::Own(..) | Change::Hidden(_) => {
                None
            }
        }
    }

    /// A member, as far as it is still known.
    fn about(&self, member: MemberId) -> InRoom {
        let own = self.room.state().own.get(&member).map(|own| &own.state);
        InRoom {
            room: self.room.id().as_str().to_owned(),
            member: Some(member.0),
            user: own.map(|own| own.user.as_str().to_owned()),
            name: own.map(|own| own.name.clone()),
            role: own.map(|own| own.role),
            ..InRoom::default()
        }
    }

    /// Asks whoever moderates.
    pub(super) fn moderate(&mut self, chat: ChatId, member: MemberId, text: String) {
        let (Some(path), Some(handle)) = (self.path(), self.context.rooms.get(self.room.id())) else {
            return;
        };
        let hooks = self.context.operation.hooks.clone();
        let about = InRoom { text: Some(text), ..self.about(member) };
        tokio::spawn(async move {
            let verdict = hooks.judge(path, about).await;
            handle.send(Input::Judged { chat, verdict }).await;
        });
    }

    /// Adds to the usage how long members were on the stage since this was called last.
    pub(super) fn count_stage(&mut self) {
        let now = Instant::now();
        self.presence.counted = now;
        let stage = Arc::clone(&self.stage.borrow());
        let before = std::mem::take(&mut self.presence.since);
        let app = format!("{}/{}", self.context.rooms.app(), self.room.id().as_str());
        for (member, since) in &before {
            self.add_usage(&app, *member, (0, now.duration_since(*since)));
        }
        for performer in &stage.performers {
            if !before.contains_key(&performer.member) {
                self.add_usage(&app, performer.member, (1, Duration::ZERO));
            }
            self.presence.since.insert(performer.member, now);
        }
    }

    fn add_usage(&self, app: &str, member: MemberId, (sessions, lasted): (u64, Duration)) {
        let stream = member.0.to_string();
        let key = Key {
            app: app.into(),
            stream: stream.into(),
            protocol: PROTOCOL.into(),
            action: ACTION.into(),
            overflow: false,
        };
        let milliseconds = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        self.context.access.sessions.usage().add(
            SystemTime::now(),
            key,
            Sums { sessions, milliseconds, bytes: 0 },
        );
    }
}
