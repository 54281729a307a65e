//! Accepting connections of every protocol within one limit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;

use crate::context::Context;
use crate::socket::{self, Socket};
use crate::{rtmp, tls};

/// After an error that will not go away at once (no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A full table of files is full for a while, and is told once in that time.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// A connection and its place within `limits.connections`.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Accepts until the server stops: `take` gets what is within the limit, `refuse` what is beyond.
pub(crate) async fn run(
    context: &Arc<Context>,
    listener: TcpListener,
    take: impl Fn(Accepted),
    refuse: impl Fn(TcpStream),
) {
    let accept = async {
        let mut told = None;
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    context.shared.counters.accept_errors.fetch_add(1, Ordering::Relaxed);
                    if told.is_none_or(|told: Instant| told.elapsed() >= TOLD_EVERY) {
                        told = Some(Instant::now());
                        tracing::warn!(%error, "a connection could not be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let counters = &context.shared.counters;
            let Ok(permit) = Arc::clone(&context.shared.connections).try_acquire_owned() else {
                counters.connections_refused.fetch_add(1, Ordering::Relaxed);
                refuse(stream);
                continue;
            };
            counters.connections.fetch_add(1, Ordering::Relaxed);
            socket::tune(&stream, &context.config().egress);
            take(Accepted { stream, peer, permit });
        }
    };
    context.stopping.run_until_cancelled(accept).await;
}

/// Serves RTMP, or RTMPS where there is an acceptor.
pub(crate) async fn serve_rtmp(context: Arc<Context>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let take = |Accepted { stream, peer, permit }| {
        let (sharer, tls) = (Arc::clone(&context), tls.clone());
        let config = rtmp::session_config(&context.config());
        context.spawn(async move {
            let _permit = permit;
            let Some(tls) = tls else {
                return rtmp::serve(Socket::Tcp(stream), peer, config, sharer).await;
            };
            let handshake = tokio::time::timeout(sharer.config().http.header, tls.accept(stream)).await;
            let Ok(Ok(stream)) = handshake else { return };
            let Ok((socket, carry)) = tls::relay(stream) else { return };
            tokio::join!(rtmp::serve(socket, peer, config, sharer), carry);
        });
    };
    // RTMP has no words for a refusal before its handshake.
    run(&context, listener, take, drop).await;
}
