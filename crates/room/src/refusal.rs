//! Why something was refused: a code for machines and a sentence for people.

use serde::{Deserialize, Serialize};

/// A reason. The codes on the wire are these names in snake case and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the sentence beside each of them in `sentence` says what it means")]
pub enum Refusal {
    AlreadyAnswered,
    BadMessage,
    BadName,
    BadText,
    BadToken,
    BadValue,
    Banned,
    ChatClosed,
    DataFull,
    Ended,
    Full,
    HandIsUp,
    HandsClosed,
    HandsFull,
    Invited,
    InvitationsFull,
    Locked,
    MessageTooLong,
    NoHand,
    NoInvitation,
    NoRight,
    NotAMember,
    NotFound,
    NotOnStage,
    NotRinging,
    OnStage,
    Outranked,
    RoomBusy,
    ScreenTaken,
    SecondDevice,
    StageFull,
    TooFast,
    UnknownMember,
    UnsupportedVersion,
    WrongRoom,
}

impl Refusal {
    /// What happened, in one English sentence that a page may show while it knows no better.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AlreadyAnswered => {
                "a command of this number was answered before; number the next one higher"
            }
            Self::BadMessage => "this is no message of the protocol",
            Self::BadName => "this name is empty, too long or has characters that cannot be seen",
            Self::BadText => "this text is empty, too long or has characters that cannot be seen",
            Self::BadToken => "the token is none that is valid here, or has run out",
            Self::BadValue => "a key or value is not of the allowed form",
            Self::Banned => "you were banned from this room",
            Self::ChatClosed => "the chat is closed",
            Self::DataFull => "the room holds as much data as it may",
            Self::Ended => "the room has ended",
            Self::Full => "the room is full",
            Self::HandIsUp => "the hand is up already",
            Self::HandsClosed => "raising hands is closed",
            Self::HandsFull => "too many hands are up; try again in a moment",
            Self::Invited => "this member has been invited and has not answered yet",
            Self::InvitationsFull => "too many invitations are open; wait for answers",
            Self::Locked => "the room is locked",
            Self::MessageTooLong => "the message is longer than 16384 bytes",
            Self::NoHand => "this hand is not up",
            Self::NoInvitation => "there is no invitation, or it has run out",
            Self::NoRight => "your role does not allow this",
            Self::NotAMember => "you are not a member of this room",
            Self::NotFound => "there is no such thing in this room",
            Self::NotOnStage => "this needs a place on the stage",
            Self::NotRinging => "the call is not ringing",
            Self::OnStage => "this member is on the stage already",
            Self::Outranked => "this cannot be done to somebody of the same or a higher role",
            Self::RoomBusy => "the room is too busy for another message; try again in a moment",
            Self::ScreenTaken => "somebody else is showing a screen",
            Self::SecondDevice => "you are in this room with another device",
            Self::StageFull => "the stage is full",
            Self::TooFast => "too many commands; slow down",
            Self::UnknownMember => "there is no such member in this room",
            Self::UnsupportedVersion => "this version of the protocol is not spoken here",
            Self::WrongRoom => "the token is for another room",
        }
    }
}
