//! How often one peer may ask. IPv6 peers own whole networks, so they are counted by /64.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::access::Peer;
use crate::config;
use crate::context::Context;
use crate::http::problem::Problem;

/// Peers whose requests are remembered: some 2 MB.
const PEERS_MAX: usize = 20_000;

type Limiter = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>;

/// What peers have asked lately.
#[derive(Default)]
pub(crate) struct Rate(Mutex<Option<(config::Api, Arc<Limiter>)>>);

impl Rate {
    /// `Err` with how long to wait.
    pub(crate) fn check(&self, peer: IpAddr, rules: &config::Api) -> Result<(), Duration> {
        let limiter = self.limiter(rules);
        match limiter.check_key(&network(peer)) {
            Ok(()) => Ok(()),
            Err(not_yet) => Err(not_yet.wait_time_from(DefaultClock::default().now())),
        }
    }

    fn limiter(&self, rules: &config::Api) -> Arc<Limiter> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_for, limiter)) = &*current
            && made_for == rules
        {
            if limiter.len() < PEERS_MAX {
                return Arc::clone(limiter);
            }
            limiter.retain_recent();
            if limiter.len() < PEERS_MAX {
                return Arc::clone(limiter);
            }
            // More networks ask at once than are remembered. All begin anew, rather than that the newcomers are shut out:
            // whoever has so many addresses is not held back by counting them.
        }
        let one = NonZeroU32::MIN;
        let quota = Quota::per_second(NonZeroU32::new(rules.requests_per_second).unwrap_or(one))
            .allow_burst(NonZeroU32::new(rules.burst).unwrap_or(one));
        let limiter =
            Arc::new(RateLimiter::new(quota, HashMapStateStore::default(), DefaultClock::default()));
        *current = Some((rules.clone(), Arc::clone(&limiter)));
        limiter
    }
}

/// The /64 of an IPv6 address; an IPv4 address, also one that is mapped into IPv6, is itself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// In front of every address of the interface.
pub(super) async fn limit(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|Peer(peer)| peer.ip());
    let config = context.config();
    let late = peer.and_then(|peer| context.operation.rate.check(peer, &config.api).err());
    let response = match late {
        None => next.run(request).await,
        Some(wait) => {
            // Whole seconds, and never none.
            let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
            let detail =
                "too many requests of this address (api.requests_per_second); ask again a little later";
            Problem::later(StatusCode::TOO_MANY_REQUESTS, detail, seconds).into_response()
        }
    };
    context.operation.api_requests.count(response.status());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(burst: u32) -> config::Api {
        config::Api { requests_per_second: 1, burst }
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer_and_others_are_not_held_back() {
        let (rate, rules) = (Rate::default(), rules(2));
        let ask = |peer: &str| rate.check(peer.parse().unwrap(), &rules).is_ok();
        assert!(ask("2001:db8::1") && ask("2001:db8::2") && !ask("2001:db8::ffff:3"));
        assert!(ask("2001:db8:0:1::1"), "the next network");
        assert!(ask("192.0.2.1") && ask("::ffff:192.0.2.1") && !ask("192.0.2.1"), "the same address");
        let wait = rate.check("192.0.2.1".parse().unwrap(), &rules).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn a_flood_of_addresses_is_forgotten_and_never_grows() {
        let (rate, rules) = (Rate::default(), rules(2));
        for n in 0..3 * PEERS_MAX as u128 {
            let peer = Ipv6Addr::from_bits((0x2001_0db8 << 96) | (n << 64));
            assert_eq!(rate.check(peer.into(), &rules), Ok(()));
            let kept = rate.0.lock().unwrap().as_ref().map_or(0, |(_, limiter)| limiter.len());
            assert!(kept <= PEERS_MAX, "{kept}");
        }
    }

    #[test]
    fn a_reload_of_the_rules_counts_at_once() {
        let (rate, peer) = (Rate::default(), "192.0.2.1".parse().unwrap());
        assert!(rate.check(peer, &rules(1)).is_ok() && rate.check(peer, &rules(1)).is_err());
        assert!(rate.check(peer, &rules(5)).is_ok());
    }
}
