//! One peer connection: its task owns the protocol machine, takes datagrams in and sends what comes out.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use media::broadcast::WriteError;
use str0m::bwe::BweKind;
use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Event, IceConnectionState, Input, Output, Rtc, RtcError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::sleep_until;
use wire::stun;

use super::control::Control;
use super::endpoint::{Datagram, Endpoint, Inbox, Mailbox, Route};
use super::offer;
use super::outgoing::Outgoing;
use super::presence::Gone;
use super::publish::Publish;
use super::waiting::First;
use super::watch::{self, BURST_PACKETS, BURST_PAUSE};
use crate::sessions::Ticket;

/// A peer that cannot be reached may come back, from another network, for this long.
const LOST_MAX: Duration = Duration::from_secs(20);
/// Datagrams taken before others get their turn.
const DATAGRAMS_A_TURN: usize = 64;
/// The most that one system call sends: what an IP packet can hold.
const BATCH_BYTES_MAX: usize = 60 << 10;

/// What the HTTP resource of a session asks of it.
pub(super) enum Command {
    /// The peer is done.
    End,
    /// The peer's ICE has begun anew; the answer is ours.
    Restart { offer: String, reply: oneshot::Sender<Result<String, offer::Refusal>> },
}

/// What the session does with media.
pub(super) enum Role {
    Publish(Box<Publish>),
    Send(Outgoing),
}

impl Role {
    /// Gives everything back; a publisher that wants it so ends its broadcast.
    pub(super) fn close(self, is_wanted: bool) {
        match self {
            Self::Publish(publish) if is_wanted => publish.end(),
            Self::Publish(_) | Self::Send(_) => {}
        }
    }
}

/// Why a session ended other than by its peer's wish.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Rtc(#[from] RtcError),
    #[error(transparent)]
    Offer(#[from] offer::Refusal),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the peer did not connect within {0:?} (rtc.set_up_ms); is its UDP blocked, and TCP too?")]
    NotConnected(Duration),
    #[error("the peer was not heard of for {LOST_MAX:?}")]
    Lost,
    #[error(transparent)]
    Gone(#[from] Gone),
    #[error("the broadcast ended")]
    Ended,
    #[error("the broadcast goes on with another codec than was negotiated")]
    OtherCodec,
    #[error("the peer closed the connection")]
    Closed,
}

impl From<watch::Over> for Error {
    fn from(over: watch::Over) -> Self {
        match over {
            watch::Over::Ended => Self::Ended,
            watch::Over::OtherCodec => Self::OtherCodec,
        }
    }
}

/// One session.
pub(super) struct Session {
    pub(super) rtc: Rtc,
    pub(super) role: Role,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) mailbox: Mailbox,
    pub(super) inbox: Inbox,
    pub(super) commands: mpsc::Receiver<Command>,
    /// Our candidates' addresses: datagrams are told to have come to one of them.
    pub(super) candidates: Vec<(Protocol, SocketAddr)>,
    /// Until then the peer has to be heard of.
    pub(super) deadline: Option<(Instant, Error)>,
    /// Given back when the peer has connected.
    pub(super) half_open: Option<OwnedSemaphorePermit>,
    pub(super) ticket: Ticket,
    pub(super) batch: Batch,
    pub(super) control: Control,
}

/// What woke a session.
enum Woken {
    Datagram(Datagram),
    Command(Option<Command>),
    Timeout,
    Media(Result<(), watch::Over>),
    Demand(Result<(), WriteError>),
}

impl Session {
    /// Runs until the session is over, and says why; `Ok` when its peer wanted it so.
    pub(super) async fn run(&mut self) -> Result<(), Error> {
        // Between two bursts of a group that is being caught up with.
        let mut rests_until: Option<Instant> = None;
        loop {
            let machine_due = self.drain()?;
            if !self.rtc.is_alive() {
                return Err(Error::Closed);
            }
            rests_until = rests_until.filter(|until| *until > Instant::now());
            let due = self.due(machine_due, rests_until);
            // What is due goes first: a peer that sends without a pause would put off its own deadline for ever.
            if due <= Instant::now() {
                self.handle_timeout()?;
                tokio::task::yield_now().await;
                continue;
            }
            match self.wait(due, rests_until.is_some()).await {
                Woken::Datagram(datagram) => self.handle_datagrams(datagram)?,
                Woken::Command(Some(Command::Restart { offer, reply })) => {
                    drop(reply.send(self.restart(&offer)));
                }
                Woken::Command(Some(Command::End) | None) => return Ok(()),
                Woken::Timeout => self.handle_timeout()?,
                Woken::Media(Ok(())) => {
                    if self.write_burst().await? {
                        rests_until = Some(Instant::now() + BURST_PAUSE);
                    }
                }
                Woken::Media(Err(over)) => return Err(over.into()),
                Woken::Demand(demand) => demand?,
            }
        }
    }

    /// Takes what ended the waiting for the peer.
    pub(super) fn handle_first(&mut self, first: First) -> Result<(), Error> {
        // The machine says what was agreed on before it takes anything.
        self.drain()?;
        match first {
            First::Datagram(datagram) => self.handle_datagrams(datagram),
            First::Restart { offer, reply } => {
                drop(reply.send(self.restart(&offer)));
                Ok(())
            }
        }
    }

    /// When this session wants to be woken, whatever comes before.
    fn due(&self, machine: Instant, rests_until: Option<Instant>) -> Instant {
        let deadline = self.deadline.as_ref().map(|(deadline, _)| *deadline);
        let media = match &self.role {
            Role::Publish(publish) => publish.poll_timeout(),
            Role::Send(outgoing) => outgoing.poll_timeout(),
        };
        [deadline, media, rests_until].into_iter().flatten().fold(machine, Instant::min)
    }

    async fn wait(&mut self, due: Instant, resting: bool) -> Woken {
        let Self { rtc, role, inbox, commands, .. } = self;
        let connected = rtc.is_connected();
        let media = poll_fn(|cx: &mut Task<'_>| match role {
            Role::Send(outgoing) if connected && !resting => outgoing.poll_write(cx, rtc).map(Woken::Media),
            Role::Send(_) => Poll::Pending,
            Role::Publish(publish) => publish.poll_demand(cx).map(Woken::Demand),
        });
        tokio::select! {
            biased;
            command = commands.recv() => Woken::Command(command),
            Some(datagram) = inbox.recv() => Woken::Datagram(datagram),
            () = sleep_until(due.into()) => Woken::Timeout,
            media = media => media,
        }
    }

    /// Takes what has come, as far as it is this session's turn.
    fn handle_datagrams(&mut self, first: Datagram) -> Result<(), Error> {
        self.handle_datagram(&first)?;
        // Nothing is taken out that is not handled in this turn.
        for _ in 1..DATAGRAMS_A_TURN {
            let Ok(datagram) = self.inbox.try_recv() else { break };
            self.handle_datagram(&datagram)?;
        }
        Ok(())
    }

    fn handle_datagram(&mut self, datagram: &Datagram) -> Result<(), Error> {
        let Route { protocol, peer } = datagram.route;
        if let Role::Publish(_) = self.role {
            self.ticket.add_bytes(datagram.bytes.len() as u64);
        }
        let same_family =
            |(kind, at): &&(Protocol, SocketAddr)| *kind == protocol && at.is_ipv4() == peer.is_ipv4();
        let Some((_, destination)) = self.candidates.iter().find(same_family) else { return Ok(()) };
        // What is no STUN, DTLS, RTP or RTCP is nobody's.
        let Ok(receive) = Receive::new(protocol, peer, *destination, &datagram.bytes) else { return Ok(()) };
        self.rtc.handle_input(Input::Receive(datagram.at, receive))?;
        self.drain()?;
        Ok(())
    }

    fn handle_timeout(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if let Some((_, why)) = self.deadline.take_if(|(deadline, _)| *deadline <= now) {
            return Err(why);
        }
        self.rtc.handle_input(Input::Timeout(now))?;
        match &mut self.role {
            Role::Publish(publish) => {
                publish.gone(now).map_or(Ok(()), Err)?;
                publish.handle_timeout(now, &mut self.rtc)?;
            }
            Role::Send(outgoing) => outgoing.handle_timeout(now, &mut self.rtc),
        }
        self.tell();
        Ok(())
    }

    /// Says on the control channel what is to be said.
    fn tell(&mut self) {
        let is_open = self.control.is_open();
        while let Some(told) = match &mut self.role {
            Role::Publish(publish) if is_open => publish.take_told(),
            Role::Publish(_) => None,
            Role::Send(outgoing) => outgoing.take_told(is_open),
        } {
            self.control.tell(&mut self.rtc, &told);
        }
    }

    /// Writes what else can be read at once; `true` when there is still more.
    async fn write_burst(&mut self) -> Result<bool, Error> {
        let mut written = 1;
        let burst = match &self.role {
            Role::Send(outgoing) => BURST_PACKETS / outgoing.copies(),
            Role::Publish(_) => return Ok(false),
        };
        while written < burst {
            let Self { rtc, role: Role::Send(outgoing), .. } = self else { return Ok(false) };
            let next = poll_fn(|cx| Poll::Ready(outgoing.poll_write(cx, rtc))).await;
            match next {
                Poll::Ready(Ok(())) => written += 1,
                Poll::Ready(Err(over)) => return Err(over.into()),
                Poll::Pending => break,
            }
        }
        // The machine sends nothing before it is told the time. Told now, each viewer is done with in one go; as a timer
        // of its own it would come after all other viewers of the frame had their turn.
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.drain()?;
        Ok(written >= burst)
    }

    /// Takes everything out of the machine: events are handled, datagrams sent. Tells when it wants to be called.
    fn drain(&mut self) -> Result<Instant, Error> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.batch.flush(&self.endpoint);
                    return Ok(due);
                }
                Output::Transmit(transmit) => self.handle_transmit(&transmit),
                Output::Event(event) => self.handle_event(event)?,
            }
        }
    }

    fn handle_transmit(&mut self, transmit: &Transmit) {
        let route = Route { protocol: transmit.proto, peer: transmit.destination };
        let is_answer = stun::is_binding_success(&transmit.contents);
        if is_answer {
            self.mailbox.bind(route);
            if let Role::Publish(publish) = &mut self.role {
                publish.handle_check(Instant::now());
            }
        }
        let copies = match &self.role {
            // An answer to a check goes wherever that says to come from.
            Role::Send(outgoing) if transmit.proto == Protocol::Udp && !is_answer => outgoing.copies(),
            Role::Send(_) | Role::Publish(_) => 1,
        };
        if let Role::Send(_) = self.role {
            self.ticket.add_bytes((transmit.contents.len() * copies) as u64);
        }
        for _ in 0..copies {
            self.batch.push(&self.endpoint, route, &transmit.contents);
        }
    }

    fn handle_event(&mut self, event: Event) -> Result<(), Error> {
        let now = Instant::now();
        match event {
            Event::MediaAdded(added) => {
                if let Role::Send(outgoing) = &mut self.role {
                    outgoing.add(&mut self.rtc, added.mid, added.kind, now);
                }
            }
            Event::ChannelOpen(id, label) => {
                if self.control.handle_open(id, &label)
                    && let Role::Publish(publish) = &mut self.role
                {
                    publish.handle_listening();
                }
            }
            Event::ChannelData(data) => {
                if let (Some(heard), Role::Send(outgoing)) =
                    (self.control.handle_data(now, data.id, &data.data), &mut self.role)
                {
                    outgoing.handle_heard(heard, now);
                }
            }
            Event::ChannelClose(id) => self.control.handle_close(id),
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                if let Role::Send(outgoing) = &mut self.role {
                    outgoing.handle_estimate(estimate.as_u64());
                }
            }
            // One that has not connected yet has no more time for that when ICE comes and goes.
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.deadline.get_or_insert((now + LOST_MAX, Error::Lost));
            }
            Event::Connected | Event::IceConnectionStateChange(_) if self.rtc.is_connected() => {
                self.half_open = None;
                match (self.deadline.take(), &mut self.role) {
                    // What went by while nothing could be sent is not sent now: it would delay all that follows.
                    (Some(_), Role::Send(outgoing)) => outgoing.rejoin(),
                    (_, Role::Publish(publish)) => publish.handle_connected(now),
                    (None, Role::Send(_)) => {}
                }
            }
            Event::RtpPacket(packet) => {
                if let Role::Publish(publish) = &mut self.role {
                    publish.handle_packet(packet.timestamp, &mut self.rtc, packet)?;
                }
            }
            Event::MediaIngressStats(stats) => {
                if let Role::Publish(publish) = &mut self.role {
                    publish.handle_stats(&stats);
                }
            }
            Event::MediaEgressStats(stats) => {
                if let Role::Send(outgoing) = &mut self.role {
                    outgoing.handle_stats(&stats);
                }
            }
            Event::PeerStats(stats) => {
                if let Role::Send(outgoing) = &mut self.role {
                    outgoing.handle_way(&stats);
                }
            }
            Event::KeyframeRequest(request) => {
                if let Role::Send(outgoing) = &mut self.role {
                    outgoing.handle_keyframe_request(request.mid, now);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the peer's offer with new ICE credentials and answers with ours.
    fn restart(&mut self, text: &str) -> Result<String, offer::Refusal> {
        let offer = offer::again(text)?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| offer::Refusal::Malformed(error.to_string()))?;
        let ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        self.mailbox.add_ufrag(&ufrag);
        Ok(answer.to_sdp_string())
    }

    /// Says good-bye and gives everything back.
    pub(super) fn close(mut self: Box<Self>, is_wanted: bool) {
        if self.rtc.close().is_ok() {
            drop(self.drain());
        }
        self.role.close(is_wanted);
    }
}

thread_local! {
    /// Where the sessions of a thread gather, one after the other: a session holds it from its first datagram until all are
    /// sent, and never while it waits. One each would be a keyframe's size each, and cold whenever its turn comes.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Datagrams of one size to one peer, sent by one system call.
#[derive(Default)]
pub(super) struct Batch {
    route: Option<Route>,
    bytes: Vec<u8>,
    segment: usize,
    count: usize,
    /// A shorter one is in it, which must be the last.
    full: bool,
}

impl Batch {
    fn push(&mut self, endpoint: &Endpoint, route: Route, datagram: &[u8]) {
        let fits = self.route == Some(route)
            && !self.full
            && datagram.len() <= self.segment
            && self.count < endpoint.segments_max()
            && self.bytes.len() + datagram.len() <= BATCH_BYTES_MAX;
        if !fits {
            self.flush(endpoint);
            (self.route, self.segment) = (Some(route), datagram.len());
            self.bytes = SPARE.take();
        }
        self.bytes.extend_from_slice(datagram);
        self.count += 1;
        self.full = datagram.len() < self.segment;
    }

    fn flush(&mut self, endpoint: &Endpoint) {
        if let Some(route) = self.route.take() {
            endpoint.send(route, &self.bytes, self.segment);
            self.bytes.clear();
            SPARE.set(std::mem::take(&mut self.bytes));
        }
        (self.segment, self.count, self.full) = (0, 0, false);
    }
}
