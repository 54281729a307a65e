//! `[rooms]`: where their broadcasts are, and how many there may be.

use serde::{Deserialize, Serialize};

use super::{Config, Invalid};

/// `[rooms]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rooms {
    /// The app of their broadcasts: a member publishes `room/{id}/{member}`, the audience watches `room/{id}`. Nobody
    /// publishes or watches in it without a token of the room.
    pub app: String,
    /// Anybody may make rooms at `/demo`. Unset: where everybody may do everything, which is on loopback without keys.
    pub demo: Option<bool>,
    /// Rooms at a time; an empty one is some ten kilobytes.
    pub max: usize,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { app: "room".into(), demo: None, max: 10_000 }
    }
}

impl Rooms {
    /// The first rule that is broken.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let app = &self.app;
        let is_taken = media::path::RESERVED.contains(&app.as_str());
        if app.is_empty() || app.len() > 64 || !app.chars().all(is_plain) || is_taken {
            let what = "must be the name of an app: one segment of letters, digits, - and _ that no page of ours has";
            return Err(Invalid { key: "rooms.app", what: what.into() });
        }
        Ok(())
    }
}

impl Config {
    /// Whether anybody may make rooms at `/demo`.
    pub fn has_demo_rooms(&self, is_guarded: bool) -> bool {
        self.rooms.demo.unwrap_or(!is_guarded && self.beyond_loopback().is_none())
    }
}
