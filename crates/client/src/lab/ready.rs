//! A server of our own, just started: where it listens, as the line of `openmic serve --ready-json` says.

use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::url::Url;

/// It is up within this time or not at all.
const READY_MAX: Duration = Duration::from_secs(20);

/// Where it listens.
#[derive(Debug, Deserialize)]
pub struct Ready {
    /// `HOST:PORT` of its pages.
    http: String,
    /// `HOST:PORT` of RTMP.
    pub rtmp: String,
}

impl Ready {
    /// Reads the line of a child whose standard output is a pipe.
    pub async fn of(child: &mut Child) -> anyhow::Result<Self> {
        let stdout = child.stdout.take().context("its standard output is ours")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(READY_MAX, lines.next_line()).await;
        let line = line.context("openmic serve was not ready in time")??;
        let line = line.context("openmic serve ended before it was ready")?;
        serde_json::from_str(&line).with_context(|| format!("its ready line is {line:?}"))
    }

    /// Its pages.
    pub fn http(&self) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!("http://{}", self.http))?)
    }
}
