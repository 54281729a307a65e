//! The room clock on the wire: how a client learns it, and how a sender's RTP time maps to it.

use serde::{Deserialize, Serialize};

/// One exchange of times, in microseconds: `sent` and `back` on the client's clock, the others on the room clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the ping left the client.
    pub sent: i64,
    /// When the server had it.
    pub received: i64,
    /// When the server answered.
    pub answered: i64,
    /// When the answer was there.
    pub back: i64,
}

impl Exchange {
    /// How long the ping and its answer were under way, without the time the server took.
    pub const fn round_trip(&self) -> i64 {
        (self.back - self.sent) - (self.answered - self.received)
    }

    /// What to add to the client's clock to have the room clock. It is wrong by half the round trip at most, which is why
    /// the exchange with the shortest one counts (RFC 5905 §8).
    pub const fn offset(&self) -> i64 {
        ((self.received - self.sent) + (self.answered - self.back)) / 2
    }
}

/// What a client believes about the room clock: the best of the newest exchanges.
#[derive(Clone, Debug, Default)]
pub struct Sync {
    newest: std::collections::VecDeque<Exchange>,
}

/// At a ping each five seconds this is 40 s: clocks of phones drift by under 2 ms in that time.
const EXCHANGES_KEPT: usize = 8;

impl Sync {
    /// One more exchange.
    pub fn handle_exchange(&mut self, exchange: Exchange) {
        if self.newest.len() == EXCHANGES_KEPT {
            self.newest.pop_front();
        }
        self.newest.push_back(exchange);
    }

    /// What to add to the client's clock, in microseconds; nothing before the first exchange.
    pub fn offset(&self) -> Option<i64> {
        self.newest.iter().min_by_key(|exchange| exchange.round_trip()).map(Exchange::offset)
    }
}

/// A point at which the RTP time of a sender and the room clock are the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// RTP timestamp.
    pub rtp: u32,
    /// Ticks a second.
    pub rate: u32,
    /// The room clock at that moment, in microseconds since the Unix epoch.
    pub at_us: u64,
}

impl Mapping {
    /// The room clock, in microseconds, at another RTP timestamp less than half a wrap away (13 hours at 90 kHz).
    pub fn room_us(&self, rtp: u32) -> u64 {
        self.at_us.saturating_add_signed(rtp_us(self.rtp, rtp, self.rate))
    }
}

/// Microseconds from one RTP timestamp to another less than half a wrap away, at so many ticks a second.
pub fn rtp_us(from: u32, to: u32, rate: u32) -> i64 {
    // RFC 3550 §5.1: 32 bits that wrap, so the difference is signed.
    let ticks = i64::from(to.wrapping_sub(from).cast_signed());
    ticks.saturating_mul(1_000_000) / i64::from(rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_that_was_under_way_shortest_says_the_offset() {
        let mut sync = Sync::default();
        assert_eq!(sync.offset(), None);
        // The room clock is 5,000 ahead. Slow on the way back: believed 5,000 - 4,500.
        sync.handle_exchange(Exchange { sent: 0, received: 6_000, answered: 6_000, back: 11_000 });
        assert_eq!(sync.offset(), Some(500));
        sync.handle_exchange(Exchange { sent: 20_000, received: 26_000, answered: 26_500, back: 22_500 });
        assert_eq!(sync.offset(), Some(5_000));
    }

    #[test]
    fn rtp_time_maps_forwards_backwards_and_over_the_wrap() {
        let mapping = Mapping { rtp: u32::MAX - 44_999, rate: 90_000, at_us: 10_000_000 };
        assert_eq!(mapping.room_us(0), 10_500_000, "45,000 ticks later, over the wrap");
        assert_eq!(mapping.room_us(u32::MAX - 134_999), 9_000_000);
    }

    #[test]
    fn a_rate_of_zero_and_ends_of_time_do_not_panic() {
        assert_eq!(Mapping { rtp: 0, rate: 0, at_us: u64::MAX }.room_us(1), u64::MAX);
        assert_eq!(Mapping { rtp: 1, rate: 1, at_us: 0 }.room_us(0), 0);
    }
}
