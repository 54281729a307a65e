//! Who may have smaller pictures made, and how many are at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use media::Path;
use media::broadcast::TrackInfo;

use super::{Refusal, Rendition, Rung};
use crate::access::jwt::fits;
use crate::config::{OnRequest, Permission};
use crate::context::Context;
use crate::sessions::Action;

/// The rungs that run now, of all streams.
#[derive(Default)]
pub(crate) struct Running(Arc<AtomicUsize>);

/// One of them, until it is dropped.
pub(crate) struct Slot(Arc<AtomicUsize>);

impl Running {
    /// One more, if there may be `max`.
    pub(crate) fn take(&self, max: usize) -> Result<Slot, Refusal> {
        let more = |count| (count < max).then_some(count + 1);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Slot(Arc::clone(&self.0))),
            Err(_) => Err(Refusal::TooMany { max }),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether the stream's HLS lists its rungs.
pub(super) fn lists(context: &Context, path: &Path) -> bool {
    context.config().ladder.streams.iter().any(|pattern| fits(pattern, path.as_str()))
}

/// Whether whoever may watch may have rungs of it made.
///
/// A rung costs cores, so on a server that anybody reaches and watches without a key a stranger's address starts none.
pub(super) fn allows(context: &Context, path: &Path) -> bool {
    let config = context.config();
    lists(context, path)
        || match config.ladder.on_request {
            OnRequest::Always => true,
            OnRequest::Never => false,
            OnRequest::Auto => {
                config.beyond_loopback().is_none()
                    || context.access.permission(path, Action::Play) != Permission::Open
            }
        }
}

/// Whether it would exist, were it allowed.
pub(super) fn would_make(context: &Context, rendition: Rendition, pictures: &[TrackInfo]) -> bool {
    let Rendition::Height(height) = rendition else { return false };
    let Some(best) = pictures.first().filter(|_| pictures.len() == 1) else { return false };
    let config = context.config();
    let rung = config.ladder.rungs.iter().find(|rung| rung.height == height);
    rung.is_some_and(|rung| Rung::of(*rung, best).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_run_as_may_and_one_that_ends_makes_room() {
        let running = Running::default();
        let first = running.take(2).ok().unwrap();
        let _second = running.take(2).ok().unwrap();
        assert_eq!(running.take(2).err(), Some(Refusal::TooMany { max: 2 }));
        drop(first);
        assert!(running.take(2).is_ok());
        assert_eq!(running.take(0).err(), Some(Refusal::TooMany { max: 0 }), "a reload may forbid all");
    }
}
