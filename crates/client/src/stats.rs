//! Distributions of times, cheap enough to be recorded for every frame of every viewer.

use serde::Serialize;

/// Below this a value has a bucket of its own; above, 32 buckets share each power of two (3 % apart).
const EXACT: u64 = 64;
const SUB_BITS: u32 = 5;
/// Highest power of two that is told apart: 2^40 µs are twelve days.
const POWER_MAX: u32 = 40;
const BUCKETS: usize = EXACT as usize + (((POWER_MAX - SUB_BITS) as usize) << SUB_BITS);

/// A histogram of microseconds with a fixed size and a relative error of at most 3 %.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    max: u64,
}

/// The three figures a distribution is reported by, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of the values are at most this.
    pub p50_ms: f64,
    /// 95 % of the values are at most this.
    pub p95_ms: f64,
    /// 99 % of the values are at most this.
    pub p99_ms: f64,
    /// The largest value.
    pub max_ms: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice(), total: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one value in microseconds.
    pub fn record(&mut self, micros: u64) {
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(micros);
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The value in microseconds that `share` (0 to 1) of all values do not exceed; `None` without values.
    pub fn percentile(&self, share: f64) -> Option<u64> {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(upper_edge(at).min(self.max))
    }

    /// The figures to report; `None` without values.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let ms = |share| self.percentile(share).map(|micros| micros as f64 / 1_000.0);
        Some(Percentiles {
            p50_ms: ms(0.5)?,
            p95_ms: ms(0.95)?,
            p99_ms: ms(0.99)?,
            max_ms: self.max as f64 / 1_000.0,
        })
    }
}

fn bucket(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    let power = 63 - micros.leading_zeros();
    if power > POWER_MAX {
        return BUCKETS - 1;
    }
    let sub = (micros >> (power - SUB_BITS)) & ((1 << SUB_BITS) - 1);
    EXACT as usize + ((((power - SUB_BITS - 1) as usize) << SUB_BITS) | sub as usize)
}

fn upper_edge(bucket: usize) -> u64 {
    let Some(above) = (bucket as u64).checked_sub(EXACT) else { return bucket as u64 };
    let power = (above >> SUB_BITS) as u32 + SUB_BITS + 1;
    let sub = above & ((1 << SUB_BITS) - 1);
    (1 << power) + ((sub + 1) << (power - SUB_BITS)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_at_most_three_percent_above_the_true_value() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|micros| histogram.record(micros));
        for (share, truth) in [(0.5, 50_000.0), (0.95, 95_000.0), (0.99, 99_000.0), (0.0001, 10.0)] {
            let got = histogram.percentile(share).unwrap() as f64;
            assert!(got >= truth && got <= truth * 1.032, "{share}: {got} for {truth}");
        }
        assert_eq!(histogram.percentile(1.0), Some(100_000));
    }

    #[test]
    fn every_value_falls_into_the_bucket_whose_edges_hold_it() {
        for micros in (0..200).chain([1_000, 65_535, 65_536, 1 << 39, (1 << 41) - 1]) {
            let at = bucket(micros);
            assert!(micros <= upper_edge(at), "{micros}");
            assert!(at == 0 || micros > upper_edge(at - 1), "{micros}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_recorded_has_no_percentiles() {
        assert_eq!(Histogram::default().percentiles(), None);
    }

    #[test]
    fn one_value_is_every_percentile() {
        let mut histogram = Histogram::default();
        histogram.record(1_500);
        let found = histogram.percentiles().unwrap();
        assert_eq!((found.p50_ms, found.p99_ms, found.max_ms), (1.5, 1.5, 1.5));
    }
}
