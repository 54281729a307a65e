//! Tells rooms when the broadcasts of their members begin and end, and ends those that have no place any more.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use media::Path;
use media::broadcast::Phase;

use super::door::Place;
use super::handle::Input;
use crate::context::Context;

/// As often as the hub looks for publishers that have gone.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Follows the list of broadcasts until the server stops.
pub(crate) async fn follow(context: Arc<Context>) {
    let stopping = context.stopping.clone();
    let forever = async {
        let mut watcher = context.hub.watch();
        let mut known = BTreeSet::new();
        loop {
            let live = live(&context);
            for path in known.difference(&live) {
                tell(&context, path, false).await;
            }
            for path in live.difference(&known) {
                tell(&context, path, true).await;
            }
            known = live;
            let appears = poll_fn(|cx| watcher.poll_change(cx));
            // Nobody tells when one goes, so as long as there are any we look.
            match known.is_empty() {
                true => appears.await,
                false => drop(tokio::time::timeout(LOOK_EVERY, appears).await),
            }
        }
    };
    stopping.run_until_cancelled(forever).await;
}

/// The broadcasts in the app of rooms that somebody publishes now.
fn live(context: &Context) -> BTreeSet<Path> {
    let broadcasts = context.hub.list().into_iter();
    let ours = broadcasts.filter(|broadcast| broadcast.phase() == Phase::Live);
    let paths = ours.map(|broadcast| broadcast.path().clone());
    paths.filter(|path| matches!(context.rooms.place(path), Some(Place::Member(..)))).collect()
}

async fn tell(context: &Context, path: &Path, up: bool) {
    let Some(Place::Member(room, member)) = context.rooms.place(path) else { return };
    let Some(handle) = context.rooms.get(&room) else { return };
    handle.send(Input::Media { member, up }).await;
}
