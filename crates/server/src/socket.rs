//! The byte streams that sessions read and write without waiting: TCP, or one end of a pair whose other end
//! is a TLS or HTTP/2 session.

use std::io;
use std::net::Shutdown;
use std::sync::Once;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

use crate::config::Egress;

/// A connected stream with readiness. TLS is terminated by a small task at the other end of a [`UnixStream`]
/// pair, so that everything that fans out writes to a plain socket and there is one path to keep fast.
#[derive(Debug)]
pub enum Socket {
    /// A peer, directly.
    Tcp(TcpStream),
    /// A peer behind a session of this process.
    Pair(UnixStream),
}

impl Socket {
    /// Writes what the socket takes now; `WouldBlock` when it takes nothing.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Pair(stream) => stream.try_write(bytes),
        }
    }

    /// Writes several buffers in one call.
    pub fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Pair(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Reads what is there now; `Ok(0)` is the peer's end, `WouldBlock` nothing yet.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Pair(stream) => stream.try_read(buffer),
        }
    }

    /// Tells the peer that nothing follows; it may still send.
    pub fn end_writing(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
            Self::Pair(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
        }
    }

    /// Waits until reading or writing may go on.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Pair(stream) => stream.ready(interest).await,
        }
    }
}

/// A peer that acknowledges nothing for this long is gone, whatever else its session waits for.
const UNACKNOWLEDGED_MIN: Duration = Duration::from_secs(10);

/// Prepares an accepted connection. Every option is a help, none a need: a kernel without one is not an error.
///
/// `TCP_USER_TIMEOUT` also ends a peer whose window stays shut, so it is no shorter than the time for which the
/// configuration lets a viewer stall.
pub fn tune(stream: &TcpStream, egress: &Egress) {
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_user_timeout(Some(egress.stalled_max.max(UNACKNOWLEDGED_MIN)));
    let _ = socket.set_tcp_notsent_lowat(egress.unsent_bytes_max);
    // A handshake of a call or a delta of a room is a packet or two: lost three times under heavy loss, it would be
    // tried again only after seconds, because each timeout doubles the next. Not for flows of less than four packets.
    let _ = socket.set_tcp_thin_linear_timeouts(true);
    if egress.congestion.is_empty() {
        return;
    }
    static TOLD: Once = Once::new();
    if let Err(error) = socket.set_tcp_congestion(egress.congestion.as_bytes()) {
        TOLD.call_once(|| {
            tracing::info!(
                congestion = egress.congestion, %error,
                "this kernel does not give us that congestion control; its default is used (modprobe tcp_bbr may help)"
            );
        });
    }
}
