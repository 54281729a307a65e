//! `openmic bench`: the load generator and its floor.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use client::bench::floor::Floor;
use client::bench::process::end_with_parent;
use client::bench::report::{Run, table};
use client::bench::scenario::{self, Config, Peer};
use client::bench::source::Shape;
use client::bench::subject::Foreign;
use client::bench::target;
use client::url::Url;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Measure what viewers cost, beside the floor and a peer, on two cores of this machine.
    Fanout(Box<FanoutArgs>),
    /// The floor alone: serves its own synthetic stream as HTTP-FLV until it is ended.
    Floor(FloorArgs),
}

/// The synthetic stream.
#[derive(Debug, clap::Args)]
pub(crate) struct ShapeArgs {
    /// Bits a second of picture; `k` and `M` are understood.
    #[arg(long, default_value = "2M", value_parser = bits)]
    bitrate: u32,
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=240))]
    fps: u32,
    /// From keyframe to keyframe, in milliseconds.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    group_ms: u64,
    /// Add a silent AAC track.
    #[arg(long)]
    audio: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FloorArgs {
    #[command(flatten)]
    shape: ShapeArgs,
    /// Merge all frames of this many milliseconds into one send; 0 sends each frame.
    #[arg(long, default_value_t = 0)]
    merge_ms: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FanoutArgs {
    #[command(flatten)]
    shape: ShapeArgs,
    /// Which questions to answer.
    #[arg(long = "scenario", value_enum, value_delimiter = ',', default_value = "fanout")]
    scenarios: Vec<Scenario>,
    /// How viewers watch.
    #[arg(long = "protocol", value_enum, value_delimiter = ',', default_value = "flv")]
    protocols: Vec<Protocol>,
    /// Numbers of viewers.
    #[arg(long, value_delimiter = ',', default_value = "500")]
    viewers: Vec<usize>,
    /// Merge budgets in milliseconds, asked for as `?latency_ms=`.
    #[arg(long, value_delimiter = ',', default_value = "0,100,350")]
    merge_ms: Vec<u32>,
    /// Make each comparison this many times.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Seconds measured for each run.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Viewers that stop reading, in scenario `stalled`.
    #[arg(long, default_value_t = 1_000)]
    stalled: usize,
    /// Connections that do nothing, in scenario `idle`.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Publishers, in scenario `publishers`.
    #[arg(long, default_value_t = 100)]
    publishers: usize,
    /// Viewers of each publisher, in scenario `publishers`.
    #[arg(long, default_value_t = 1)]
    viewers_each: usize,
    /// Bits a second of each publisher, in scenario `publishers`.
    #[arg(long, default_value = "500k", value_parser = bits)]
    publisher_bitrate: u32,
    /// Publishers whom nobody watches, in scenario `publishers-idle`.
    #[arg(long, default_value_t = 200)]
    idle_publishers: usize,
    /// WebRTC viewers that decrypt what they get, by which latency is known; the others count packets and pictures.
    #[arg(long, default_value_t = 8)]
    decoding: usize,
    /// The `openmic` to start as server; this program if not given.
    #[arg(long)]
    server: Option<PathBuf>,
    /// Compare with nginx and its rtmp module too.
    #[arg(long, value_enum)]
    peer: Option<PeerName>,
    /// Compare with the running server that viewers watch at this address (http, ws or rtmp).
    #[arg(long, requires = "pid", conflicts_with = "peer")]
    url: Option<Url>,
    /// Where to push the stream to that server (rtmp), if it has none.
    #[arg(long, requires = "url")]
    push: Option<Url>,
    /// The process of that server; pin it to the first core by `taskset`.
    #[arg(long)]
    pid: Option<u32>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    Fanout,
    Join,
    Stalled,
    Idle,
    IdleTls,
    Publishers,
    PublishersIdle,
    Class,
    /// All of them.
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Flv,
    Ws,
    Rtmp,
    /// WebRTC.
    Whep,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PeerName {
    Nginx,
}

/// Runs until the measurements are done, or for ever as the floor.
pub(crate) fn run(bench: Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Fanout(args) => fanout(*args),
        Bench::Floor(args) => floor(&args),
    }
}

fn floor(args: &FloorArgs) -> anyhow::Result<()> {
    end_with_parent()?;
    let floor = Floor::bind(args.shape.shape(), Duration::from_millis(args.merge_ms.into()))?;
    println!("{{\"http\":\"{}\"}}", floor.address()?);
    floor.run()
}

fn fanout(args: FanoutArgs) -> anyhow::Result<()> {
    let json = args.json;
    let config = args.config()?;
    let runs = scenario::run(&config, |run| eprintln!("{}", line(run)))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&runs).context("writing the report")?);
    } else {
        print!("{}", table(&runs));
    }
    Ok(())
}

fn line(run: &Run) -> String {
    let Run { scenario, subject, setting, cpu, .. } = run;
    let (name, viewers, merge) = (setting.protocol.name(), setting.viewers, setting.merge_ms);
    format!("{scenario}: {subject}, {viewers} viewers by {name}, {merge} ms: {:.2} CPU s/GB", cpu.per_gb)
}

impl FanoutArgs {
    fn config(self) -> anyhow::Result<Config> {
        let peer = match (self.peer, self.url, self.pid) {
            (Some(PeerName::Nginx), _, _) => Some(Peer::Nginx),
            (None, Some(watch), Some(pid)) => Some(Peer::Given(Foreign { watch, push: self.push, pid })),
            (None, None, _) | (None, Some(_), None) => None,
        };
        Ok(Config {
            scenarios: Scenario::expand(&self.scenarios),
            protocols: self.protocols.into_iter().map(Protocol::target).collect(),
            viewers: self.viewers,
            merge_ms: self.merge_ms,
            rounds: self.rounds,
            span: Duration::from_secs(self.seconds),
            shape: self.shape.shape(),
            stalled: self.stalled,
            idle: self.idle,
            publishers: (self.publishers, self.viewers_each, self.publisher_bitrate),
            idle_publishers: self.idle_publishers,
            binary: self.server,
            peer,
            decoding: self.decoding,
        })
    }
}

impl ShapeArgs {
    fn shape(&self) -> Shape {
        let group = Duration::from_millis(self.group_ms);
        Shape { bitrate: self.bitrate, fps: self.fps, group, audio: self.audio }
    }
}

impl Scenario {
    fn expand(asked: &[Self]) -> Vec<scenario::Scenario> {
        use scenario::Scenario as To;
        let all = [
            To::Fanout,
            To::Join,
            To::Stalled,
            To::Idle,
            To::IdleTls,
            To::Publishers,
            To::PublishersIdle,
            To::Class,
        ];
        let of = |scenario: &Self| match scenario {
            Self::Fanout => vec![To::Fanout],
            Self::Join => vec![To::Join],
            Self::Stalled => vec![To::Stalled],
            Self::Idle => vec![To::Idle],
            Self::IdleTls => vec![To::IdleTls],
            Self::Publishers => vec![To::Publishers],
            Self::PublishersIdle => vec![To::PublishersIdle],
            Self::Class => vec![To::Class],
            Self::All => all.to_vec(),
        };
        asked.iter().flat_map(of).collect()
    }
}

impl Protocol {
    fn target(self) -> target::Protocol {
        match self {
            Self::Flv => target::Protocol::Flv,
            Self::Ws => target::Protocol::Ws,
            Self::Rtmp => target::Protocol::Rtmp,
            Self::Whep => target::Protocol::Whep,
        }
    }
}

pub(crate) fn bits(text: &str) -> Result<u32, String> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => text.strip_suffix('M').map_or((text, 1), |digits| (digits, 1_000_000)),
    };
    let number: u32 = digits.parse().map_err(|_| format!("{text:?} is no bit rate such as 500k or 2M"))?;
    number.checked_mul(factor).filter(|bits| *bits > 0).ok_or_else(|| format!("{text:?} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_rate_has_a_suffix_or_none() {
        assert_eq!((bits("500k"), bits("2M"), bits("9600")), (Ok(500_000), Ok(2_000_000), Ok(9_600)));
        assert!(bits("fast").is_err() && bits("9999M").is_err() && bits("0").is_err());
    }

    #[test]
    fn all_scenarios_are_all_but_all_itself() {
        assert_eq!(Scenario::expand(&[Scenario::All]).len(), Scenario::value_variants().len() - 1);
        assert_eq!(Scenario::expand(&[Scenario::Join]), [scenario::Scenario::Join]);
    }
}
