//! What those on the stage see, and hosts: where each other's broadcasts are, and data for the stage alone.

use serde::{Deserialize, Serialize};

use super::{Datum, Fold, set};
use crate::id::MemberId;

/// The stage from behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The broadcast of each member on the stage, in the order of coming up.
    pub broadcasts: Vec<Broadcast>,
    /// Custom data, in the order of keys.
    pub data: Vec<Datum>,
}

/// Where a member on the stage publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broadcast {
    /// Who.
    pub member: MemberId,
    /// `{app}/{room}/{member}`.
    pub path: String,
}

/// What can happen there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[expect(missing_docs, reason = "fields are those of the state")]
pub enum Change {
    /// A member may publish there.
    Opened { broadcast: Broadcast },
    /// It may not any more.
    Closed { member: MemberId },
    /// A value was set or taken away.
    Data { key: String, value: Option<String> },
}

impl Fold for Stage {
    type Change = Change;

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Opened { broadcast } => self.broadcasts.push(broadcast.clone()),
            Change::Closed { member } => self.broadcasts.retain(|broadcast| broadcast.member != *member),
            Change::Data { key, value } => set(&mut self.data, key, value.as_deref()),
        }
    }
}
