//! A room's audience broadcast, `{app}/{room}`, and for members who publish by RTMP everybody but themselves,
//! `{app}/{room}/{member}/others`: sound mixed, one picture followed. Made while somebody reads them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

use av::mix::STEP;
use media::{Path, Timestamp};
use room::{MemberId, RoomId};
use tokio::time::sleep_until;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::output::{Output, wants_others};
use super::picture::Look;
use super::stage::{Stage, StageWatch};
use super::voices::Voices;
use crate::context::Context;

/// How often a room looks who publishes by what, and for names that were not free.
const LOOK: Duration = Duration::from_secs(2);
/// A machine that was held up for longer than this does not mix what is missing: time is left out.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// The broadcasts of one room, until it is dropped.
pub struct Audience(#[expect(dead_code, reason = "it stops them when it is dropped")] DropGuard);

impl Audience {
    /// Makes the broadcasts of `room` in `app` from now on; they end with the stage, too.
    pub fn start(context: Arc<Context>, room: RoomId, app: &str, stage: StageWatch) -> Self {
        let stop = CancellationToken::new();
        let Ok(path) = Path::new(&format!("{app}/{}", room.as_str())) else {
            tracing::error!(
                app,
                room = room.as_str(),
                "a room has no audience: its name cannot be a stream's"
            );
            return Self(stop.drop_guard());
        };
        let task = Served {
            context: Arc::clone(&context),
            path,
            stage,
            outputs: Vec::new(),
            look_at: Instant::now(),
            mixing: None,
        };
        let stopped = stop.clone();
        context.spawn(async move { task.run(stopped).await });
        Self(stop.drop_guard())
    }
}

/// What the task of a room works on.
struct Served {
    context: Arc<Context>,
    path: Path,
    stage: StageWatch,
    outputs: Vec<Output>,
    /// When it is looked again which broadcasts there are to be.
    look_at: Instant,
    mixing: Option<Mixing>,
}

/// While somebody reads.
struct Mixing {
    voices: Voices,
    /// When the mixer's timeline began, so that it keeps up with the clock.
    epoch: Instant,
}

impl Served {
    async fn run(mut self, stopped: CancellationToken) {
        let context = Arc::clone(&self.context);
        let serving = async {
            loop {
                if self.look_at <= Instant::now() {
                    self.look_at = Instant::now() + LOOK;
                    self.follow_stage();
                }
                let goes_on = match self.mixing.is_some() {
                    true => self.mix().await,
                    false => self.rest().await,
                };
                if !goes_on {
                    return;
                }
            }
        };
        tokio::select! {
            () = serving => {}
            () = stopped.cancelled() => {}
            () = context.stopping.cancelled() => {}
        }
        self.outputs.into_iter().for_each(Output::end);
    }

    /// Waits until somebody reads; `false` once the room, or the server, is over.
    async fn rest(&mut self) -> bool {
        let Self { context, stage, outputs, look_at, .. } = self;
        tokio::select! {
            changed = stage.changed() => {
                *look_at = Instant::now();
                changed.is_ok()
            }
            () = poll_fn(|cx| poll_readers(outputs, cx)) => {
                self.mixing = Some(Mixing { voices: Voices::new(), epoch: Instant::now() });
                true
            }
            () = sleep_until((*look_at).into()) => true,
            () = context.draining.cancelled() => false,
        }
    }

    /// Waits for the next step and makes it, and those that were missed; `false` once the room is over.
    async fn mix(&mut self) -> bool {
        let Some(mixing) = &mut self.mixing else { return true };
        let due = mixing.epoch + (mixing.voices.mixer.at() + STEP - Timestamp::ZERO).to_duration();
        sleep_until(due.into()).await;
        let behind = due.elapsed();
        if behind > BEHIND_MAX {
            mixing.epoch += behind;
        }
        let Ok(has_changed) = self.stage.has_changed() else { return false };
        if has_changed {
            self.look_at = Instant::now();
        }
        let stage = Arc::clone(&self.stage.borrow_and_update());
        self.step(&stage, has_changed);
        true
    }

    fn step(&mut self, stage: &Stage, has_changed: bool) {
        let Self { context, outputs, mixing: Some(Mixing { voices, epoch }), .. } = self else { return };
        let (begin, now) = (Instant::now(), voices.mixer.at());
        voices.step(context, stage, has_changed);
        if let Some(first) = outputs.iter().find(|output| output.is_running()) {
            first.count(begin.elapsed());
        }
        // Looked at once a step: nobody waits for it.
        let mut cx = Task::from_waker(Waker::noop());
        let look = Look { context, stage, seen: &voices.seen, mixer: &voices.mixer, now };
        let mut over = Vec::new();
        for (index, output) in outputs.iter_mut().enumerate() {
            let polled = output.poll_readers(&mut cx);
            let is_wanted = match polled {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => {
                    over.push(index);
                    continue;
                }
                Poll::Pending => false,
            };
            if is_wanted && !output.is_running() {
                output.run(*epoch, now);
            }
            let written = output.step(&look);
            // It is begun anew by the next look at the stage: whoever comes later is not shown what is long past.
            if written.is_err() || output.is_running() && output.is_idle() {
                over.push(index);
            }
        }
        for index in over.into_iter().rev() {
            outputs.remove(index).end();
            self.look_at = Instant::now();
        }
        if outputs.iter().all(|output| !output.is_running()) {
            self.mixing = None;
        }
    }

    /// Claims the broadcasts that there are to be, and ends those that there are not.
    fn follow_stage(&mut self) {
        let stage = Arc::clone(&self.stage.borrow());
        let Self { context, path, outputs, .. } = self;
        let wanted: Vec<(Path, Option<MemberId>)> = std::iter::once((path.clone(), None))
            .chain(
                stage
                    .performers
                    .iter()
                    .filter(|performer| wants_others(context, &performer.path))
                    .filter_map(|performer| {
                        let member = performer.member;
                        let others = Path::new(&format!("{path}/{}/others", member.0)).ok()?;
                        Some((others, Some(member)))
                    }),
            )
            .collect();
        let (kept, ended): (Vec<_>, Vec<_>) = outputs.drain(..).partition(|output| {
            wanted.iter().any(|(path, without)| output.path() == path && output.without == *without)
        });
        ended.into_iter().for_each(Output::end);
        *outputs = kept;
        for (path, without) in wanted {
            if outputs.iter().any(|output| output.without == without) {
                continue;
            }
            match Output::claim(context, path, without) {
                Ok(output) => outputs.push(output),
                Err(error) => tracing::debug!(%error, "a room's broadcast waits"),
            }
        }
    }
}

/// Ready once somebody reads one of them. One that another publishes in place of is gone.
fn poll_readers(outputs: &mut Vec<Output>, cx: &mut Task<'_>) -> Poll<()> {
    let mut is_read = false;
    outputs.retain_mut(|output| match output.poll_readers(cx) {
        Poll::Ready(Ok(())) => {
            is_read = true;
            true
        }
        Poll::Ready(Err(_)) => false,
        Poll::Pending => true,
    });
    if is_read { Poll::Ready(()) } else { Poll::Pending }
}
