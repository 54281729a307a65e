//! What hooks are told, as facts; how a body writes them is the formats' affair.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use media::Path;
use serde::Serialize;

use crate::audience::Protocol;
use crate::config;
use crate::sessions::SessionId;

/// Parameters of addresses that let somebody in, or may: nobody needs them once they have been checked.
const SECRET_PARAMETERS: &[&str] = &[
    "txsecret",
    "auth",
    "authorization",
    "token",
    "access_token",
    "jwt",
    "key",
    "secret",
    "sign",
    "signature",
    "pass",
    "password",
];
/// What a back-end puts into an address to know its user again is shorter.
const QUERY_BYTES_MAX: usize = 1_024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One that hooks are configured for.
    Of(config::Event),
    /// Somebody tries out whether the receiver works.
    Test,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Of(event) => event.name(),
            Self::Test => "test",
        }
    }
}

/// Something that happened, or is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) at: SystemTime,
    pub(crate) path: Path,
    /// Whose it is; `None` for the end of a broadcast.
    pub(crate) who: Option<Who>,
    /// Of a session that is over.
    pub(crate) moved: Option<Moved>,
    /// How many watch now, where the broadcast is known.
    pub(crate) viewers: Option<u64>,
    /// Width and height of its picture, once known.
    pub(crate) resolution: Option<(u32, u32)>,
    /// Of an event of a room.
    pub(crate) room: Option<Box<InRoom>>,
}

/// What happened in a room, and to whom.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct InRoom {
    pub(crate) room: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<u32>,
    /// As the application's token named the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<room::Role>,
    /// Why a room is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<room::Goodbye>,
    /// A line of chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// A session, as hooks learn of it.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) session: SessionId,
    pub(crate) protocol: Protocol,
    pub(crate) address: Option<IpAddr>,
    pub(crate) agent: String,
    /// Without secrets.
    pub(crate) query: String,
}

/// What a session has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) bytes: u64,
    pub(crate) duration: Duration,
    pub(crate) was_kicked: bool,
}

/// A query without what is a secret or may be one; cut where it grows too long.
pub(crate) fn without_secrets(query: &str) -> String {
    let is_secret = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        // `%74oken` is the same name to whoever decodes it, and nobody writes it without a purpose.
        name.contains('%') || SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    };
    let mut kept = String::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty() && !is_secret(pair)) {
        if kept.len() + pair.len() + 1 > QUERY_BYTES_MAX {
            break;
        }
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.push_str(pair);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_of_a_query_however_they_are_written() {
        let query = "user=7&txSecret=abc&TXSECRET=d&txTime=5F&auth=e&%74oken=f&token=g&a=b=c&&jwt";
        assert_eq!(without_secrets(query), "user=7&txTime=5F&a=b=c");
        let long = format!("a={}&b={}", "x".repeat(900), "y".repeat(900));
        assert_eq!(without_secrets(&long).len(), 902, "cut between parameters");
    }
}
