//! `openmic lab network`: browsers behind a bad link, through a server and back, with figures for what is seen and heard.
//!
//! The link is `client::link` in real time between two networks of this process's own, and is proved before each run.

mod bed;
mod figures;
pub mod html;
mod judge;
mod place;
mod probe;
pub mod report;
mod run;
pub mod scenario;
mod server;
mod shuttle;
mod speech;
mod told;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

pub use bed::Direction;
pub use figures::{Figures, Network, Picture, Session, Sound, Timeline};
pub use judge::Found;
pub use probe::Proof;

use self::report::{Outcome, Report, Run, Settings};
use self::run::Lab;
use self::scenario::Scenario;
use crate::link::Impairment;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program that is started with `serve`.
    pub server: PathBuf,
    /// Chromium, or one of its kin.
    pub browser: PathBuf,
    /// One after the other.
    pub scenarios: Vec<Scenario>,
    /// Of the media over the bad link.
    pub direction: Direction,
    /// Each scenario is tried with seeds from 1 to this.
    pub seeds: u64,
    /// How long each run is watched at least.
    pub span: Duration,
    /// Who publishes and watches.
    pub subject: Subject,
    /// Publish layers, if the page can.
    pub simulcast: bool,
    /// Pixels of a row and rows.
    pub size: (usize, usize),
    /// Pictures a second.
    pub fps: u32,
    /// Of a link without faults, each way.
    pub delay_ms: u32,
}

/// Who publishes and watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Our own pages' code.
    Ours,
    /// A page that leaves all to the browser.
    Plain,
    /// Two members of a room: both speak, and the picture of one is measured.
    Room,
}

impl Subject {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "our pages",
            Self::Plain => "a browser left to itself",
            Self::Room => "two in a room",
        }
    }
}

/// Tries every scenario with every seed, telling each run as it is done.
///
/// # Errors
/// What is missing on this machine. A run that fails is told of in the report.
pub async fn run(options: &Options, mut tell: impl FnMut(&Scenario, &Run)) -> anyhow::Result<Report> {
    let settings = Settings::of(options);
    let mut lab = Lab::open(options).await?;
    let mut outcomes = Vec::new();
    for scenario in options.scenarios.iter().filter(|scenario| scenario.is_for(options.direction)) {
        let mut runs = Vec::new();
        for seed in 1..=options.seeds {
            let run = lab.run(scenario, seed).await;
            tell(scenario, &run);
            runs.push(run);
        }
        outcomes.push(Outcome::of(scenario.clone(), runs));
    }
    lab.close().await;
    if outcomes.is_empty() {
        bail!("no scenario is for media that goes {}", options.direction.name());
    }
    Ok(Report { version: env!("CARGO_PKG_VERSION"), settings, outcomes })
}

/// Makes the networks, asks the link for `impairment` both ways, and proves by packets that it is there.
///
/// # Errors
/// What is missing on this machine, or what is not as it was asked for.
pub fn check(impairment: &Impairment, seed: u64) -> anyhow::Result<Vec<Proof>> {
    let bed = bed::Bed::open()?;
    bed.renew(impairment, seed);
    [Direction::Up, Direction::Down]
        .into_iter()
        .map(|direction| probe::prove(&bed, direction, impairment))
        .collect()
}
