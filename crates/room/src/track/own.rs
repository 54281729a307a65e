//! What one member sees of itself; for the room it is the record of that member.

use serde::{Deserialize, Serialize};

use super::{Fold, Media};
use crate::id::{ChatId, MemberId, UserId};
use crate::rights::{Right, Role};
use crate::time::Moment;

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// Its number.
    pub id: MemberId,
    /// Whose device it is.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// What its token says for the application's pages.
    pub info: String,
    /// Whether others see it by name.
    pub listed: bool,
    /// Until when its place is kept, if it has lost its connection.
    pub away_until: Option<Moment>,
    /// Its hand, if it is up.
    pub hand: Option<Hand>,
    /// Until when it may follow an invitation to the stage.
    pub invited_until: Option<Moment>,
    /// What it was asked to switch on.
    pub asked: Vec<Media>,
    /// What a host allowed or forbade it, beside what its role has.
    pub exceptions: Vec<Exception>,
}

/// One's hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    /// Until when it is up, unless somebody answers.
    pub until: Moment,
    /// How many hands are before it.
    pub ahead: u32,
}

/// A right one has or lacks whatever one's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Which.
    pub right: Right,
    /// Whether it has it.
    pub allowed: bool,
}

/// What can happen to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each sets the field of `Own` it is named after")]
pub enum Change {
    Renamed {
        to: String,
    },
    Role {
        role: Role,
    },
    Listed {
        listed: bool,
    },
    Away {
        until: Option<Moment>,
    },
    Hand {
        hand: Option<Hand>,
    },
    Invited {
        until: Option<Moment>,
    },
    /// One was asked to switch this on.
    Asked {
        media: Media,
    },
    /// What one was asked is done with: followed, or the place on the stage is gone.
    AskedNoMore {
        media: Media,
    },
    Allowed {
        exception: Exception,
    },
    /// What one said was judged and will not be delivered.
    ChatRefused {
        chat: ChatId,
    },
}

impl Fold for Own {
    type Change = Change;

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Renamed { to } => to.clone_into(&mut self.name),
            Change::Role { role } => self.role = *role,
            Change::Listed { listed } => self.listed = *listed,
            Change::Away { until } => self.away_until = *until,
            Change::Hand { hand } => self.hand = *hand,
            Change::Invited { until } => self.invited_until = *until,
            Change::Asked { media } => self.asked.push(*media),
            Change::AskedNoMore { media } => self.asked.retain(|asked| asked != media),
            Change::Allowed { exception } => {
                self.exceptions.retain(|other| other.right != exception.right);
                self.exceptions.push(*exception);
            }
            // News without a place in the state: the page shows it once.
            Change::ChatRefused { .. } => {}
        }
    }
}
