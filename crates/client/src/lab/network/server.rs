//! The server under test: a child in the near network.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::bed::{Bed, NEAR};
use crate::url::Url;

/// It is up within this time or not at all.
const READY_MAX: Duration = Duration::from_secs(20);

/// A server, which ends with this.
pub(super) struct Server {
    /// Its pages.
    pub(super) http: Url,
    _child: Child,
}

impl Server {
    /// Starts `openmic serve`, open to everyone: nobody else is in its network.
    pub(super) async fn start(program: &Path, bed: &Bed, data: &Path) -> anyhow::Result<Self> {
        let (program, data) = (program.to_owned(), data.to_owned());
        let runtime = tokio::runtime::Handle::current();
        let spawned = bed.near.run(move || {
            let _runtime = runtime.enter();
            let any = format!("{NEAR}:0");
            Command::new("setpriv")
                .args(["--pdeathsig", "KILL"])
                .arg(program)
                .args(["serve", "--ready-json", "--http", &any, "--rtmp", &any, "--rtc", &any, "--data"])
                .arg(data)
                .env("OPENMIC_LOG", "error")
                .env("OPENMIC_ACCESS_OPEN_TO_EVERYONE", "true")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
        })?;
        let mut child = spawned.context("starting openmic serve by setpriv, of util-linux")?;
        let stdout = child.stdout.take().context("its standard output is ours")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(READY_MAX, lines.next_line()).await;
        let line = line.context("openmic serve was not ready in time")??;
        let line = line.context("openmic serve ended before it was ready")?;
        let ready: Value =
            serde_json::from_str(&line).with_context(|| format!("its ready line is {line:?}"))?;
        let http = ready["http"].as_str().with_context(|| format!("no http in {line:?}"))?;
        Ok(Self { http: Url::parse(&format!("http://{http}"))?, _child: child })
    }

    /// An address of it.
    pub(super) fn at(&self, path: &str) -> Url {
        Url { path: path.to_owned(), query: None, ..self.http.clone() }
    }
}
