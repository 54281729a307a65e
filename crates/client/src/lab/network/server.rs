//! The server under test: a child in the near network.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use tokio::process::{Child, Command};

use super::super::ready::Ready;
use super::bed::{Bed, NEAR};
use crate::url::Url;

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
                .env("OPENMIC_ROOMS_DEMO", "true")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
        })?;
        let mut child = spawned.context("starting openmic serve by setpriv, of util-linux")?;
        let http = Ready::of(&mut child).await?.http()?;
        Ok(Self { http, _child: child })
    }

    /// An address of it.
    pub(super) fn at(&self, path: &str) -> Url {
        Url { path: path.to_owned(), query: None, ..self.http.clone() }
    }
}
