//! `openmic lab`: what viewers see, measured against this machine's clock.

mod network;
mod room;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use client::lab::endpoints::Endpoints;
use client::lab::ready::Ready;
use client::lab::source::Shape;
use client::lab::{self, Browser, Options, html};
use client::url::Url;
use tokio::process::{Child, Command};

use crate::bench::bits;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// How old pictures are when they are seen, for every way in and out; starts a server of its own if none is named.
    Latency(Box<LatencyArgs>),
    /// What browsers behind a bad network publish and see, through a server of our own: pictures a second, gaps, concealed
    /// and intelligible sound, delay, recovery. The bad link is our own and is proved before each run. Linux, as root.
    Network(Box<network::NetworkArgs>),
    /// Fills a room with members who publish, are sent the stage, and check that each hears and sees each: how long joining
    /// takes, how old what comes is, and how soon a change of the stage is seen by all.
    Room(Box<room::RoomArgs>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct LatencyArgs {
    /// An openmic server that runs already, on this machine: http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    #[command(flatten)]
    addresses: Addresses,
    /// Seconds that each pair is watched.
    #[arg(long, default_value_t = 8.0, value_parser = span)]
    seconds: f64,
    /// How often each pair is joined.
    #[arg(long, default_value_t = 8)]
    joins: usize,
    /// Size of the picture.
    #[arg(long, default_value = "1280x720", value_parser = size)]
    size: (usize, usize),
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// Bits a second of pictures; `k` and `M` are understood.
    #[arg(long, default_value = "2M", value_parser = bits)]
    bitrate: u32,
    /// From keyframe to keyframe, in milliseconds.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=60_000))]
    group_ms: u32,
    /// Ways in.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "rtmp,whip")]
    inputs: Vec<Input>,
    /// Ways out.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "rtmp,flv,ws,hls,whep")]
    outputs: Vec<Output>,
    /// Accept any TLS certificate.
    #[arg(long)]
    insecure: bool,
    /// Watch with this browser, too: a Chromium in PATH or by its path; `none` for native readers alone.
    #[arg(long, default_value = "chromium", value_name = "PROGRAM")]
    browser: PathBuf,
    /// Write everything that was found to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write it as a page with plots that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Addresses one by one, for servers of any make; `{stream}` stands for the stream's name.
#[derive(Debug, clap::Args)]
struct Addresses {
    /// rtmp://HOST/APP/{stream}.
    #[arg(long, value_name = "URL")]
    publish_rtmp: Option<String>,
    /// http://HOST/…{stream}….
    #[arg(long, value_name = "URL")]
    publish_whip: Option<String>,
    /// rtmp://HOST/APP/{stream}.
    #[arg(long, value_name = "URL")]
    play_rtmp: Option<String>,
    /// http://HOST/…{stream}.flv.
    #[arg(long, value_name = "URL")]
    play_flv: Option<String>,
    /// ws://HOST/…{stream}.flv.
    #[arg(long, value_name = "URL")]
    play_ws: Option<String>,
    /// http://HOST/…{stream}.m3u8.
    #[arg(long, value_name = "URL")]
    play_hls: Option<String>,
    /// http://HOST/…{stream}….
    #[arg(long, value_name = "URL")]
    play_whep: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Input {
    Rtmp,
    Whip,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Rtmp,
    Flv,
    Ws,
    Hls,
    Whep,
}

/// Runs until everything is measured.
pub(crate) fn run(lab: Lab) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")?;
    match lab {
        Lab::Latency(args) => runtime.block_on(latency(*args)),
        Lab::Network(args) => runtime.block_on(network::network(*args)),
        Lab::Room(args) => runtime.block_on(room::room(*args)),
    }
}

async fn latency(args: LatencyArgs) -> anyhow::Result<()> {
    let (endpoints, page, own) = args.place().await?;
    let browser = page.map(|page| Browser { program: args.browser.clone(), page });
    let report = lab::run(&args.options(endpoints, browser), |pair| eprintln!("{}", pair.line())).await?;
    drop(own);
    print!("{}", report.table());
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&report).context("writing the report")?)?;
    }
    args.html.as_ref().map_or(Ok(()), |path| write(path, &html::page(&report)))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// A server of our own, which ends with this.
struct Own {
    http: Url,
    rtmp: String,
    _child: Child,
}

impl Own {
    async fn start() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut child = Command::new(program)
            .args(["serve", "--ready-json", "--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0"])
            .args(["--rtc", "127.0.0.1:0"])
            .env("OPENMIC_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting openmic serve")?;
        let ready = Ready::of(&mut child).await?;
        Ok(Self { http: ready.http()?, rtmp: ready.rtmp, _child: child })
    }
}

impl LatencyArgs {
    /// Where to measure, the page for the browser if there is to be one, and what was started for either: a server of our
    /// own is what is measured if none is named, and lends its player if the one that is named is not ours.
    async fn place(&self) -> anyhow::Result<(Endpoints, Option<Url>, Option<Own>)> {
        let (named, with_browser) = (self.addresses.endpoints(), self.browser.as_os_str() != "none");
        let page = |http: &Url| Url { path: "/play/lab/none".to_owned(), query: None, ..http.clone() };
        if let Some(server) = &self.server {
            let endpoints = named.or(Endpoints::ask(server, self.insecure).await?);
            return Ok((endpoints, with_browser.then(|| page(server)), None));
        }
        let is_ours = named == Endpoints::default();
        if !is_ours && !with_browser {
            return Ok((named, None, None));
        }
        let own = Own::start().await?;
        let endpoints = if is_ours { Endpoints::of_openmic(&own.http, &own.rtmp) } else { named };
        Ok((endpoints, with_browser.then(|| page(&own.http)), Some(own)))
    }

    fn options(&self, endpoints: Endpoints, browser: Option<Browser>) -> Options {
        let (width, height) = self.size;
        Options {
            endpoints,
            inputs: self.inputs.iter().map(|input| input.lab()).collect(),
            outputs: self.outputs.iter().map(|output| output.lab()).collect(),
            shape: Shape {
                width,
                height,
                fps: self.fps,
                bitrate: self.bitrate,
                group: Duration::from_millis(self.group_ms.into()).into(),
            },
            span: Duration::from_secs_f64(self.seconds),
            joins: self.joins,
            browser,
            insecure: self.insecure,
        }
    }
}

impl Addresses {
    fn endpoints(&self) -> Endpoints {
        Endpoints {
            publish_rtmp: self.publish_rtmp.clone(),
            publish_whip: self.publish_whip.clone(),
            play_rtmp: self.play_rtmp.clone(),
            play_flv: self.play_flv.clone(),
            play_ws: self.play_ws.clone(),
            play_hls: self.play_hls.clone(),
            play_whep: self.play_whep.clone(),
        }
    }
}

impl Input {
    fn lab(self) -> lab::Input {
        match self {
            Self::Rtmp => lab::Input::Rtmp,
            Self::Whip => lab::Input::Whip,
        }
    }
}

impl Output {
    fn lab(self) -> lab::Output {
        match self {
            Self::Rtmp => lab::Output::Rtmp,
            Self::Flv => lab::Output::Flv,
            Self::Ws => lab::Output::Ws,
            Self::Hls => lab::Output::Hls,
            Self::Whep => lab::Output::Whep,
        }
    }
}

/// Sides of a picture that its code can be read from.
fn size(text: &str) -> Result<(usize, usize), String> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let (width, height): (usize, usize) =
        sides.ok_or_else(|| format!("{text:?} is no size such as 1280x720"))?;
    let fits = (128..=3_840).contains(&width) && (64..=2_160).contains(&height) && (width | height) % 2 == 0;
    if fits {
        Ok((width, height))
    } else {
        Err(format!("{text}: between 128x64 and 3840x2160, in even numbers"))
    }
}

fn span(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.5..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| format!("{text:?} is no number of seconds between 0.5 and 3600"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_that_a_code_can_be_read_from() {
        assert_eq!(size("1280x720"), Ok((1_280, 720)));
        for wrong in ["720p", "64x64", "1281x720", "9999x9999"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert!(span("0").is_err() && span("NaN").is_err() && span("3") == Ok(3.0));
    }
}
