//! Connections: taken within a limit, told apart by their first request, closed when they idle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::flv::{self, Asked, Viewer};
use super::head::{self, Closed, First, Flv, Other, Room};
use super::machinery::Machinery;
use super::problem::Problem;
use crate::accept::{self, Accepted};
use crate::access::Caller;
use crate::audience::Protocol;
use crate::context::Context;
use crate::socket::Socket;
use crate::tls::certificates::is_challenge;
use crate::{rooms, rtc, tls};

/// Refused connections that are still told why; beyond these they are just closed.
const REFUSALS_MAX: usize = 64;
/// How long a refused peer may take to read why.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);
/// What a refused peer may still send before it reads the answer.
const REFUSED_BYTES_MAX: u64 = 64 << 10;
/// What a draining server lets pass after an answer before it takes a connection for idle.
pub(super) const DRAINING_REST: Duration = Duration::from_millis(100);

/// Accepts until the server stops. While it drains, health and metrics are still answered.
pub(crate) async fn serve(context: Arc<Context>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let machinery = Machinery::new(Arc::clone(&context));
    let is_tls = tls.is_some();
    let door = Arc::new(Door { context: Arc::clone(&context), machinery, tls });
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let take = |Accepted { stream, peer, permit }| {
        let door = Arc::clone(&door);
        context.spawn(async move {
            let stopping = door.context.stopping.clone();
            stopping.run_until_cancelled(door.connection(stream, peer, permit)).await;
        });
    };
    let beyond = |stream| {
        let Ok(told) = Arc::clone(&refusals).try_acquire_owned() else { return };
        // Over TLS the answer would cost the handshake that the limit is to save.
        if !is_tls {
            context.spawn(async move {
                let _told = told;
                let full =
                    Problem::unavailable("the server has its most connections (limits.connections)", 10);
                refuse(stream, full.to_http1().as_bytes()).await;
            });
        }
    };
    accept::run(&context, listener, take, beyond).await;
}

struct Door {
    context: Arc<Context>,
    machinery: Machinery,
    tls: Option<TlsAcceptor>,
}

impl Door {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        // The one port that every network lets through carries WebRTC, too: its frames begin with a length, whose first
        // byte neither a TLS record nor a request can begin with.
        if self.tls.is_some() && self.begins_with_zero(&stream).await {
            return Box::pin(rtc::serve_tcp(&self.context, stream, peer)).await;
        }
        let Some(tls) = &self.tls else { return self.plain(stream, peer, permit).await };
        // Boxed, so that plain connections do not carry the room for either.
        let handshake = Box::pin(tls.accept(stream));
        let handshake = tokio::time::timeout(self.context.config().http.header, handshake).await;
        let Ok(Ok(stream)) = handshake else { return };
        if is_challenge(stream.get_ref().1) {
            return;
        }
        Box::pin(self.secure(stream, peer, permit)).await;
    }

    async fn begins_with_zero(&self, stream: &TcpStream) -> bool {
        let mut first = [0xFF];
        let peek = tokio::time::timeout(self.context.config().http.header, stream.peek(&mut first));
        matches!(peek.await, Ok(Ok(1))) && first == [0]
    }

    /// Whatever a connection does only for a moment is boxed: a keep-alive connection holds the room of this future.
    async fn plain(&self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        let Some((stream, viewer, preface)) = self.requests(stream, peer).await else { return };
        // Nothing of this task is left behind: the shards own the socket now.
        Box::pin(viewer.join(&self.context, Socket::Tcp(stream), preface, Some(permit))).await;
    }

    async fn secure<S>(&self, stream: S, peer: SocketAddr, permit: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some((stream, viewer, preface)) = self.requests(stream, peer).await else { return };
        let Ok((socket, carry)) = tls::relay(stream) else { return };
        viewer.join(&self.context, socket, preface, Some(permit)).await;
        carry.await;
    }

    /// Answers one request after the other until the connection is over, or becomes a viewer's.
    async fn requests<S>(&self, stream: S, peer: SocketAddr) -> Option<(S, Viewer, Bytes)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut stream, mut read, mut answered) = (stream, BytesMut::new(), false);
        loop {
            let first = self.next(&mut stream, read, answered).await;
            let other = match Box::pin(self.sort(first, peer)).await {
                Ok(Sorted::Viewer(viewer, preface)) => return Some((stream, viewer, preface)),
                Ok(Sorted::Http2(read)) => {
                    Box::pin(self.machinery.serve_http2(stream, read, peer)).await;
                    return None;
                }
                Ok(Sorted::Room(room, read)) => {
                    Box::pin(self.room(stream, room, read, peer)).await;
                    return None;
                }
                Ok(Sorted::Other(other)) => other,
                Err(answer) => {
                    Box::pin(refuse(stream, &answer)).await;
                    return None;
                }
            };
            (stream, read) = Box::pin(self.machinery.serve_one(stream, other, peer)).await?;
            answered = true;
        }
    }

    /// A member of a room has come: the connection is its signalling from now on.
    async fn room<S>(&self, stream: S, room: Room, read: BytesMut, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Room { room, upgrade, caller, way } = room;
        let caller = Caller { peer: Some(self.context.access.origin(peer, &way)), ..caller };
        let asked = rooms::socket::Asked { room, upgrade, caller, read };
        rooms::socket::serve(Arc::clone(&self.context), stream, asked).await;
    }

    /// The next request. A server that drains waits for none on a connection that has had an answer and rests.
    async fn next<S>(&self, stream: &mut S, read: BytesMut, answered: bool) -> Result<First, Closed>
    where
        S: AsyncRead + Unpin,
    {
        let config = self.context.config();
        let http = &config.http;
        if !answered {
            return head::read(stream, read, http.header).await;
        }
        let drained = async {
            self.context.draining.cancelled().await;
            tokio::time::sleep(DRAINING_REST).await;
        };
        tokio::select! {
            first = head::read(stream, read, http.idle) => first,
            () = drained => Err(Closed::Silently),
        }
    }

    async fn sort(&self, first: Result<First, Closed>, peer: SocketAddr) -> Result<Sorted, Bytes> {
        match first {
            Ok(First::Flv(Flv { path, query, upgrade, caller, way })) => {
                let protocol = if upgrade.is_some() { Protocol::WsFlv } else { Protocol::Flv };
                let origin = self.context.access.origin(peer, &way);
                let caller = Caller { peer: Some(origin), ..caller };
                match Viewer::find(&self.context, &Asked { path: &path, query: &query, protocol, caller })
                    .await
                {
                    Ok(viewer) => Ok(Sorted::Viewer(viewer, flv::preface(upgrade))),
                    Err(problem) => Err(problem.to_http1().into()),
                }
            }
            Ok(First::Room(room, read)) if self.context.draining.is_cancelled() => {
                drop((room, read));
                Err(Problem::draining().to_http1().into())
            }
            Ok(First::Room(room, read)) => Ok(Sorted::Room(room, read)),
            Ok(First::Http2(read)) => Ok(Sorted::Http2(read)),
            Ok(First::Other(other)) => Ok(Sorted::Other(other)),
            Err(Closed::Silently) => Err(Bytes::new()),
            Err(Closed::With(problem)) => Err(problem.to_http1().into()),
            Err(Closed::Upgrade(error)) => Err(Bytes::from_static(error.response().as_bytes())),
        }
    }
}

enum Sorted {
    Viewer(Viewer, Bytes),
    Room(Room, BytesMut),
    Http2(Bytes),
    Other(Other),
}

/// Sends an answer and closes. What the peer still sends is read first: closing over unread bytes resets the
/// connection, and the answer is lost with it.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &[u8]) {
    if answer.is_empty() {
        return;
    }
    let tell = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(REFUSED_BYTES_MAX), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(REFUSAL_PATIENCE, tell).await;
}
