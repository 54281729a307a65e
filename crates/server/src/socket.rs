//! The byte streams that sessions read and write without waiting: TCP, or one end of a pair whose other end
//! is a TLS or HTTP/2 session.

use std::io;

use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

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

    /// Waits until reading or writing may go on.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Pair(stream) => stream.ready(interest).await,
        }
    }
}
