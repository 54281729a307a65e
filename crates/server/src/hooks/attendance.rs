//! One session as hooks know it: asked about before it begins, told of when it does and when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use media::Path;

use super::event::{self, Event, Kind, Moved, Who};
use super::hook::{Hook, Verdict};
use super::queue::Delivery;
use super::recent::Status;
use super::{Hooks, Set, Told, record};
use crate::access::{Refused, Request, Why};
use crate::config::{Event as Name, OnFailure};
use crate::sessions::{Action, Session, SessionId};

/// Said to who is refused without a reason.
const NO_REASON: &str = "whoever runs this server does not let you do this; ask them why";
/// Said to who is refused because nobody could be asked.
const NO_ANSWER: &str = "whoever decides about this does not answer at the moment; try again soon";

/// What hooks were asked about a session, until it is over. Dropping it tells them that it is.
pub(crate) struct Attendance {
    hooks: Hooks,
    action: Action,
    path: Path,
    who: Who,
    /// Names of the hooks that were asked and did not refuse: they count on being told of the end, though nothing may
    /// ever have been published or watched.
    asked: Vec<String>,
    has_begun: AtomicBool,
    session: Option<Arc<Session>>,
}

impl std::fmt::Debug for Attendance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attendance").field("path", &self.path).finish_non_exhaustive()
    }
}

fn names(action: Action) -> (Name, Name) {
    match action {
        Action::Publish => (Name::Publish, Name::Unpublish),
        Action::Play => (Name::Play, Name::Stop),
    }
}

impl Hooks {
    /// Asks every hook that has a veto, one after the other. `None` while there are no hooks.
    ///
    /// # Errors
    /// [`Refused`] by the first that says no, or that does not answer where that means no.
    pub(crate) async fn ask(
        &self,
        session: SessionId,
        request: &Request<'_>,
    ) -> Result<Option<Attendance>, Refused> {
        let set = self.0.current.load_full();
        if set.hooks.is_empty() {
            return Ok(None);
        }
        let mut attendance = Attendance {
            hooks: self.clone(),
            action: request.action,
            path: request.path.clone(),
            who: Who {
                session,
                protocol: request.protocol,
                address: request.caller.peer.map(|peer| peer.ip().to_canonical()),
                agent: request.caller.agent.clone(),
                query: event::without_secrets(request.query),
            },
            asked: Vec::new(),
            has_begun: AtomicBool::new(false),
            session: None,
        };
        let (begins, _) = names(request.action);
        for hook in set.hooks.iter().filter(|hook| hook.is_asked(begins) && hook.wants(begins, request.path))
        {
            // Noted first: one that says yes while the peer leaves is told of the end, too.
            attendance.asked.push(hook.name().to_owned());
            if let Err(refused) = self.question(&set, hook, &attendance).await {
                attendance.asked.pop();
                return Err(refused);
            }
        }
        Ok(Some(attendance))
    }

    async fn question(&self, set: &Set, hook: &Hook, about: &Attendance) -> Result<(), Refused> {
        let (begins, _) = names(about.action);
        let event = Event::new(Kind::Of(begins), about.path.clone(), Some(about.who.clone()));
        // Only what somebody says can be replaced.
        self.put(set, hook, event).await.map(drop)
    }

    /// Asks one hook one question; it may agree to another text than it was asked about.
    pub(super) async fn put(&self, set: &Set, hook: &Hook, event: Event) -> Result<Option<String>, Refused> {
        let delivery = Delivery::of(Arc::new(event));
        self.0.recent.add(record(hook, &delivery));
        let (verdict, mut attempt) = hook.ask(&set.client, &self.0.origin, &delivery).await;
        let counts = &self.0.counts;
        let (counted, status, outcome) = match verdict {
            Verdict::Yes(text) => (&counts.allowed, Status::Delivered, Ok(text)),
            Verdict::No(reason) => {
                let detail = reason.unwrap_or_else(|| NO_REASON.to_owned());
                let refused = Refused { why: Why::Forbidden, detail };
                (&counts.refused, Status::Delivered, Err(refused))
            }
            Verdict::Unclear(error) => {
                let (name, path, on_failure) = (hook.name(), &delivery.event.path, hook.config.on_failure);
                tracing::warn!(hook = name, %path, error, ?on_failure, "a hook gave no answer that is one");
                attempt.error = Some(error);
                let outcome = match on_failure {
                    OnFailure::Allow => Ok(None),
                    OnFailure::Refuse => Err(Refused { why: Why::Unavailable, detail: NO_ANSWER.to_owned() }),
                };
                (&counts.unanswered, Status::Dead, outcome)
            }
        };
        counted.fetch_add(1, Ordering::Relaxed);
        self.0.recent.note(&delivery.id, (1, status), &attempt);
        outcome
    }
}

impl Attendance {
    /// Names the session that was let in, whose bytes are told at its end.
    pub(crate) fn of(mut self, session: &Arc<Session>) -> Self {
        self.session = Some(Arc::clone(session));
        self
    }

    /// It publishes or watches from now on. Only the first call counts.
    pub(crate) fn begin(&self) {
        if self.has_begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let (begins, _) = names(self.action);
        let told = Told { path: self.path.clone(), who: Some(self.who.clone()), moved: None, room: None };
        self.hooks.tell(begins, told, |hook| !hook.is_asked(begins));
        match self.action {
            Action::Publish => self.hooks.follow(&self.path),
            Action::Play => {}
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let has_begun = *self.has_begun.get_mut();
        if !has_begun && self.asked.is_empty() {
            return;
        }
        let (_, ends) = names(self.action);
        let moved = self.session.as_ref().map_or(Moved::default(), |session| Moved {
            bytes: session.bytes(),
            duration: session.began.elapsed(),
            was_kicked: session.is_kicked(),
        });
        let told =
            Told { path: self.path.clone(), who: Some(self.who.clone()), moved: Some(moved), room: None };
        self.hooks.tell(ends, told, |hook| has_begun || self.asked.iter().any(|name| name == hook.name()));
    }
}
