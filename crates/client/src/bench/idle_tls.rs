//! What TLS connections cost that have asked one small thing and then stay, and whether viewers still join at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::measure::{Cell, Stage};
use super::report::Run;
use super::scenario::Bench;
use super::subject::{Subject, in_folder};
use super::target::Protocol;
use crate::net::{self, Stream};
use crate::url::Url;

/// Connections that shake hands at a time: more would wait for each other in the server's queue.
const AT_ONCE: usize = 32;
/// An answer to `GET /healthz` is far shorter.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// How long the server is watched with all of them.
const SPAN: Duration = Duration::from_secs(5);

/// Measures the server's resident memory before and after they come, then how long viewers take to join.
pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<Run> {
    let count = bench.config.idle.max(1);
    bench.check_files(count)?;
    in_folder(|data| measure(bench, count, data))
}

fn measure(bench: &Bench<'_>, count: usize, data: &str) -> anyhow::Result<Run> {
    let subject = Subject::openmic_with(
        bench.config.binary.as_ref(),
        bench.cores,
        &[
            ("OPENMIC_HTTP_TLS_LISTEN", "127.0.0.1:0"),
            ("OPENMIC_TLS_LOCAL_CA", "true"),
            ("OPENMIC_DATA_DIR", data),
        ],
    )?;
    let Subject::Openmic(_, addresses) = &subject else { unreachable!("it was started as one") };
    let https = addresses.https.context("the ready line names no HTTPS address")?;
    let cell = Cell { protocol: Protocol::Flv, viewers: 1, span: SPAN, ..bench.cell() };
    let mut stage = Stage::set(&subject, cell, bench.cores)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // What the first few connections make the server set up is not theirs.
    let first = runtime.block_on(open(https, AT_ONCE))?;
    let (before, began) = (subject.usage()?, Instant::now());
    let mut held = runtime.block_on(open(https, count))?;
    let (after, opened) = (subject.usage()?, began.elapsed());
    let mut run = stage.window("idle-tls")?;
    run.join = stage.join()?;
    let mut open = 0;
    for connection in &mut held {
        open += usize::from(runtime.block_on(ask(connection)).is_ok());
    }
    run.setting.viewers = count;
    run.rss_per_viewer_bytes = (after.rss as i64 - before.rss as i64) / count as i64;
    run.note = Some(format!(
        "{open} of {count} idle TLS connections still answer at the end; all shook hands within {:.1} s; viewers \
         join in {:.1} ms (p95) beside them",
        opened.as_secs_f64(),
        run.join.map_or(f64::NAN, |join| join.p95_ms),
    ));
    drop((held, first));
    stage.strike()?;
    Ok(run)
}

async fn open(server: SocketAddr, count: usize) -> anyhow::Result<Vec<Box<dyn Stream>>> {
    let url = Url::parse(&format!("https://{server}/healthz"))?;
    let mut opening = JoinSet::new();
    let mut open = Vec::with_capacity(count);
    for started in 0..count {
        if started >= AT_ONCE {
            open.push(opening.join_next().await.context("one was started")???);
        }
        let url = url.clone();
        opening.spawn(async move {
            let mut stream = net::connect(&url, true).await?;
            ask(&mut stream).await?;
            anyhow::Ok(stream)
        });
    }
    while let Some(stream) = opening.join_next().await {
        open.push(stream??);
    }
    Ok(open)
}

/// Asks for something small and reads the answer, whose connection stays.
async fn ask(stream: &mut Box<dyn Stream>) -> anyhow::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    stream.flush().await?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 512]);
    loop {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0 && answer.len() < ANSWER_BYTES_MAX, "no answer to GET /healthz");
        answer.extend_from_slice(&buffer[..read]);
        let has_body = || {
            answer.windows(4).position(|four| four == b"\r\n\r\n").is_some_and(|end| end + 4 < answer.len())
        };
        if answer.starts_with(b"HTTP/1.1 200") && has_body() {
            return Ok(());
        }
    }
}
