//! The HTTP machinery (hyper, HTTP/1.1 and HTTP/2) for everything that is not a stream on a connection of its
//! own, with an end to idle connections.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::Request;
use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::accept::DRAINING_REST;
use super::head::{HEAD_BYTES_MAX, Other, poll_piece};
use super::router;
use crate::access::{Peer, Way};
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

    /// Answers one request of HTTP/1, and gives the connection back where another one may follow, with what was read
    /// of that. hyper sees no second request: while a connection idles it would hold sixteen kilobytes of buffers.
    pub(crate) async fn serve_one<S>(
        &self,
        stream: S,
        request: Other,
        peer: SocketAddr,
    ) -> Option<(S, BytesMut)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (busy, idle) = Busy::new();
        let idle_max = self.context.config().http.idle;
        let one = OneRequest { head: request.head, ahead: request.rest, keeps: request.keeps, stream };
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).max_buf_size(HEAD_BYTES_MAX).keep_alive(request.keeps);
        let mut connection = builder.serve_connection(TokioIo::new(one), self.service(busy, peer));
        tokio::select! {
            biased;
            // Told to close, or broken.
            _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                let mut one = connection.into_parts().io.into_inner();
                let _ = timeout(GOODBYE, one.stream.shutdown()).await;
                return None;
            }
            () = idle.answered(), if request.keeps => {}
            () = idle.wait(idle_max), if !request.keeps => {}
        }
        Pin::new(&mut connection).graceful_shutdown();
        // What it still has to send, a peer that takes it slowly may take this long to read.
        let sent = timeout(idle_max, poll_fn(|cx| connection.poll_without_shutdown(cx))).await;
        let OneRequest { head, ahead, keeps, mut stream } = connection.into_parts().io.into_inner();
        if matches!(sent, Ok(Ok(()))) && keeps && head.is_empty() {
            return Some((stream, ahead));
        }
        let _ = timeout(GOODBYE, stream.shutdown()).await;
        None
    }

    /// Serves HTTP/2 on a connection of which `read` was read already, until it ends, idles or the server drains.
    pub(crate) async fn serve_http2<S>(&self, stream: S, read: Bytes, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (busy, idle) = Busy::new();
        let io = TokioIo::new(OneRequest::all(read, stream));
        let connection = http2_builder(&self.context).serve_connection(io, self.service(busy, peer));
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = idle.wait(self.context.config().http.idle) => {}
            () = self.drained(&idle) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = async { sleep(GOODBYE).await; idle.wait(GOODBYE).await } => {}
        }
    }

    /// The router, with each of its answers noted as under way.
    fn service(
        &self,
        busy: Busy,
        peer: SocketAddr,
    ) -> impl HttpService<Incoming, ResBody = Guarded, Error = Infallible, Future: Send + Unpin> + Unpin + use<>
    {
        let (router, context) = (TowerToHyperService::new(self.router.clone()), Arc::clone(&self.context));
        service_fn(move |mut request: Request<Incoming>| {
            let origin = context.access.origin(peer, &Way::of_headers(request.headers()));
            request.extensions_mut().insert(Peer(origin));
            let guard = busy.enter();
            let answer = router.call(request);
            Box::pin(async move {
                answer.await.map(|response| response.map(|body| Guarded { body, _guard: guard }))
            })
        })
    }

    /// Until the server drains and this connection has had an answer and has rested since. hyper closes a connection
    /// that is told to end before it has seen a request or flushed its answer, and `/readyz` is what a load balancer
    /// asks a draining server on a connection of its own.
    async fn drained(&self, idle: &Idle) {
        self.context.draining.cancelled().await;
        idle.first_answer().await;
        idle.wait(DRAINING_REST).await;
    }
}

fn http2_builder(context: &Arc<Context>) -> http2::Builder<Sessions> {
    let mut builder = http2::Builder::new(Sessions(Arc::clone(context)));
    builder
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
    /// Until an answer was begun and none is under way.
    async fn answered(&self) {
        if self.0.clone().wait_for(|work| work.begun && work.answers == 0).await.is_err() {
            // The sender lives in the connection, which outlives this wait.
            std::future::pending::<()>().await;
        }
    }

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

/// A stream of which hyper sees one request: its head and, where the connection is not kept, what follows. Of what
/// comes on a kept connection it sees only the end, or an answer to a peer that has gone would be waited for.
struct OneRequest<S> {
    head: Bytes,
    /// What was read after the head.
    ahead: BytesMut,
    keeps: bool,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for OneRequest<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let one = &mut *self;
        if give(&mut one.head, into) {
            return Poll::Ready(Ok(()));
        }
        if !one.keeps {
            return match give(&mut one.ahead, into) {
                true => Poll::Ready(Ok(())),
                false => Pin::new(&mut one.stream).poll_read(cx, into),
            };
        }
        if !one.ahead.is_empty() {
            return Poll::Pending;
        }
        match ready!(poll_piece(&mut one.stream, &mut one.ahead, cx))? {
            0 => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }
}

impl<S> OneRequest<S> {
    /// A stream with what was read of it put in front again.
    fn all(read: Bytes, stream: S) -> Self {
        Self { head: read, ahead: BytesMut::new(), keeps: false, stream }
    }
}

/// Moves as much of `from` as fits; `false` where there is nothing.
fn give(from: &mut impl Buf, into: &mut ReadBuf<'_>) -> bool {
    let len = from.remaining().min(into.remaining());
    into.put_slice(&from.chunk()[..len]);
    from.advance(len);
    len > 0
}

impl<S: AsyncWrite + Unpin> AsyncWrite for OneRequest<S> {
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
