//! Chat: said, judged if the room is moderated, delivered, deleted.

use super::{Done, Room};
use crate::command::Actor;
use crate::id::{ChatId, MemberId};
use crate::output::{Output, Outputs, Verdict};
use crate::refusal::Refusal;
use crate::rights::{Right, Role};
use crate::text;
use crate::time::{Millis, Moment};
use crate::timers::Timer;
use crate::track::hidden::Held;
use crate::track::{Change, Said, all, hidden, own};

/// Lines that wait for a verdict; a moderator that is slower than this holds the room up, not our memory.
const HELD_MAX: usize = 200;
/// How long a verdict is waited for. Without one a line is not delivered.
const VERDICT_WAIT: Millis = Millis::from_secs(5);

impl Room {
    pub(super) fn chat(&mut self, member: MemberId, text: &str, now: Moment) -> Done {
        let own = self.other(member)?;
        if own.role == Role::Guest && !self.state.all.state.open.chat {
            return Err(Refusal::ChatClosed);
        }
        let text = text::chat(text).ok_or(Refusal::BadText)?;
        if !self.pace.chat(member, now) {
            return Err(Refusal::TooFast);
        }
        let held_back = self.state.settings.moderated && self.state.hidden.held.len() >= HELD_MAX;
        if held_back || !self.pace.room_chat(now) {
            return Err(Refusal::RoomBusy);
        }
        let chat = ChatId(self.state.hidden.chats_ever + 1);
        if self.state.settings.moderated {
            self.hold(chat, member, text, now);
        } else {
            self.say(chat, member, text, now);
        }
        Ok(())
    }

    fn hold(&mut self, chat: ChatId, member: MemberId, text: String, now: Moment) {
        let until = now + VERDICT_WAIT;
        self.timers.set(Timer::Held(chat), until);
        self.turn.answers.push(Output::Moderate { chat, member, text: text.clone() });
        self.put_hidden(hidden::Change::Held { chat, held: Held { member, text, until } });
    }

    fn say(&mut self, chat: ChatId, member: MemberId, text: String, now: Moment) {
        let Some(by) = self.own(member).map(|own| own.name.clone()) else { return };
        self.put_all(all::Change::Said { said: Said { id: chat, member, by, at: now, text } });
    }

    /// Whoever moderates has judged a line. A verdict that comes too late, or twice, changes nothing.
    pub fn judge(&mut self, chat: ChatId, verdict: Verdict, now: Moment) -> Outputs {
        let now = self.begin(now);
        if self.state.all.state.ended.is_none() {
            self.follow_verdict(chat, verdict, now);
        }
        self.commit(now)
    }

    pub(super) fn follow_verdict(&mut self, chat: ChatId, verdict: Verdict, now: Moment) {
        let Some(held) = self.state.hidden.held.get(&chat).cloned() else { return };
        self.timers.stop(Timer::Held(chat));
        self.put_hidden(hidden::Change::Judged { chat });
        let text = match verdict {
            Verdict::Deliver => Some(held.text),
            Verdict::Instead(text) => text::chat(&text),
            Verdict::Refuse => None,
        };
        match text {
            Some(text) => self.say(chat, held.member, text, now),
            None if self.own(held.member).is_some() => {
                self.put(Change::Own(held.member, own::Change::ChatRefused { chat }));
            }
            None => {}
        }
    }

    pub(super) fn delete_chat(&mut self, by: Actor, chat: ChatId) -> Done {
        let lines = &self.state.all.state.chat;
        let said = lines.iter().find(|said| said.id == chat).ok_or(Refusal::NotFound)?;
        if Actor::Member(said.member) != by && !self.may(by, Right::Moderate) {
            return Err(Refusal::NoRight);
        }
        self.put_all(all::Change::Unsaid { chat });
        Ok(())
    }
}
