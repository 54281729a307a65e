//! What was found, for programs and as a table.

use std::fmt::Write;

use serde::Serialize;

use super::plot::signed;
use super::source::Shape;
use super::stats::Summary;
use super::{Input, Options, Output};

/// The reader of pairs that our own code has read.
pub const NATIVE: &str = "native";
/// The reader of pairs that a browser has shown.
pub const CHROMIUM: &str = "chromium";

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of this program.
    pub version: &'static str,
    /// How it was measured.
    pub settings: Settings,
    /// What was found, in the order in which it was measured.
    pub pairs: Vec<Pair>,
}

/// How it was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pictures a second.
    pub fps: u32,
    /// Bits a second of pictures.
    pub bitrate: u32,
    /// From keyframe to keyframe.
    pub group_ms: i64,
    /// How long each pair was watched.
    pub seconds: f64,
    /// How often each was joined.
    pub joins: usize,
}

/// One way in and one way out, read by one reader.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The way in.
    pub input: &'static str,
    /// The way out.
    pub output: &'static str,
    /// Who read: [`NATIVE`] or [`CHROMIUM`].
    pub reader: &'static str,
    /// From drawing a picture to having it decoded or shown.
    pub glass: Option<Summary>,
    /// From the last byte of a picture sent to its first received.
    pub server: Option<Summary>,
    /// From asking to the first picture.
    pub join: Option<Summary>,
    /// By how much sound comes before its picture.
    pub sound: Option<Summary>,
    /// Pictures whose code could not be read.
    pub unreadable: u64,
    /// Seconds since the first picture, and the age of the one that was shown then in milliseconds.
    pub points: Vec<(f64, f64)>,
    /// Why there are no figures.
    pub error: Option<String>,
}

/// Ways in and out, and who reads.
pub(super) type Who = (Input, Output, &'static str);

/// What a reader finds out about a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// See [`Pair`].
    pub glass: Summary,
    /// See [`Pair`]; a browser does not tell.
    pub server: Option<Summary>,
    /// See [`Pair`].
    pub join: Option<Summary>,
    /// See [`Pair`].
    pub sound: Option<Summary>,
    /// See [`Pair`].
    pub unreadable: u64,
    /// See [`Pair`].
    pub points: Vec<(f64, f64)>,
}

impl Settings {
    pub(super) fn of(options: &Options) -> Self {
        let Shape { width, height, fps, bitrate, group } = options.shape;
        let (group_ms, seconds) = (group.micros() / 1_000, options.span.as_secs_f64());
        Self { width, height, fps, bitrate, group_ms, seconds, joins: options.joins }
    }

    /// In a line.
    pub fn line(&self) -> String {
        let Self { width, height, fps, bitrate, group_ms, seconds, joins } = self;
        format!(
            "{width}×{height} at {fps} pictures/s and {:.1} Mbit/s, a keyframe each {:.1} s; {seconds:.0} s and {joins} joins a pair",
            f64::from(*bitrate) / 1e6,
            *group_ms as f64 / 1e3,
        )
    }
}

impl Pair {
    pub(super) fn of(who: Who, measured: anyhow::Result<Figures>) -> Self {
        let (input, output, reader) = who;
        let figures = match measured {
            Ok(figures) => figures,
            Err(why) => return Self::failed(who, &why),
        };
        let Figures { glass, server, join, sound, unreadable, points } = figures;
        let (input, output, glass) = (input.name(), output.name(), Some(glass));
        Self { input, output, reader, glass, server, join, sound, unreadable, points, error: None }
    }

    pub(super) fn failed((input, output, reader): Who, why: &anyhow::Error) -> Self {
        let (input, output, error) = (input.name(), output.name(), Some(format!("{why:#}")));
        let (glass, server, join, sound) = (None, None, None, None);
        Self { input, output, reader, glass, server, join, sound, unreadable: 0, points: Vec::new(), error }
    }

    /// One line for whoever waits.
    pub fn line(&self) -> String {
        let Self { input, output, reader, .. } = self;
        let said = match (&self.glass, &self.error) {
            (Some(glass), _) => format!("p50 {:.1} ms, p99 {:.1} ms", glass.p50_ms, glass.p99_ms),
            (None, Some(why)) => why.clone(),
            (None, None) => "nothing".to_owned(),
        };
        format!("{input} → {output}, {reader}: {said}")
    }
}

impl Report {
    pub(super) fn new(settings: Settings, pairs: Vec<Pair>) -> Self {
        Self { version: env!("CARGO_PKG_VERSION"), settings, pairs }
    }

    /// As a table in Markdown, milliseconds throughout.
    pub fn table(&self) -> String {
        let mut out = format!("openmic {}; {}\n\n", self.version, self.settings.line());
        out.push_str(
            "| in → out | read by | pictures | p50 | p95 | p99 | server p50, p99 | join p50, p95 | sound early (p50, from … to) |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for pair in &self.pairs {
            row(pair, &mut out);
        }
        for pair in self.pairs.iter().filter(|pair| pair.unreadable > 0) {
            let Pair { input, output, reader, unreadable, .. } = pair;
            let _ = writeln!(
                out,
                "\n{input} → {output}, {reader}: {unreadable} pictures without a readable code"
            );
        }
        out
    }
}

fn row(pair: &Pair, out: &mut String) {
    let Pair { input, output, reader, .. } = pair;
    let _ = write!(out, "| {input} → {output} | {reader} |");
    let Some(glass) = &pair.glass else {
        let why = pair.error.as_deref().unwrap_or("nothing was measured");
        let _ = writeln!(out, " {} | | | | | | |", why.replace('|', "/"));
        return;
    };
    let two = |found: &Option<Summary>, of: fn(&Summary) -> (f64, f64)| {
        found.as_ref().map(of).map_or_else(|| "–".to_owned(), |(a, b)| format!("{a:.1}, {b:.1}"))
    };
    let sound = pair.sound.map_or_else(
        || "–".to_owned(),
        |sound| format!("{}, {} … {}", signed(sound.p50_ms), signed(sound.min_ms), signed(sound.max_ms)),
    );
    let _ = writeln!(
        out,
        " {} | {:.1} | {:.1} | {:.1} | {} | {} | {sound} |",
        glass.count,
        glass.p50_ms,
        glass.p95_ms,
        glass.p99_ms,
        two(&pair.server, |found| (found.p50_ms, found.p99_ms)),
        two(&pair.join, |found| (found.p50_ms, found.p95_ms)),
    );
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two pairs, one of which failed.
    pub(in crate::lab) fn sample() -> Report {
        let summary = |ms: i64| Summary::of([ms * 1_000, ms * 2_000]).unwrap();
        let figures = Figures {
            glass: summary(40),
            server: Some(summary(1)),
            join: None,
            sound: Summary::of([-6_500, 2_000]),
            unreadable: 3,
            points: vec![(1.5, 40.0), (1.6, 80.0)],
        };
        let settings = Settings {
            width: 1_280,
            height: 720,
            fps: 30,
            bitrate: 2_500_000,
            group_ms: 2_000,
            seconds: 5.0,
            joins: 4,
        };
        let why = anyhow::anyhow!("<refused> | by & by");
        let failed = Pair::failed((Input::Whip, Output::Hls, CHROMIUM), &why);
        Report::new(settings, vec![Pair::of((Input::Rtmp, Output::Flv, NATIVE), Ok(figures)), failed])
    }

    #[test]
    fn the_table_tells_figures_and_failures() {
        let table = sample().table();
        let wanted = "| rtmp → flv | native | 2 | 40.0 | 80.0 | 80.0 | 1.0, 2.0 | – | -7, -7 … +2 |";
        assert!(table.lines().any(|line| line == wanted), "{table}");
        assert!(table.contains("| whip → hls | chromium | <refused> / by & by |"), "{table}");
        assert!(table.contains("rtmp → flv, native: 3 pictures without a readable code"), "{table}");
    }
}
