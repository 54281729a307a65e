//! One thing that was looked at, and what to do about it.

use std::fmt;

use serde_json::{Value, json};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was looked at, one word.
    pub(super) of: &'static str,
    /// What is so.
    pub(super) what: String,
    /// What to do; empty where nothing has to be done.
    pub(super) remedy: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// It works, but not for everybody or not for long.
    Doubtful,
    /// The server does not start, or a part of it does not work.
    Wrong,
}

impl Finding {
    pub(super) fn good(of: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Good, of, what: what.into(), remedy: String::new() }
    }

    pub(super) fn doubt(of: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Doubtful, of, what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn wrong(of: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Wrong, of, what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn to_json(&self) -> Value {
        let level = match self.level {
            Level::Good => "good",
            Level::Doubtful => "doubtful",
            Level::Wrong => "wrong",
        };
        json!({ "level": level, "of": self.of, "what": self.what, "remedy": self.remedy })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.level {
            Level::Good => '✓',
            Level::Doubtful => '!',
            Level::Wrong => '✗',
        };
        write!(f, "{mark} {:<14} {}", self.of, self.what)?;
        match self.remedy.is_empty() {
            true => Ok(()),
            false => write!(f, "\n{:17}→ {}", "", self.remedy),
        }
    }
}
