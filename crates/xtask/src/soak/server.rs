//! The server under load: started on free ports, measured through `/proc` and its own metrics, stopped by SIGTERM.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::judge::Sample;

/// The default drain time and a little more.
const STOP_MAX: Duration = Duration::from_secs(40);
/// A scrape takes milliseconds; a server that cannot answer in this time is not well.
const SCRAPE_MAX: Duration = Duration::from_secs(5);

/// A running server, killed when dropped.
pub(super) struct Server {
    child: Child,
    pub(super) http: SocketAddr,
    pub(super) rtmp: SocketAddr,
}

impl Server {
    /// Starts one with its demo stream and waits for its ready line.
    pub(super) fn start() -> anyhow::Result<Self> {
        let (http, rtmp) = (free_port()?, free_port()?);
        let mut child = Command::new(super::binary())
            .args([
                "serve",
                "--ready-json",
                "--demo",
                "--http",
                &http.to_string(),
                "--rtmp",
                &rtmp.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the server; is OPENMIC_BIN set?")?;
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout was asked for");
        let mut stdout = BufReader::new(stdout);
        stdout.read_line(&mut line)?;
        anyhow::ensure!(line.starts_with('{'), "no ready line but {line:?}");
        // Whatever else it prints must not fill the pipe and stop it.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Ok(Self { child, http, rtmp })
    }

    /// What it holds now.
    pub(super) fn sample(&mut self) -> anyhow::Result<Sample> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("the server ended: {status}");
        }
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status"))?;
        let resident_kb = number_after(&status, "VmRSS:").context("no VmRSS")?;
        let descriptors = fs::read_dir(format!("{process}/fd"))?.count() as u64;
        let metrics = self.get("/metrics")?;
        let panics =
            metrics.lines().filter(|line| !line.starts_with('#')).find(|line| line.contains("panics_total"));
        let panics = panics.context("no panics_total in the metrics")?;
        let panics =
            panics.rsplit(' ').next().and_then(|n| n.parse().ok()).context("panics_total is no number")?;
        Ok(Sample { resident_kb, descriptors, panics })
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.http, SCRAPE_MAX)?;
        stream.set_read_timeout(Some(SCRAPE_MAX))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {:?}", answer.lines().next());
        Ok(answer)
    }

    /// SIGTERM, and success within the drain time.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        super::signal(&self.child, "TERM")?;
        let until = Instant::now() + STOP_MAX;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "after SIGTERM: {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("still running {} s after SIGTERM", STOP_MAX.as_secs())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(label))?.split_whitespace().next()?.parse().ok()
}
