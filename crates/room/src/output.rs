//! What the owner of the connections must do, in this order.

use serde::{Deserialize, Serialize};

use crate::command::Actor;
use crate::id::{ChatId, MemberId};
use crate::message::Welcome;
use crate::refusal::Refusal;
use crate::time::Millis;
use crate::track::{Change, Delta, Track, View};

/// What one input led to.
pub type Outputs = Vec<Output>;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Write these down, and go on only when they are: whatever follows tells of them.
    Persist(Vec<Change>),
    /// Send this to every connection that reads the track: serialise it once.
    Delta {
        /// Who reads it.
        to: Track,
        /// What to send.
        delta: Delta,
    },
    /// Send this to the member's new connection, which reads the tracks named in it from now on.
    Welcome {
        /// The member.
        to: MemberId,
        /// What to send.
        welcome: Box<Welcome>,
    },
    /// The member's connection reads this track from now on, beginning with this.
    Show {
        /// The member.
        to: MemberId,
        /// What to send.
        view: Box<View>,
    },
    /// The member's connection reads this track no longer.
    Hide {
        /// The member.
        to: MemberId,
        /// Which.
        track: Track,
    },
    /// A command was done, or refused.
    Answer {
        /// Who gave it.
        to: Actor,
        /// Under which number.
        n: u32,
        /// What became of it.
        result: Result<(), Refusal>,
    },
    /// Ask whoever moderates, and bring the verdict back by [`crate::Room::judge`].
    Moderate {
        /// The line.
        chat: ChatId,
        /// Who said it.
        member: MemberId,
        /// What.
        text: String,
    },
    /// Tell the member that the server goes down, and when to come back.
    Drain {
        /// The member.
        to: MemberId,
        /// After how long.
        after: Millis,
    },
    /// Say why, then close the member's connection (the old one, when a [`Output::Welcome`] follows).
    Close {
        /// The member.
        to: MemberId,
        /// Why.
        reason: Goodbye,
    },
    /// The room is over; its record may be archived and itself dropped.
    Ended {
        /// Why.
        reason: Goodbye,
    },
}

/// What became of a line of chat that was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is delivered.
    Deliver,
    /// Something else is delivered in its place.
    Instead(String),
    /// It is not.
    Refuse,
}

/// Why a connection, a membership or a room is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the sentence beside each of them in `sentence` says what it means")]
pub enum Goodbye {
    Left,
    Lost,
    Replaced,
    Resumed,
    Removed,
    Banned,
    Flooding,
    EndedByHost,
    EndedByBackend,
    HostLeft,
    NoAnswer,
    CallDeclined,
    HungUp,
    Empty,
}

impl Goodbye {
    /// What happened, in one English sentence that a page may show while it knows no better.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Left => "you left",
            Self::Lost => "the connection was lost for too long",
            Self::Replaced => "you joined with another device",
            Self::Resumed => "you came back on another connection",
            Self::Removed => "you were removed from the room",
            Self::Banned => "you were banned from the room",
            Self::Flooding => "you sent far too many commands",
            Self::EndedByHost => "the host ended the room",
            Self::EndedByBackend => "the room was closed",
            Self::HostLeft => "the host left, which ends the room",
            Self::NoAnswer => "nobody answered",
            Self::CallDeclined => "the call was declined",
            Self::HungUp => "the other side hung up",
            Self::Empty => "everybody has left",
        }
    }
}
