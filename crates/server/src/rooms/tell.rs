//! What a back-end is told of a room, and what it is asked: the changes that are written down, as webhooks.

use room::track::hidden;
use room::{Change, ChatId, MemberId, Verdict};

use super::handle::Input;
use super::task::Task;

impl Task {
    /// These changes are written down.
    pub(super) fn note(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::Hidden(hidden::Change::Gone { member, .. }) = change {
                self.hosted.forget(*member);
            }
        }
    }

    /// Asks whoever moderates.
    pub(super) fn moderate(&mut self, chat: ChatId, _member: MemberId, _text: String) {
        let Some(handle) = self.context.rooms.get(self.room.id()) else { return };
        tokio::spawn(async move { handle.send(Input::Judged { chat, verdict: Verdict::Refuse }).await });
    }
}
