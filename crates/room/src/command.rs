//! What a member asks for. One variant a wish, so that an impossible mix cannot be written.

use serde::{Deserialize, Serialize};

use crate::id::{ChatId, MemberId, UserId};
use crate::rights::{Right, Role};
use crate::track::{Media, Open, Reaction, Sending};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A member. Whoever owns its connection vouches for the number: no message carries it.
    Member(MemberId),
    /// An application's back-end, by the API.
    Backend,
}

impl From<MemberId> for Actor {
    fn from(member: MemberId) -> Self {
        Self::Member(member)
    }
}

/// A command under the number its sender gave it. A member's numbers rise; one that was answered is not done again.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The number.
    pub n: u32,
    /// What is asked for.
    pub command: Command,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields name their meaning; docs/signalling.md has the full text")]
pub enum Command {
    /// To go, for good.
    Leave {},
    /// To be called otherwise.
    Rename { to: String },
    /// To go up to the stage unasked.
    StepUp {},
    /// To leave the stage.
    StepDown {},
    /// What this member sends from now on.
    Publish { sending: Sending },
    /// To ask for a place on the stage.
    RaiseHand {},
    /// To ask no longer.
    LowerHand {},
    /// To follow an invitation to the stage.
    Accept {},
    /// Not to follow it.
    Decline {},
    /// To write in the chat.
    Chat { text: String },
    /// To delete a line: one's own, or with the right any.
    DeleteChat { chat: ChatId },
    /// To send a reaction, several times.
    React { reaction: Reaction, times: u32 },
    /// To bring up a member whose hand is up.
    BringUp { member: MemberId },
    /// To bring up the next in line.
    NextHand {},
    /// To refuse a hand.
    RefuseHand { member: MemberId },
    /// To invite to the stage.
    Invite { member: MemberId },
    /// To take an invitation back.
    Withdraw { member: MemberId },
    /// To take down from the stage.
    TakeDown { member: MemberId },
    /// To switch off what a member sends. The member may switch it on again, unless it is forbidden.
    Mute { member: MemberId, media: Media },
    /// To switch off the sound of every guest.
    MuteAll {},
    /// To ask a member to switch something on. Nobody can switch it on for them.
    AskUnmute { member: MemberId, media: Media },
    /// To allow or forbid one thing to one member.
    Allow { member: MemberId, right: Right, allowed: bool },
    /// To remove from the room; the member may come back.
    Remove { member: MemberId },
    /// To remove a user with all devices; the user may not come back.
    Ban { member: MemberId },
    /// To let a user come back.
    Unban { user: UserId },
    /// To make a co-host, or a guest again.
    Appoint { member: MemberId, role: Role },
    /// To make somebody else the host.
    HandOver { member: MemberId },
    /// Whether newcomers are let in, whether chat and hands are open.
    SetOpen { open: Open },
    /// To name the room.
    SetTitle { to: String },
    /// To set a value of custom data on the track of all, stage or hosts, or to take it away.
    SetData { track: DataTrack, key: String, value: Option<String> },
    /// Whose picture is followed; nobody's means whoever speaks.
    Focus { member: Option<MemberId> },
    /// To end the room.
    End {},
}

/// A track that carries custom data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataTrack {
    /// Everybody reads it.
    All,
    /// The stage and hosts read it.
    Stage,
    /// Hosts read it.
    Hosts,
}

impl Command {
    /// The right it takes, if it takes one whatever it is done to.
    pub const fn right(&self) -> Option<Right> {
        match self {
            Self::Leave {}
            | Self::Rename { .. }
            | Self::StepDown {}
            | Self::Publish { .. }
            | Self::LowerHand {}
            | Self::Accept {}
            | Self::Decline {}
            | Self::DeleteChat { .. } => None,
            Self::StepUp {} => Some(Right::StepUp),
            Self::RaiseHand {} => Some(Right::Hand),
            Self::Chat { .. } => Some(Right::Chat),
            Self::React { .. } => Some(Right::React),
            Self::BringUp { .. } | Self::NextHand {} | Self::RefuseHand { .. } | Self::TakeDown { .. } => {
                Some(Right::Move)
            }
            Self::Invite { .. } | Self::Withdraw { .. } => Some(Right::Invite),
            Self::Mute { .. } | Self::MuteAll {} | Self::AskUnmute { .. } => Some(Right::Mute),
            Self::Allow { .. } => Some(Right::Allow),
            Self::Remove { .. } | Self::Ban { .. } | Self::Unban { .. } => Some(Right::Remove),
            Self::Appoint { .. } | Self::HandOver { .. } => Some(Right::Appoint),
            Self::SetOpen { .. } | Self::SetTitle { .. } | Self::SetData { .. } | Self::Focus { .. } => {
                Some(Right::Configure)
            }
            Self::End {} => Some(Right::End),
        }
    }
}
