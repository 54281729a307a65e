//! The synthetic publishers: one thread that pushes a [`Source`] each to many RTMP addresses, in real time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use wire::rtmp::client::{Options, Purpose, Session};
use wire::rtmp::message::Kind;

use super::source::{Shape, Source};
use super::target::resolve;
use super::viewer::transmit;
use crate::stamp;
use crate::url::Url;

/// From `connect` to the server's consent.
const READY_MAX: Duration = Duration::from_secs(5);
/// A server that does not take this much is too slow for its publisher, and the run void.
const BACKLOG_BYTES_MAX: usize = 16 << 20;

/// Publishers at work; they end with this value.
pub struct Publishers {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Publishers {
    /// Connects to every address and begins to push; returns when all servers have consented.
    pub fn start(urls: &[Url], shape: Shape) -> anyhow::Result<Self> {
        let count = urls.len().max(1) as u32;
        let interval = Duration::from_secs(1) / shape.fps.max(1);
        let mut connections = Vec::with_capacity(urls.len());
        for (at, url) in urls.iter().enumerate() {
            let connection = Connection::open(url, shape, at as u64);
            connections.push(connection.with_context(|| format!("publishing to {url}"))?);
        }
        // Phases apart, so that many publishers do not send in the same instant.
        let start = Instant::now();
        for (at, connection) in connections.iter_mut().enumerate() {
            connection.started = start + interval * (at as u32) / count;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || run(connections, &stopped));
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends all publications cleanly; says if one had failed.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(done)) => done,
            Some(Err(_)) => bail!("the publishers' thread panicked"),
        }
    }
}

impl Drop for Publishers {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn run(mut connections: Vec<Connection>, stop: &AtomicBool) -> anyhow::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let Some(next) = connections.iter_mut().min_by_key(|connection| connection.due()) else {
            return Ok(());
        };
        let wait = next.due().saturating_duration_since(Instant::now());
        if wait.is_zero() {
            next.push()?;
        } else {
            std::thread::sleep(wait.min(Duration::from_millis(50)));
        }
    }
    for connection in &mut connections {
        connection.session.finish();
        connection.exchange()?;
    }
    Ok(())
}

struct Connection {
    socket: TcpStream,
    session: Session,
    source: Source,
    started: Instant,
    body: Vec<u8>,
    backlog: Vec<u8>,
}

impl Connection {
    fn open(url: &Url, shape: Shape, seed: u64) -> anyhow::Result<Self> {
        let options = Options::for_url(Purpose::Publish, &url.to_string()).context("no RTMP address")?;
        let socket = TcpStream::connect_timeout(&resolve(url)?, READY_MAX)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(READY_MAX))?;
        let session = Session::new(Instant::now(), options, seed);
        let (body, backlog) = (Vec::new(), Vec::new());
        let mut connection =
            Self { socket, session, source: Source::new(shape), started: Instant::now(), body, backlog };
        connection.wait_until_ready()?;
        connection.socket.set_nonblocking(true)?;
        for (kind, body) in connection.source.parameters() {
            connection.session.send_media(media_kind(kind), 0, &body)?;
        }
        connection.exchange()?;
        Ok(connection)
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 4_096];
        while !self.session.is_ready() {
            self.socket.write_all(&transmit(&mut self.session))?;
            let len = self.socket.read(&mut buffer).context("waiting for the server's consent")?;
            ensure!(len > 0, "the server closed the connection before it consented");
            self.session.handle_input(Instant::now(), &buffer[..len])?;
        }
        Ok(())
    }

    fn due(&self) -> Instant {
        self.started + self.source.due()
    }

    fn push(&mut self) -> anyhow::Result<()> {
        self.body.clear();
        let unit = self.source.next(stamp::now_micros(), &mut self.body);
        self.session.send_media(media_kind(unit.kind), unit.dts_ms, &self.body)?;
        self.exchange()
    }

    /// Writes what waits and reads what came, without blocking.
    fn exchange(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 4_096];
        match self.socket.read(&mut buffer) {
            Ok(0) => bail!("the server closed a publisher's connection"),
            Ok(len) => self.session.handle_input(Instant::now(), &buffer[..len])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("reading as publisher"),
        }
        while self.session.poll_event().is_some() {}
        self.backlog.extend_from_slice(&transmit(&mut self.session));
        match self.socket.write(&self.backlog) {
            Ok(written) => drop(self.backlog.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("pushing"),
        }
        ensure!(self.backlog.len() <= BACKLOG_BYTES_MAX, "the server does not keep up with its publisher");
        Ok(())
    }
}

fn media_kind(flv_tag_type: u8) -> Kind {
    if flv_tag_type == 8 { Kind::Audio } else { Kind::Video }
}
