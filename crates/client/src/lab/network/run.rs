//! One run: the link is proved, pages are loaded, one publishes and the other watches while the link is bad.

use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::chromium::{Chromium, Page, sweep_profiles};
use super::super::wall_micros;
use super::Options;
use super::bed::{Bed, Direction};
use super::figures::Raw;
use super::probe::{self, Proof};
use super::report::Run;
use super::scenario::{From, Scenario};
use super::server::Server;
use super::speech::{Speech, WAV};
use super::told::Told;
use crate::link::Impairment;

const PAGE: &str = concat!(
    "(() => {\n",
    include_str!("../blocks.js"),
    include_str!("room.js"),
    "return (\n",
    include_str!("page.js"),
    ");\n})()"
);
/// Any page of the server that knows this element.
const ELEMENT: &str = "live-player";
const ADDRESS: &str = "/play/lab/none";
/// From the first picture until the link becomes bad: bandwidth estimation has found its rate by then.
const WARM: Duration = Duration::from_secs(6);
/// From the publisher's connection until somebody watches it.
const BEGIN: Duration = Duration::from_millis(1_500);
/// Connections that are made in a run that is about making them.
const JOINS: usize = 5;
const JOIN_PAUSE: Duration = Duration::from_millis(300);
/// One that takes longer has failed, and counts as this.
const JOIN_MAX: Duration = Duration::from_secs(30);
/// For a page to say what it knows.
const COLLECT_MAX: Duration = Duration::from_secs(30);

/// Everything that runs stay in.
pub(super) struct Lab<'a> {
    options: &'a Options,
    // Dropped in this order: what runs in the networks, then the networks.
    near: Chromium,
    far: Chromium,
    server: Server,
    bed: Bed,
    speech: Speech,
    /// Where the publisher is to be met, if that is a room.
    room: Option<String>,
    _files: Files,
}

/// A directory of our own, which goes with this.
struct Files(std::path::PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A page that has been told what to do, and in whose browser it is.
struct Pages {
    publisher: Page,
    viewer: Page,
}

impl<'a> Lab<'a> {
    /// Makes the networks and starts server and browsers in them.
    pub(super) async fn open(options: &'a Options) -> anyhow::Result<Self> {
        sweep_profiles();
        let name = format!("openmic-lab-{}-files-{}", std::process::id(), wall_micros());
        let files = Files(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&files.0).context("making a directory for the lab")?;
        let wav = files.0.join("speech.wav");
        std::fs::write(&wav, WAV).context("writing what the microphone says")?;
        let bed = Bed::open()?;
        let server = Server::start(&options.server, &bed, &files.0.join("data")).await?;
        let flags = [
            "--use-fake-ui-for-media-stream".to_owned(),
            "--use-fake-device-for-media-stream".to_owned(),
            format!("--use-file-for-fake-audio-capture={}", wav.display()),
            // Microphones are for secure pages only.
            format!("--unsafely-treat-insecure-origin-as-secure={}", server.at("")),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
        ];
        let start = |place: &super::place::Place| {
            let (program, flags) = (options.browser.clone(), flags.to_vec());
            let runtime = tokio::runtime::Handle::current();
            place.run(move || {
                let _runtime = runtime.enter();
                Chromium::spawn(&program, &flags)
            })?
        };
        let (mut near, mut far) = (start(&bed.near)?, start(&bed.far)?);
        near.greet(&options.browser).await?;
        far.greet(&options.browser).await?;
        let speech = Speech::new()?;
        Ok(Self { options, near, far, server, bed, speech, room: None, _files: files })
    }

    /// Ends both browsers.
    pub(super) async fn close(self) {
        self.near.close().await;
        self.far.close().await;
    }

    /// Tries one scenario with one seed.
    pub(super) async fn run(&mut self, scenario: &Scenario, seed: u64) -> Run {
        let mut proofs = Vec::new();
        let measured = self.measure(scenario, seed, &mut proofs).await;
        Run::of(seed, proofs, measured)
    }

    async fn measure(
        &mut self,
        scenario: &Scenario,
        seed: u64,
        proofs: &mut Vec<Proof>,
    ) -> anyhow::Result<Measured> {
        *proofs = tokio::task::block_in_place(|| self.prove(scenario, seed))?;
        self.bed.renew(&self.calm(scenario), seed);
        let pages = self.load().await?;
        let done = self.tried(scenario, &pages).await;
        // Whatever became of it, the next run begins with a calm link and without these pages.
        self.bed.renew(&Impairment::default(), seed);
        let Pages { publisher, viewer } = pages;
        for (is_publisher, page) in [(true, publisher), (false, viewer)] {
            drop(self.ask(is_publisher, &page, "window.openmicLab.stop()".to_owned(), COLLECT_MAX).await);
            self.browser(is_publisher).close_page(page).await?;
        }
        done
    }

    /// Every link that the scenario has, both ways.
    fn prove(&self, scenario: &Scenario, seed: u64) -> anyhow::Result<Vec<Proof>> {
        let mut links = vec![&scenario.link];
        for link in scenario.steps.iter().filter_map(|step| step.link.as_ref()) {
            if !links.contains(&link) {
                links.push(link);
            }
        }
        let mut proofs = Vec::new();
        for link in links {
            self.bed.renew(link, seed);
            self.set(scenario, link);
            proofs.push(probe::prove(&self.bed, self.options.direction, link)?);
            let back = scenario.way_back(link, self.calm(scenario).delay_ms);
            proofs.push(probe::prove(&self.bed, self.options.direction.other(), &back)?);
        }
        Ok(proofs)
    }

    fn calm(&self, scenario: &Scenario) -> Impairment {
        let delay_ms = self.options.delay_ms.min(scenario.link.delay_ms);
        Impairment { delay_ms, ..Impairment::default() }
    }

    /// Both directions behave so from now on.
    fn set(&self, scenario: &Scenario, link: &Impairment) {
        let direction = self.options.direction;
        let back = scenario.way_back(link, self.calm(scenario).delay_ms);
        self.bed.lane(direction).set(link.clone());
        self.bed.lane(direction.other()).set(back);
    }

    async fn load(&mut self) -> anyhow::Result<Pages> {
        let address = self.server.at(ADDRESS);
        let publisher = self.browser(true).open(&address, ELEMENT).await?;
        let viewer = self.browser(false).open(&address, ELEMENT).await?;
        for (is_publisher, page) in [(true, &publisher), (false, &viewer)] {
            self.ask(is_publisher, page, PAGE.to_owned(), COLLECT_MAX).await?;
        }
        Ok(Pages { publisher, viewer })
    }

    async fn tried(&mut self, scenario: &Scenario, pages: &Pages) -> anyhow::Result<Measured> {
        let connect_ms = match scenario.from {
            From::Connected => self.connect_calmly(pages).await?,
            From::Start => {
                if self.options.direction == Direction::Down {
                    self.publish(pages, "live").await?;
                    sleep(BEGIN).await;
                }
                self.set(scenario, &scenario.link);
                self.connect_often(pages).await?
            }
        };
        self.set(scenario, &scenario.link);
        let (from, begun) = (wall_micros() as f64 / 1e3, Instant::now());
        for step in &scenario.steps {
            sleep_until(begun + Duration::from_secs_f64(step.at_s)).await;
            if let Some(link) = &step.link {
                self.set(scenario, link);
            }
            if step.address_change {
                self.bed.change_address()?;
            }
        }
        sleep_until(begun + scenario.span(self.options.span)).await;
        let until = wall_micros() as f64 / 1e3;
        // What was seen is told over the DevTools pipe, which no link impairs.
        let (viewer, publisher) =
            (self.collect(false, &pages.viewer).await?, self.collect(true, &pages.publisher).await?);
        let log = self.bed.lane(self.options.direction).take_log();
        let stoi = self.speech.judge(&viewer.sound()?);
        let raw = Raw {
            scenario,
            from,
            until,
            viewer: &viewer,
            publisher: &publisher,
            stoi,
            log: &log,
            connect_ms,
        };
        let (figures, timeline) = raw.measure();
        Ok(Measured { figures, timeline })
    }

    async fn connect_calmly(&mut self, pages: &Pages) -> anyhow::Result<Vec<f64>> {
        let published = self.publish(pages, "live").await?;
        sleep(BEGIN).await;
        let watched = self.watch(pages, true).await?;
        sleep(WARM).await;
        Ok(vec![match self.options.direction {
            Direction::Up => published,
            Direction::Down => watched,
        }])
    }

    /// Connects again and again over the bad link, and stays with the last.
    async fn connect_often(&mut self, pages: &Pages) -> anyhow::Result<Vec<f64>> {
        let (mut took, mut why) = (Vec::new(), None);
        for join in 1..=JOINS {
            let is_last = join == JOINS;
            let done = match self.options.direction {
                Direction::Up => self.publish(pages, &format!("join{join}")).await,
                Direction::Down => self.watch(pages, is_last).await,
            };
            took.push(match done {
                Ok(ms) => ms,
                Err(failed) => {
                    why = Some(failed);
                    JOIN_MAX.as_secs_f64() * 1e3
                }
            });
            if !is_last {
                let (is_publisher, page) = match self.options.direction {
                    Direction::Up => (true, &pages.publisher),
                    Direction::Down => (false, &pages.viewer),
                };
                self.ask(is_publisher, page, "window.openmicLab.stop()".to_owned(), COLLECT_MAX).await?;
                sleep(JOIN_PAUSE).await;
            }
        }
        if took.iter().all(|ms| *ms >= JOIN_MAX.as_secs_f64() * 1e3) {
            return Err(why.context("no connection was tried")?);
        }
        if self.options.direction == Direction::Up {
            sleep(BEGIN).await;
            self.watch_stream(pages, &format!("join{JOINS}"), true).await?;
        }
        Ok(took)
    }

    /// How long it took, in milliseconds.
    async fn publish(&mut self, pages: &Pages, stream: &str) -> anyhow::Result<f64> {
        let (width, height) = self.options.size;
        let argument = json!({
            "url": self.server.at(&format!("/lab/{stream}/whip")).to_string(),
            "subject": self.options.subject, "simulcast": self.options.simulcast,
            "width": width, "height": height, "fps": self.options.fps, "limitMs": JOIN_MAX.as_millis() as u64,
        });
        let call = format!("window.openmicLab.publish({argument})");
        let told = self.ask(true, &pages.publisher, call, JOIN_MAX * 2).await.context("publishing")?;
        let told: Published = serde_json::from_value(told).context("what the publisher tells")?;
        self.room = told.room;
        Ok(told.connected - told.asked)
    }

    async fn watch(&mut self, pages: &Pages, listens: bool) -> anyhow::Result<f64> {
        self.watch_stream(pages, "live", listens).await
    }

    async fn watch_stream(&mut self, pages: &Pages, stream: &str, listens: bool) -> anyhow::Result<f64> {
        let argument = json!({
            "url": self.server.at(&format!("/lab/{stream}/whep")).to_string(), "listens": listens,
            "subject": self.options.subject, "room": self.room, "limitMs": JOIN_MAX.as_millis() as u64,
        });
        let call = format!("window.openmicLab.watch({argument})");
        let told = self.ask(false, &pages.viewer, call, JOIN_MAX * 2).await.context("watching")?;
        let told: Watched = serde_json::from_value(told).context("what the viewer tells")?;
        Ok(told.first - told.asked)
    }

    async fn collect(&mut self, is_publisher: bool, page: &Page) -> anyhow::Result<Told> {
        let told =
            self.ask(is_publisher, page, "window.openmicLab.collect()".to_owned(), COLLECT_MAX).await?;
        serde_json::from_value(told).context("what the page tells")
    }

    /// Whose connection is bad depends on the direction.
    fn browser(&mut self, is_publisher: bool) -> &mut Chromium {
        if is_publisher == (self.options.direction == Direction::Up) { &mut self.far } else { &mut self.near }
    }

    async fn ask(
        &mut self,
        is_publisher: bool,
        page: &Page,
        expression: String,
        patience: Duration,
    ) -> anyhow::Result<Value> {
        self.browser(is_publisher).ask(page, &expression, patience).await
    }
}

/// What a run found.
pub(super) struct Measured {
    pub(super) figures: super::figures::Figures,
    pub(super) timeline: super::figures::Timeline,
}

#[derive(Deserialize)]
struct Published {
    asked: f64,
    connected: f64,
    room: Option<String>,
}

#[derive(Deserialize)]
struct Watched {
    asked: f64,
    first: f64,
}
