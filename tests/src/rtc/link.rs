//! A peer's way to the server: a UDP socket, or an ICE-TCP connection (RFC 4571 framing).

use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Buf, BytesMut};
use str0m::Candidate;
use str0m::net::{Protocol, TcpType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As usual.
    Udp,
    /// Where UDP is blocked.
    Tcp,
}

/// The way itself.
pub enum Link {
    /// A socket on loopback.
    Udp(UdpSocket),
    /// A connection and what was read of it.
    Tcp(TcpStream, BytesMut),
}

impl Link {
    /// Opens one to the server's port of WebRTC.
    pub async fn open(server: SocketAddr, transport: Transport) -> Self {
        match transport {
            Transport::Udp => {
                Self::Udp(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port"))
            }
            Transport::Tcp => {
                let stream = TcpStream::connect(server).await.expect("the server listens");
                stream.set_nodelay(true).expect("a TCP socket");
                Self::Tcp(stream, BytesMut::new())
            }
        }
    }

    /// Its end on our side.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(stream, _) => stream.local_addr(),
        }
        .expect("a bound socket")
    }

    /// Its protocol.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Udp(_) => Protocol::Udp,
            Self::Tcp(..) => Protocol::Tcp,
        }
    }

    /// What is offered of it.
    pub fn candidate(&self) -> Candidate {
        match self {
            Self::Udp(_) => Candidate::host(self.address(), Protocol::Udp),
            Self::Tcp(..) => Candidate::builder().tcp().host(self.address()).tcptype(TcpType::Active).build(),
        }
        .expect("an address on loopback")
    }

    /// Sends one datagram.
    pub async fn send(&mut self, peer: SocketAddr, datagram: &[u8]) {
        // What the network does not take is lost; the tests see it by what does not arrive.
        match self {
            Self::Udp(socket) => drop(socket.send_to(datagram, peer).await),
            Self::Tcp(stream, _) => {
                let length = u16::try_from(datagram.len()).expect("a datagram");
                let framed = [&length.to_be_bytes()[..], datagram].concat();
                drop(stream.write_all(&framed).await);
            }
        }
    }

    /// The next datagram and from where; `None` at the end of a connection. May be cancelled.
    pub async fn receive(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        match self {
            Self::Udp(socket) => loop {
                let mut datagram = vec![0; 2_048];
                // An error tells of a port that was closed.
                if let Ok((length, peer)) = socket.recv_from(&mut datagram).await {
                    datagram.truncate(length);
                    return Some((peer, datagram));
                }
            },
            Self::Tcp(stream, read) => {
                let peer = stream.peer_addr().ok()?;
                loop {
                    if let Some((length, rest)) = read.split_first_chunk::<2>() {
                        let length = usize::from(u16::from_be_bytes(*length));
                        if rest.len() >= length {
                            read.advance(2);
                            return Some((peer, read.split_to(length).to_vec()));
                        }
                    }
                    if stream.read_buf(read).await.ok()? == 0 {
                        return None;
                    }
                }
            }
        }
    }
}
