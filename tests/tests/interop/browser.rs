//! Browsers as players, driven by `tests/interop/browser.mjs`.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::measure::SECONDS;
use crate::row::{FPS, Row};
use crate::server::Server;
use crate::tool;

/// Two browser starts, the page's own 30 s to begin, and what is watched.
const LIMIT: Duration = Duration::from_secs(90);
/// A browser on a busy machine shows few of the frames it gets: a quarter tells a moving picture from a still one, and
/// which frames arrive is what the native players of the same row show.
const SHARE_MIN: f64 = 0.25;
/// What a program that converts pictures may take to begin, besides.
const CONVERTED_MAX_S: f64 = 1.0;
/// What is asked is looked for every 100 ms.
const PLAYED_SLACK_S: f64 = 0.2;

/// By a browser's own account of how late each of the two is, which it keeps in steps while it brings them together.
const OFFSET_MAX_S: f64 = 0.100;
/// The same for Firefox, which without a loudspeaker takes sound by a clock that runs one part in a hundred fast: it comes
/// ever earlier, and 0.1 s later again every 9 s. Chromium hears the same stream steadily.
const OFFSET_DEAF_MAX_S: f64 = 0.150;

/// A moment of a media element.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    position: f64,
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
    /// What brought it, where the player had a choice.
    transport: Option<String>,
    /// What WebRTC has besides.
    rtc: Option<Rtc>,
}

/// What a viewer by WebRTC tells besides.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rtc {
    /// From the request to the first picture shown.
    first_ms: Option<f64>,
    /// Longest that two pictures shown one after the other lie apart.
    gap_s: f64,
    /// How much later each tone came than its flash, without what the browser knows to be its own.
    offsets_s: Vec<f64>,
    /// Of the pair of candidates that carries media.
    protocol: Option<String>,
    /// How much later each tone came than its flash, as the browser played them.
    heard_s: Vec<f64>,
}

/// One run of the driver.
pub(crate) struct Drive<'a> {
    pub(crate) kind: &'a str,
    pub(crate) browser: &'a Path,
    pub(crate) server: &'a Server,
    pub(crate) stream: &'a str,
    pub(crate) seconds: f64,
    /// By the driver's names, where it has several.
    pub(crate) players: &'a [&'a str],
}

/// What each player of a browser did, by its name.
pub(crate) fn watch(run: &Drive<'_>, dir: &Path) -> HashMap<String, Played> {
    let lines = drive(run, dir);
    lines.into_iter().map(|played: Played| (played.player.clone(), played)).collect()
}

fn drive<T: DeserializeOwned>(run: &Drive<'_>, dir: &Path) -> Vec<T> {
    let mut command = Command::new(tool::find("node", "nodejs"));
    command.arg(tool::root().join("tests/interop/browser.mjs")).arg(run.kind);
    let (origin, stream) = (format!("http://{}", run.server.http), format!("live/{}", run.stream));
    command.args([origin, stream, run.seconds.to_string()]).arg(run.browser).args(run.players);
    let said = tool::run(&mut command, dir, run.kind, LIMIT);
    said.out.lines().map(|line| serde_json::from_str(line).expect("a line of the driver")).collect()
}

/// What hls.js did with delta updates.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Deltas {
    /// It played on through all of it.
    pub(crate) started: bool,
    /// Playlists it asked for with `_HLS_skip=YES`.
    pub(crate) asked: u32,
    /// Those that left segments out.
    pub(crate) updates: u32,
    /// What it complained about.
    pub(crate) errors: Vec<String>,
    from: Sample,
    to: Sample,
}

impl Deltas {
    /// Seconds of media that went by.
    pub(crate) fn played_s(&self) -> f64 {
        self.to.position - self.from.position
    }
}

/// Lets hls.js play for `seconds` and counts its delta updates; `None` when the driver failed.
pub(crate) fn deltas(server: &Server, stream: &str, seconds: f64, dir: &Path) -> Option<Deltas> {
    let browser = tool::find("chromium", "chromium");
    drive(&Drive { kind: "delta", browser: &browser, server, stream, seconds, players: &[] }, dir).pop()
}

/// What hls.js did with the levels of a multivariant playlist.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Levels {
    /// It began to play, and found more than one level.
    pub(crate) plays: bool,
    /// To the largest, the smallest and the largest again.
    pub(crate) changes: Vec<Change>,
    /// The longest that its picture stood still.
    pub(crate) still_ms: f64,
    /// Seconds of media that went by meanwhile.
    pub(crate) played_s: f64,
    /// What it complained about.
    pub(crate) errors: Vec<String>,
}

/// One change of level.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    /// What was asked for.
    pub(crate) height: u32,
    /// Pictures of that height were shown …
    pub(crate) came: bool,
    /// … after so long.
    pub(crate) took_ms: f64,
}

/// Lets hls.js go through the levels, `seconds` at each; `None` when the driver failed.
pub(crate) fn levels(server: &Server, stream: &str, seconds: f64, dir: &Path) -> Option<Levels> {
    let browser = tool::find("chromium", "chromium");
    drive(&Drive { kind: "levels", browser: &browser, server, stream, seconds, players: &[] }, dir).pop()
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
            if (frames as f64) < SECONDS * FPS * SHARE_MIN {
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
        let offset_max_s = if self.player == "firefox_whep" { OFFSET_DEAF_MAX_S } else { OFFSET_MAX_S };
        let rtc = self.rtc.as_ref().filter(|_| self.started);
        let more = match rtc.map(|rtc| rtc.judge(row, offset_max_s)) {
            Some(Ok(words)) => words,
            Some(Err(words)) => {
                wrong.push(words);
                String::new()
            }
            None => String::new(),
        };
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        let words = match (row.video, frames) {
            (Some(_), _) => format!("{frames} frames, {played:.1} s"),
            (None, _) => format!("{played:.1} s of sound"),
        };
        let by = self.transport.as_ref().map(|transport| format!(", by {transport}")).unwrap_or_default();
        Ok(words + &by + &more)
    }

    /// The protocol that WebRTC chose.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.rtc.as_ref()?.protocol.as_deref()
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

impl Rtc {
    /// More words, or what is wrong.
    fn judge(&self, row: &Row, offset_max_s: f64) -> Result<String, String> {
        let mut words = String::new();
        // Pictures made by a child program are late by its start on a busy machine, and Chromium closes such a distance by
        // some 80 ms a second: longer than a row plays.
        let offset_max_s = if row.is_converted() { CONVERTED_MAX_S } else { offset_max_s };
        if row.is_marked() {
            // What a browser publishes is judged once it has settled.
            let settled = |offsets: &[f64]| {
                let from = if row.is_of_browser() { offsets.len() / 2 } else { 0 };
                middle(offsets.get(from..).unwrap_or_default())
            };
            let mut median = settled(&self.offsets_s).ok_or("no flash with a tone")?;
            // A publishing browser that was kept from capturing sound says so in its next report, 5 s later. Until then
            // what is heard beside what is seen is nearer to the truth.
            let heard = settled(&self.heard_s).filter(|_| row.is_of_browser() || row.is_converted());
            median = heard.filter(|heard| heard.abs() < median.abs()).unwrap_or(median);
            if self.offsets_s.len() < 2 || median.abs() > offset_max_s {
                return Err(format!(
                    "A/V offsets {:.3?} s, played {:.3?} s apart",
                    self.offsets_s, self.heard_s
                ));
            }
            words += &format!(", A/V {:+.0} ms", median * 1_000.0);
        }
        if let Some(first) = self.first_ms {
            words += &format!(", first after {first:.0} ms, gaps ≤ {:.0} ms", self.gap_s * 1_000.0);
        }
        Ok(words)
    }
}

/// A picture that a busy browser shows late moves one of them, and the middle one hardly.
fn middle(offsets_s: &[f64]) -> Option<f64> {
    let mut offsets = offsets_s.to_vec();
    offsets.sort_by(f64::total_cmp);
    offsets.get(offsets.len() / 2).copied()
}
