//! One viewer: its socket, where it stands in the feed, and who listens to what it says.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use media::Span;
use tokio::io::Interest;
use tokio::sync::Notify;
use wire::ws;

use super::Totals;
use crate::audience::Seat;
use crate::counters::Counters;
use crate::socket::Socket;

/// What a viewer may send us at a time while we look; FLV viewers say nothing, WebSocket ones a pong.
const INPUT_BYTES: usize = 1_024;

/// Answers that wait for an RTMP viewer: thousands of pongs, where a sane player has one. Without a bound a viewer
/// that pings and never reads would make us keep an answer to each until it counts as stalled.
const OUTBOX_BYTES_MAX: usize = 64 << 10;

/// What all viewers of the server have in common.
pub(super) struct Rules {
    pub(super) lag_max: Span,
    pub(super) stalled_max: Duration,
    pub(super) totals: Arc<Totals>,
    /// Where panics are counted.
    pub(super) counters: Arc<Counters>,
}

/// Why the egress let go of an RTMP viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The broadcast is over.
    Ended,
    /// The socket broke or took nothing for too long.
    Closed,
}

/// The viewer asks and does not read the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Between an RTMP session, which reads the socket, and the egress, which writes it: control messages go out
/// between whole messages of the shared bytes.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Mutex<BytesMut>,
    waiting: AtomicBool,
    /// The session wants no more media.
    released: AtomicBool,
    finished: Mutex<Option<Finished>>,
    notify: Notify,
}

impl Outbox {
    /// Queues control messages.
    ///
    /// # Errors
    /// [`Full`], and nothing queued, when the viewer has let 64 KB pile up.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Full> {
        let mut waiting = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() + bytes.len() > OUTBOX_BYTES_MAX {
            return Err(Full);
        }
        waiting.extend_from_slice(bytes);
        self.waiting.store(true, Ordering::Release);
        Ok(())
    }

    /// The egress is to let go of the viewer.
    pub fn release(&self) {
        self.released.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    async fn released(&self) {
        loop {
            let notified = self.notify.notified();
            if self.released.load(Ordering::Acquire) {
                return;
            }
            notified.await;
        }
    }

    /// Waits until the egress has let go. Whole messages only were written if it says [`Finished::Ended`].
    pub async fn finished(&self) -> Finished {
        loop {
            let notified = self.notify.notified();
            if let Some(finished) = *self.finished.lock().unwrap_or_else(PoisonError::into_inner) {
                return finished;
            }
            notified.await;
        }
    }

    fn finish(&self, finished: Finished) {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(finished);
        self.notify.notify_waiters();
    }

    fn take(&self) -> Option<Bytes> {
        if !self.waiting.swap(false, Ordering::Acquire) {
            return None;
        }
        Some(self.bytes.lock().unwrap_or_else(PoisonError::into_inner).split().freeze())
    }
}

/// Who reads what the viewer sends.
pub(super) enum Peer {
    /// Nobody: only its end matters.
    Plain,
    /// A WebSocket, whose pings want pongs.
    WebSocket(Box<ws::Session>),
    /// An RTMP session elsewhere.
    Session(Arc<Outbox>),
    /// A bug of ours: whoever has something for it panics once the flag is set.
    #[cfg(test)]
    Faulty(Arc<AtomicBool>),
}

/// What became of a write.
pub(super) enum Sent {
    /// All of it went.
    All,
    /// The socket is full; the rest is to be written later.
    Blocked,
    /// The viewer is gone.
    Gone,
}

pub(super) struct Viewer {
    socket: Arc<Socket>,
    /// Sequence number in the feed of what comes after `pending`.
    pub(super) next: u64,
    /// What is to be written before anything else: the head of the response, the rest of a run.
    pub(super) pending: Bytes,
    /// It has had the preamble of a group.
    pub(super) joined: bool,
    peer: Peer,
    seat: Seat,
}

impl Viewer {
    pub(super) fn new(socket: Arc<Socket>, preface: Bytes, peer: Peer, seat: Seat) -> Self {
        Self { socket, next: 0, pending: preface, joined: false, peer, seat }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Writes a whole run of shared bytes that ends before sequence `next`. Only in step: nothing may be pending.
    pub(super) fn send(&mut self, run: &Bytes, next: u64) -> Sent {
        self.next = next;
        if let Some(control) = self.control() {
            let mut both = BytesMut::with_capacity(control.len() + run.len());
            both.extend_from_slice(&control);
            both.extend_from_slice(run);
            return self.send_bytes(&both.freeze());
        }
        self.send_bytes(run)
    }

    fn send_bytes(&mut self, run: &Bytes) -> Sent {
        match self.socket.try_write(run) {
            Ok(sent) if sent == run.len() => {
                self.seat.add_bytes(sent as u64);
                Sent::All
            }
            Ok(sent) => {
                self.seat.add_bytes(sent as u64);
                self.pending = run.slice(sent..);
                Sent::Blocked
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.pending = run.clone();
                Sent::Blocked
            }
            Err(_) => Sent::Gone,
        }
    }

    /// Bytes that go between runs: pongs, RTMP control messages.
    pub(super) fn control(&mut self) -> Option<Bytes> {
        match &mut self.peer {
            Peer::Plain => None,
            Peer::WebSocket(session) => session.poll_transmit(),
            Peer::Session(outbox) => outbox.take(),
            #[cfg(test)]
            Peer::Faulty(armed) => {
                assert!(!armed.load(Ordering::Acquire), "a panic that the test asked for");
                None
            }
        }
    }

    /// Until there is something for [`Viewer::listen`] to look at. Of a session's socket that is not what the peer has sent:
    /// the session reads it, and to wait for it here would be to wait for nothing, without end and without a pause.
    pub(super) async fn stirs(&self) {
        match &self.peer {
            Peer::Session(outbox) => outbox.released().await,
            #[cfg(test)]
            Peer::Faulty(_) => std::future::pending().await,
            Peer::Plain | Peer::WebSocket(_) => {
                // An error is met again by whoever reads.
                let _ = self.socket.ready(Interest::READABLE).await;
            }
        }
    }

    /// Looks at what the viewer sent; `false` when it is gone, wants no more or was sent away.
    pub(super) fn listen(&mut self) -> bool {
        if self.seat.is_kicked() {
            return false;
        }
        let mut input = [0; INPUT_BYTES];
        match &mut self.peer {
            Peer::Session(outbox) => !outbox.released.load(Ordering::Acquire),
            #[cfg(test)]
            Peer::Faulty(_) => true,
            Peer::Plain => match self.socket.try_read(&mut input) {
                Ok(read) => read > 0,
                Err(error) => would_block(&error),
            },
            Peer::WebSocket(session) => match self.socket.try_read(&mut input) {
                Ok(0) => false,
                Ok(read) => {
                    let told = session.handle_input(&input[..read]);
                    let closed = std::iter::from_fn(|| session.poll_event())
                        .any(|event| matches!(event, ws::Event::Closed { .. }));
                    told.is_ok() && !closed
                }
                Err(error) => would_block(&error),
            },
        }
    }

    /// The broadcast is over: says so as the protocol allows and lets go.
    pub(super) fn end(mut self) {
        match &mut self.peer {
            Peer::Plain => {}
            Peer::WebSocket(session) => {
                const GOING_AWAY: u16 = 1_001;
                session.send_close(GOING_AWAY);
                if let Some(close) = session.poll_transmit() {
                    let _ = self.socket.try_write(&close);
                }
            }
            Peer::Session(outbox) => outbox.finish(Finished::Ended),
            #[cfg(test)]
            Peer::Faulty(_) => {}
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if let Peer::Session(outbox) = &self.peer {
            outbox.finish(Finished::Closed);
        }
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}
