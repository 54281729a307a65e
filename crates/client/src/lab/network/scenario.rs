//! What is tried: bad links by name, as TOML, each with what is expected of it.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::bed::Direction;
use crate::link::Impairment;

/// The scenarios of docs/benchmarks.md.
pub const BUILT_IN: &str = include_str!("scenarios.toml");
/// Of one run.
const STEPS_MAX: usize = 32;
/// After the last step something must be left to see.
const REST_S: f64 = 5.0;

/// A file of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenarios {
    /// On the way for this long in each direction, whatever a scenario says beside it.
    #[serde(default)]
    pub delay_ms: u32,
    /// In the order in which they are run.
    pub scenario: Vec<Scenario>,
}

/// One bad link.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is asked for by.
    pub name: String,
    /// In a few words.
    pub about: String,
    /// What packets meet in the direction of the media.
    #[serde(default)]
    pub link: Impairment,
    /// The other direction is as bad; it has only the delay otherwise.
    #[serde(default)]
    pub both: bool,
    /// Of the media, for a scenario that makes sense for one only.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// When the link becomes bad.
    #[serde(default)]
    pub from: From,
    /// Seconds after that which are not measured: what is expected is expected from here on.
    #[serde(default)]
    pub settle_s: f64,
    /// What changes on the way.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What is expected.
    #[serde(default)]
    pub expect: Expect,
}

/// When the link becomes bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// Once a picture has been seen.
    #[default]
    Connected,
    /// Before anything connects; how fast that goes is what is measured, so it is done several times.
    Start,
}

/// A change on the way.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Seconds since the link became bad.
    pub at_s: f64,
    /// Packets meet this from now on.
    #[serde(default)]
    pub link: Option<Impairment>,
    /// The far end gets another address.
    #[serde(default)]
    pub address_change: bool,
    /// Until all is well again, at most.
    #[serde(default)]
    pub recovery_ms_max: Option<f64>,
}

/// Bounds; what is not given is not judged.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Pictures shown a second.
    pub fps_min: Option<f64>,
    /// The longest time without a new picture.
    pub gap_ms_max: Option<f64>,
    /// Gaps above 500 ms a minute.
    pub long_gaps_max: Option<f64>,
    /// Of pictures received.
    pub kbps_min: Option<f64>,
    /// Of the sound, made up by the receiver, in percent.
    pub concealed_max: Option<f64>,
    /// See [`super::super::stoi`].
    pub stoi_min: Option<f64>,
    /// From asking until the connection is there, and when watching until the first picture.
    pub connect_ms_max: Option<f64>,
    /// 95 % of the packets wait at most so long before the bottleneck.
    pub queue_p95_ms_max: Option<f64>,
    /// The connection is the one that was made at the beginning.
    pub same_session: bool,
}

impl Scenarios {
    /// Reads a file of them.
    ///
    /// # Errors
    /// What is wrong with it, and in which scenario.
    pub fn parse(text: &str) -> anyhow::Result<Vec<Scenario>> {
        let mut file: Self = toml::from_str(text).context("the scenarios")?;
        for scenario in &mut file.scenario {
            scenario.delay(file.delay_ms);
            scenario.check().with_context(|| format!("the scenario {:?}", scenario.name))?;
        }
        Ok(file.scenario)
    }

    /// Those that are asked for by name, in the order of the file; all of them if none is.
    ///
    /// # Errors
    /// A name that none has.
    pub fn choose(all: Vec<Scenario>, names: &[String]) -> anyhow::Result<Vec<Scenario>> {
        if let Some(name) = names.iter().find(|name| all.iter().all(|each| each.name != **name)) {
            let known: Vec<&str> = all.iter().map(|each| each.name.as_str()).collect();
            bail!("no scenario is called {name:?}; there are {}", known.join(", "));
        }
        Ok(all.into_iter().filter(|each| names.is_empty() || names.contains(&each.name)).collect())
    }
}

impl Scenario {
    fn delay(&mut self, delay_ms: u32) {
        let steps = self.steps.iter_mut().filter_map(|step| step.link.as_mut());
        for link in std::iter::once(&mut self.link).chain(steps) {
            link.delay_ms = link.delay_ms.max(delay_ms);
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        self.link.check()?;
        if self.steps.len() > STEPS_MAX {
            bail!("has more than {STEPS_MAX} steps");
        }
        if !self.steps.iter().map(|step| step.at_s).is_sorted_by(|a, b| a < b) {
            bail!("its steps must follow each other in time");
        }
        for step in &self.steps {
            step.link.as_ref().map_or(Ok(()), Impairment::check)?;
            if step.link.is_none() && !step.address_change {
                bail!("the step at {} s changes nothing", step.at_s);
            }
            if !(0.0..=3_600.0).contains(&step.at_s) {
                bail!("the step at {} s is not within an hour", step.at_s);
            }
        }
        if self.from == From::Start && !self.steps.is_empty() {
            bail!("connecting under a link that changes is not measured: it has steps and from = \"start\"");
        }
        Ok(())
    }

    /// What packets meet that go the other way.
    pub(super) fn way_back(&self, link: &Impairment, delay_ms: u32) -> Impairment {
        if self.both { link.clone() } else { Impairment { delay_ms, ..Impairment::default() } }
    }

    /// Whether it is for media in this direction.
    pub fn is_for(&self, direction: Direction) -> bool {
        self.direction.is_none_or(|only| only == direction)
    }

    /// How long a run must be, to see the end of it.
    pub(super) fn span(&self, asked: Duration) -> Duration {
        let last = self.steps.last().map_or(self.settle_s, |step| step.at_s.max(self.settle_s));
        asked.max(Duration::from_secs_f64(last + REST_S))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_ones_are_sound_and_each_promises_something() {
        let all = Scenarios::parse(BUILT_IN).unwrap();
        assert!(all.len() >= 14, "{}", all.len());
        for scenario in &all {
            let promises = scenario.expect != Expect::default()
                || scenario.steps.iter().any(|step| step.recovery_ms_max.is_some())
                || scenario.name == "none";
            assert!(promises, "{}", scenario.name);
            assert_eq!(all.iter().filter(|each| each.name == scenario.name).count(), 1, "{}", scenario.name);
            assert!(scenario.link.delay_ms >= 50, "{}", scenario.name);
        }
    }

    #[test]
    fn scenarios_are_chosen_by_name_and_an_unknown_one_is_told_with_those_there_are() {
        let all = Scenarios::parse(BUILT_IN).unwrap();
        let chosen = Scenarios::choose(all.clone(), &["loss-30".to_owned(), "loss-10".to_owned()]).unwrap();
        assert_eq!(chosen.iter().map(|each| each.name.as_str()).collect::<Vec<_>>(), ["loss-10", "loss-30"]);
        assert_eq!(Scenarios::choose(all.clone(), &[]).unwrap().len(), all.len());
        let why = Scenarios::choose(all, &["loss-31".to_owned()]).unwrap_err().to_string();
        assert!(why.contains("\"loss-31\"") && why.contains("loss-30, "), "{why}");
    }

    #[test]
    fn what_no_scenario_can_be_is_named() {
        let why = |text: &str| format!("{:#}", Scenarios::parse(text).unwrap_err());
        let one = |more: &str| format!("[[scenario]]\nname = \"a\"\nabout = \"b\"\n{more}");
        assert!(why(&one("link = { loss = 120 }")).contains("loss is 120 but must be 0 to 100"));
        assert!(why(&one("link = { los = 12 }")).contains("los"));
        assert!(why(&one("steps = [{ at_s = 1 }]")).contains("changes nothing"));
        let steps = "steps = [{ at_s = 2, address_change = true }, { at_s = 1, address_change = true }]";
        assert!(why(&one(steps)).contains("follow each other"));
        let start = "from = \"start\"\nsteps = [{ at_s = 2, address_change = true }]";
        assert!(why(&one(start)).contains("from = \"start\""));
        assert!(why("scenario = 1").contains("the scenarios"));
    }

    #[test]
    fn the_delay_of_the_file_is_the_least_of_each_link() {
        let text = "delay_ms = 50\n[[scenario]]\nname = \"a\"\nabout = \"b\"\nlink = { delay_ms = 200 }\n\
                    steps = [{ at_s = 1, link = { loss = 5 } }]";
        let [scenario] = &Scenarios::parse(text).unwrap()[..] else { panic!("one") };
        assert_eq!((scenario.link.delay_ms, scenario.steps[0].link.as_ref().unwrap().delay_ms), (200, 50));
        assert_eq!(scenario.span(Duration::from_secs(1)), Duration::from_secs(6));
        assert_eq!(scenario.span(Duration::from_secs(60)), Duration::from_secs(60));
        let back = scenario.way_back(&scenario.link, 50);
        assert_eq!(back, Impairment { delay_ms: 50, ..Impairment::default() });
    }
}
