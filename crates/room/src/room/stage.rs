//! The stage: who has a place, and what they send from it.

use super::{Done, Room};
use crate::command::Actor;
use crate::id::MemberId;
use crate::refusal::Refusal;
use crate::rights::Right;
use crate::time::Moment;
use crate::track::stage::Broadcast;
use crate::track::{Change, Media, Place, Sending, all, own, stage};

impl Media {
    pub(super) const fn right(self) -> Right {
        match self {
            Self::Sound => Right::Sound,
            Self::Picture => Right::Picture,
            Self::Screen => Right::Screen,
        }
    }
}

impl Room {
    pub(super) fn is_on_stage(&self, member: MemberId) -> bool {
        self.state.all.state.place(member).is_some()
    }

    pub(super) fn stage_has_space(&self) -> Done {
        let full = self.state.all.state.stage.len() >= self.state.settings.limits.stage as usize;
        if full { Err(Refusal::StageFull) } else { Ok(()) }
    }

    pub(super) fn step_up(&mut self, member: MemberId, now: Moment) -> Done {
        if self.is_on_stage(member) {
            return Err(Refusal::OnStage);
        }
        self.stage_has_space()?;
        self.put_up(member, now);
        Ok(())
    }

    pub(super) fn step_down(&mut self, member: MemberId) -> Done {
        if !self.is_on_stage(member) {
            return Err(Refusal::NotOnStage);
        }
        self.vacate(member);
        self.unlist_if_many(member);
        Ok(())
    }

    pub(super) fn take_down(&mut self, by: Actor, member: MemberId) -> Done {
        self.outranks(by, member)?;
        self.step_down(member)
    }

    /// Gives a place; whoever had asked or was invited has their answer. Nothing is sent yet.
    pub(super) fn put_up(&mut self, member: MemberId, now: Moment) {
        self.drop_hand(member);
        self.drop_invitation(member);
        self.list(member);
        let place = Place { member, since: now, sending: Sending::default() };
        self.put_all(all::Change::Up { place });
        let path = format!("{}/{}/{}", self.app, self.id.as_str(), member.0);
        self.put(Change::Stage(stage::Change::Opened { broadcast: Broadcast { member, path } }));
    }

    /// Takes the place away, and all that hangs on it.
    pub(super) fn vacate(&mut self, member: MemberId) {
        if !self.is_on_stage(member) {
            return;
        }
        for media in self.own(member).map(|own| own.asked.clone()).unwrap_or_default() {
            self.put(Change::Own(member, own::Change::AskedNoMore { media }));
        }
        if self.state.all.state.focus == Some(member) {
            self.put_all(all::Change::Focus { member: None });
        }
        self.put_all(all::Change::Down { member });
        self.put(Change::Stage(stage::Change::Closed { member }));
    }

    /// A member says what it sends. What it sent before it may go on sending; what is new takes the right.
    pub(super) fn publish(&mut self, member: MemberId, sending: Sending) -> Done {
        let place = self.state.all.state.place(member).ok_or(Refusal::NotOnStage)?;
        let before = place.sending;
        let new = |media: &Media| sending.has(*media) && !before.has(*media);
        if Media::ALL
            .iter()
            .filter(|media| new(media))
            .any(|media| !self.may(Actor::Member(member), media.right()))
        {
            return Err(Refusal::NoRight);
        }
        let others = self.state.all.state.stage.iter().filter(|place| place.member != member);
        if sending.screen && others.into_iter().any(|place| place.sending.screen) {
            return Err(Refusal::ScreenTaken);
        }
        if sending != before {
            self.put_all(all::Change::Sending { member, sending });
        }
        let asked = self.own(member).map(|own| own.asked.clone()).unwrap_or_default();
        for media in asked.into_iter().filter(|media| sending.has(*media)) {
            self.put(Change::Own(member, own::Change::AskedNoMore { media }));
        }
        Ok(())
    }
}
