//! What was found, over all seeds: for programs, as a table, and judged by what was expected.

use std::fmt::Write;

use serde::Serialize;

use super::figures::{Figures, Timeline, quantile};
use super::probe::Proof;
use super::run::Measured;
use super::scenario::{Expect, Scenario};
use super::{Direction, Options, Subject};

/// No single run may be worse than its bound by more than this.
const WORST: f64 = 1.5;

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of this program.
    pub version: &'static str,
    /// How it was measured.
    pub settings: Settings,
    /// Scenario by scenario.
    pub outcomes: Vec<Outcome>,
}

/// How it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// Of the media over the bad link.
    pub direction: Direction,
    /// Who publishes and watches.
    pub subject: Subject,
    /// With layers, if the page can.
    pub simulcast: bool,
    /// Runs of each scenario.
    pub seeds: u64,
    /// How long each was watched.
    pub seconds: f64,
    /// Pixels of a row and rows.
    pub size: (usize, usize),
    /// Pictures a second.
    pub fps: u32,
    /// How busy the machine was before, by its own load average of a minute.
    pub load: f64,
}

/// One scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What was tried.
    pub scenario: Scenario,
    /// Seed by seed.
    pub runs: Vec<Run>,
    /// What became of each expectation.
    pub verdicts: Vec<Verdict>,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Of chance.
    pub seed: u64,
    /// That the link was what was asked for.
    pub proofs: Vec<Proof>,
    /// What was found, or `None` if the run failed.
    pub figures: Option<Figures>,
    /// Over time.
    pub timeline: Timeline,
    /// Why there are no figures.
    pub error: Option<String>,
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What was looked at.
    pub what: String,
    /// What was expected, at least or at most.
    pub bound: f64,
    /// Whether less is better.
    pub at_most: bool,
    /// The median of all runs; `None` where some run has no value.
    pub median: Option<f64>,
    /// The worst of them.
    pub worst: Option<f64>,
    /// The median keeps the bound and no run is worse than it by half.
    pub kept: bool,
}

/// Something that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// What it is called in tables.
    pub name: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// Whether less is better.
    pub at_most: bool,
    of: fn(&Figures) -> Option<f64>,
    bound: fn(&Expect) -> Option<f64>,
}

const fn metric(
    (name, digits, at_most): (&'static str, usize, bool),
    of: fn(&Figures) -> Option<f64>,
    bound: fn(&Expect) -> Option<f64>,
) -> Metric {
    Metric { name, digits, at_most, of, bound }
}

/// In the order of the table.
pub const METRICS: [Metric; 11] = [
    metric(("fps", 1, false), |found| Some(found.picture.fps), |expect| expect.fps_min),
    metric(("longest gap ms", 0, true), |found| Some(found.picture.gap_ms), |expect| expect.gap_ms_max),
    metric(
        ("gaps > 500 ms a min", 1, true),
        |found| Some(found.picture.long_gaps),
        |expect| expect.long_gaps_max,
    ),
    metric(("kbit/s", 0, false), |found| found.network.kbps, |expect| expect.kbps_min),
    metric(("concealed %", 2, true), |found| found.sound.concealed, |expect| expect.concealed_max),
    metric(("STOI", 3, false), |found| found.sound.stoi, |expect| expect.stoi_min),
    metric(("delay p50 ms", 0, true), |found| found.picture.delay_p50_ms, |_| None),
    metric(("delay p95 ms", 0, true), |found| found.picture.delay_p95_ms, |_| None),
    metric(
        ("queue p95 ms", 0, true),
        |found| Some(found.network.queue_p95_ms),
        |expect| expect.queue_p95_ms_max,
    ),
    metric(("offered kbit/s", 0, true), |found| Some(found.network.offered_kbps), |_| None),
    metric(
        ("connections made anew", 0, true),
        |found| Some(f64::from(found.session.again)),
        |expect| expect.same_session.then_some(0.0),
    ),
];

impl Metric {
    /// Middle and worst over runs; `None` where one has no value.
    pub fn over(&self, runs: &[Run]) -> Option<(f64, f64)> {
        let values: Option<Vec<f64>> =
            runs.iter().filter_map(|run| run.figures.as_ref()).map(self.of).collect();
        middle_and_worst(values?, self.at_most)
    }
}

fn middle_and_worst(mut values: Vec<f64>, at_most: bool) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let worst = if at_most { values.last() } else { values.first() };
    Some((quantile(&values, 0.5)?, *worst?))
}

impl Run {
    pub(super) fn of(seed: u64, proofs: Vec<Proof>, measured: anyhow::Result<Measured>) -> Self {
        match measured {
            Ok(Measured { figures, timeline }) => {
                Self { seed, proofs, figures: Some(figures), timeline, error: None }
            }
            Err(why) => {
                let error = Some(format!("{why:#}"));
                Self { seed, proofs, figures: None, timeline: Timeline::default(), error }
            }
        }
    }

    /// One line for whoever waits.
    pub fn line(&self, scenario: &str) -> String {
        let mut line = format!("{scenario}, seed {}:", self.seed);
        let Some(figures) = &self.figures else {
            return format!("{line} {}", self.error.as_deref().unwrap_or("nothing was measured"));
        };
        for metric in &METRICS[..6] {
            if let Some(value) = (metric.of)(figures) {
                let _ = write!(line, " {} {value:.*},", metric.name, metric.digits);
            }
        }
        let _ = write!(line, " by {}", figures.session.used.as_deref().unwrap_or("nothing"));
        for ms in &figures.session.recovery_ms {
            let _ = match ms {
                Some(ms) => write!(line, ", recovered in {ms:.0} ms"),
                None => write!(line, ", never recovered"),
            };
        }
        line
    }
}

impl Outcome {
    pub(super) fn of(scenario: Scenario, runs: Vec<Run>) -> Self {
        let mut verdicts = Vec::new();
        let failed = runs.iter().filter(|run| run.figures.is_none()).count();
        if failed > 0 {
            let (failed, what) = (failed as f64, "runs that failed".to_owned());
            let (median, worst) = (Some(failed), Some(failed));
            verdicts.push(Verdict { what, bound: 0.0, at_most: true, median, worst, kept: false });
        }
        for metric in &METRICS {
            if let Some(bound) = (metric.bound)(&scenario.expect) {
                verdicts.push(verdict(metric.name.to_owned(), (bound, metric.at_most), metric.over(&runs)));
            }
        }
        verdicts.extend(connecting(&scenario.expect, &runs));
        verdicts.extend(recovering(&scenario, &runs));
        Self { scenario, runs, verdicts }
    }

    /// Whether all that was expected is so.
    pub fn kept(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.kept)
    }
}

fn verdict(what: String, (bound, at_most): (f64, bool), found: Option<(f64, f64)>) -> Verdict {
    let within = |value: f64, bound: f64| if at_most { value <= bound } else { value >= bound };
    let slack = if at_most { bound * WORST } else { bound / WORST };
    let kept = found.is_some_and(|(median, worst)| within(median, bound) && within(worst, slack));
    let (median, worst) = found.unzip();
    Verdict { what, bound, at_most, median, worst, kept }
}

/// 95 % of all connections of all runs.
fn connecting(expect: &Expect, runs: &[Run]) -> Option<Verdict> {
    let bound = expect.connect_ms_max?;
    let figures = runs.iter().filter_map(|run| run.figures.as_ref());
    let mut took: Vec<f64> = figures.flat_map(|figures| figures.session.connect_ms.iter().copied()).collect();
    took.sort_by(f64::total_cmp);
    let (median, p95) = (quantile(&took, 0.5), quantile(&took, 0.95));
    let kept = p95.is_some_and(|p95| p95 <= bound);
    Some(Verdict { what: "connect p95 ms".to_owned(), bound, at_most: true, median, worst: p95, kept })
}

fn recovering(scenario: &Scenario, runs: &[Run]) -> Vec<Verdict> {
    let bounds = scenario.steps.iter().filter_map(|step| Some((step.at_s, step.recovery_ms_max?)));
    let judged = |(number, (at_s, bound)): (usize, (f64, f64))| {
        let figures = runs.iter().filter_map(|run| run.figures.as_ref());
        let took: Option<Vec<f64>> =
            figures.map(|figures| figures.session.recovery_ms.get(number).copied().flatten()).collect();
        let found = took.and_then(|took| middle_and_worst(took, true));
        verdict(format!("recovery after {at_s} s, ms"), (bound, true), found)
    };
    bounds.enumerate().map(judged).collect()
}

impl Settings {
    pub(super) fn of(options: &Options) -> Self {
        Self {
            direction: options.direction,
            subject: options.subject,
            simulcast: options.simulcast,
            seeds: options.seeds,
            seconds: options.span.as_secs_f64(),
            size: options.size,
            fps: options.fps,
            load: load(),
        }
    }

    /// In a line.
    pub fn line(&self) -> String {
        let Self { direction, subject, simulcast, seeds, seconds, size, fps, load } = self;
        let layers = if *simulcast { " with layers" } else { "" };
        format!(
            "{}-link, {}{layers}, {}×{} at {fps} pictures/s; {seeds} seeds of {seconds:.0} s; load {load:.1} before",
            direction.name(),
            subject.name(),
            size.0,
            size.1,
        )
    }
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

impl Report {
    /// Whether all that was expected is so.
    pub fn kept(&self) -> bool {
        self.outcomes.iter().all(Outcome::kept)
    }

    /// As a table in Markdown: the median over seeds, and the worst where it differs.
    pub fn table(&self) -> String {
        let mut out = format!("openmic {}; {}\n\n| scenario |", self.version, self.settings.line());
        for metric in &METRICS[..10] {
            let _ = write!(out, " {} |", metric.name);
        }
        out.push_str(" connect p50, p95 ms | recovery ms | expected |\n|---|");
        out.push_str(&"---|".repeat(13));
        out.push('\n');
        for outcome in &self.outcomes {
            let _ = write!(out, "| {} |", outcome.scenario.about);
            for metric in &METRICS[..10] {
                let _ = write!(out, " {} |", cell(metric, &outcome.runs));
            }
            let _ = writeln!(
                out,
                " {} | {} | {} |",
                connects(&outcome.runs),
                recoveries(&outcome.runs),
                said(outcome)
            );
        }
        for (name, run, why) in self.outcomes.iter().flat_map(|outcome| {
            let name = &outcome.scenario.name;
            outcome.runs.iter().filter_map(move |run| Some((name, run, run.error.as_ref()?)))
        }) {
            let _ = writeln!(out, "\n{name}, seed {}: {why}", run.seed);
        }
        out
    }
}

/// Median, and the worst beside it.
pub(super) fn cell(metric: &Metric, runs: &[Run]) -> String {
    let digits = metric.digits;
    match metric.over(runs) {
        None => "–".to_owned(),
        Some((median, worst)) if runs.len() < 2 || median == worst => format!("{median:.digits$}"),
        Some((median, worst)) => format!("{median:.digits$} ({worst:.digits$})"),
    }
}

pub(super) fn connects(runs: &[Run]) -> String {
    let figures = runs.iter().filter_map(|run| run.figures.as_ref());
    let mut took: Vec<f64> = figures.flat_map(|figures| figures.session.connect_ms.iter().copied()).collect();
    took.sort_by(f64::total_cmp);
    match (quantile(&took, 0.5), quantile(&took, 0.95)) {
        (Some(p50), Some(p95)) => format!("{p50:.0}, {p95:.0}"),
        (Some(_) | None, _) => "–".to_owned(),
    }
}

pub(super) fn recoveries(runs: &[Run]) -> String {
    let figures: Vec<&Figures> = runs.iter().filter_map(|run| run.figures.as_ref()).collect();
    let steps = figures.iter().map(|figures| figures.session.recovery_ms.len()).max().unwrap_or(0);
    let each = |step: usize| {
        let took: Option<Vec<f64>> =
            figures.iter().map(|figures| figures.session.recovery_ms.get(step).copied().flatten()).collect();
        let found = took.and_then(|took| middle_and_worst(took, true));
        found.map_or_else(|| "never".to_owned(), |(median, _)| format!("{median:.0}"))
    };
    (0..steps).map(each).collect::<Vec<_>>().join(", ")
}

/// What was expected and is not so.
pub(super) fn said(outcome: &Outcome) -> String {
    if outcome.verdicts.is_empty() {
        return "–".to_owned();
    }
    let broken = outcome.verdicts.iter().filter(|verdict| !verdict.kept);
    let broken: Vec<String> = broken
        .map(|verdict| {
            format!("{} {} {}", verdict.what, if verdict.at_most { "≤" } else { "≥" }, verdict.bound)
        })
        .collect();
    if broken.is_empty() { "yes".to_owned() } else { format!("no: {}", broken.join("; ")) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::figures::{Network, Picture, Session, Sound};
    use super::super::scenario::{BUILT_IN, Scenarios};
    use super::*;

    fn run(seed: u64, (fps, gap_ms): (f64, f64)) -> Run {
        let figures = Figures {
            picture: Picture { fps, gap_ms, ..Picture::default() },
            sound: Sound { concealed: Some(1.25), stoi: None },
            network: Network { kbps: Some(1_300.0), offered_kbps: 1_500.0, queue_p95_ms: 0.0 },
            session: Session {
                connect_ms: vec![100.0 * seed as f64],
                recovery_ms: vec![Some(900.0)],
                again: 0,
                used: Some("whep".to_owned()),
            },
        };
        let timeline = Timeline { gaps: vec![(0.0, 33.0), (1.0, gap_ms)], ..Timeline::default() };
        Run::of(seed, Vec::new(), Ok(Measured { figures, timeline }))
    }

    fn named(name: &str) -> Scenario {
        Scenarios::choose(Scenarios::parse(BUILT_IN).unwrap(), &[name.to_owned()]).unwrap().remove(0)
    }

    /// Three runs of 10 % loss, one of an outage that failed.
    pub(in super::super) fn sample() -> Report {
        let runs = vec![run(1, (30.0, 250.0)), run(2, (29.8, 280.0)), run(3, (28.0, 290.0))];
        let failed = Run::of(1, Vec::new(), Err(anyhow::anyhow!("<no> link")));
        let settings = Settings {
            direction: Direction::Up,
            subject: Subject::Ours,
            simulcast: false,
            seeds: 3,
            seconds: 60.0,
            size: (640, 360),
            fps: 30,
            load: 0.1,
        };
        let outcomes =
            vec![Outcome::of(named("loss-10"), runs), Outcome::of(named("outage-5"), vec![failed])];
        Report { version: "1", settings, outcomes }
    }

    #[test]
    fn a_bound_is_kept_by_the_median_and_broken_by_a_run_that_is_far_worse() {
        let kept = |runs: [(f64, f64); 3]| {
            let runs = runs.into_iter().zip(1..).map(|(found, seed)| run(seed, found)).collect();
            Outcome::of(named("loss-10"), runs)
        };
        assert!(kept([(30.0, 250.0), (29.8, 280.0), (25.0, 440.0)]).kept());
        let far = kept([(30.0, 250.0), (29.8, 280.0), (30.0, 460.0)]);
        let broken: Vec<_> = far.verdicts.iter().filter(|verdict| !verdict.kept).collect();
        assert_eq!(
            (broken.len(), broken[0].what.as_str(), broken[0].worst),
            (1, "longest gap ms", Some(460.0))
        );
        assert!(!kept([(29.0, 250.0), (29.1, 280.0), (30.0, 250.0)]).kept());
    }

    #[test]
    fn a_run_that_failed_and_one_that_never_recovered_break_what_was_expected() {
        let report = sample();
        assert!(report.outcomes[0].kept() && !report.outcomes[1].kept() && !report.kept());
        assert!(report.outcomes[1].verdicts[0].what.contains("failed"));
        let mut lost = run(1, (30.0, 5_000.0));
        lost.figures.as_mut().unwrap().session.recovery_ms = vec![None];
        let outcome = Outcome::of(named("outage-5"), vec![lost]);
        let verdict = outcome.verdicts.iter().find(|verdict| verdict.what.starts_with("recovery")).unwrap();
        assert!(!verdict.kept && verdict.median.is_none());
        assert_eq!(recoveries(&outcome.runs), "never");
    }

    #[test]
    fn connections_are_judged_by_the_95_of_100_of_all_runs() {
        let runs: Vec<Run> = (1..=20).map(|seed| run(seed, (30.0, 100.0))).collect();
        let verdict = connecting(&named("connect-50").expect, &runs).unwrap();
        assert_eq!((verdict.median, verdict.worst, verdict.kept), (Some(1_000.0), Some(1_900.0), true));
        assert!(!connecting(&named("connect-30").expect, &runs).unwrap().kept);
        assert_eq!(connects(&runs), "1000, 1900");
    }

    #[test]
    fn the_table_tells_median_worst_and_what_is_broken() {
        let table = sample().table();
        assert!(table.contains("| 10 % loss | 29.8 (28.0) | 280 (290) | 0.0 | 1300 | 1.25 | – |"), "{table}");
        assert!(table.contains("no: runs that failed ≤ 0"), "{table}");
        assert!(table.contains("\noutage-5, seed 1: <no> link\n"), "{table}");
        let rows: Vec<_> = table.lines().filter(|line| line.starts_with('|')).collect();
        let columns: Vec<_> = rows.iter().map(|row| row.matches('|').count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{columns:?}");
        assert!(run(1, (30.0, 50.0)).line("none").starts_with("none, seed 1: fps 30.0, longest gap ms 50,"));
    }
}
