//! `openmic lab latency`: how old pictures are when they are seen, through every way in and every way out of a server.
//!
//! One process publishes, reads and compares against one clock, the machine's. docs/benchmarks.md says what the figures mean.

mod beep;
mod browser;
mod chromium;
pub mod code;
pub mod endpoints;
mod eye;
pub mod html;
mod native;
pub mod network;
mod peer;
mod plot;
mod publish;
mod read;
pub mod ready;
pub mod report;
pub mod room;
pub mod source;
pub mod stats;
pub mod stoi;
mod whep;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::time::sleep;

use self::chromium::Chromium;
use self::endpoints::Endpoints;
use self::publish::Publisher;
use self::report::{Pair, Report, Settings};
use self::source::Shape;
use crate::url::Url;

/// From the publisher's first frame to the first viewer: a group must be there to join.
const BEGIN: Duration = Duration::from_millis(1_500);

/// How the stream goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// RTMP with AAC.
    Rtmp,
    /// WebRTC with Opus.
    Whip,
}

/// How it comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// RTMP.
    Rtmp,
    /// FLV over HTTP.
    Flv,
    /// FLV over WebSocket.
    Ws,
    /// (Low-Latency) HLS.
    Hls,
    /// WebRTC.
    Whep,
}

impl Input {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Whip => "whip",
        }
    }
}

impl Output {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Flv => "flv",
            Self::Ws => "ws",
            Self::Hls => "hls",
            Self::Whep => "whep",
        }
    }
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the server is.
    pub endpoints: Endpoints,
    /// Ways in, one after the other.
    pub inputs: Vec<Input>,
    /// Ways out, one after the other for each way in.
    pub outputs: Vec<Output>,
    /// The stream.
    pub shape: Shape,
    /// How long each pair is watched, once it has settled.
    pub span: Duration,
    /// How often each is joined.
    pub joins: usize,
    /// A browser to measure with, too.
    pub browser: Option<Browser>,
    /// Accept any TLS certificate.
    pub insecure: bool,
}

/// A real browser.
#[derive(Clone, Debug)]
pub struct Browser {
    /// Chromium, or one of its kin.
    pub program: PathBuf,
    /// A page that knows `<live-player>`: any of an openmic server's player pages.
    pub page: Url,
}

/// Microseconds since the epoch: the clock that pictures carry, because a browser knows it too.
pub fn wall_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// Measures every pair, telling each as it is done.
///
/// # Errors
/// When nothing at all could be measured: the first reason. Otherwise the report says what failed.
pub async fn run(options: &Options, tell: impl FnMut(&Pair)) -> anyhow::Result<Report> {
    let browser = match &options.browser {
        Some(browser) => Some(Chromium::start(&browser.program).await?),
        None => None,
    };
    let mut lab = Lab { options, browser, tell, pairs: Vec::new() };
    for input in &options.inputs {
        lab.input(*input).await?;
    }
    if let Some(browser) = lab.browser {
        browser.close().await;
    }
    let pairs = lab.pairs;
    if pairs.iter().all(|pair| pair.glass.is_none()) {
        let why = pairs.into_iter().find_map(|pair| pair.error);
        anyhow::bail!(why.unwrap_or_else(|| "there was nothing to measure".to_owned()));
    }
    Ok(Report::new(Settings::of(options), pairs))
}

/// A run under way.
struct Lab<'a, Tell> {
    options: &'a Options,
    browser: Option<Chromium>,
    tell: Tell,
    pairs: Vec<Pair>,
}

impl<Tell: FnMut(&Pair)> Lab<'_, Tell> {
    /// Publishes one way and measures all ways out.
    async fn input(&mut self, input: Input) -> anyhow::Result<()> {
        let Options { endpoints, outputs, shape, insecure, .. } = self.options;
        let stream = format!("lab-{}-{:x}", input.name(), wall_micros());
        let url = endpoints.publish(input, &stream)?;
        let begun = Publisher::start(input, &url, *shape, *insecure).await;
        let publisher = match begun.with_context(|| format!("publishing to {url}")) {
            Ok(publisher) => publisher,
            Err(why) => {
                let failed = |output: &Output| Pair::failed((input, *output, report::NATIVE), &why);
                self.pairs.extend(outputs.iter().map(failed));
                return Ok(());
            }
        };
        sleep(BEGIN).await;
        for output in outputs {
            self.output((input, *output), &stream, &publisher).await;
        }
        if let Err(why) = publisher.stop().await {
            tracing::warn!("publishing by {}: {why:#}", input.name());
        }
        Ok(())
    }

    /// Measures one pair with each reader.
    async fn output(&mut self, (input, output): (Input, Output), stream: &str, publisher: &Publisher) {
        let url = match self.options.endpoints.play(output, stream) {
            Ok(url) => url,
            Err(why) => return self.put(Pair::failed((input, output, report::NATIVE), &why)),
        };
        let measured = native::measure(self.options, output, &url, &publisher.sent).await;
        self.put(Pair::of((input, output, report::NATIVE), measured));
        if let (Some(chromium), Some(browser)) = (&mut self.browser, &self.options.browser) {
            let measured = browser::measure(chromium, self.options, output, (&browser.page, &url)).await;
            // Nothing is said of what browsers do not play.
            if let Some(measured) = measured.transpose() {
                self.put(Pair::of((input, output, report::CHROMIUM), measured));
            }
        }
    }

    fn put(&mut self, pair: Pair) {
        (self.tell)(&pair);
        self.pairs.push(pair);
    }
}
