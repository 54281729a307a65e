//! The one UDP port of all WebRTC sessions: batches in, batches out, and whose a datagram is.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use str0m::net::Protocol;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use wire::stun;

/// Datagrams that wait for one session; what comes beyond is dropped, as a network would.
const INBOX_DATAGRAMS_MAX: usize = 512;
/// Buffers that one system call fills, each with what the kernel has joined of one sender.
const BATCH: usize = 8;
/// The most that the kernel joins (UDP GRO).
const BATCH_BYTES: usize = 64 << 10;
/// Room in the kernel for a burst while all cores are busy; it grants less where its limit (`rmem_max`) is lower.
const SOCKET_BYTES: usize = 4 << 20;

/// How a datagram came, or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub(super) protocol: Protocol,
    pub(super) peer: SocketAddr,
}

/// A datagram for a session.
pub(super) struct Datagram {
    pub(super) at: Instant,
    pub(super) route: Route,
    pub(super) bytes: Bytes,
}

pub(super) type Inbox = mpsc::Receiver<Datagram>;

/// Whose datagrams are whose.
#[derive(Default)]
struct Table {
    /// By our half of the ICE user name, from the answer until the session ends.
    by_ufrag: HashMap<String, mpsc::Sender<Datagram>>,
    /// By the peer's address, once its session has found a check from there authentic.
    by_route: HashMap<Route, mpsc::Sender<Datagram>>,
    /// Writers of ICE-TCP connections.
    streams: HashMap<SocketAddr, mpsc::Sender<Bytes>>,
}

/// The port.
pub(super) struct Endpoint {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    table: Mutex<Table>,
}

impl Endpoint {
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // As much as there is; less only means earlier loss in a burst.
        drop(state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BYTES));
        drop(state.set_send_buffer_size(UdpSockRef::from(&socket), SOCKET_BYTES));
        let address = socket.local_addr()?;
        Ok(Self { socket, state, address, table: Mutex::default() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the inbox of a session that answers to this name.
    pub(super) fn open(self: &Arc<Self>, ufrag: &str) -> (Mailbox, Inbox) {
        let (sender, inbox) = mpsc::channel(INBOX_DATAGRAMS_MAX);
        self.table().by_ufrag.insert(ufrag.to_owned(), sender.clone());
        (
            Mailbox {
                endpoint: Arc::clone(self),
                sender,
                ufrags: vec![ufrag.to_owned()],
                routes: Vec::new(),
            },
            inbox,
        )
    }

    /// Receives until cancelled.
    pub(super) async fn receive(&self) {
        let mut memory = vec![0; BATCH * BATCH_BYTES];
        let mut metas = [RecvMeta::default(); BATCH];
        loop {
            let received = self.socket.async_io(Interest::READABLE, || {
                let mut chunks = memory.chunks_mut(BATCH_BYTES).map(IoSliceMut::new);
                let mut slices: [IoSliceMut<'_>; BATCH] = std::array::from_fn(|_| {
                    chunks.next().expect("as many chunks as the memory was made for")
                });
                self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas)
            });
            match received.await {
                Ok(count) => {
                    let now = Instant::now();
                    for (meta, chunk) in metas.iter().zip(memory.chunks(BATCH_BYTES)).take(count) {
                        let route = Route { protocol: Protocol::Udp, peer: meta.addr };
                        for bytes in chunk[..meta.len].chunks(meta.stride.max(1)) {
                            self.deliver(now, route, bytes);
                        }
                    }
                }
                // Errors of this socket are of single peers (a port that is closed): nothing to end for.
                Err(error) => tracing::debug!(%error, "nothing received"),
            }
        }
    }

    /// Hands a datagram to its session; `false` when it is nobody's.
    pub(super) fn deliver(&self, at: Instant, route: Route, bytes: &[u8]) -> bool {
        let sender = {
            let table = self.table();
            let by_name = || table.by_ufrag.get(stun::local_ufrag(bytes)?);
            // A check names its session even from an address that was another's: names are never used twice.
            let found = if stun::is_stun(bytes) { by_name() } else { None };
            match found.or_else(|| table.by_route.get(&route)) {
                Some(sender) => sender.clone(),
                None => return false,
            }
        };
        // A full inbox loses it: the session is slower than its peer, who will send what matters again.
        sender.try_send(Datagram { at, route, bytes: Bytes::copy_from_slice(bytes) }).is_ok()
    }

    /// Sends one or more datagrams of `segment` bytes each (the last may be shorter). What the kernel does not take is
    /// lost, as it may be anywhere on its way.
    pub(super) fn send(&self, route: Route, bytes: &[u8], segment: usize) {
        match route.protocol {
            Protocol::Udp => {
                let transmit = Transmit {
                    destination: route.peer,
                    ecn: None,
                    contents: bytes,
                    segment_size: (bytes.len() > segment).then_some(segment),
                    src_ip: None,
                };
                let sent = self.socket.try_io(Interest::WRITABLE, || {
                    self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
                });
                if let Err(error) = sent {
                    tracing::trace!(%error, peer = %route.peer, "not sent");
                }
            }
            Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => {
                let Some(stream) = self.table().streams.get(&route.peer).cloned() else { return };
                for datagram in bytes.chunks(segment.max(1)) {
                    drop(stream.try_send(Bytes::copy_from_slice(datagram)));
                }
            }
        }
    }

    /// The most datagrams in one [`Endpoint::send`].
    pub(super) fn segments_max(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Where datagrams for the peer of this ICE-TCP connection go, until it is closed.
    pub(super) fn attach(&self, peer: SocketAddr, writer: mpsc::Sender<Bytes>) {
        self.table().streams.insert(peer, writer);
    }

    pub(super) fn detach(&self, peer: SocketAddr) {
        let mut table = self.table();
        table.streams.remove(&peer);
        table.by_route.remove(&Route { protocol: Protocol::Tcp, peer });
    }
}

/// A session's places in the table, given back when it is dropped.
pub(super) struct Mailbox {
    endpoint: Arc<Endpoint>,
    sender: mpsc::Sender<Datagram>,
    ufrags: Vec<String>,
    routes: Vec<Route>,
}

/// Addresses a peer may have at a time: networks it roams between. The oldest is forgotten.
const ROUTES_MAX: usize = 8;
/// Names of a session: each ICE restart brings one.
const UFRAGS_MAX: usize = 8;

impl Mailbox {
    /// The session has found a check from there authentic.
    pub(super) fn bind(&mut self, route: Route) {
        if self.routes.last() == Some(&route) {
            return;
        }
        self.routes.retain(|known| *known != route);
        self.routes.push(route);
        let mut table = self.endpoint.table();
        table.by_route.insert(route, self.sender.clone());
        if self.routes.len() > ROUTES_MAX {
            let oldest = self.routes.remove(0);
            if table.by_route.get(&oldest).is_some_and(|of| of.same_channel(&self.sender)) {
                table.by_route.remove(&oldest);
            }
        }
    }

    /// A further name, after an ICE restart; the former one is good until the peer has moved.
    pub(super) fn add_ufrag(&mut self, ufrag: &str) {
        let mut table = self.endpoint.table();
        table.by_ufrag.insert(ufrag.to_owned(), self.sender.clone());
        self.ufrags.push(ufrag.to_owned());
        if self.ufrags.len() > UFRAGS_MAX {
            table.by_ufrag.remove(&self.ufrags.remove(0));
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut table = self.endpoint.table();
        for ufrag in &self.ufrags {
            table.by_ufrag.remove(ufrag);
        }
        for route in &self.routes {
            if table.by_route.get(route).is_some_and(|of| of.same_channel(&self.sender)) {
                table.by_route.remove(route);
            }
        }
    }
}
