//! Muting, asking to unmute, and what one member is allowed or forbidden. Nothing is ever switched on for somebody.

use super::{Done, Room};
use crate::command::Actor;
use crate::id::MemberId;
use crate::refusal::Refusal;
use crate::rights::{Right, Role};
use crate::track::own::Exception;
use crate::track::{Change, Media, all, own};

impl Room {
    pub(super) fn mute(&mut self, by: Actor, member: MemberId, media: Media) -> Done {
        self.outranks(by, member)?;
        if !self.is_on_stage(member) {
            return Err(Refusal::NotOnStage);
        }
        self.switch_off(member, media);
        Ok(())
    }

    pub(super) fn mute_all(&mut self) -> Done {
        let guests: Vec<MemberId> = (self.state.all.state.stage.iter().map(|place| place.member))
            .filter(|member| self.own(*member).is_some_and(|own| own.role == Role::Guest))
            .collect();
        guests.into_iter().for_each(|member| self.switch_off(member, Media::Sound));
        Ok(())
    }

    pub(super) fn ask_unmute(&mut self, member: MemberId, media: Media) -> Done {
        let asked = self.other(member)?.asked.contains(&media);
        let place = self.state.all.state.place(member).ok_or(Refusal::NotOnStage)?;
        if !asked && !place.sending.has(media) {
            self.put(Change::Own(member, own::Change::Asked { media }));
        }
        Ok(())
    }

    pub(super) fn allow(&mut self, by: Actor, member: MemberId, right: Right, allowed: bool) -> Done {
        self.outranks(by, member)?;
        if !right.is_personal() {
            return Err(Refusal::BadValue);
        }
        let exception = Exception { right, allowed };
        self.put(Change::Own(member, own::Change::Allowed { exception }));
        self.switch_off_what_it_may_not(member);
        Ok(())
    }

    /// After a right is gone: nobody goes on sending what they may not begin to send.
    pub(super) fn switch_off_what_it_may_not(&mut self, member: MemberId) {
        for media in Media::ALL {
            if !self.may(Actor::Member(member), media.right()) {
                self.switch_off(member, media);
            }
        }
    }

    fn switch_off(&mut self, member: MemberId, media: Media) {
        let Some(place) = self.state.all.state.place(member) else { return };
        if place.sending.has(media) {
            let sending = place.sending.without(media);
            self.put_all(all::Change::Sending { member, sending });
        }
    }
}
