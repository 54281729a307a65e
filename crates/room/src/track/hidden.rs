//! What nobody sees and the room must remember over a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::own::Own;
use super::{Fold, Reaction};
use crate::id::{ChatId, MemberId, UserId};
use crate::settings::Settings;
use crate::time::Moment;

/// The room's notebook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hidden {
    /// How many members there have been: the next one's number is one more.
    pub members_ever: u32,
    /// How many lines of chat there have been.
    pub chats_ever: u64,
    /// Who hosts or hosted last, and hosts again on return.
    pub host: Option<UserId>,
    /// The members of each user.
    pub users: BTreeMap<UserId, Vec<MemberId>>,
    /// The highest number of each member's acknowledged commands.
    pub answered: BTreeMap<MemberId, u32>,
    /// Chat that waits to be judged.
    pub held: BTreeMap<ChatId, Held>,
    /// Reactions since everybody was told last.
    pub tally: BTreeMap<Reaction, u64>,
    /// When the room ends, if nobody comes.
    pub empty_until: Option<Moment>,
}

/// A line of chat that waits to be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Who said it.
    pub member: MemberId,
    /// What.
    pub text: String,
    /// Until when a verdict is waited for; it is not delivered without one.
    pub until: Moment,
}

/// What can happen unseen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each alters the field of `Hidden` its comment or name says")]
pub enum Change {
    /// A member is there.
    Entered {
        own: Box<Own>,
    },
    /// It is not there any more.
    Gone {
        member: MemberId,
        user: UserId,
    },
    Host {
        user: UserId,
    },
    Answered {
        member: MemberId,
        n: u32,
    },
    Held {
        chat: ChatId,
        held: Held,
    },
    /// A held line was delivered or refused.
    Judged {
        chat: ChatId,
    },
    Tallied {
        reaction: Reaction,
        times: u32,
    },
    /// Everybody was told the tally.
    TallyTold {},
    Emptied {
        until: Option<Moment>,
    },
    /// The room behaves otherwise from now on.
    Settings {
        settings: Box<Settings>,
    },
}

impl Hidden {
    /// The members of a user.
    pub fn members_of(&self, user: &UserId) -> &[MemberId] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    fn forget(&mut self, member: MemberId, user: &UserId) {
        self.answered.remove(&member);
        let Some(members) = self.users.get_mut(user) else { return };
        members.retain(|other| *other != member);
        if members.is_empty() {
            self.users.remove(user);
        }
    }
}

impl Fold for Hidden {
    type Change = Change;

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Entered { own } => {
                self.members_ever = self.members_ever.max(own.id.0);
                self.users.entry(own.user.clone()).or_default().push(own.id);
            }
            Change::Gone { member, user } => self.forget(*member, user),
            Change::Host { user } => self.host = Some(user.clone()),
            Change::Answered { member, n } => {
                self.answered.insert(*member, *n);
            }
            Change::Held { chat, held } => {
                self.chats_ever = self.chats_ever.max(chat.0);
                self.held.insert(*chat, held.clone());
            }
            Change::Judged { chat } => {
                self.chats_ever = self.chats_ever.max(chat.0);
                self.held.remove(chat);
            }
            Change::Tallied { reaction, times } => {
                *self.tally.entry(*reaction).or_default() += u64::from(*times);
            }
            Change::TallyTold {} => self.tally.clear(),
            Change::Emptied { until } => self.empty_until = *until,
            // They stand beside this notebook, in the state.
            Change::Settings { .. } => {}
        }
    }
}
