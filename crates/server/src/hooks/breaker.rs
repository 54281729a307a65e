//! Stops asking a hook that does not answer: each question would cost whoever comes the whole timeout, for nothing.

use std::time::{Duration, Instant};

/// Questions in a row without an answer, after which the hook is taken for dead.
const FAILURES_MAX: u32 = 5;
/// How long it is left alone then; the first question after that is asked.
const PAUSE: Duration = Duration::from_secs(10);

/// Whether a hook is asked.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// Nobody asks before.
    until: Option<Instant>,
}

impl Breaker {
    /// Whether a question is asked now. After a pause one is, whose answer decides; others wait for that.
    ///
    /// # Errors
    /// How long the hook is left alone yet.
    pub(super) fn ask(&mut self, now: Instant) -> Result<(), Duration> {
        match self.until {
            Some(until) if until > now => Err(until - now),
            Some(_) => {
                self.until = Some(now + PAUSE);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A question was answered, or was not.
    pub(super) fn handle(&mut self, is_answered: bool, now: Instant) {
        if is_answered {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            self.until = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_never_answers_is_asked_once_in_a_while_and_one_that_answers_again_is_asked_always() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.ask(start), Ok(()));
            breaker.handle(false, start);
        }
        let soon = start + PAUSE / 2;
        assert_eq!(breaker.ask(soon), Err(PAUSE / 2));
        let later = start + PAUSE;
        assert_eq!(breaker.ask(later), Ok(()), "one tries");
        assert!(breaker.ask(later).is_err(), "and the others wait for what it finds");
        breaker.handle(false, later);
        assert!(breaker.ask(later + PAUSE / 2).is_err(), "it is dead still");
        assert_eq!(breaker.ask(later + PAUSE), Ok(()));
        breaker.handle(true, later + PAUSE);
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.ask(later + PAUSE), Ok(()));
        }
    }

    #[test]
    fn a_failure_now_and_then_stops_nothing() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for number in 0..20 {
            breaker.handle(number % (FAILURES_MAX - 1) == 0, now);
            assert_eq!(breaker.ask(now), Ok(()));
        }
    }
}
