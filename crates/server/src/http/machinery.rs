//! The HTTP machinery (hyper, HTTP/1.1 and HTTP/2) for everything that is not a stream on a connection of its
//! own, with an end to idle connections.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::Request;
use bytes::{Buf, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::rt::Executor;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::sleep;

use super::head::HEAD_BYTES_MAX;
use super::router;
use crate::context::Context;

/// A page asks for a dozen files at a time, a player for two.
const H2_STREAMS_MAX: u32 = 64;
/// Streams reset before we answered (CVE-2023-44487) and streams we must reset for breaches; then GOAWAY.
const H2_RESETS_MAX: usize = 32;
/// What hyper keeps of answers for a stream whose peer does not read.
const H2_SEND_BYTES_MAX: usize = 64 << 10;
/// A ping finds peers that vanished.
const H2_PING: Duration = Duration::from_secs(20);
const H2_PING_PATIENCE: Duration = Duration::from_secs(10);
/// An idle connection that was told to go has this long.
const GOODBYE: Duration = Duration::from_secs(2);
/// What a draining server lets pass after an answer before it takes a connection for idle.
const REST: Duration = Duration::from_millis(100);

/// What all connections share.
pub(crate) struct Machinery {
    context: Arc<Context>,
    router: Router,
}

impl Machinery {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        let router = router::router(Arc::clone(&context));
        Self { context, router }
    }

    /// Serves a connection of which `read` was read already, until it ends, idles or the server drains.
    pub(crate) async fn serve<S>(&self, stream: S, read: Bytes)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (busy, idle) = Busy::new();
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let guard = busy.enter();
            let answer = router.call(request);
            async move { answer.await.map(|response| response.map(|body| Guarded { body, _guard: guard })) }
        });
        let builder = builder(&self.context);
        let connection =
            builder.serve_connection_with_upgrades(TokioIo::new(Rewind { read, stream }), service);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = idle.wait(self.context.config.http.idle) => {}
            () = self.drained(&idle) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = async { sleep(GOODBYE).await; idle.wait(GOODBYE).await } => {}
        }
    }

    /// Until the server drains and this connection has had an answer and has rested since. hyper closes a connection
    /// that is told to end before it has seen a request or flushed its answer, and `/readyz` is what a load balancer
    /// asks a draining server on a connection of its own.
    async fn drained(&self, idle: &Idle) {
        self.context.draining.cancelled().await;
        idle.first_answer().await;
        idle.wait(REST).await;
    }
}

fn builder(context: &Arc<Context>) -> auto::Builder<Sessions> {
    let mut builder = auto::Builder::new(Sessions(Arc::clone(context)));
    builder
        .http1()
        .timer(TokioTimer::new())
        // Runs while the connection waits for a next request, too.
        .header_read_timeout(context.config.http.idle)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_pending_accept_reset_streams(H2_RESETS_MAX)
        .max_local_error_reset_streams(H2_RESETS_MAX)
        .max_send_buf_size(H2_SEND_BYTES_MAX)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING_PATIENCE);
    builder
}

/// Runs the tasks of HTTP/2 streams as sessions of ours: owned, counted, and alone in their panics.
#[derive(Clone)]
struct Sessions(Arc<Context>);

impl<F> Executor<F> for Sessions
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(async move {
            future.await;
        });
    }
}

/// What a connection is doing.
#[derive(Clone, Copy)]
struct Work {
    /// Answers under way.
    answers: usize,
    /// Since when it is that many.
    since: Instant,
    /// An answer was begun.
    begun: bool,
}

struct Busy(watch::Sender<Work>);

struct Idle(watch::Receiver<Work>);

/// One answer under way.
struct Guard(watch::Sender<Work>);

impl Busy {
    fn new() -> (Self, Idle) {
        let (sender, receiver) = watch::channel(Work { answers: 0, since: Instant::now(), begun: false });
        (Self(sender), Idle(receiver))
    }

    fn enter(&self) -> Guard {
        self.0.send_modify(|work| {
            *work = Work { answers: work.answers + 1, since: Instant::now(), begun: true };
        });
        Guard(self.0.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send_modify(|work| *work = Work { answers: work.answers - 1, since: Instant::now(), ..*work });
    }
}

impl Idle {
    /// Until a first answer has begun.
    async fn first_answer(&self) {
        if self.0.clone().wait_for(|work| work.begun).await.is_err() {
            // The sender lives in the connection, which outlives this wait.
            std::future::pending::<()>().await;
        }
    }

    /// Until no answer has been under way for `patience`.
    async fn wait(&self, patience: Duration) {
        let mut state = self.0.clone();
        loop {
            let Work { answers, since, .. } = *state.borrow_and_update();
            let changed = async {
                // The sender lives in the connection, which outlives this wait.
                if state.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            if answers > 0 {
                changed.await;
            } else if tokio::time::timeout_at((since + patience).into(), changed).await.is_err() {
                return;
            }
        }
    }
}

/// A body that counts as an answer under way until its end.
struct Guarded {
    body: Body,
    _guard: Guard,
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream with what was read of it put in front again.
struct Rewind<S> {
    read: Bytes,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let len = self.read.len().min(into.remaining());
        into.put_slice(&self.read[..len]);
        self.read.advance(len);
        if self.read.is_empty() {
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
