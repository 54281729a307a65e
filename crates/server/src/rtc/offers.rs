//! Offers that were answered lately. Who has an offer sent again, beside the first, over a network that loses much is given the
//! same answer whichever comes: one session, not two.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::OnceCell;

use super::service::Begun;

/// A client gives its first attempt up after five seconds.
const HELD_FOR: Duration = Duration::from_secs(6);
/// Beyond these an offer that comes twice begins two sessions, of which the one that nobody answers ends by itself.
const HELD_MAX: usize = 1_024;

/// What was asked, by a digest of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OfferKey([u8; 32]);

impl OfferKey {
    /// Where, by whom and with what: an offer has secrets of its own, so that nobody else's is the same.
    pub(crate) fn of(parts: [&str; 3]) -> Self {
        let mut all = Vec::new();
        for part in parts {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, &all).as_ref());
        Self(bytes)
    }
}

/// Those that are held.
#[derive(Debug, Default)]
pub(super) struct Offers(Mutex<HashMap<OfferKey, Held>>);

#[derive(Debug)]
struct Held {
    since: Instant,
    begun: Arc<OnceCell<Begun>>,
}

impl Offers {
    /// Begins a session, or waits for the one that the same offer has begun, as long as that `is_there`.
    pub(super) async fn once<E>(
        &self,
        key: OfferKey,
        is_there: impl Fn(&Begun) -> bool,
        begin: impl Future<Output = Result<Begun, E>>,
    ) -> Result<Begun, E> {
        let cell = self.hold(key, Instant::now(), is_there);
        cell.get_or_try_init(|| begin).await.cloned()
    }

    fn hold(&self, key: OfferKey, now: Instant, is_there: impl Fn(&Begun) -> bool) -> Arc<OnceCell<Begun>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, held| now.saturating_duration_since(held.since) < HELD_FOR);
        if held.get(&key).is_some_and(|held| held.begun.get().is_some_and(|begun| !is_there(begun))) {
            held.remove(&key);
        }
        if let Some(held) = held.get(&key) {
            return Arc::clone(&held.begun);
        }
        let begun = Arc::new(OnceCell::new());
        if held.len() < HELD_MAX {
            held.insert(key, Held { since: now, begun: Arc::clone(&begun) });
        }
        begun
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn begun(id: &str) -> Begun {
        Begun { id: id.to_owned(), answer: "answer".into(), etag: "etag".into() }
    }

    #[tokio::test]
    async fn the_same_offer_begins_one_session_and_another_one_another() {
        let offers = Offers::default();
        let key = OfferKey::of(["/live/a/whip", "", "offer"]);
        let slow = offers.once(key, |_| true, async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(begun("1"))
        });
        let again = offers.once(key, |_| true, async { Ok::<_, Infallible>(begun("2")) });
        let (first, second) = tokio::join!(slow, again);
        assert_eq!((first.unwrap().id, second.unwrap().id), ("1".to_owned(), "1".to_owned()));
        for other in
            [["/live/b/whip", "", "offer"], ["/live/a/whip", "t", "offer"], ["/live/a/whip", "", "x"]]
        {
            let other =
                offers.once(OfferKey::of(other), |_| true, async { Ok::<_, Infallible>(begun("3")) }).await;
            assert_eq!(other.unwrap().id, "3");
        }
    }

    #[tokio::test]
    async fn what_was_refused_is_asked_again_and_what_is_old_is_forgotten() {
        let offers = Offers::default();
        let key = OfferKey::of(["/live/a/whip", "", "offer"]);
        let refused = offers.once(key, |_| true, async { Err("busy") }).await;
        assert_eq!(refused.unwrap_err(), "busy");
        let begin = async |id: &str, is_there: bool| {
            let begun = offers.once(key, |_| is_there, async { Ok::<_, &str>(begun(id)) }).await;
            begun.expect("it begins").id
        };
        assert_eq!(begin("1", true).await, "1");
        assert_eq!(begin("2", false).await, "2", "the first has ended");
        let later = Instant::now() + HELD_FOR;
        assert!(!offers.hold(key, later, |_| true).initialized());
    }

    #[test]
    fn no_more_are_held_than_are_named() {
        let (offers, now) = (Offers::default(), Instant::now());
        for n in 0..2 * HELD_MAX {
            offers.hold(OfferKey::of([&n.to_string(), "", ""]), now, |_| true);
        }
        assert_eq!(offers.0.lock().unwrap().len(), HELD_MAX);
    }
}
