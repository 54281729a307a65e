//! Points and spans on a broadcast's timeline, in microseconds.

use std::ops::{Add, AddAssign, Neg, Sub};
use std::time::Duration;

/// A point on a broadcast's timeline: microseconds since the broadcast began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A signed distance between two [`Timestamp`]s, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Timestamp {
    /// Where a broadcast begins.
    pub const ZERO: Self = Self(0);

    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Whole microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This point in ticks of a clock of `hz`, rounded to nearest (wire clocks: 90 kHz, 48 kHz …).
    pub const fn ticks(self, hz: u32) -> i64 {
        ticks(self.0, hz)
    }
}

impl Span {
    /// No distance.
    pub const ZERO: Self = Self(0);

    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The time `count` ticks of a clock of `hz` take; zero for a clock of 0 Hz.
    pub const fn from_ticks(count: i64, hz: u32) -> Self {
        if hz == 0 {
            return Self(0);
        }
        Self((count as i128 * 1_000_000 / hz as i128) as i64)
    }

    /// Whole microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This span in ticks of a clock of `hz`, rounded to nearest.
    pub const fn ticks(self, hz: u32) -> i64 {
        ticks(self.0, hz)
    }

    /// The distance without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// As a `Duration`; a negative span is zero.
    pub const fn to_duration(self) -> Duration {
        Duration::from_micros(if self.0 < 0 { 0 } else { self.0 as u64 })
    }
}

const fn ticks(micros: i64, hz: u32) -> i64 {
    (micros as i128 * hz as i128 + 500_000).div_euclid(1_000_000) as i64
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Timestamp {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_round_to_nearest_and_come_back_within_one_microsecond() {
        assert_eq!(Timestamp::from_micros(33_333).ticks(90_000), 3_000);
        assert_eq!(Timestamp::from_micros(-33_333).ticks(90_000), -3_000);
        assert_eq!(Span::from_ticks(1_024, 48_000).micros(), 21_333);
        assert_eq!(Span::from_ticks(5, 0), Span::ZERO);
    }

    #[test]
    fn milliseconds_round_down_on_both_sides_of_zero() {
        assert_eq!(Timestamp::from_micros(1_999).millis(), 1);
        assert_eq!(Timestamp::from_micros(-1).millis(), -1);
    }
}
