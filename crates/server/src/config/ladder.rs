//! `[ladder]`: smaller pictures of a stream, made while somebody watches them.

use serde::{Deserialize, Serialize};

use super::{Config, Invalid};

/// Rungs that may be configured: a playlist lists them all, and players try each.
const RUNGS_MAX: usize = 8;
/// The shorter side: less than a macroblock on a side is nothing an encoder takes, and more than 2160 none decodes.
const HEIGHTS: std::ops::RangeInclusive<u32> = 64..=2_160;
/// Below it nothing can be seen; above it no rung is wanted.
const KBPS: std::ops::RangeInclusive<u32> = 50..=20_000;
/// Running at a time, of all streams: far more than any machine holds.
const MAX: usize = 1_000;

/// `[ladder]`
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Ladder {
    /// Streams (`live/x`, `live/*`, `*`) whose HLS lists every rung, and of which everybody who may watch may ask for any.
    pub streams: Vec<String>,
    /// Whether `?rendition=` alone starts a rung of another stream.
    pub on_request: OnRequest,
    /// From large to small. Those that are not clearly smaller than the source are left out.
    pub rungs: Vec<Rung>,
    /// Rungs that run at a time, of all streams; what the cores hold bounds them besides.
    pub max: usize,
}

/// Whether an address alone starts a rung.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum OnRequest {
    /// Where viewers need a key or token, and on a server that only this machine reaches.
    Auto,
    /// For whoever may watch.
    Always,
    /// For nobody.
    Never,
}

/// One size.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// The shorter side in pixels: 480 is `480p`.
    pub height: u32,
    /// What it takes at most.
    pub kbps: u32,
}

impl Default for Ladder {
    fn default() -> Self {
        let rung = |height, kbps| Rung { height, kbps };
        Self {
            streams: Vec::new(),
            on_request: OnRequest::Auto,
            rungs: vec![rung(720, 2_500), rung(480, 1_200), rung(360, 700)],
            max: 8,
        }
    }
}

impl Config {
    pub(super) fn check_ladder(&self) -> Result<(), Invalid> {
        let ladder = &self.ladder;
        let invalid = |key, what: String| Err(Invalid { key, what });
        if ladder.rungs.len() > RUNGS_MAX {
            return invalid("ladder.rungs", format!("has more than {RUNGS_MAX} rungs"));
        }
        for rung in &ladder.rungs {
            if !HEIGHTS.contains(&rung.height) {
                let what = format!("has a height of {}, which must be 64 to 2160", rung.height);
                return invalid("ladder.rungs", what);
            }
            if !KBPS.contains(&rung.kbps) {
                return invalid("ladder.rungs", format!("has {} kbps, which must be 50 to 20000", rung.kbps));
            }
        }
        if !ladder.rungs.is_sorted_by(|above, below| above.height > below.height) {
            return invalid("ladder.rungs", "must go from large to small, each height once".into());
        }
        if ladder.max > MAX {
            return invalid("ladder.max", format!("is {} but must be 0 to {MAX}", ladder.max));
        }
        let is_pattern =
            |pattern: &&String| pattern.trim_end_matches('*').contains('*') || pattern.is_empty();
        match ladder.streams.iter().find(is_pattern) {
            Some(pattern) => {
                let what =
                    format!("holds {pattern:?}; a stream's name stands in it, or how names begin and one *");
                invalid("ladder.streams", what)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(change: impl FnOnce(&mut Ladder)) -> Option<String> {
        let mut config = Config::default();
        change(&mut config.ladder);
        config.check().err().map(|invalid| invalid.to_string())
    }

    #[test]
    fn the_defaults_are_valid_and_every_setting_that_cannot_work_is_named() {
        assert_eq!(broken(|_| {}), None);
        let said = |change: fn(&mut Ladder)| broken(change).unwrap_or_default();
        assert!(said(|ladder| ladder.rungs.reverse()).contains("from large to small"));
        assert!(said(|ladder| ladder.rungs[2].height = 10).contains("64 to 2160"));
        assert!(said(|ladder| ladder.rungs[0].kbps = 0).contains("kbps"));
        assert!(said(|ladder| ladder.rungs = vec![ladder.rungs[0]; 9]).contains("more than 8"));
        assert!(said(|ladder| ladder.streams = vec!["a*b".into()]).contains("one *"));
        assert!(said(|ladder| ladder.max = 2_000).contains("0 to 1000"));
        assert_eq!(broken(|ladder| ladder.streams = vec!["*".into(), "live/*".into()]), None);
    }
}
