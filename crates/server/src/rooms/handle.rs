//! How others reach the task of a room: what they may send it, and what they may ask.

use std::sync::Arc;

use room::{
    ChatId, Claims, Command, Hello, Loss, MemberId, Refusal, Request, Resume, Room, RoomId, Settings, Verdict,
};
use tokio::sync::{mpsc, oneshot};

use super::outbox::Link;
use super::roster::Roster;
use super::stage::StageWatch;

/// Inputs that wait. A connection whose room is that busy waits, too, and reads nothing meanwhile.
pub(super) const INPUTS_MAX: usize = 256;

/// A room that is served. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) id: RoomId,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) stage: StageWatch,
    pub(super) roster: Arc<Roster>,
}

/// What a connection begins with.
#[derive(Clone, Debug)]
pub(crate) enum Entrance {
    /// `join`.
    Join(Hello),
    /// `resume`.
    Resume(Resume),
    /// `decline_call`.
    Decline,
}

/// What comes to a room.
pub(crate) enum Input {
    /// A connection with a verified token.
    Enter { claims: Claims, entrance: Entrance, link: Arc<Link> },
    /// A command of whoever has this connection.
    Command { request: Request, link: Arc<Link> },
    /// The connection is gone.
    Lost { link: Arc<Link>, loss: Loss },
    /// A back-end wants something.
    Backend { command: Command, answer: oneshot::Sender<Result<(), Refusal>> },
    /// A back-end wants the room to behave otherwise.
    Configure { settings: Box<Settings> },
    /// A back-end makes a member that has no connection of its own.
    Host { claims: Claims, answer: oneshot::Sender<Result<MemberId, Refusal>> },
    /// A back-end does something as such a member.
    As { member: MemberId, command: Command, answer: oneshot::Sender<Result<(), Refusal>> },
    /// The broadcast of a member on the stage has begun, or is over.
    Media { member: MemberId, up: bool },
    /// A line of chat was judged.
    Judged { chat: ChatId, verdict: Verdict },
    /// The server goes down.
    Drain { from: room::Millis, over: room::Millis },
    /// Somebody wants to know something. It is asked when all that was done before is written down.
    Ask(Box<dyn FnOnce(&Room) + Send>),
}

impl Handle {
    /// Its name.
    pub(crate) fn id(&self) -> &RoomId {
        &self.id
    }

    /// Sends it something; `false` if it is over.
    pub(crate) async fn send(&self, input: Input) -> bool {
        self.inbox.send(input).await.is_ok()
    }

    /// The answer to a question about it; `None` if it is over.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Room) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let ask = move |room: &Room| {
            let _ = answer.send(question(room));
        };
        self.inbox.send(Input::Ask(Box::new(ask))).await.ok()?;
        answered.await.ok()
    }

    /// Does something as a back-end.
    ///
    /// # Errors
    /// [`Refusal`]; `ended` where the room is over.
    pub(crate) async fn command(&self, command: Command) -> Result<(), Refusal> {
        self.answered(|answer| Input::Backend { command, answer }).await
    }

    /// Does something as a member that a back-end made.
    ///
    /// # Errors
    /// [`Refusal`]; `no_right` where the member has a connection of its own.
    pub(crate) async fn command_as(&self, member: MemberId, command: Command) -> Result<(), Refusal> {
        self.answered(|answer| Input::As { member, command, answer }).await
    }

    /// Makes a member without a connection.
    ///
    /// # Errors
    /// [`Refusal`], as for anybody who joins.
    pub(crate) async fn host(&self, claims: Claims) -> Result<MemberId, Refusal> {
        self.answered(|answer| Input::Host { claims, answer }).await
    }

    async fn answered<T>(
        &self,
        input: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Input,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.inbox.send(input(answer)).await.map_err(|_| Refusal::Ended)?;
        answered.await.unwrap_or(Err(Refusal::Ended))
    }
}
