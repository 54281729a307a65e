//! `openmic lab network`: its flags, and what is done with what it finds.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use client::lab::network::scenario::{BUILT_IN, Scenario, Scenarios};
use client::lab::network::{self, Options, Subject, html};

use super::{size, span, write};

/// What lies between both ends of a calm link, each way.
const DELAY_MS: u32 = 50;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  openmic lab network --list                                     what there is to try
  openmic lab network --scenario loss-10,loss-30 --seeds 1       two of them, once
  openmic lab network --direction down --html report.html        everything for a viewer behind the bad link
  openmic lab network --without-levers --scenario loss-30        the same for a browser left to itself
  openmic lab network --room --scenario loss-30                  two in a room, one of whom is behind the bad link

Two network namespaces with a TUN device each are made for the run and go with it; nothing of the machine's own network is
changed. That takes root (CAP_SYS_ADMIN, CAP_NET_ADMIN), /dev/net/tun, `ip` of iproute2 and Chromium.
The exit code is 0 when every expectation is kept, 2 when one is not, 1 when nothing could be measured.")]
pub(crate) struct NetworkArgs {
    /// Scenarios by name; all of the file if none is named.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    scenario: Vec<String>,
    /// Scenarios from this TOML file instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    scenarios: Option<PathBuf>,
    /// Name the scenarios and stop.
    #[arg(long)]
    list: bool,
    /// Print the built-in scenarios as TOML, to begin a file of one's own with, and stop.
    #[arg(long)]
    print_scenarios: bool,
    /// Who is behind the bad link: the publisher (up), the viewer (down).
    #[arg(long, value_enum, default_value = "up")]
    direction: Direction,
    /// Runs of each scenario; run N draws its chance from seed N.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// Seconds that each run is watched under the bad link; longer where a scenario takes longer.
    #[arg(long, default_value_t = 60.0, value_parser = span)]
    seconds: f64,
    /// Leave all to the browser: plain WHIP and WHEP in place of our pages' own code.
    #[arg(long)]
    without_levers: bool,
    /// Two members of a room, in place of a publisher and a viewer.
    #[arg(long, conflicts_with_all = ["without_levers", "simulcast"])]
    room: bool,
    /// Publish layers, if the page can.
    #[arg(long)]
    simulcast: bool,
    /// Size of the picture.
    #[arg(long, default_value = "640x360", value_parser = size)]
    size: (usize, usize),
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    fps: u32,
    /// A Chromium in PATH or by its path.
    #[arg(long, default_value = "chromium", value_name = "PROGRAM")]
    browser: PathBuf,
    /// Start this openmic as the server; this program itself if none is named.
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    /// Write everything that was found to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write it as a page with plots that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Direction {
    Up,
    Down,
}

/// Runs until everything is measured.
pub(super) async fn network(args: NetworkArgs) -> anyhow::Result<()> {
    if args.print_scenarios {
        print!("{BUILT_IN}");
        return Ok(());
    }
    let scenarios = args.choose()?;
    if args.list {
        scenarios.iter().for_each(|scenario| println!("{:16} {}", scenario.name, scenario.about));
        return Ok(());
    }
    let options = args.options(scenarios)?;
    let tell = |scenario: &Scenario, run: &network::report::Run| eprintln!("{}", run.line(&scenario.name));
    let report = tokio::select! {
        report = network::run(&options, tell) => report?,
        // What was started is dropped with the run, and everything of it is gone.
        _ = tokio::signal::ctrl_c() => bail!("interrupted; networks, server and browsers are gone"),
    };
    print!("{}", report.table());
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&report).context("writing the report")?)?;
    }
    args.html.as_ref().map_or(Ok(()), |path| write(path, &html::page(&report)))?;
    if !report.kept() {
        std::process::exit(2);
    }
    Ok(())
}

impl NetworkArgs {
    fn choose(&self) -> anyhow::Result<Vec<Scenario>> {
        let all = match &self.scenarios {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("reading {}", path.display()))?;
                Scenarios::parse(&text).with_context(|| format!("in {}", path.display()))?
            }
            None => Scenarios::parse(BUILT_IN)?,
        };
        Scenarios::choose(all, &self.scenario)
    }

    fn options(&self, scenarios: Vec<Scenario>) -> anyhow::Result<Options> {
        let server = self.server.clone().map_or_else(std::env::current_exe, Ok);
        Ok(Options {
            server: server.context("finding this program")?,
            browser: self.browser.clone(),
            scenarios,
            direction: match self.direction {
                Direction::Up => network::Direction::Up,
                Direction::Down => network::Direction::Down,
            },
            seeds: self.seeds,
            span: Duration::from_secs_f64(self.seconds),
            subject: match (self.room, self.without_levers) {
                (true, _) => Subject::Room,
                (false, true) => Subject::Plain,
                (false, false) => Subject::Ours,
            },
            simulcast: self.simulcast,
            size: self.size,
            fps: self.fps,
            delay_ms: DELAY_MS,
        })
    }
}
