//! Panics in tasks: each is a bug of ours, is caught where its task runs, and is counted; the others go on.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use crate::counters::Counters;

/// Runs `work` to its end; `None` if it ended in a panic, which is counted. `what` names the task for the log.
///
/// Boxed before the returned future begins, or that would hold room for `work` twice.
pub(crate) fn guarded<F: Future>(
    what: &'static str,
    counters: &Arc<Counters>,
    work: F,
) -> impl Future<Output = Option<F::Output>> + use<F> {
    let mut work = Box::pin(work);
    let counters = Arc::clone(counters);
    async move {
        let ended = poll_fn(|cx| {
            // It is never polled again after a panic, so nobody sees what it left half done.
            match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
                Err(_) => Poll::Ready(None),
            }
        });
        let output = ended.await;
        if output.is_none() {
            counters.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                "{what} ended in a panic; the others go on. Please report it with the lines above"
            );
        }
        output
    }
}
