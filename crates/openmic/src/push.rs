//! `openmic push`: a file as a live stream.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use client::push::{self, Options};
use tokio::sync::watch;

#[derive(Debug, clap::Args)]
pub(crate) struct PushArgs {
    /// An FLV or MP4 file; `ffmpeg -i any.mkv -c copy file.mp4` makes one.
    file: PathBuf,
    /// rtmp://host/app/stream or rtmps://…; `{n}` stands for the copy's number.
    url: String,
    /// Begin again at the file's end, timestamps going on.
    #[arg(long = "loop")]
    looped: bool,
    /// Push this many streams at once; without `{n}` in the address, -1, -2 … is put behind the name.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    copies: u32,
    /// Accept any TLS certificate.
    #[arg(long)]
    insecure: bool,
    /// Connect again after this many seconds when the connection is lost.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    reconnect: Option<u32>,
    /// Write the sending time into each H.264 picture, from which `openmic play` tells the latency.
    #[arg(long)]
    stamp: bool,
    /// Print JSON at the end.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: PushArgs) -> anyhow::Result<()> {
    let json = args.json;
    let options = Options {
        file: args.file,
        url: args.url,
        looped: args.looped,
        copies: args.copies as usize,
        insecure: args.insecure,
        reconnect: args.reconnect.map(|seconds| Duration::from_secs(seconds.into())),
        stamp: args.stamp,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")?;
    let reports = runtime.block_on(async {
        let (asked, stop) = watch::channel(false);
        let interrupted = tokio::spawn(async move {
            let _ = tokio::signal::ctrl_c().await;
            let _ = asked.send(true);
            // Kept alive: a sender that is gone would look like nobody who can ask.
            std::future::pending::<()>().await;
        });
        let reports = push::run(options, stop).await;
        interrupted.abort();
        reports
    })?;
    if json {
        println!("{}", serde_json::to_string_pretty(&reports).context("writing the report")?);
        return Ok(());
    }
    for report in reports {
        println!(
            "{}: {} frames, {:.1} MB in {:.1} s, {} reconnections, at most {:.1} ms late",
            report.url,
            report.frames,
            report.bytes as f64 / 1e6,
            report.seconds,
            report.reconnects,
            report.late_max_ms,
        );
    }
    Ok(())
}
