//! What the host and co-hosts see: the queue of hands, open invitations, bans, data of their own.

use serde::{Deserialize, Serialize};

use super::{Datum, Fold, set};
use crate::id::{MemberId, UserId};
use crate::time::Moment;

/// The hosts' desk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hosts {
    /// Hands that are up, in the order of raising.
    pub hands: Vec<Hand>,
    /// Invitations that are open, in the order of inviting.
    pub invitations: Vec<Invitation>,
    /// Who may not come back, in the order of banning.
    pub bans: Vec<Ban>,
    /// Custom data, in the order of keys.
    pub data: Vec<Datum>,
}

/// A hand that is up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hand {
    /// Whose; perhaps one of the audience that is not listed.
    pub member: MemberId,
    /// Its name when it was raised.
    pub by: String,
    /// Since when.
    pub since: Moment,
    /// Until when, unless somebody answers.
    pub until: Moment,
}

/// An invitation that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    /// Who is invited.
    pub member: MemberId,
    /// Until when it can be followed.
    pub until: Moment,
}

/// Somebody who may not come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ban {
    /// Who, whatever the name.
    pub user: UserId,
    /// The name at that time.
    pub known_as: String,
    /// Since when.
    pub at: Moment,
}

/// What can happen at the desk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[expect(missing_docs, reason = "fields are those of the state")]
pub enum Change {
    /// A hand went up.
    HandUp { hand: Hand },
    /// A hand is down: answered, lowered, or run out.
    HandDown { member: MemberId },
    /// Somebody was invited.
    Invited { invitation: Invitation },
    /// The invitation is over: answered, taken back, or run out.
    Uninvited { member: MemberId },
    /// Somebody was banned.
    Banned { ban: Ban },
    /// Somebody may come back.
    Unbanned { user: UserId },
    /// A value was set or taken away.
    Data { key: String, value: Option<String> },
}

impl Hosts {
    /// Whether this user may not come in.
    pub fn has_banned(&self, user: &UserId) -> bool {
        self.bans.iter().any(|ban| ban.user == *user)
    }
}

impl Fold for Hosts {
    type Change = Change;

    fn apply(&mut self, change: &Change) {
        match change {
            Change::HandUp { hand } => self.hands.push(hand.clone()),
            Change::HandDown { member } => self.hands.retain(|hand| hand.member != *member),
            Change::Invited { invitation } => self.invitations.push(invitation.clone()),
            Change::Uninvited { member } => self.invitations.retain(|open| open.member != *member),
            Change::Banned { ban } => self.bans.push(ban.clone()),
            Change::Unbanned { user } => self.bans.retain(|ban| ban.user != *user),
            Change::Data { key, value } => set(&mut self.data, key, value.as_deref()),
        }
    }
}
