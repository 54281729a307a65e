//! The load generator: thousands of viewers in one thread, all read through one buffer.
//!
//! It must be far cheaper than the server it measures, so nothing of the stream is kept and nothing allocated a frame.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mio::{Events, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::connection::Connection;
use super::target::{Protocol, Target};
use super::viewer::{Role, Viewer};
use super::whep::{Shared, Whep};
use crate::stats::Histogram;

const BUFFER_BYTES: usize = 64 << 10;
/// Loopback has about 28,000 ports an address to connect from; beyond this many connections the next one is used.
const CONNECTIONS_PER_SOURCE: usize = 20_000;
/// Connections opened before sockets are served again, so that the server's accept queue is never full.
const OPEN_AT_ONCE: usize = 20;
const OPEN_PAUSE: Duration = Duration::from_millis(8);
/// How often the timers of WebRTC viewers are looked at.
const TIMERS_LOOK: Duration = Duration::from_millis(10);

/// What was counted over all viewers since [`Tally::open`].
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Bytes read from sockets, framing included.
    pub bytes: u64,
    /// Pictures that wholly arrived.
    pub frames: u64,
    /// Pictures left out between two that came.
    pub lost: u64,
    /// Age of pictures on arrival.
    pub latency: Histogram,
    /// From before `connect` to the end of the first keyframe.
    pub joins: Histogram,
    /// The highest number of a picture that anyone got.
    pub newest: Option<u64>,
    counting: bool,
}

impl Tally {
    /// Forgets everything and counts from now on.
    pub fn open(&mut self) {
        *self = Self { counting: true, ..Self::default() };
    }

    /// Stops counting; [`Self::newest`] goes on.
    pub fn close(&mut self) {
        self.counting = false;
    }

    pub(super) fn bytes(&mut self, count: u64) {
        if self.counting {
            self.bytes += count;
        }
    }

    pub(super) fn joined(&mut self, micros: u64) {
        self.joins.record(micros);
    }

    pub(super) fn picture(&mut self, age_micros: Option<u64>, sequence: u64, lost: u64) {
        self.newest = self.newest.max(Some(sequence));
        if self.counting {
            self.frames += 1;
            self.lost += lost;
            if let Some(age_micros) = age_micros {
                self.latency.record(age_micros);
            }
        }
    }
}

/// How many connections are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Open connections.
    pub open: usize,
    /// Open connections that get the stream, or have stalled or idled as they were meant to.
    pub settled: usize,
}

/// Viewers of one server.
pub struct Load {
    poll: Poll,
    events: Events,
    viewers: Vec<Option<Connection>>,
    buffer: Box<[u8]>,
    /// Taken in turn by the viewers; never empty.
    targets: Vec<Target>,
    /// One of so many WebRTC viewers decrypts.
    decoding_each: usize,
    /// What WebRTC viewers share, and when they are next looked at; absent while there are none.
    shared: Option<(Shared, Instant)>,
    /// What is counted.
    pub tally: Tally,
    /// Why the first watching viewer was lost, if one was.
    pub failure: Option<anyhow::Error>,
    /// Connections of each role that ended by the server's doing.
    pub closed: Closed,
}

/// Connections that the server ended, by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// That read everything.
    pub watching: u64,
    /// That had stopped reading.
    pub stalled: u64,
    /// That were idle.
    pub idle: u64,
}

impl Load {
    /// No viewers yet; they will take the `targets` in turn. One of `decoding_each` WebRTC viewers decrypts what it gets.
    pub fn new(targets: Vec<Target>, decoding_each: usize) -> anyhow::Result<Self> {
        ensure!(!targets.is_empty(), "a load needs a stream to watch");
        Ok(Self {
            poll: Poll::new().context("epoll for the load")?,
            events: Events::with_capacity(4_096),
            viewers: Vec::new(),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            targets,
            decoding_each: decoding_each.max(1),
            shared: None,
            tally: Tally::default(),
            failure: None,
            closed: Closed::default(),
        })
    }

    /// Opens `count` connections, a few at once, serving the others meanwhile.
    pub fn open(&mut self, count: usize, role: Role) -> anyhow::Result<()> {
        for at in 0..count {
            self.open_one(role)?;
            if at % OPEN_AT_ONCE == OPEN_AT_ONCE - 1 {
                self.run_for(OPEN_PAUSE)?;
            }
        }
        Ok(())
    }

    /// Serves all sockets for a time.
    pub fn run_for(&mut self, span: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }

    /// Serves all sockets until every connection has settled.
    pub fn settle(&mut self, wait_max: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + wait_max;
        loop {
            let census = self.census();
            if census.open == census.settled {
                return self
                    .failure
                    .take()
                    .map_or(Ok(()), |why| Err(why.context("a viewer was lost while joining")));
            }
            if Instant::now() >= end {
                bail!("{} of {} connections got no stream", census.open - census.settled, census.open);
            }
            self.run_for(Duration::from_millis(20))?;
        }
    }

    /// Serves all sockets until each watching viewer has picture number `sequence`; returns how many pictures up to
    /// that one never came.
    pub fn drain(&mut self, sequence: u64, wait_max: Duration) -> anyhow::Result<u64> {
        let end = Instant::now() + wait_max;
        loop {
            let missing = self.missing(sequence);
            if missing == 0 || Instant::now() >= end {
                return Ok(missing);
            }
            self.run_for(Duration::from_millis(20))?;
        }
    }

    /// How many connections there are.
    pub fn census(&self) -> Census {
        let open = self.viewers.iter().flatten();
        open.fold(Census::default(), |census, viewer| Census {
            open: census.open + 1,
            settled: census.settled + usize::from(viewer.settled()),
        })
    }

    fn missing(&self, sequence: u64) -> u64 {
        let watching = self.viewers.iter().flatten().filter(|viewer| viewer.role() == Role::Watch);
        watching.map(|viewer| viewer.last().map_or(0, |last| sequence.saturating_sub(last))).sum()
    }

    fn open_one(&mut self, role: Role) -> anyhow::Result<()> {
        let at = self.viewers.len();
        let target = &self.targets[at % self.targets.len()];
        let context = || format!("connecting to {} as number {at}", target.address);
        let mut connection = match (target.protocol, role) {
            (Protocol::Whep, Role::Watch) => {
                if self.shared.is_none() {
                    self.shared = Some((Shared::new()?, Instant::now()));
                }
                let (shared, _) = self.shared.as_ref().context("made above")?;
                let decodes = at.is_multiple_of(self.decoding_each);
                Connection::Whep(Box::new(Whep::open(shared, target, decodes).with_context(context)?))
            }
            (Protocol::Whep, Role::Stall) => bail!("a WebRTC viewer that stalls loses what it does not read"),
            (Protocol::Whep, Role::Idle) | (Protocol::Flv | Protocol::Ws | Protocol::Rtmp, _) => {
                let socket = connect(target.address, at / CONNECTIONS_PER_SOURCE).with_context(context)?;
                Connection::Stream(Box::new(Viewer::new(socket, role, target, at)))
            }
        };
        connection.register(self.poll.registry(), Token(at))?;
        self.viewers.push(Some(connection));
        Ok(())
    }

    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        let wait = if self.shared.is_some() { wait.min(TIMERS_LOOK) } else { wait };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled.context("waiting for viewers")?,
        }
        for event in self.events.iter() {
            let Some(slot) = self.viewers.get_mut(event.token().0) else { continue };
            let Some(connection) = slot else { continue };
            let done = match (connection, &mut self.shared) {
                (Connection::Whep(viewer), Some((shared, _))) => {
                    viewer.handle_readable(shared, &mut self.tally)
                }
                (Connection::Whep(_), None) => Ok(()),
                (Connection::Stream(viewer), _) => {
                    let written = if event.is_writable() { viewer.handle_writable() } else { Ok(()) };
                    match written {
                        Ok(()) if event.is_readable() => {
                            viewer.handle_readable(&mut self.buffer, &mut self.tally)
                        }
                        written => written,
                    }
                }
            };
            let why = self.closed.after(slot, done, event.is_read_closed());
            self.failure = self.failure.take().or(why);
        }
        self.handle_timers();
        Ok(())
    }

    /// Calls the machines of WebRTC viewers that want it.
    fn handle_timers(&mut self) {
        let now = Instant::now();
        match &mut self.shared {
            Some((_, look)) if *look <= now => *look = now + TIMERS_LOOK,
            Some(_) | None => return,
        }
        for slot in &mut self.viewers {
            if let Some(Connection::Whep(viewer)) = slot
                && viewer.due() <= now
            {
                let done = viewer.handle_timeout(&mut self.tally);
                let why = self.closed.after(slot, done, false);
                self.failure = self.failure.take().or(why);
            }
        }
    }
}

impl Closed {
    /// Takes a connection out that is over, and counts it; returns why a watching one is.
    fn after(
        &mut self,
        slot: &mut Option<Connection>,
        done: anyhow::Result<()>,
        is_read_closed: bool,
    ) -> Option<anyhow::Error> {
        let role = slot.as_ref()?.role();
        let failure = match (done, role) {
            (Ok(()), Role::Stall) if is_read_closed => None,
            (Ok(()), Role::Watch | Role::Stall | Role::Idle) => return None,
            (Err(why), Role::Watch) => Some(why),
            (Err(_), Role::Stall | Role::Idle) => None,
        };
        match role {
            Role::Watch => self.watching += 1,
            Role::Stall => self.stalled += 1,
            Role::Idle => self.idle += 1,
        }
        *slot = None;
        failure
    }
}

/// A connection under way; on loopback from the `source`-th address, so that ports last for more connections.
fn connect(to: SocketAddr, source: usize) -> std::io::Result<mio::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if source > 0 && to.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        let from = Ipv4Addr::new(127, 0, 0, u8::try_from(source + 1).unwrap_or(u8::MAX));
        socket.bind(&SocketAddr::from((from, 0)).into())?;
    }
    match socket.connect(&to.into()) {
        // EINPROGRESS has no kind of its own.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        connected => connected?,
    }
    Ok(mio::net::TcpStream::from_std(socket.into()))
}
