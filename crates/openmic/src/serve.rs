//! `openmic serve`: configuration, logs, the server, and signals.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use server::audit::{Act, Outcome};
use server::config::LoadError;
use server::context::{Addresses, Context};
use server::{App, Config};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// After a second signal nothing is waited for longer than this.
const FORCED_STOP: Duration = Duration::from_secs(2);
/// Above this many files a process gains nothing, and what some containers call unlimited costs memory.
const FILES_MAX: u64 = 1 << 20;

/// Settings come from the file, then `OPENMIC_SECTION_KEY` of the environment (OPENMIC_HTTP_LISTEN), then flags.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    /// TOML configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where pages, API, HTTP-FLV and HLS are served; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Where RTMP is taken and served; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    rtmp: Option<SocketAddr>,
    /// Where WebRTC listens, UDP and TCP; port 8189 beside --http where it is not given
    #[arg(long, value_name = "ADDR")]
    rtc: Option<SocketAddr>,
    /// Where files are kept
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Play the built-in moving picture at live/demo
    #[arg(long)]
    demo: bool,
    /// Print one JSON line with all addresses instead of the text for people
    #[arg(long)]
    ready_json: bool,
    /// Print the configuration in effect and stop
    #[arg(long)]
    print_config: bool,
    /// How log lines look (they go to standard error; OPENMIC_LOG filters them, such as `debug`)
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

/// Serves until a signal.
pub(crate) fn run(serve: &Serve) -> anyhow::Result<()> {
    start_logs(serve.log_format)?;
    let config = configuration(serve)?;
    config.check()?;
    if serve.print_config {
        print!("{}", toml::to_string(&config)?);
        return Ok(());
    }
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve_until_told(serve, config));
    // What blocks in a thread of the runtime is not waited for.
    runtime.shutdown_background();
    outcome
}

fn start_logs(format: LogFormat) -> anyhow::Result<()> {
    let filter = match std::env::var("OPENMIC_LOG") {
        Ok(filter) => EnvFilter::try_new(&filter).context("OPENMIC_LOG is no filter of log lines")?,
        Err(_) => EnvFilter::new("info"),
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Human => logs.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}

/// File, environment and flags, the later over the former; not checked yet.
fn configuration(serve: &Serve) -> Result<Config, LoadError> {
    let loaded = Config::load(serve.config.as_deref(), std::env::vars())?;
    for name in loaded.unknown_variables {
        tracing::warn!(
            "the environment variable {name} names no section of the configuration; it is ignored"
        );
    }
    let mut config = loaded.config;
    config.http.listen = serve.http.unwrap_or(config.http.listen);
    config.rtmp.listen = serve.rtmp.unwrap_or(config.rtmp.listen);
    config.rtc.listen = serve.rtc.or(config.rtc.listen);
    config.demo.enabled |= serve.demo;
    if let Some(data) = &serve.data {
        config.data.dir.clone_from(data);
    }
    Ok(config)
}

/// Every viewer is a file descriptor, and the soft limit of a shell is 1024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(FILES_MAX).min(FILES_MAX);
    if current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of open files could not be raised; it bounds the number of viewers");
        }
    }
}

async fn serve_until_told(serve: &Serve, config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let (drain, demo) = (config.shutdown.drain, config.demo.enabled);
    let app = App::start(config).await?;
    let again = serve.clone();
    app.context().set_source(Box::new(move || configuration(&again)));
    let addresses = app.addresses();
    if serve.ready_json {
        println!("{}", serde_json::to_string(&addresses)?);
    } else {
        print!("{}", welcome(&addresses, demo));
    }
    std::io::stdout().flush()?;
    tracing::info!(http = %addresses.http, rtmp = %addresses.rtmp, rtc = %addresses.rtc, version = env!("CARGO_PKG_VERSION"), "serving");
    while signals.next().await == Told::Reload {
        let context = Arc::clone(app.context());
        // It reads files. A panic in it is our own bug, and the old configuration is as good as before.
        let _ = tokio::task::spawn_blocking(move || reload(&context)).await;
    }
    tracing::info!(drain_ms = drain.as_millis(), "stopping; a second signal stops at once");
    let forced = async {
        while signals.next().await == Told::Reload {}
        tracing::warn!("stopping at once");
        // Whoever is still there loses its connection with the process.
        tokio::time::sleep(FORCED_STOP / 4).await;
    };
    tokio::select! {
        drained = app.shutdown(drain) => tracing::info!(drained, "stopped"),
        () = forced => {}
    }
    Ok(())
}

/// SIGHUP: the configuration is read again, and whatever comes of it is told to the log.
fn reload(context: &Context) {
    let reloaded = context.reload();
    let why = reloaded.as_ref().err().map(ToString::to_string);
    let outcome = why.as_deref().map_or(Outcome::Done, Outcome::Failed);
    let act = Act { who: "signal:HUP", what: "reload", target: "configuration", outcome, peer: None };
    context.operation.audit.record(&act);
    match reloaded {
        Ok(done) if done.needs_restart.is_empty() => {}
        Ok(done) => {
            tracing::warn!("these keys keep their values until a restart: {}", done.needs_restart.join(", "))
        }
        Err(error) => tracing::error!("the configuration stays as it was: {error}"),
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }
}

/// What somebody needs who started the server by hand.
fn welcome(addresses: &Addresses, demo: bool) -> String {
    let http = reachable(addresses.http);
    let rtmp = reachable(addresses.rtmp);
    let first = if demo {
        format!("Watch the demo      http://{http}/play/live/demo\n  Console             http://{http}/")
    } else {
        format!("Console             http://{http}/")
    };
    let encode = "-c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac";
    format!(
        "\n  {first}\n\n  \
         Push to             rtmp://{rtmp}/live/NAME\n  \
         OBS                 Server: rtmp://{rtmp}/live   Stream key: NAME\n  \
         ffmpeg              ffmpeg -re -i FILE {encode} -f flv rtmp://{rtmp}/live/NAME\n  \
         WHIP                http://{http}/live/NAME/whip\n  \
         and watch           http://{http}/play/live/NAME\n\n"
    )
}

/// An address that a browser on this machine can open, for one that means all of them.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_names_what_can_be_opened_and_pushed_to() {
        let addresses = Addresses {
            http: ([0, 0, 0, 0], 8080).into(),
            rtmp: ([127, 0, 0, 1], 1935).into(),
            https: None,
            rtmps: None,
            rtc: ([127, 0, 0, 1], 8189).into(),
        };
        let text = welcome(&addresses, true);
        assert!(text.contains("http://127.0.0.1:8080/play/live/demo"), "{text}");
        assert!(text.contains("Server: rtmp://127.0.0.1:1935/live   Stream key: NAME"), "{text}");
    }
}
