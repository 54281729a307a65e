//! The service: the sockets, what we are known by, and the sessions by the names of their HTTP resources.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert};
use str0m::net::{Protocol, TcpType};
use str0m::{Candidate, IceCreds, Rtc, RtcConfig};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use wire::sdp_fragment;

use super::control::MESSAGE_BYTES_MAX;
use super::endpoint::Endpoint;
use super::offer::Refusal;
use super::offers::{OfferKey, Offers};
use super::plan::Plan;
use super::session::{self, Command, Role};
use super::waiting::{First, Waiting};
use super::{BeginError, crypto, offer};
use crate::config;
use crate::context::Context;
use crate::sessions::Ticket;

/// Requests of a session's resource that wait for its task.
const COMMANDS_MAX: usize = 4;
/// How often sessions learn what their peers got of all that was sent: browsers report that ten times a second.
const STATS_INTERVAL: Duration = Duration::from_millis(250);
/// Viewers bring sound and picture together by the second report of both; the library's 5 s for sound make that 10 s.
const SOUND_REPORTED: Duration = Duration::from_secs(1);

/// The sockets of WebRTC.
pub(crate) struct Sockets {
    udp: std::net::UdpSocket,
    tcp: TcpListener,
}

/// The service: the port, the identity, and the sessions by the name of their HTTP resource.
pub struct Service {
    pub(super) endpoint: Arc<Endpoint>,
    crypto: Arc<CryptoProvider>,
    /// One for all: to make one takes a millisecond.
    certificate: DtlsCert,
    candidates: Vec<(Protocol, SocketAddr)>,
    /// One permit a session whose peer has not connected yet: anybody can begin one, and it is not cheap.
    half_open: Arc<Semaphore>,
    sessions: Mutex<HashMap<String, Handle>>,
    offers: Offers,
}

/// A session as its HTTP resource sees it.
#[derive(Clone)]
struct Handle {
    commands: mpsc::Sender<Command>,
    /// What the peer offers, with the ICE credentials that it has now.
    offer: Arc<str>,
    /// Of the ICE session: our half of its user name.
    etag: Arc<str>,
}

/// A session that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// The name of its resource.
    pub(crate) id: String,
    pub(crate) answer: String,
    /// Of its ICE session (RFC 9725 §4.3.2).
    pub(crate) etag: String,
}

/// What was agreed on.
pub(super) struct Offered {
    pub(super) plan: Plan,
    pub(super) answer: String,
    pub(super) ticket: Ticket,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) half_open: OwnedSemaphorePermit,
    pub(super) now: Instant,
}

impl Sockets {
    /// Binds UDP and TCP to the same port; port 0 takes one that both have.
    pub(crate) fn bind(
        address: SocketAddr,
        listen: impl Fn(SocketAddr) -> io::Result<TcpListener>,
    ) -> io::Result<Self> {
        /// Whoever takes any port rarely meets one that the other protocol has not.
        const TRIES: usize = 16;
        let mut last = None;
        for _ in 0..TRIES {
            let udp = std::net::UdpSocket::bind(address)?;
            match listen(udp.local_addr()?) {
                Ok(tcp) => return Ok(Self { udp, tcp }),
                Err(error) if address.port() == 0 => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }
}

impl Service {
    /// The service behind `sockets`, and the listener of ICE-TCP for [`super::serve`].
    /// HTTPS, where it is served, takes ICE-TCP too.
    pub(crate) fn new(
        config: &config::Rtc,
        sockets: Sockets,
        https: Option<SocketAddr>,
    ) -> io::Result<(Self, TcpListener)> {
        let endpoint = Arc::new(Endpoint::new(sockets.udp)?);
        let crypto = crypto::provider();
        let certificate = crypto
            .dtls_provider
            .generate_certificate()
            .ok_or_else(|| io::Error::other("the cryptography made no certificate"))?;
        let addresses = reachable(endpoint.address(), &config.public);
        let secure = https.map(|address| reachable(address, &config.public)).unwrap_or_default();
        let all = |protocol, addresses: Vec<SocketAddr>| {
            addresses.into_iter().map(move |address| (protocol, address))
        };
        let candidates = all(Protocol::Udp, addresses.clone())
            .chain(all(Protocol::Tcp, addresses))
            .chain(all(Protocol::Tcp, secure))
            .collect();
        let service = Self {
            endpoint,
            crypto,
            certificate,
            candidates,
            half_open: Arc::new(Semaphore::new(config.half_open_max)),
            sessions: Mutex::default(),
            offers: Offers::default(),
        };
        Ok((service, sockets.tcp))
    }

    /// Begins a session once, however often its offer comes.
    pub(crate) async fn once<E>(
        &self,
        key: OfferKey,
        begin: impl Future<Output = Result<Begun, E>>,
    ) -> Result<Begun, E> {
        self.offers.once(key, |begun| self.sessions().contains_key(&begun.id), begin).await
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more sessions may begin before one of those that are about to connect has.
    pub fn places(&self) -> usize {
        self.half_open.available_permits()
    }

    pub(super) fn half_open(&self) -> Result<OwnedSemaphorePermit, BeginError> {
        Arc::clone(&self.half_open).try_acquire_owned().map_err(|_| BeginError::Busy)
    }

    /// A configuration whose machine answers to this name and is controlled by the peer. We are reachable where
    /// we say, so nothing has to be probed: ICE-lite (RFC 8445 §2.5), unless the peer is that itself.
    pub(super) fn machine(&self, offer: &str, credentials: IceCreds) -> RtcConfig {
        let peer_is_lite = offer.lines().any(|line| line == "a=ice-lite");
        RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_dtls_cert(self.certificate.clone())
            .set_local_ice_credentials(credentials)
            .set_ice_lite(!peer_is_lite)
            .set_rtcp_report_interval_audio(SOUND_REPORTED)
            .set_stats_interval(Some(STATS_INTERVAL))
            .set_sctp_max_message_size(MESSAGE_BYTES_MAX as u32)
            .set_rtp_mode(true)
    }

    /// Where we are reached.
    pub(super) fn candidates(&self) -> &[(Protocol, SocketAddr)] {
        &self.candidates
    }

    pub(super) fn add_candidates(&self, rtc: &mut Rtc) {
        for (protocol, address) in &self.candidates {
            let candidate = match protocol {
                Protocol::Udp => Candidate::host(*address, Protocol::Udp),
                Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => {
                    Candidate::builder().tcp().host(*address).tcptype(TcpType::Passive).build()
                }
            };
            match candidate {
                Ok(candidate) => drop(rtc.add_local_candidate(candidate)),
                Err(error) => tracing::warn!(%address, %error, "no candidate"),
            }
        }
    }

    /// Ends a session; `false` when there is none of this name.
    pub(crate) async fn end(&self, id: &str) -> bool {
        let Some(handle) = self.sessions().get(id).cloned() else { return false };
        handle.commands.send(Command::End).await.is_ok()
    }

    /// The ICE session that the session of this name has now.
    pub(crate) fn etag(&self, id: &str) -> Option<Arc<str>> {
        self.sessions().get(id).map(|handle| Arc::clone(&handle.etag))
    }

    /// Restarts a session's ICE with the peer's new credentials; `None` when there is no such session, and no
    /// answer when they are those it has.
    pub(crate) async fn restart(
        &self,
        id: &str,
        ufrag: &str,
        pwd: &str,
    ) -> Option<Result<Option<String>, Refusal>> {
        let handle = self.sessions().get(id).cloned()?;
        if sdp_fragment::credentials(&handle.offer).is_some_and(|own| own.ufrag == ufrag) {
            return Some(Ok(None));
        }
        let offer = offer::with_credentials(&handle.offer, ufrag, pwd);
        let (reply, answer) = oneshot::channel();
        handle.commands.send(Command::Restart { offer: offer.clone(), reply }).await.ok()?;
        let answer = match answer.await.ok()? {
            Ok(answer) => answer,
            Err(refusal) => return Some(Err(refusal)),
        };
        // Candidates that trickle in with these credentials are not another restart.
        if let (Some(handle), Some(own)) = (self.sessions().get_mut(id), sdp_fragment::credentials(&answer)) {
            (handle.offer, handle.etag) = (offer.into(), own.ufrag.into());
        }
        Some(Ok(Some(answer)))
    }
}

impl Service {
    pub(super) fn start(&self, context: &Arc<Context>, role: Role, offered: Offered) -> Begun {
        let Offered { plan, answer, ticket, permit, half_open, now } = offered;
        let etag = plan.ufrag().to_owned();
        let (mailbox, inbox) = self.endpoint.open(&etag);
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let id = random_name();
        let handle = Handle { commands: sender, offer: Arc::clone(plan.offer()), etag: etag.as_str().into() };
        self.sessions().insert(id.clone(), handle);
        let patience = context.config().rtc.set_up;
        let mut waiting =
            Waiting { plan, role, mailbox, inbox, commands, began: now, patience, half_open, ticket };
        let named = Named { context: Arc::clone(context), id: id.clone() };
        context.spawn(async move {
            let _permit = permit;
            match named.context.stopping.run_until_cancelled(waiting.until_heard()).await {
                // In a box: a session that waits is to be small, and most of its size is what comes after.
                Some(Ok(Some(first))) => Box::pin(named.live(waiting, first)).await,
                outcome => {
                    named.report(outcome.as_ref().and_then(|outcome| outcome.as_ref().err()));
                    waiting.close(matches!(outcome, Some(Ok(None))));
                }
            }
        });
        Begun { id, answer, etag }
    }
}

/// A session's name in the service, for as long as its task runs, however that ends.
struct Named {
    context: Arc<Context>,
    id: String,
}

impl Named {
    /// Runs a session whose peer has shown itself.
    async fn live(&self, waiting: Waiting, first: First) {
        let known = waiting.ticket.session();
        waiting.ticket.begin();
        let mut session = match waiting.begin(&self.context.rtc) {
            Ok(session) => session,
            Err(error) => return self.report(Some(&error)),
        };
        let run = async {
            session.handle_first(first)?;
            session.run().await
        };
        let outcome = tokio::select! {
            outcome = self.context.stopping.run_until_cancelled(run) => outcome,
            () = known.kicked() => Some(Ok(())),
        };
        self.report(outcome.as_ref().and_then(|outcome| outcome.as_ref().err()));
        session.close(matches!(outcome, Some(Ok(()))));
    }

    fn report(&self, error: Option<&session::Error>) {
        if let Some(error) = error {
            tracing::info!(session = self.id, %error, "WebRTC session ended");
        }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.context.rtc.sessions().remove(&self.id);
    }
}

/// The addresses that peers are told: those of the configuration, else where we listen; every interface is the one that
/// the way to the internet begins at.
fn reachable(listening: SocketAddr, public: &[IpAddr]) -> Vec<SocketAddr> {
    let port = listening.port();
    if !public.is_empty() {
        return public.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
    }
    if !listening.ip().is_unspecified() {
        return vec![listening];
    }
    // Connecting a datagram socket sends nothing: it asks the routing table. The addresses are for documentation.
    let ways = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let local = |(from, to): (&str, &str)| {
        let socket = std::net::UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(SocketAddr::new(socket.local_addr().ok()?.ip(), port))
    };
    ways.into_iter().filter_map(local).filter(|at| listening.is_ipv6() || at.is_ipv4()).collect()
}

/// 128 bits that nobody guesses: who knows a session's address may end it.
fn random_name() -> String {
    let mut bytes = [0; 16];
    fill_random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn random_u16() -> u16 {
    let mut bytes = [0; 2];
    fill_random(&mut bytes);
    u16::from_be_bytes(bytes)
}

fn fill_random(bytes: &mut [u8]) {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(bytes).expect("the system's random source does not fail after start");
}
