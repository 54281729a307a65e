//! What is measured: our server, the floor, nginx, or a server that is already running.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::nginx::Nginx;
use super::process::{Child, Cores, Usage, usage};
use super::source::Shape;
use super::target::Protocol;
use crate::url::Url;

const READY_MAX: Duration = Duration::from_secs(20);

/// A server of somebody else's, already running and already pinned.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// What viewers watch.
    pub watch: Url,
    /// Where the publisher pushes, if it shall.
    pub push: Option<Url>,
    /// The process whose CPU time and memory are read.
    pub pid: u32,
}

/// What is measured.
pub enum Subject {
    /// `openmic serve`.
    Openmic(Child, Addresses),
    /// The floor.
    Floor(Child, Addresses),
    /// nginx with its rtmp module.
    Nginx(Nginx),
    /// A server that was there before.
    Foreign(Foreign),
}

/// Where a child listens, as its ready line says.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Addresses {
    /// HTTP-FLV and WebSocket.
    pub http: SocketAddr,
    /// RTMP; the floor has none.
    pub rtmp: Option<SocketAddr>,
    /// HTTPS, where it was asked for.
    pub https: Option<SocketAddr>,
}

impl Subject {
    /// Starts our own server. `binary` is the `openmic` to start, else this very program.
    pub fn openmic(binary: Option<&PathBuf>, cores: Cores) -> anyhow::Result<Self> {
        Self::openmic_with(binary, cores, &[])
    }

    /// The same with settings given by the environment.
    pub fn openmic_with(
        binary: Option<&PathBuf>,
        cores: Cores,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = program(binary)?;
        command.envs(settings.iter().copied());
        command.args(["serve", "--ready-json"]);
        command.args(["--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--rtc", "127.0.0.1:0"]);
        let (child, addresses) = start(command, cores).context("openmic serve")?;
        Ok(Self::Openmic(child, addresses))
    }

    /// Starts the floor with its own stream.
    pub fn floor(shape: Shape, merge_ms: u32, cores: Cores) -> anyhow::Result<Self> {
        let mut command = program(None)?;
        command.args(["bench", "floor"]);
        command.args(["--merge-ms", &merge_ms.to_string(), "--bitrate", &shape.bitrate.to_string()]);
        command.args(["--fps", &shape.fps.to_string(), "--group-ms", &shape.group.as_millis().to_string()]);
        if shape.audio {
            command.arg("--audio");
        }
        let (child, addresses) = start(command, cores).context("the floor")?;
        Ok(Self::Floor(child, addresses))
    }

    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Openmic(..) => "openmic",
            Self::Floor(..) => "floor",
            Self::Nginx(_) => "nginx-rtmp",
            Self::Foreign(_) => "given",
        }
    }

    /// CPU time and memory of its process.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        usage(match self {
            Self::Openmic(child, _) | Self::Floor(child, _) => child.pid(),
            Self::Nginx(nginx) => nginx.child.pid(),
            Self::Foreign(foreign) => foreign.pid,
        })
        .context("the server is gone")
    }

    /// Bytes of all rings together, as our own server counts them.
    pub fn ring_bytes(&self) -> anyhow::Result<u64> {
        let Self::Openmic(_, at) = self else { bail!("only openmic says how much its rings hold") };
        let mut socket = TcpStream::connect_timeout(&at.http, READY_MAX)?;
        socket.set_read_timeout(Some(READY_MAX))?;
        write!(socket, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let value = answer.lines().find_map(|line| line.strip_prefix("openmic_ring_bytes "));
        value.and_then(|value| value.trim().parse().ok()).context("no openmic_ring_bytes in /metrics")
    }

    /// Where to push stream number `number`; `None` for a subject that has its stream already.
    pub fn push_url(&self, number: usize) -> anyhow::Result<Option<Url>> {
        match self {
            Self::Floor(..) => Ok(None),
            Self::Openmic(_, Addresses { rtmp, .. }) => {
                let rtmp = rtmp.context("the ready line names no RTMP address")?;
                Ok(Some(Url::parse(&format!("rtmp://{rtmp}/live/bench-{number}"))?))
            }
            Self::Nginx(nginx) => {
                Ok(Some(Url::parse(&format!("rtmp://{}/live/bench-{number}", nginx.rtmp))?))
            }
            Self::Foreign(foreign) => {
                ensure!(number == 0, "a given server is measured with one stream");
                Ok(foreign.push.clone())
            }
        }
    }

    /// Where to watch stream number `number`.
    pub fn watch_url(&self, number: usize, protocol: Protocol, merge_ms: u32) -> anyhow::Result<Url> {
        let text = match (self, protocol) {
            (Self::Floor(_, at), _) => format!("http://{}/live/bench.flv", at.http),
            (Self::Nginx(nginx), _) => format!("rtmp://{}/live/bench-{number}", nginx.rtmp),
            (Self::Foreign(foreign), _) => foreign.watch.to_string(),
            (Self::Openmic(_, at), Protocol::Rtmp) => {
                let rtmp = at.rtmp.context("the ready line names no RTMP address")?;
                format!("rtmp://{rtmp}/live/bench-{number}?latency_ms={merge_ms}")
            }
            (Self::Openmic(_, at), Protocol::Whep) => format!("http://{}/live/bench-{number}/whep", at.http),
            (Self::Openmic(_, at), Protocol::Flv | Protocol::Ws) => {
                let scheme = if protocol == Protocol::Ws { "ws" } else { "http" };
                format!("{scheme}://{}/live/bench-{number}.flv?latency_ms={merge_ms}", at.http)
            }
        };
        Ok(Url::parse(&text)?)
    }
}

/// Does something with a folder of its own for a server's data, which goes afterwards.
pub(super) fn in_folder<T>(work: impl FnOnce(&str) -> T) -> T {
    let data = std::env::temp_dir().join(format!("openmic-bench-{}", std::process::id()));
    let done = work(&data.to_string_lossy());
    // One that stays behind harms no later run.
    let _ = std::fs::remove_dir_all(&data);
    done
}

fn program(binary: Option<&PathBuf>) -> anyhow::Result<Command> {
    Ok(match binary {
        Some(binary) => Command::new(binary),
        None => Command::new(std::env::current_exe().context("finding this program")?),
    })
}

fn start(mut command: Command, cores: Cores) -> anyhow::Result<(Child, Addresses)> {
    let mut child = Child::spawn(&mut command, cores.server, cores.load)?;
    let line = child.ready_line(READY_MAX)?;
    let addresses = serde_json::from_str(&line).with_context(|| format!("its ready line is {line:?}"))?;
    Ok((child, addresses))
}
