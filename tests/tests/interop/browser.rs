//! Browsers as players, driven by `tests/interop/browser.mjs`.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::measure::SECONDS;
use crate::row::{FPS, Row};
use crate::server::Server;
use crate::tool;

/// Two browser starts, the page's own 30 s to begin, and what is watched.
const LIMIT: Duration = Duration::from_secs(90);
/// Browsers show what they please of the frames they decode.
const SHARE_MIN: f64 = 0.7;
/// What is asked is looked for every 100 ms.
const PLAYED_SLACK_S: f64 = 0.2;

/// A moment of a media element.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    frames: u64,
    audio_bytes: Option<u64>,
    audio_tracks: Option<u32>,
    width: u32,
    height: u32,
}

/// What one player did.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Played {
    player: String,
    started: bool,
    from: Sample,
    to: Sample,
    /// Seconds of media that were played, not jumped over, and how long that took.
    played_s: f64,
    took_s: f64,
    errors: Vec<String>,
    error: Option<String>,
    #[serde(default)]
    words: String,
}

/// What each player of a browser did, by its name.
pub(crate) fn watch(
    kind: &str,
    browser: &Path,
    server: &Server,
    row: &Row,
    dir: &Path,
) -> HashMap<String, Played> {
    let mut command = Command::new(tool::find("node", "nodejs"));
    command.arg(tool::root().join("tests/interop/browser.mjs")).arg(kind);
    command.args([format!("http://{}", server.http), format!("live/{}", row.name), SECONDS.to_string()]);
    command.arg(browser);
    let said = tool::run(&mut command, dir, kind, LIMIT);
    let lines = said.out.lines().map(|line| serde_json::from_str(line).expect("a line of the driver"));
    lines.map(|played: Played| (played.player.clone(), played)).collect()
}

impl Played {
    /// What was seen in a few words, or all that is wrong.
    pub(crate) fn judge(&self, row: &Row) -> Result<String, String> {
        let mut wrong = self.complaints();
        let (played, took) = (self.played_s, self.took_s);
        if !self.started {
            wrong.push("did not start".into());
        } else if played < SECONDS - PLAYED_SLACK_S {
            wrong.push(format!("{played:.1} s of {SECONDS:.1} s in {took:.1} s"));
        }
        let frames = self.to.frames.saturating_sub(self.from.frames);
        if row.video.is_some() {
            // WebKitGTK without a GPU counts no frames: its picture is known by its size and the clock alone.
            let counts = self.to.audio_bytes.is_some();
            if counts && (frames as f64) < SECONDS * FPS * SHARE_MIN {
                wrong.push(format!("{frames} frames"));
            }
            if (self.to.width, self.to.height) != (320, 180) && (self.to.width, self.to.height) != (160, 120)
            {
                wrong.push(format!("a picture of {}×{}", self.to.width, self.to.height));
            }
        }
        if row.audio.is_some() && !self.heard() {
            wrong.push("no sound decoded".into());
        }
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        Ok(match (row.video, frames) {
            (Some(_), 1..) => format!("{frames} frames, {played:.1} s"),
            (Some(_), 0) => format!("{}×{}, {played:.1} s", self.to.width, self.to.height),
            (None, _) => format!("{played:.1} s of sound"),
        })
    }

    /// Chromium counts decoded bytes of sound; WebKit lists the tracks it plays.
    fn heard(&self) -> bool {
        match (self.from.audio_bytes, self.to.audio_bytes, self.to.audio_tracks) {
            (Some(from), Some(to), _) => to > from,
            (_, _, tracks) => tracks.is_some_and(|tracks| tracks > 0),
        }
    }

    /// What the player, the element and the page said.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let words = Some(self.words.clone()).filter(|words| !words.is_empty());
        let said = self.errors.iter().take(3).cloned().chain(self.error.clone()).chain(words);
        said.filter(|words| !words.is_empty()).collect()
    }
}
