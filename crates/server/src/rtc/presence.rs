//! How long a publisher may be silent: without media as long as any publisher may while it is there; without a sign of life
//! longer, for a network that was lost comes back, but only shortly where it keeps others from its path.

use std::time::{Duration, Instant};

/// Where a second publisher is refused, one that has vanished would keep its own return away. Peers that are there check
/// each 5 s at most (RFC 7675 §5.1), browsers each 2.5 s, and send media in between.
const SILENT_MAX: Duration = Duration::from_secs(6);

/// Who is not heard of at all has lost its network, and need not begin anew when that was for 20 s.
const AWAY_MAX: Duration = Duration::from_secs(25);

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
    #[error("the publisher was not heard of for {AWAY_MAX:?}")]
    Away,
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
        if let Some((media, heard)) = &mut self.last {
            // Who was away owes media from its return on.
            if now.saturating_duration_since(*heard) >= SILENT_MAX {
                *media = now;
            }
            *heard = now;
        }
    }

    /// When [`Presence::gone`] may tell something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|(at, _)| at)
    }

    pub(super) fn gone(&self, now: Instant) -> Option<Gone> {
        self.due().filter(|(at, _)| *at <= now).map(|(_, gone)| gone)
    }

    fn due(&self) -> Option<(Instant, Gone)> {
        let (media, heard) = self.last?;
        let idle = (media + self.limits.idle, Gone::Idle(self.limits.idle));
        let silent = (heard + SILENT_MAX, Gone::Silent);
        // When media has been away for too long, signs of life have been for longer than anybody leaves between two.
        let is_away = silent.0 <= idle.0;
        Some(match (is_away, self.limits.refuses) {
            (true, true) => silent,
            (true, false) if heard + AWAY_MAX > idle.0 => (heard + AWAY_MAX, Gone::Away),
            (true | false, _) => idle,
        })
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
        for check in [18, 23, 28] {
            presence.handle_check(seconds(start, check));
            presence.handle_connected(seconds(start, check));
            assert_eq!(presence.gone(seconds(start, check)), None);
        }
        assert_eq!(presence.gone(seconds(start, 29)), Some(Gone::Idle(Duration::from_secs(15))));
    }

    #[test]
    fn who_lost_its_network_has_longer_than_who_is_there_and_sends_nothing() {
        let (start, mut presence) = (Instant::now(), presence(false));
        presence.handle_connected(start);
        presence.handle_media(seconds(start, 10));
        presence.handle_check(seconds(start, 11));
        assert_eq!(presence.gone(seconds(start, 31)), None, "twenty seconds without a network");
        assert_eq!(presence.gone(seconds(start, 36)), Some(Gone::Away));
        for check in [31, 36, 41] {
            presence.handle_check(seconds(start, check));
            assert_eq!(presence.gone(seconds(start, check)), None, "it is back");
        }
        assert_eq!(
            presence.gone(seconds(start, 46)),
            Some(Gone::Idle(Duration::from_secs(15))),
            "and owes media"
        );
    }

    #[test]
    fn a_short_patience_with_silence_is_as_short_for_who_vanishes() {
        let start = Instant::now();
        let mut presence = Presence::new(Limits { idle: Duration::from_secs(2), refuses: false });
        presence.handle_connected(start);
        presence.handle_media(seconds(start, 1));
        assert_eq!(presence.gone(seconds(start, 3)), Some(Gone::Idle(Duration::from_secs(2))));
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
