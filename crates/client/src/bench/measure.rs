//! One measurement: a subject, its publishers, its viewers, a window of time, and what both sides used in it.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::load::{Load, Tally};
use super::process::{self, Cores, Usage};
use super::publisher::Publishers;
use super::report::{Cpu, Frames, Run, Setting};
use super::source::Shape;
use super::subject::Subject;
use super::target::{Protocol, Target};
use super::viewer::Role;
use crate::stats::Percentiles;
use crate::url::Url;

/// Viewers must all have the stream this long after the last one connected.
pub(super) const SETTLE_MAX: Duration = Duration::from_secs(20);
/// How long a picture may take to the last viewer before it counts as lost.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Between joining and measuring: what was sent for joining has passed.
const CALM: Duration = Duration::from_secs(1);

/// Viewers that join one by one, and the time between.
const JOINERS: usize = 100;
const JOIN_PAUSE: Duration = Duration::from_millis(47);

/// What is asked of a subject.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// How viewers watch.
    pub protocol: Protocol,
    /// Viewers in all.
    pub viewers: usize,
    /// Streams they are spread over.
    pub streams: usize,
    /// The viewers' merge budget.
    pub merge_ms: u32,
    /// What each publisher sends.
    pub shape: Shape,
    /// The window that is measured.
    pub span: Duration,
    /// WebRTC viewers that decrypt what they get.
    pub decoding: usize,
}

/// Where publishers push, and what viewers watch in turn.
pub(super) struct Scene {
    pub(super) pushes: Vec<Url>,
    pub(super) targets: Vec<Target>,
}

/// A subject with its publishers and its viewers, the first of which already watches.
pub struct Stage<'a> {
    subject: &'a Subject,
    cell: Cell,
    cores: Cores,
    publishers: Option<Publishers>,
    /// The viewers.
    pub load: Load,
    /// The subject before all viewers but one a stream came.
    pub before: Usage,
}

impl<'a> Stage<'a> {
    /// Starts the publishers and one viewer a stream, and waits until pages, buffers and rings that any first viewer
    /// brings about are there, so that they are not counted as a viewer's memory.
    pub fn set(subject: &'a Subject, cell: Cell, cores: Cores) -> anyhow::Result<Self> {
        let mut pushes = Vec::new();
        let mut targets = Vec::new();
        for number in 0..cell.streams {
            pushes.extend(subject.push_url(number)?);
            let url = subject.watch_url(number, cell.protocol, cell.merge_ms)?;
            targets.push(Target::new(&url, cell.shape.fps)?);
        }
        Self::play(subject, cell, cores, Scene { pushes, targets })
    }

    /// The same with publishers and streams of one's own choice.
    pub(super) fn play(
        subject: &'a Subject,
        cell: Cell,
        cores: Cores,
        Scene { pushes, targets }: Scene,
    ) -> anyhow::Result<Self> {
        process::pin(cores.load)?;
        let publishers = match pushes.is_empty() {
            true => None,
            false => Some(Publishers::start(&pushes, cell.shape)?),
        };
        let mut load = Load::new(targets, cell.viewers.div_ceil(cell.decoding.max(1)))?;
        // Both groups that a ring holds have passed once.
        load.run_for(Duration::from_millis(500))?;
        load.open(cell.streams, Role::Watch)?;
        load.settle(SETTLE_MAX).with_context(|| format!("first viewers of {}", subject.name()))?;
        load.run_for(2 * cell.shape.group)?;
        let before = subject.usage()?;
        Ok(Self { subject, cell, cores, publishers, load, before })
    }

    /// Lets the remaining viewers join, and calm return.
    pub fn fill(&mut self) -> anyhow::Result<()> {
        self.load.open(self.cell.viewers.saturating_sub(self.cell.streams), Role::Watch)?;
        self.load.settle(SETTLE_MAX).with_context(|| format!("viewers of {}", self.subject.name()))?;
        self.load.run_for(CALM)
    }

    /// Measures for the cell's time.
    pub fn window(&mut self, scenario: &str) -> anyhow::Result<Run> {
        let own = std::process::id();
        self.load.tally.open();
        let closed_before = self.load.closed.watching;
        let start = Instant::now();
        let (used, busy) = (self.subject.usage()?, process::core_busy(self.cores.server)?);
        let load_used = process::usage(own)?;
        self.load.run_for(self.cell.span)?;
        let (used_after, busy_after) = (self.subject.usage()?, process::core_busy(self.cores.server)?);
        let load_used_after = process::usage(own)?;
        let wall = start.elapsed();
        self.load.tally.close();
        let tally = self.load.tally.clone();
        let missing = self.load.drain(tally.newest.unwrap_or(0), DRAIN_MAX)?;
        let bytes = tally.bytes;
        let cpu = Cpu::new(used_after.cpu.saturating_sub(used.cpu), busy_after.saturating_sub(busy), bytes);
        let frames = self.frames(&tally, missing, self.load.closed.watching - closed_before);
        Ok(Run {
            scenario: scenario.to_owned(),
            subject: self.subject.name().to_owned(),
            setting: self.setting(),
            delivered_gb: bytes as f64 / 1e9,
            cpu,
            frames,
            latency: tally.latency.percentiles(),
            join: None,
            rss_per_viewer_bytes: self.rss_growth(used_after) / self.cell.viewers.max(1) as i64,
            load_busy: load_used_after.cpu.saturating_sub(load_used.cpu).as_secs_f64() / wall.as_secs_f64(),
            note: None,
        })
    }

    /// More viewers come one by one while all others watch; how long each took to its first keyframe.
    pub fn join(&mut self) -> anyhow::Result<Option<Percentiles>> {
        self.load.tally.open();
        for _ in 0..JOINERS {
            self.load.open(1, Role::Watch)?;
            self.load.run_for(JOIN_PAUSE)?;
        }
        self.load.settle(SETTLE_MAX)?;
        Ok(self.load.tally.joins.percentiles())
    }

    /// Ends the publishers; fails if one of them had.
    pub fn strike(self) -> anyhow::Result<()> {
        self.publishers.map_or(Ok(()), Publishers::finish)
    }

    /// Bytes of resident memory since before the viewers.
    pub fn rss_growth(&self, now: Usage) -> i64 {
        now.rss as i64 - self.before.rss as i64
    }

    fn frames(&self, tally: &Tally, missing: u64, closed: u64) -> Frames {
        let expected =
            self.cell.span.as_secs_f64() * f64::from(self.cell.shape.fps) * self.cell.viewers as f64;
        Frames {
            expected: expected as u64,
            got: tally.frames,
            lost: tally.lost + missing,
            viewers_closed: closed,
        }
    }

    fn setting(&self) -> Setting {
        Setting {
            // The floor has one protocol whatever it is compared with.
            protocol: if matches!(self.subject, Subject::Floor(..)) {
                Protocol::Flv
            } else {
                self.cell.protocol
            },
            viewers: self.cell.viewers,
            streams: self.cell.streams,
            merge_ms: self.cell.merge_ms,
            bitrate: self.cell.shape.bitrate,
            seconds: self.cell.span.as_secs_f64(),
        }
    }
}

/// Sets the stage, fills it, measures once and clears it.
pub fn once(subject: &Subject, cell: Cell, cores: Cores, scenario: &str) -> anyhow::Result<Run> {
    let mut stage = Stage::set(subject, cell, cores)?;
    stage.fill()?;
    let run = stage.window(scenario)?;
    stage.strike()?;
    Ok(run)
}
