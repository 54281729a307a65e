//! ICE over TCP (RFC 6544) for networks without UDP: each datagram behind a length of two bytes (RFC 4571).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::net::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::endpoint::{Endpoint, Route};
use crate::accept::{self, Accepted};
use crate::context::Context;

/// A peer that connects says within this whose it is.
const FIRST_MAX: Duration = Duration::from_secs(5);
/// And goes on checking that we are there (RFC 7675 §5.1 wants it each 5 s).
const IDLE_MAX: Duration = Duration::from_secs(30);
/// A datagram longer than this is of no browser.
const DATAGRAM_BYTES_MAX: usize = 2_000;
/// Datagrams that wait for a slow connection; beyond these they are lost, as over UDP.
const QUEUE_DATAGRAMS_MAX: usize = 512;

/// Accepts until the server stops.
pub(super) async fn serve(context: Arc<Context>, endpoint: Arc<Endpoint>, listener: TcpListener) {
    let take = |Accepted { stream, peer, permit }| {
        let endpoint = Arc::clone(&endpoint);
        let stopping = context.stopping.clone();
        context.spawn(async move {
            let _permit = permit;
            stopping.run_until_cancelled(serve_one(&endpoint, stream, peer)).await;
        });
    };
    accept::run(&context, listener, take, drop).await;
}

/// Carries one connection's datagrams until it ends.
pub(super) async fn serve_one(endpoint: &Endpoint, mut stream: TcpStream, peer: SocketAddr) {
    let _attached = Attached { endpoint, peer };
    let (read, write) = stream.split();
    let (sender, queue) = mpsc::channel(QUEUE_DATAGRAMS_MAX);
    let receive = async {
        let mut read = BufReader::new(read);
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut patience = FIRST_MAX;
        while let Ok(Some(length)) = timeout(patience, next(&mut read, &mut datagram)).await {
            let Some(bytes) = datagram.get(..length) else { return };
            if patience == FIRST_MAX {
                endpoint.attach(peer, sender.clone());
            }
            let route = Route { protocol: Protocol::Tcp, peer };
            let known = endpoint.deliver(Instant::now(), route, bytes);
            if patience == FIRST_MAX && !known {
                return;
            }
            patience = IDLE_MAX;
        }
    };
    tokio::select! {
        () = receive => {}
        () = send(write, queue) => {}
    }
}

/// Takes the connection out of the table, however its task ends.
struct Attached<'a> {
    endpoint: &'a Endpoint,
    peer: SocketAddr,
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.endpoint.detach(self.peer);
    }
}

/// The next datagram's length; `None` at the end, or when it is longer than any.
async fn next(read: &mut BufReader<tokio::net::tcp::ReadHalf<'_>>, datagram: &mut [u8]) -> Option<usize> {
    let length = usize::from(read.read_u16().await.ok()?);
    read.read_exact(datagram.get_mut(..length)?).await.ok()
}

async fn send(write: tokio::net::tcp::WriteHalf<'_>, mut queue: mpsc::Receiver<Bytes>) {
    let mut write = BufWriter::new(write);
    while let Some(datagram) = queue.recv().await {
        let Ok(length) = u16::try_from(datagram.len()) else { continue };
        if write.write_u16(length).await.is_err() || write.write_all(&datagram).await.is_err() {
            return;
        }
        if queue.is_empty() && write.flush().await.is_err() {
            return;
        }
    }
}
