//! RTMP: accepts connections and runs one task a session that publishes into the hub or plays from it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::Path;
use media::broadcast::{Broadcast, WriteError};
use media::hub::Takeover;
use tokio::io::Interest;
use tokio::time::{sleep_until, timeout};
use tracing::{debug, info, warn};
use wire::flv::TagKind;
use wire::rtmp::command::{Status, code};
use wire::rtmp::message;
use wire::rtmp::name::Name;
use wire::rtmp::server::{Config, Event, Session};

use crate::access::{self, Caller};
use crate::audience::{self, Audience, Protocol};
use crate::bridge;
use crate::config;
use crate::context::Context;
use crate::egress::{Finished, Format, Full, Join, Outbox, Wish};
use crate::ingest::{self, Publisher};
use crate::ladder::{self, Asked};
use crate::sessions::{Action, Ticket};
use crate::socket::Socket;

/// Read from a socket at a time, into a buffer that all sessions of a thread share.
const READ_BYTES: usize = 64 << 10;
/// Reads of one session before others get their turn.
const READS_A_TURN: usize = 8;
/// Messages of a burst before those who read the broadcast get their turn: a publisher that sends seconds at once
/// must not run its own readers out of their ring.
const MESSAGES_A_TURN: usize = 32;
/// A player that asks for a stream just before its publisher is there waits this long.
const PLAY_PATIENCE: Duration = Duration::from_secs(3);
/// A peer that does not take our last words for this long is closed without them.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// A peer that is told why it must go may go on sending for this long before the connection is reset.
const PARTING_MAX: Duration = Duration::from_secs(1);

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Why a session ended other than by its peer's choice.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Protocol(#[from] wire::rtmp::server::Error),
    #[error(transparent)]
    Ingest(#[from] ingest::Error),
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the peer closed the connection")]
    Closed,
    #[error("the peer took no byte for {FLUSH_MAX:?}")]
    Stuck,
    #[error("sent away by an operator")]
    Kicked,
    #[error("the player asks and does not read the answers")]
    Deaf,
}

/// The session's part of the configuration.
pub fn session_config(config: &config::Config) -> Arc<Config> {
    Arc::new(Config {
        set_up_max: config.rtmp.set_up,
        publish_idle_max: config.publish.idle,
        ..Config::default()
    })
}

/// Serves one connection until it ends.
pub async fn serve(socket: Socket, peer: SocketAddr, config: Arc<Config>, context: Arc<Context>) {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    // The handshake's filler wants to differ between connections; it keeps no secret.
    let seed = SESSIONS.fetch_add(1, Ordering::Relaxed) ^ context.clock.uptime().as_nanos() as u64;
    let session = Session::new(Instant::now(), config, seed);
    let mut connection = Connection { socket: Arc::new(socket), peer, context, session, role: Role::Idle };
    let stopping = connection.context.stopping.clone();
    let outcome = stopping.run_until_cancelled(connection.run()).await;
    match outcome {
        Some(Err(Error::Closed)) | None => debug!(%peer, "RTMP session over"),
        Some(Err(error)) => info!(%peer, %error, "RTMP session ended"),
        Some(Ok(())) => {}
    }
    connection.leave();
}

struct Connection {
    socket: Arc<Socket>,
    peer: SocketAddr,
    context: Arc<Context>,
    session: Session,
    role: Role,
}

enum Role {
    Idle,
    Publishing(Box<Publisher>, Ticket),
    Playing(Arc<Outbox>),
}

/// What a session waits for.
enum Woken {
    Readable,
    Timeout,
    Overtaken,
    Kicked,
    Finished(Finished),
}

impl Connection {
    async fn run(&mut self) -> Result<(), Error> {
        loop {
            match self.wait().await? {
                Woken::Readable => {
                    if let Err(error) = self.read() {
                        return self.fail(error).await;
                    }
                }
                Woken::Timeout => self.session.handle_timeout(Instant::now())?,
                Woken::Overtaken => {
                    return self.fail(ingest::Error::Write(WriteError::Fenced).into()).await;
                }
                Woken::Kicked => {
                    self.unpublish();
                    self.session
                        .send_status(&Status::error(code::PUBLISH_BAD_NAME, "an operator sent you away"));
                    self.flush().await?;
                    return Err(Error::Kicked);
                }
                Woken::Finished(Finished::Ended) => {
                    self.role = Role::Idle;
                    self.session.end_play();
                    return self.flush().await;
                }
                Woken::Finished(Finished::Closed) => return Err(Error::Closed),
            }
            if let Err(error) = self.handle_events().await {
                return self.fail(error).await;
            }
            self.flush().await?;
        }
    }

    async fn wait(&mut self) -> Result<Woken, Error> {
        let timeout = sleep_until(self.session.poll_timeout().into());
        let readable = self.socket.ready(Interest::READABLE);
        match &mut self.role {
            Role::Idle => tokio::select! {
                ready = readable => ready.map(|_| Woken::Readable).map_err(Error::Io),
                () = timeout => Ok(Woken::Timeout),
            },
            Role::Publishing(publisher, ticket) => {
                let producer = publisher.producer();
                tokio::select! {
                    ready = readable => ready.map(|_| Woken::Readable).map_err(Error::Io),
                    () = timeout => Ok(Woken::Timeout),
                    // A frame source cannot act on demand: only being overtaken matters.
                    () = overtaken(producer) => Ok(Woken::Overtaken),
                    () = ticket.kicked() => Ok(Woken::Kicked),
                }
            }
            Role::Playing(outbox) => {
                let outbox = Arc::clone(outbox);
                tokio::select! {
                    ready = readable => ready.map(|_| Woken::Readable).map_err(Error::Io),
                    () = timeout => Ok(Woken::Timeout),
                    finished = outbox.finished() => Ok(Woken::Finished(finished)),
                }
            }
        }
    }

    /// Hands the session what the socket has.
    fn read(&mut self) -> Result<(), Error> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..READS_A_TURN {
                match self.socket.try_read(buffer) {
                    Ok(0) => return Err(Error::Closed),
                    Ok(read) => {
                        if let Role::Publishing(_, ticket) = &self.role {
                            ticket.add_bytes(read as u64);
                        }
                        self.session.handle_input(Instant::now(), &buffer[..read])?;
                        if read < buffer.len() {
                            return Ok(());
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        })
    }

    async fn handle_events(&mut self) -> Result<(), Error> {
        let mut messages = 0;
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::PublishRequested { name } => self.publish(&name).await,
                Event::PlayRequested { name, .. } => self.play(&name).await?,
                Event::Media(media) => {
                    self.ingest(&media)?;
                    messages += 1;
                    if messages % MESSAGES_A_TURN == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                Event::Unpublished => self.unpublish(),
                Event::PlayStopped => self.stop_playing(),
                // Live goes on whether a player shows it or not; its buffer is its own affair.
                Event::Paused(_) | Event::BufferLength(_) => {}
            }
        }
        Ok(())
    }

    async fn publish(&mut self, name: &Name) {
        let admitted = self.admit(Action::Publish, name).await;
        let now = Instant::now();
        let takeover = takeover(&self.context.config());
        let claimed = admitted.and_then(|ticket| {
            let producer = self.context.hub.claim(&ticket.path, takeover, now).map_err(|e| e.to_string())?;
            Ok((producer, ticket))
        });
        let refusal = match claimed {
            Ok((producer, ticket)) => {
                if self.session.accept_publish(now) {
                    self.start_publishing(Publisher::new(producer, now), ticket);
                }
                return;
            }
            Err(refusal) => refusal,
        };
        info!(peer = %self.peer, app = name.app, stream = name.stream, refusal, "publisher refused");
        self.session.reject(now, code::PUBLISH_BAD_NAME, &refusal);
    }

    /// Lets the peer publish or play what it names, or says why not.
    async fn admit(&self, action: Action, name: &Name) -> Result<Ticket, String> {
        if self.context.draining.is_cancelled() {
            return Err("the server is going down; try again soon".to_owned());
        }
        let path = Path::new(&name.path()).map_err(|error| error.to_string())?;
        let agent = self.session.peer_info().map(|info| info.flash_ver.as_str()).unwrap_or_default();
        let caller = Caller { peer: Some(self.peer), agent: access::shortened(agent), bearer: None };
        let query = &name.query;
        let request =
            access::Request { action, path: &path, protocol: Protocol::Rtmp, query, caller: &caller };
        self.context.admit(&request).await.map_err(|refused| refused.to_string())
    }

    fn start_publishing(&mut self, publisher: Publisher, ticket: Ticket) {
        let broadcast = publisher.broadcast();
        info!(peer = %self.peer, path = %broadcast.path(), agent = ticket.agent, epoch = broadcast.epoch(), "publishing");
        publisher.audience().set_publisher(audience::Publisher::of(&ticket));
        ticket.begin();
        self.role = Role::Publishing(Box::new(publisher), ticket);
    }

    fn ingest(&mut self, media: &message::Media) -> Result<(), Error> {
        let Role::Publishing(publisher, _) = &mut self.role else { return Ok(()) };
        let kind = match media.kind {
            message::Kind::Audio => TagKind::Audio,
            message::Kind::Video => TagKind::Video,
            message::Kind::Data => TagKind::Script,
        };
        Ok(publisher.handle_tag(Instant::now(), kind, media.timestamp_ms, &media.payload)?)
    }

    fn unpublish(&mut self) {
        if let Role::Publishing(publisher, _) = std::mem::replace(&mut self.role, Role::Idle) {
            info!(peer = %self.peer, path = %publisher.broadcast().path(), "the publisher ended the broadcast");
            publisher.end();
        }
    }

    async fn play(&mut self, name: &Name) -> Result<(), Error> {
        let found = match self.admit(Action::Play, name).await {
            Ok(ticket) => self.find(&ticket.path, &name.query).await.map(|broadcast| (broadcast, ticket)),
            Err(refusal) => Err(refusal),
        };
        match found {
            Err(refusal) => {
                debug!(peer = %self.peer, app = name.app, stream = name.stream, refusal, "player refused");
                self.session.reject(Instant::now(), code::PLAY_STREAM_NOT_FOUND, &refusal);
                Ok(())
            }
            Ok((broadcast, ticket)) if self.session.accept_play(Instant::now()) => {
                let latency_ms = query_value(&name.query, "latency_ms").and_then(|value| value.parse().ok());
                let wish = self.context.egress.wish(latency_ms, query_value(&name.query, "tracks"));
                self.start_playing(broadcast, wish, ticket).await
            }
            Ok(_) => Ok(()),
        }
    }

    async fn find(&self, path: &Path, query: &str) -> Result<Broadcast, String> {
        let found = self.context.find(path, PLAY_PATIENCE).await;
        let found =
            found.ok_or_else(|| format!("nobody publishes {path}; check the name or start the publisher"))?;
        let asked = Asked::of(query).map_err(|error| error.to_string())?;
        ladder::settle(&found, asked).await;
        bridge::for_players(&self.context, &found, asked).map_err(|error| error.to_string())
    }

    /// Hands the writing side of the socket to the egress, after our answers are out.
    async fn start_playing(&mut self, broadcast: Broadcast, wish: Wish, ticket: Ticket) -> Result<(), Error> {
        self.flush().await?;
        let outbox = Arc::new(Outbox::default());
        self.role = Role::Playing(Arc::clone(&outbox));
        let join = Join {
            seat: Audience::of(&broadcast).sit(Protocol::Rtmp).with_ticket(ticket),
            broadcast,
            format: Format::Rtmp,
            wish,
            socket: Arc::clone(&self.socket),
            preface: Bytes::new(),
            session: Some(outbox),
        };
        self.context.egress.join(join).await;
        Ok(())
    }

    fn stop_playing(&mut self) {
        if let Role::Playing(outbox) = &self.role {
            outbox.release();
        }
    }

    /// Tells the peer why, as far as it listens, and ends.
    async fn fail(&mut self, error: Error) -> Result<(), Error> {
        match (&self.role, &error) {
            (Role::Publishing(..), Error::Ingest(error)) => {
                warn!(peer = %self.peer, %error, "publisher closed");
                self.session.send_status(&Status::error(code::PUBLISH_BAD_NAME, &error.to_string()));
            }
            // What the session had to say before it gave up: why a name or a command was refused.
            (_, Error::Protocol(_)) => {}
            (
                _,
                Error::Ingest(_) | Error::Io(_) | Error::Closed | Error::Stuck | Error::Deaf | Error::Kicked,
            ) => {
                return Err(error);
            }
        }
        if self.flush().await.is_ok() && !matches!(self.role, Role::Playing(_)) {
            self.leave();
            let _ = timeout(PARTING_MAX, read_on(&self.socket)).await;
        }
        Err(error)
    }

    /// Sends what the session has to say: directly, or through the egress while that writes the socket.
    async fn flush(&mut self) -> Result<(), Error> {
        while let Some(bytes) = self.session.poll_transmit() {
            match &self.role {
                Role::Playing(outbox) => outbox.send(&bytes).map_err(|Full| Error::Deaf)?,
                Role::Idle | Role::Publishing(..) => {
                    timeout(FLUSH_MAX, write_all(&self.socket, &bytes)).await.map_err(|_| Error::Stuck)??;
                }
            }
        }
        Ok(())
    }

    /// A publisher that vanished leaves its viewers waiting; a viewer that left is let go.
    fn leave(&mut self) {
        match std::mem::replace(&mut self.role, Role::Idle) {
            Role::Idle => {}
            Role::Publishing(publisher, _) => {
                info!(peer = %self.peer, path = %publisher.broadcast().path(), "the publisher is gone");
            }
            Role::Playing(outbox) => outbox.release(),
        }
    }
}

async fn overtaken(producer: &mut media::broadcast::Producer) {
    while poll_fn(|cx| producer.poll_demand(cx)).await.is_ok() {}
}

/// Says that nothing follows and reads until the peer closes: closing over unread bytes, which a publisher always has
/// under way, resets the connection, and our last words are lost with it.
async fn read_on(socket: &Socket) -> std::io::Result<()> {
    socket.end_writing()?;
    loop {
        socket.ready(Interest::READABLE).await?;
        match READ_BUFFER.with_borrow_mut(|buffer| socket.try_read(buffer)) {
            Ok(0) => return Ok(()),
            Ok(_) => tokio::task::consume_budget().await,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(socket: &Socket, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                socket.ready(Interest::WRITABLE).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a second publisher of a live path does.
pub(crate) fn takeover(config: &config::Config) -> Takeover {
    match config.publish.takeover {
        config::Takeover::Newest => Takeover::Newest,
        config::Takeover::Refuse => Takeover::Refuse,
    }
}

/// The value of `key` in a raw query string.
pub(crate) fn query_value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}
