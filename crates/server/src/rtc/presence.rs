//! How long a publisher may be silent: without media as long as any publisher may, and without a sign of life, where it
//! keeps others from its path, only shortly.

use std::time::{Duration, Instant};

/// Where a second publisher is refused, one that has vanished would keep its own return away. Peers that are there check
/// each 5 s at most (RFC 7675 §5.1), browsers each 2.5 s, and send media in between.
const SILENT_MAX: Duration = Duration::from_secs(6);

/// What is too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Without media (`publish.idle_ms`).
    pub(super) idle: Duration,
    /// The path is refused to others meanwhile.
    pub(super) refuses: bool,
}

/// Why a publisher is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Gone {
    #[error("the publisher sent no media for {0:?} (publish.idle_ms)")]
    Idle(Duration),
    #[error(
        "the publisher was not heard of for {SILENT_MAX:?}, and publish.takeover = \"refuse\" keeps others away"
    )]
    Silent,
}

/// One publisher's signs of life.
#[derive(Debug)]
pub(super) struct Presence {
    limits: Limits,
    /// The newest media, and the newest authentic sign of any kind; nothing is due before it has connected.
    last: Option<(Instant, Instant)>,
}

impl Presence {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, last: None }
    }

    /// The publisher has connected: from here on it owes media.
    pub(super) fn handle_connected(&mut self, now: Instant) {
        self.last.get_or_insert((now, now));
    }

    pub(super) fn handle_media(&mut self, now: Instant) {
        self.last = Some((now, now));
    }

    /// It checks that we are there.
    pub(super) fn handle_check(&mut self, now: Instant) {
        if let Some((_, heard)) = &mut self.last {
            *heard = now;
        }
    }

    /// When [`Presence::gone`] may tell something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (media, heard) = self.last?;
        let idle = media + self.limits.idle;
        Some(if self.limits.refuses { idle.min(heard + SILENT_MAX) } else { idle })
    }

    pub(super) fn gone(&self, now: Instant) -> Option<Gone> {
        let (media, _) = self.last?;
        let is_idle = media + self.limits.idle <= now;
        let is_over = self.poll_timeout().is_some_and(|due| due <= now);
        is_over.then_some(if is_idle { Gone::Idle(self.limits.idle) } else { Gone::Silent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(refuses: bool) -> Presence {
        Presence::new(Limits { idle: Duration::from_secs(15), refuses })
    }

    fn seconds(start: Instant, count: u64) -> Instant {
        start + Duration::from_secs(count)
    }

    #[test]
    fn who_has_not_connected_owes_nothing_and_then_media() {
        let (start, mut presence) = (Instant::now(), presence(false));
        assert_eq!((presence.poll_timeout(), presence.gone(seconds(start, 100))), (None, None));
        presence.handle_check(start);
        assert_eq!(presence.poll_timeout(), None);
        presence.handle_connected(seconds(start, 1));
        for check in 2..16 {
            presence.handle_check(seconds(start, check));
            assert_eq!(presence.gone(seconds(start, check)), None);
        }
        assert_eq!(presence.poll_timeout(), Some(seconds(start, 16)));
        assert_eq!(presence.gone(seconds(start, 16)), Some(Gone::Idle(Duration::from_secs(15))));
    }

    #[test]
    fn media_puts_the_end_off_and_connecting_again_does_not() {
        let (start, mut presence) = (Instant::now(), presence(false));
        presence.handle_connected(start);
        presence.handle_media(seconds(start, 14));
        presence.handle_connected(seconds(start, 20));
        assert_eq!(presence.gone(seconds(start, 28)), None);
        assert!(presence.gone(seconds(start, 29)).is_some());
    }

    #[test]
    fn where_others_are_refused_silence_ends_sooner_and_checks_alone_put_that_off() {
        let (start, mut presence) = (Instant::now(), presence(true));
        presence.handle_connected(start);
        presence.handle_media(seconds(start, 1));
        presence.handle_check(seconds(start, 5));
        assert_eq!(presence.gone(seconds(start, 10)), None);
        assert_eq!(presence.poll_timeout(), Some(start + Duration::from_secs(5) + SILENT_MAX));
        assert_eq!(presence.gone(seconds(start, 11)), Some(Gone::Silent));
    }
}
