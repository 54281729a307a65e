//! A member's WebSocket: its messages to the room, the room's to it, within bounds of time and size.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use room::message::{self, Down, Up, Wrong};
use room::{Claims, Goodbye, Hello, Loss, Refusal, Request, Resume, RoomId};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};
use wire::ws;

use super::deliver::refuse;
use super::handle::{Entrance, Handle, Input};
use super::outbox::{End, Link};
use super::task::micros_at;
use crate::access::{Caller, Why};
use crate::context::Context;

/// From the upgrade to `join` or `resume`.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// A phone that changes networks is noticed within two of these and a bit.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Nothing was heard, not even a pong.
const SILENT_MAX: Duration = Duration::from_secs(45);
/// What is the last is to be read within this.
const GOODBYE: Duration = Duration::from_secs(2);
/// Messages that are wrong, in a row: a client of ours sends none.
const WRONG_MAX: u32 = 32;
/// Read at a time, from the stack: an idle member holds no buffer.
const PIECE_BYTES: usize = 2 << 10;

/// A request for this, of which the head was read.
pub(crate) struct Asked {
    /// As sent.
    pub(crate) room: String,
    /// The 101 answer.
    pub(crate) upgrade: String,
    pub(crate) caller: Caller,
    /// What came after the head.
    pub(crate) read: BytesMut,
}

/// The room of `/rooms/{room}/ws`.
pub(crate) fn named(path: &str) -> Option<&str> {
    let room = path.strip_prefix("/rooms/")?.strip_suffix("/ws")?;
    (!room.is_empty() && !room.contains('/')).then_some(room)
}

/// Serves one connection to its end.
pub(crate) async fn serve<S>(context: Arc<Context>, stream: S, asked: Asked)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Asked { room, upgrade, caller, read } = asked;
    let (from, mut to) = tokio::io::split(stream);
    if to.write_all(upgrade.as_bytes()).await.is_err() {
        return;
    }
    let link = Arc::new(Link::new());
    let _open = context.rooms.count_connection();
    let mut ear = Ear {
        context: Arc::clone(&context),
        room,
        caller,
        link: Arc::clone(&link),
        ws: ws::Session::server_of_texts(),
        handle: None,
        wrong: 0,
        loss: Loss::Network,
    };
    {
        let mut listen = pin!(ear.listen(from, read));
        let mut speak = pin!(speak(to, &link));
        tokio::select! {
            () = &mut listen => {
                // What it is still to be told, such as why it is closed.
                link.outbox.close();
                let _ = timeout(GOODBYE, speak).await;
            }
            // It answers our close frame with its own, or has gone.
            () = &mut speak => drop(timeout(GOODBYE, listen).await),
        }
    }
    if let Some(handle) = ear.handle {
        handle.send(Input::Lost { link, loss: ear.loss }).await;
    }
}

/// Writes what is in the outbox until it is closed and empty, was not read for too long, or the peer has gone.
async fn speak<W: AsyncWrite + Unpin>(mut to: W, link: &Link) {
    loop {
        match link.outbox.pop() {
            Ok(frame) => {
                if !write(&mut to, frame, link).await {
                    return;
                }
            }
            Err(End::Open) => {
                if to.flush().await.is_err() {
                    return;
                }
                link.outbox.changed().await;
            }
            Err(End::Closed) => {
                let _ = to.write_all(&close_frame()).await;
                let _ = to.shutdown().await;
                return;
            }
            Err(End::Overflown) => return,
        }
    }
}

/// Writes one frame; `false` if that is of no use.
async fn write<W: AsyncWrite + Unpin>(to: &mut W, mut frame: Bytes, link: &Link) -> bool {
    while frame.has_remaining() {
        tokio::select! {
            written = to.write_buf(&mut frame) => if written.is_err() {
                return false;
            },
            // The peer may take nothing while more and more waits for it.
            () = link.outbox.changed() => if link.outbox.is_overflown() {
                return false;
            },
        }
    }
    true
}

fn close_frame() -> Bytes {
    let mut ws = ws::Session::server();
    ws.send_close(ws::CLOSE_NORMAL);
    ws.poll_transmit().unwrap_or_default()
}

/// The half that listens.
struct Ear {
    context: Arc<Context>,
    room: String,
    caller: Caller,
    link: Arc<Link>,
    ws: ws::Session,
    /// The room, once the first message was right.
    handle: Option<Handle>,
    /// Wrong messages in a row.
    wrong: u32,
    /// How it went, once it has.
    loss: Loss,
}

/// The connection is of no use any more.
struct Over;

impl Ear {
    /// Until the peer has gone, closes, breaks the protocol or is silent.
    async fn listen<R: AsyncRead + Unpin>(&mut self, mut from: R, read: BytesMut) {
        let began = Instant::now();
        let (mut heard, mut pinged) = (began, began);
        if self.hear(&read).await.is_err() {
            return;
        }
        drop(read);
        loop {
            let first = self.handle.is_none().then_some(began + FIRST_MESSAGE);
            let until = (heard + SILENT_MAX).min(pinged + PING_EVERY);
            let until = first.map_or(until, |first| first.min(until));
            match timeout_at(until, self.read(&mut from)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(_)) => heard = Instant::now(),
                Err(_) if first.is_some_and(|first| first <= Instant::now()) => return,
                Err(_) if heard.elapsed() >= SILENT_MAX => return,
                Err(_) => {
                    pinged = Instant::now();
                    self.ws.send_ping();
                    self.transmit();
                    continue;
                }
            }
            if self.handle_events().await.is_err() {
                return;
            }
        }
    }

    /// Reads once, straight into the parser.
    async fn read<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> io::Result<usize> {
        poll_fn(|cx| {
            let mut piece = [0; PIECE_BYTES];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut piece))?;
            let bytes = piece.filled();
            match self.ws.handle_input(bytes) {
                Ok(()) => Poll::Ready(Ok(bytes.len())),
                Err(error) => {
                    self.break_off(error);
                    Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
                }
            }
        })
        .await
    }

    async fn hear(&mut self, bytes: &[u8]) -> Result<(), Over> {
        if let Err(error) = self.ws.handle_input(bytes) {
            self.break_off(error);
            return Err(Over);
        }
        self.handle_events().await
    }

    /// A breach: the peer is told, as far as it listens.
    fn break_off(&mut self, error: ws::Error) {
        if matches!(error, ws::Error::TooLong { .. }) {
            self.link.outbox.tell(&Down::refused(None, Refusal::MessageTooLong));
        }
        self.transmit();
    }

    fn transmit(&mut self) {
        if let Some(bytes) = self.ws.poll_transmit() {
            self.link.outbox.push(bytes);
        }
    }

    async fn handle_events(&mut self) -> Result<(), Over> {
        while let Some(event) = self.ws.poll_event() {
            match event {
                ws::Event::Text(text) => self.handle_text(&text).await?,
                ws::Event::Closed { code } => {
                    if code == ws::CLOSE_GOING_AWAY {
                        self.loss = Loss::Page;
                    }
                    return Err(Over);
                }
                ws::Event::Data(_) => {}
            }
        }
        self.transmit();
        Ok(())
    }

    async fn handle_text(&mut self, text: &[u8]) -> Result<(), Over> {
        let received_us = micros_at(&self.context.clock, Instant::now().into_std());
        let up = match message::parse(text) {
            Ok(up) => up,
            Err(wrong) => return self.handle_wrong(&wrong),
        };
        self.wrong = 0;
        match up {
            Up::Ping { t } => {
                let sent_us = micros_at(&self.context.clock, Instant::now().into_std());
                self.link.outbox.tell(&Down::Pong { t, received_us, sent_us });
                Ok(())
            }
            Up::Join { token, name, .. } => self.enter(&token, Entrance::Join(Hello { name })).await,
            Up::Resume { token, member, seen, .. } => {
                self.enter(&token, Entrance::Resume(Resume { member, seen })).await
            }
            Up::DeclineCall { token, .. } => self.enter(&token, Entrance::Decline).await,
            Up::Command { n, command } => self.command(Request { n, command }).await,
        }
    }

    fn handle_wrong(&mut self, wrong: &Wrong) -> Result<(), Over> {
        self.link.outbox.tell(&Down::refused(wrong.n, wrong.refusal));
        self.wrong += 1;
        // Whoever begins with nonsense will not go on with sense.
        if self.handle.is_none() {
            return Err(Over);
        }
        if self.wrong > WRONG_MAX {
            let reason = Goodbye::Flooding;
            self.link.outbox.tell(&Down::Bye { reason, sentence: reason.sentence().to_owned() });
            return Err(Over);
        }
        Ok(())
    }

    async fn command(&mut self, request: Request) -> Result<(), Over> {
        match &self.handle {
            // The welcome is on its way: nobody could know yet what to command.
            Some(_) | None if self.link.member().is_none() => {
                self.link.outbox.tell(&Down::refused(Some(request.n), Refusal::NotAMember));
                Ok(())
            }
            Some(handle) => {
                let sent = handle.send(Input::Command { request, link: Arc::clone(&self.link) }).await;
                if sent { Ok(()) } else { Err(Over) }
            }
            None => Err(Over),
        }
    }

    /// The first message, and the only one of its kind.
    async fn enter(&mut self, token: &str, entrance: Entrance) -> Result<(), Over> {
        if self.handle.is_some() {
            return Err(Over);
        }
        let claims = self.claims(token, matches!(entrance, Entrance::Resume(_)));
        let found = claims.and_then(|claims| {
            let handle = self.context.rooms.get(&claims.room).ok_or(Refusal::Ended)?;
            Ok((claims, handle))
        });
        let (claims, handle) = match found {
            Ok(found) => found,
            Err(refusal) => {
                refuse(&self.link, refusal);
                return Err(Over);
            }
        };
        self.handle = Some(handle.clone());
        let link = Arc::clone(&self.link);
        if handle.send(Input::Enter { claims, entrance, link }).await {
            return Ok(());
        }
        refuse(&self.link, Refusal::Ended);
        Err(Over)
    }

    /// What the token says, if it is for this room.
    fn claims(&self, token: &str, may_be_old: bool) -> Result<Claims, Refusal> {
        let claims = self.context.access.room_claims(&self.caller, token, may_be_old);
        let claims = claims.map_err(|refused| match refused.why {
            Why::TooMany { .. } => Refusal::TooFast,
            Why::Unauthorized | Why::Forbidden | Why::Unavailable => Refusal::BadToken,
        })?;
        let is_here = RoomId::new(&self.room).is_some_and(|room| room == claims.room);
        if is_here { Ok(claims) } else { Err(Refusal::WrongRoom) }
    }
}
