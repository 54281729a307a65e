//! Who and what is meant: a member, a user, a room, a line of chat.

use serde::{Deserialize, Serialize};

use crate::text;

/// One device of one user in one room. Given by the room, never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberId(pub u32);

/// One line of chat. Given by the room, in the order of speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatId(pub u64);

/// A person as the back-end that made the token knows them. Bans hold on to it, since names change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(String);

/// The name of a room in its addresses: letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomId(String);

impl UserId {
    /// `None` when it is empty, longer than [`text::ID_CHARS_MAX`], or holds blanks or characters that cannot be seen.
    pub fn new(id: &str) -> Option<Self> {
        text::id(id).map(Self)
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoomId {
    /// `None` when it is empty, longer than [`text::ID_CHARS_MAX`], or holds anything else than `A-Z a-z 0-9 - _`.
    pub fn new(id: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        ((1..=text::ID_CHARS_MAX).contains(&id.len()) && id.chars().all(plain)).then(|| Self(id.to_owned()))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
