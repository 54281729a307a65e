//! A session whose peer has been answered and has not shown itself: anybody can begin one, so it costs little and ends soon.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::sleep_until;

use super::control::Control;
use super::endpoint::{Datagram, Inbox, Mailbox};
use super::offer;
use super::plan::Plan;
use super::service::Service;
use super::session::{Batch, Command, Error, Role, Session};
use crate::sessions::Ticket;

/// What it waits for.
pub(super) enum First {
    /// Something by the name that the peer was told, or that the peer was told to use.
    Datagram(Datagram),
    /// The peer's ICE begins anew before it began.
    Restart { offer: String, reply: oneshot::Sender<Result<String, offer::Refusal>> },
}

/// One session that waits.
pub(super) struct Waiting {
    pub(super) plan: Plan,
    pub(super) role: Role,
    pub(super) mailbox: Mailbox,
    pub(super) inbox: Inbox,
    pub(super) commands: mpsc::Receiver<Command>,
    /// Since when, and how long.
    pub(super) began: Instant,
    pub(super) patience: Duration,
    pub(super) half_open: OwnedSemaphorePermit,
    pub(super) ticket: Ticket,
}

impl Waiting {
    /// Until the peer shows itself; `None` when it wants to end or was sent away.
    pub(super) async fn until_heard(&mut self) -> Result<Option<First>, Error> {
        loop {
            let Self { role, inbox, commands, ticket, .. } = self;
            let demand = poll_fn(|cx| match role {
                Role::Publish(publish) => publish.poll_demand(cx),
                Role::Send(_) => std::task::Poll::Pending,
            });
            return tokio::select! {
                biased;
                command = commands.recv() => Ok(match command {
                    Some(Command::End) | None => None,
                    Some(Command::Restart { offer, reply }) => Some(First::Restart { offer, reply }),
                }),
                Some(datagram) = inbox.recv() => Ok(Some(First::Datagram(datagram))),
                () = ticket.kicked() => Ok(None),
                () = sleep_until((self.began + self.patience).into()) => Err(Error::NotConnected(self.patience)),
                // Another may take its path over already.
                demand = demand => { demand?; continue }
            };
        }
    }

    /// The session proper.
    pub(super) fn begin(self, service: &Service) -> Result<Box<Session>, Error> {
        let rtc = self.plan.machine_again(service, Instant::now())?;
        Ok(Box::new(Session {
            rtc,
            role: self.role,
            endpoint: Arc::clone(&service.endpoint),
            mailbox: self.mailbox,
            inbox: self.inbox,
            commands: self.commands,
            candidates: service.candidates().to_vec(),
            deadline: Some((self.began + self.patience, Error::NotConnected(self.patience))),
            half_open: Some(self.half_open),
            ticket: self.ticket,
            batch: Batch::default(),
            control: Control::default(),
        }))
    }

    /// Gives everything back.
    pub(super) fn close(self, is_wanted: bool) {
        self.role.close(is_wanted);
    }
}
