//! The messages of the signalling, version 1, as `docs/signalling.md` specifies them and `docs/signalling/*.json` shows.
//!
//! What a client sends is read strictly: unknown fields, unknown names and messages over the limit are refused.

use serde::{Deserialize, Serialize};

use crate::command::{Command, Request};
use crate::id::{MemberId, RoomId};
use crate::output::{Goodbye, Output};
use crate::refusal::Refusal;
use crate::time::{Millis, Moment};
use crate::track::{Delta, Track, View};

/// The version spoken here.
pub const VERSION: u32 = 1;
/// The longest command is a value of custom data with every character escaped; a peer cannot make us read more.
pub const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// From a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/signalling.md has the full text of each field")]
pub enum Up {
    /// The first message of a newcomer. The name counts if the token has none.
    Join { v: u32, token: String, name: Option<String> },
    /// The first message of a member that comes back.
    Resume { v: u32, token: String, member: MemberId, seen: Seen },
    /// The only message of somebody who is called and does not want to.
    DeclineCall { v: u32, token: String },
    /// A command.
    Command { n: u32, command: Command },
    /// What time is it? `t` is the client's own, in any unit; it comes back as it is.
    Ping { t: u64 },
}

/// The numbers a member has seen, of the tracks it read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Of the track of all.
    pub all: Option<u64>,
    /// Of the stage.
    pub stage: Option<u64>,
    /// Of hosts.
    pub hosts: Option<u64>,
    /// Of its own.
    pub own: Option<u64>,
}

/// From the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/signalling.md has the full text of each field")]
pub enum Down {
    /// You are in.
    Welcome(Welcome),
    /// A change of a track you read.
    Delta(Delta),
    /// You read this track from now on.
    State(View),
    /// You read this track no longer.
    Hide { track: TrackName },
    /// The command is done, and written down.
    Ack { n: u32 },
    /// The command, or without a number the message, is refused.
    Refused { n: Option<u32>, code: Refusal, sentence: String },
    /// The time, in microseconds on the room clock.
    Pong { t: u64, received_us: u64, sent_us: u64 },
    /// The server goes down; come back after so long.
    Drain { after_ms: Millis },
    /// The last message: why the connection closes.
    Bye { reason: Goodbye, sentence: String },
}

/// What a member begins with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version spoken.
    pub v: u32,
    /// The room.
    pub room: RoomId,
    /// Who you are in it.
    pub member: MemberId,
    /// The time on the room clock, in milliseconds.
    pub now: Moment,
    /// The highest number of your commands that was answered: send again what is open above it.
    pub answered: u32,
    /// The tracks you read. What you keep of others is out of date.
    pub tracks: Vec<TrackName>,
    /// Those you have not seen, or missed too much of.
    pub states: Vec<View>,
    /// What you missed of the others.
    pub deltas: Vec<Delta>,
}

/// A track, as its readers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackName {
    /// Of everybody.
    All,
    /// Of the stage.
    Stage,
    /// Of hosts.
    Hosts,
    /// One's own.
    Own,
}

impl From<Track> for TrackName {
    fn from(track: Track) -> Self {
        match track {
            Track::All => Self::All,
            Track::Stage => Self::Stage,
            Track::Hosts => Self::Hosts,
            Track::Own(_) => Self::Own,
        }
    }
}

/// Why a message was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The number of the command, where it could be found, so that its sender is answered.
    pub n: Option<u32>,
    /// Why.
    pub refusal: Refusal,
    /// Where reading stopped, counted in bytes from 1 in its line; 0 when it did not begin.
    pub column: usize,
}

/// Reads one message of a client.
///
/// # Errors
/// When it is too long, no JSON, no message, or of another version.
pub fn parse(bytes: &[u8]) -> Result<Up, Wrong> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Wrong { n: None, refusal: Refusal::MessageTooLong, column: 0 });
    }
    let up: Up = serde_json::from_slice(bytes).map_err(|error| Wrong {
        n: number(bytes),
        refusal: Refusal::BadMessage,
        column: error.column(),
    })?;
    match up {
        Up::Join { v, .. } | Up::Resume { v, .. } | Up::DeclineCall { v, .. } if v != VERSION => {
            Err(Wrong { n: None, refusal: Refusal::UnsupportedVersion, column: 0 })
        }
        Up::Join { .. }
        | Up::Resume { .. }
        | Up::DeclineCall { .. }
        | Up::Command { .. }
        | Up::Ping { .. } => Ok(up),
    }
}

/// The number of a command that is wrong otherwise.
fn number(bytes: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Numbered {
        n: u32,
    }
    serde_json::from_slice(bytes).ok().map(|Numbered { n }| n)
}

impl Up {
    /// The command in it.
    pub fn into_request(self) -> Option<Request> {
        match self {
            Self::Command { n, command } => Some(Request { n, command }),
            Self::Join { .. } | Self::Resume { .. } | Self::DeclineCall { .. } | Self::Ping { .. } => None,
        }
    }
}

impl Down {
    /// As it goes over the wire.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("messages have string keys and no numbers JSON lacks")
    }

    /// The message for an output, if it is one that a member gets.
    pub fn of(output: Output) -> Option<Self> {
        Some(match output {
            Output::Delta { delta, .. } => Self::Delta(delta),
            Output::Welcome { welcome, .. } => Self::Welcome(*welcome),
            Output::Show { view, .. } => Self::State(*view),
            Output::Hide { track, .. } => Self::Hide { track: track.into() },
            Output::Answer { n, result: Ok(()), .. } => Self::Ack { n },
            Output::Answer { n, result: Err(code), .. } => Self::refused(Some(n), code),
            Output::Drain { after, .. } => Self::Drain { after_ms: after },
            Output::Close { reason, .. } => Self::Bye { reason, sentence: reason.sentence().to_owned() },
            Output::Persist(_) | Output::Moderate { .. } | Output::Ended { .. } => return None,
        })
    }

    /// A refusal with its sentence.
    pub fn refused(n: Option<u32>, code: Refusal) -> Self {
        Self::Refused { n, code, sentence: code.sentence().to_owned() }
    }
}
