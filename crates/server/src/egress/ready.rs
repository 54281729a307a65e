//! Which of a shard's groups have something new, without looking at the others.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use tokio::sync::Notify;

use super::shard::GroupId;

/// The groups of one shard that were woken since it last looked.
#[derive(Default)]
pub(super) struct Ready {
    groups: Mutex<Vec<GroupId>>,
    notify: Notify,
}

struct GroupWaker {
    group: GroupId,
    ready: Arc<Ready>,
}

impl Wake for GroupWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.mark(self.group);
    }
}

impl Ready {
    /// A waker that puts `group` on the list.
    pub(super) fn waker(self: &Arc<Self>, group: GroupId) -> Waker {
        Waker::from(Arc::new(GroupWaker { group, ready: Arc::clone(self) }))
    }

    pub(super) fn mark(&self, group: GroupId) {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).push(group);
        self.notify.notify_one();
    }

    /// Waits until there are groups and moves them into `into`.
    pub(super) async fn wait(&self, into: &mut Vec<GroupId>) {
        loop {
            {
                let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
                if !groups.is_empty() {
                    into.append(&mut groups);
                    return;
                }
            }
            self.notify.notified().await;
        }
    }
}
