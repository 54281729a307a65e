//! Who guesses is slowed down: wrong credentials are counted by the address they come from, in bounded memory.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A person with a mistaken key and a player that retries stay below it.
pub(crate) const FAILURES_MAX: u32 = 20;
/// They are counted for this long, and nothing is looked at for as long after the last of them.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are counted at a time, twice: some two megabytes. Whoever has more of them gains guesses at keys of
/// 128 bits, which is nothing.
const ADDRESSES_MAX: usize = 10_000;
/// Of an IPv6 address: what one customer has.
const V6_PREFIX_BITS: u32 = 64;

/// Counts of two windows: where one is full or over, the one before is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Windows>);

#[derive(Debug, Default)]
struct Windows {
    began: Option<Instant>,
    now: HashMap<IpAddr, u32>,
    before: HashMap<IpAddr, u32>,
}

impl Throttle {
    /// Whether this address must wait before anything of it is looked at, and how long at most.
    pub(crate) fn blocked(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.turn(now);
        let who = whose(peer);
        let count = |window: &HashMap<IpAddr, u32>| window.get(&who).copied().unwrap_or(0);
        let is_blocked = count(&windows.now) + count(&windows.before) >= FAILURES_MAX;
        is_blocked.then_some(WINDOW)
    }

    /// Counts one more failure.
    pub(crate) fn failed(&self, peer: IpAddr, now: Instant) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.turn(now);
        let who = whose(peer);
        if windows.now.len() >= ADDRESSES_MAX && !windows.now.contains_key(&who) {
            windows.before = std::mem::take(&mut windows.now);
        }
        *windows.now.entry(who).or_default() += 1;
    }
}

impl Windows {
    fn turn(&mut self, now: Instant) {
        let age = self.began.map(|began| now.saturating_duration_since(began));
        match age {
            Some(age) if age < WINDOW => return,
            Some(age) if age < 2 * WINDOW => self.before = std::mem::take(&mut self.now),
            Some(_) | None => (self.before, self.now) = (HashMap::new(), HashMap::new()),
        }
        self.began = Some(now);
    }
}

fn whose(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() >> (128 - V6_PREFIX_BITS) << (128 - V6_PREFIX_BITS)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(throttle: &Throttle, peer: &str, times: u32, now: Instant) {
        (0..times).for_each(|_| throttle.failed(address(peer), now));
    }

    #[test]
    fn who_fails_too_often_waits_and_then_may_try_again_while_others_never_wait() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        fail(&throttle, "192.0.2.1", FAILURES_MAX - 1, start);
        assert_eq!(throttle.blocked(address("192.0.2.1"), start), None);
        fail(&throttle, "::ffff:192.0.2.1", 1, start);
        assert_eq!(throttle.blocked(address("192.0.2.1"), start), Some(WINDOW));
        assert_eq!(throttle.blocked(address("192.0.2.2"), start), None);
        assert!(
            throttle.blocked(address("192.0.2.1"), start + WINDOW).is_some(),
            "failures of the minute before"
        );
        assert_eq!(throttle.blocked(address("192.0.2.1"), start + 2 * WINDOW), None);
    }

    #[test]
    fn all_addresses_of_one_customer_are_one() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for host in 0..FAILURES_MAX {
            throttle.failed(address(&format!("2001:db8:0:1::{host:x}")), now);
        }
        assert!(throttle.blocked(address("2001:db8:0:1:ffff::1"), now).is_some());
        assert!(throttle.blocked(address("2001:db8:0:2::1"), now).is_none());
    }

    #[test]
    fn memory_is_bounded_whoever_fails() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..5 * ADDRESSES_MAX as u32 {
            throttle.failed(IpAddr::V4(number.into()), now);
        }
        let windows = throttle.0.lock().unwrap();
        assert!(windows.now.len() + windows.before.len() <= 2 * ADDRESSES_MAX);
    }
}
