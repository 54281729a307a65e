//! The questions a bench answers, each by comparing runs made one right after the other.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::measure::{Cell, SETTLE_MAX, Stage, once};
use super::nginx::Nginx;
use super::process::{Cores, raise_open_files};
use super::report::Run;
use super::source::Shape;
use super::subject::{Foreign, Subject};
use super::target::Protocol;
use super::viewer::Role;
use super::{class, idle, idle_tls};
use crate::stats::Percentiles;

/// Groups are long when joining is measured, so that a server that waits for the next keyframe shows.
const JOIN_GROUP: Duration = Duration::from_secs(5);
/// How long idle connections are kept: shorter than the time after which servers close them.
const IDLE_SPAN: Duration = Duration::from_secs(5);

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// What a viewer costs: the floor, our server by each protocol, and a peer.
    Fanout,
    /// How fast a viewer has its first keyframe while others watch.
    Join,
    /// What viewers that stop reading do to the others.
    Stalled,
    /// What connections that do nothing cost.
    Idle,
    /// What TLS connections that do nothing cost.
    IdleTls,
    /// Many publishers with a viewer each.
    Publishers,
    /// What publishers cost whom nobody watches.
    PublishersIdle,
    /// What the audience of a room costs: one teacher, and viewers by HTTP-FLV and WebRTC.
    Class,
}

/// What is compared with, besides the floor.
#[derive(Clone, Debug)]
pub enum Peer {
    /// nginx with its rtmp module, started by the bench.
    Nginx,
    /// A server that is already running.
    Given(Foreign),
}

/// What to run and with what.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which questions.
    pub scenarios: Vec<Scenario>,
    /// How viewers watch.
    pub protocols: Vec<Protocol>,
    /// Numbers of viewers.
    pub viewers: Vec<usize>,
    /// Merge budgets in milliseconds.
    pub merge_ms: Vec<u32>,
    /// How often each comparison is made.
    pub rounds: usize,
    /// Time measured for each run.
    pub span: Duration,
    /// The stream of all scenarios but publishers, whose bit rate is its own.
    pub shape: Shape,
    /// Viewers that stop reading.
    pub stalled: usize,
    /// Connections that do nothing.
    pub idle: usize,
    /// Publishers, the viewers of each, and each one's bits a second.
    pub publishers: (usize, usize, u32),
    /// Publishers whom nobody watches.
    pub idle_publishers: usize,
    /// The `openmic` to start as server; this program if none is given.
    pub binary: Option<PathBuf>,
    /// What is compared with, besides the floor.
    pub peer: Option<Peer>,
    /// WebRTC viewers that decrypt what they get, by which latency is known.
    pub decoding: usize,
}

/// Runs every scenario; `progress` is told each run as it is done.
pub fn run(config: &Config, mut progress: impl FnMut(&Run)) -> anyhow::Result<Vec<Run>> {
    let bench = Bench { config, cores: Cores::choose()?, files_max: raise_open_files()? };
    let mut runs = Vec::new();
    for _ in 0..config.rounds.max(1) {
        for scenario in &config.scenarios {
            let mut done = |run: Run| {
                progress(&run);
                runs.push(run);
            };
            match scenario {
                Scenario::Fanout => bench.fanout(&mut done).context("fanout")?,
                Scenario::Join => bench.join(&mut done).context("join")?,
                Scenario::Stalled => bench.stalled(&mut done).context("stalled")?,
                Scenario::Idle => bench.idle(&mut done).context("idle")?,
                Scenario::IdleTls => done(idle_tls::run(&bench).context("idle-tls")?),
                Scenario::Publishers => bench.publishers(&mut done).context("publishers")?,
                Scenario::PublishersIdle => done(idle::publishers(&bench).context("publishers-idle")?),
                Scenario::Class => done(class::run(&bench).context("class")?),
            }
        }
    }
    Ok(runs)
}

pub(super) struct Bench<'a> {
    pub(super) config: &'a Config,
    pub(super) cores: Cores,
    files_max: u64,
}

impl Bench<'_> {
    fn fanout(&self, done: &mut impl FnMut(Run)) -> anyhow::Result<()> {
        for &viewers in &self.config.viewers {
            for &merge_ms in &self.config.merge_ms {
                let cell = Cell { viewers, merge_ms, ..self.cell() };
                let floor = Subject::floor(cell.shape, merge_ms, self.cores)?;
                let floor = self.once(&floor, Cell { protocol: Protocol::Flv, ..cell }, "fanout")?;
                done(floor.clone());
                for &protocol in &self.config.protocols {
                    // WebRTC merges nothing: it is measured with the first budget only.
                    if protocol == Protocol::Whep && Some(&merge_ms) != self.config.merge_ms.first() {
                        continue;
                    }
                    let subject = self.openmic()?;
                    done(self.compared(&subject, Cell { protocol, ..cell }, &floor)?);
                }
                if let Some(peer) = &self.config.peer {
                    let (subject, protocol) = self.peer(peer)?;
                    done(self.compared(&subject, Cell { protocol, ..cell }, &floor)?);
                }
            }
        }
        Ok(())
    }

    /// Viewers of a stream with long groups come one by one while all others watch.
    fn join(&self, done: &mut impl FnMut(Run)) -> anyhow::Result<()> {
        let shape = Shape { group: JOIN_GROUP, ..self.config.shape };
        for &protocol in &self.config.protocols {
            let cell = Cell { protocol, shape, ..self.cell() };
            let subject = self.openmic()?;
            let mut stage = Stage::set(&subject, cell, self.cores)?;
            stage.fill()?;
            let mut run = stage.window("join")?;
            run.join = stage.join()?;
            stage.strike()?;
            done(run);
        }
        Ok(())
    }

    /// Two windows: before and after viewers that stop reading have come.
    fn stalled(&self, done: &mut impl FnMut(Run)) -> anyhow::Result<()> {
        for &protocol in &self.config.protocols {
            let cell = Cell { protocol, ..self.cell() };
            self.check_files(cell.viewers + self.config.stalled)?;
            let subject = self.openmic()?;
            let mut stage = Stage::set(&subject, cell, self.cores)?;
            stage.fill()?;
            let before = stage.window("stalled: before")?;
            let held = subject.usage()?;
            stage.load.open(self.config.stalled, Role::Stall)?;
            stage.load.settle(SETTLE_MAX)?;
            let mut after = stage.window("stalled: after")?;
            let grown = subject.usage()?.rss as i64 - held.rss as i64;
            after.cpu.compare(&before.cpu);
            let p99 = |latency: &Option<Percentiles>| latency.map_or(0.0, |latency| latency.p99_ms);
            after.note = Some(format!(
                "{} viewers stopped reading: p99 of the others {:+.2} ms, memory {:+.1} MB, {} of the stalled closed",
                self.config.stalled,
                p99(&after.latency) - p99(&before.latency),
                grown as f64 / 1e6,
                stage.load.closed.stalled,
            ));
            stage.strike()?;
            done(before);
            done(after);
        }
        Ok(())
    }

    /// Connections that have asked one small thing and then stay.
    fn idle(&self, done: &mut impl FnMut(Run)) -> anyhow::Result<()> {
        self.check_files(self.config.idle)?;
        let cell = Cell { protocol: Protocol::Flv, viewers: 1, span: IDLE_SPAN, ..self.cell() };
        let subject = self.openmic()?;
        let mut stage = Stage::set(&subject, cell, self.cores)?;
        let before = subject.usage()?;
        stage.load.open(self.config.idle, Role::Idle)?;
        stage.load.settle(SETTLE_MAX)?;
        let held = subject.usage()?;
        let mut run = stage.window("idle")?;
        let open = self.config.idle - stage.load.closed.idle as usize;
        run.setting.viewers = self.config.idle;
        run.rss_per_viewer_bytes = (held.rss as i64 - before.rss as i64) / self.config.idle.max(1) as i64;
        run.note = Some(format!("{open} of {} idle connections still open at the end", self.config.idle));
        stage.strike()?;
        done(run);
        Ok(())
    }

    fn publishers(&self, done: &mut impl FnMut(Run)) -> anyhow::Result<()> {
        let (streams, each, bitrate) = self.config.publishers;
        let shape = Shape { bitrate, ..self.config.shape };
        let cell = Cell { protocol: Protocol::Rtmp, streams, viewers: streams * each, shape, ..self.cell() };
        let nginx = match &self.config.peer {
            Some(Peer::Nginx) => {
                Some(self.once(&Subject::Nginx(Nginx::start(self.cores)?), cell, "publishers")?)
            }
            Some(Peer::Given(_)) | None => None,
        };
        nginx.iter().cloned().for_each(&mut *done);
        let mut ours = self.once(&self.openmic()?, cell, "publishers")?;
        if let Some(nginx) = nginx {
            ours.cpu.compare(&nginx.cpu);
            ours.note = Some("ratios are to nginx-rtmp".to_owned());
        }
        done(ours);
        Ok(())
    }

    fn compared(&self, subject: &Subject, cell: Cell, floor: &Run) -> anyhow::Result<Run> {
        let mut run = self.once(subject, cell, &floor.scenario)?;
        run.cpu.compare(&floor.cpu);
        Ok(run)
    }

    fn once(&self, subject: &Subject, cell: Cell, scenario: &str) -> anyhow::Result<Run> {
        self.check_files(cell.viewers)?;
        once(subject, cell, self.cores, scenario)
    }

    pub(super) fn openmic(&self) -> anyhow::Result<Subject> {
        Subject::openmic(self.config.binary.as_ref(), self.cores)
    }

    fn peer(&self, peer: &Peer) -> anyhow::Result<(Subject, Protocol)> {
        Ok(match peer {
            Peer::Nginx => (Subject::Nginx(Nginx::start(self.cores)?), Protocol::Rtmp),
            Peer::Given(given) => {
                let protocol = super::target::Target::new(&given.watch, self.config.shape.fps)?.protocol;
                (Subject::Foreign(given.clone()), protocol)
            }
        })
    }

    /// The first of the configured numbers, watched over the first protocol.
    pub(super) fn cell(&self) -> Cell {
        Cell {
            protocol: self.config.protocols.first().copied().unwrap_or(Protocol::Flv),
            viewers: self.config.viewers.first().copied().unwrap_or(500),
            streams: 1,
            merge_ms: self.config.merge_ms.first().copied().unwrap_or(0),
            shape: self.config.shape,
            span: self.config.span,
            decoding: self.config.decoding,
        }
    }

    pub(super) fn check_files(&self, connections: usize) -> anyhow::Result<()> {
        let wanted = connections as u64 + 200;
        ensure!(
            wanted <= self.files_max,
            "{connections} connections need {wanted} open files, {} are allowed; remedy: a higher `ulimit -Hn`",
            self.files_max
        );
        Ok(())
    }
}
