//! Connections: taken within a limit, told apart by their first request, closed when they idle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::flv::{self, Viewer};
use super::head::{self, Closed, First, Flv};
use super::machinery::Machinery;
use super::problem::Problem;
use crate::accept::{self, Accepted};
use crate::audience::Protocol;
use crate::context::Context;
use crate::socket::Socket;
use crate::tls;

/// Refused connections that are still told why; beyond these they are just closed.
const REFUSALS_MAX: usize = 64;
/// How long a refused peer may take to read why.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);
/// What a refused peer may still send before it reads the answer.
const REFUSED_BYTES_MAX: u64 = 64 << 10;

/// Accepts until the server stops. While it drains, health and metrics are still answered.
pub(crate) async fn serve(context: Arc<Context>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let machinery = Machinery::new(Arc::clone(&context));
    let is_tls = tls.is_some();
    let door = Arc::new(Door { context: Arc::clone(&context), machinery, tls });
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let take = |Accepted { stream, permit, .. }| {
        let door = Arc::clone(&door);
        context.spawn(async move {
            let stopping = door.context.stopping.clone();
            stopping.run_until_cancelled(door.connection(stream, permit)).await;
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
    async fn connection(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let Some(tls) = &self.tls else { return self.plain(stream, permit).await };
        // Boxed, so that plain connections do not carry the room for either.
        let handshake = Box::pin(tls.accept(stream));
        let handshake = tokio::time::timeout(self.context.config.http.header, handshake).await;
        let Ok(Ok(stream)) = handshake else { return };
        Box::pin(self.secure(stream, permit)).await;
    }

    /// Whatever a connection does only for a moment is boxed: a keep-alive connection holds the room of this future.
    async fn plain(&self, mut stream: TcpStream, permit: OwnedSemaphorePermit) {
        let first = head::read(&mut stream, self.context.config.http.header).await;
        match Box::pin(self.sort(first)).await {
            // Nothing of this task is left behind: the shards own the socket now.
            Ok(Sorted::Viewer(viewer, preface)) => {
                Box::pin(viewer.join(&self.context, Socket::Tcp(stream), preface, Some(permit))).await;
            }
            Ok(Sorted::Other(read)) => Box::pin(self.machinery.serve(stream, read)).await,
            Err(answer) => Box::pin(refuse(stream, &answer)).await,
        }
    }

    async fn secure<S>(&self, mut stream: S, permit: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let first = head::read(&mut stream, self.context.config.http.header).await;
        match Box::pin(self.sort(first)).await {
            Ok(Sorted::Viewer(viewer, preface)) => {
                let Ok((socket, carry)) = tls::relay(stream) else { return };
                viewer.join(&self.context, socket, preface, Some(permit)).await;
                carry.await;
            }
            Ok(Sorted::Other(read)) => Box::pin(self.machinery.serve(stream, read)).await,
            Err(answer) => Box::pin(refuse(stream, &answer)).await,
        }
    }

    async fn sort(&self, first: Result<First, Closed>) -> Result<Sorted, Bytes> {
        match first {
            Ok(First::Flv(Flv { path, query, upgrade })) => {
                let protocol = if upgrade.is_some() { Protocol::WsFlv } else { Protocol::Flv };
                match Viewer::find(&self.context, &path, &query, protocol).await {
                    Ok(viewer) => Ok(Sorted::Viewer(viewer, flv::preface(upgrade))),
                    Err(problem) => Err(problem.to_http1().into()),
                }
            }
            Ok(First::Other(read)) => Ok(Sorted::Other(read)),
            Err(Closed::Silently) => Err(Bytes::new()),
            Err(Closed::With(problem)) => Err(problem.to_http1().into()),
            Err(Closed::Upgrade(error)) => Err(Bytes::from_static(error.response().as_bytes())),
        }
    }
}

enum Sorted {
    Viewer(Viewer, Bytes),
    Other(Bytes),
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
