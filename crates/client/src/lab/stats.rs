//! What a row of measurements is told by.

use serde::Serialize;

/// Points of a plot: more would not be seen.
const POINTS_MAX: usize = 400;

/// A distribution in milliseconds, exact: a run has some hundred values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many values.
    pub count: usize,
    /// The least.
    pub min_ms: f64,
    /// Half of the values are at most this.
    pub p50_ms: f64,
    /// 95 % are.
    pub p95_ms: f64,
    /// 99 % are.
    pub p99_ms: f64,
    /// All are.
    pub max_ms: f64,
}

impl Summary {
    /// Of values in microseconds; `None` without any.
    pub fn of(micros: impl IntoIterator<Item = i64>) -> Option<Self> {
        let mut sorted: Vec<i64> = micros.into_iter().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        // Nearest rank: a value that was measured, never one between two.
        let at = |share: f64| {
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            sorted[rank.saturating_sub(1).min(last)] as f64 / 1_000.0
        };
        Some(Self {
            count: sorted.len(),
            min_ms: at(0.0),
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        })
    }
}

/// At most [`POINTS_MAX`] of `points`, evenly chosen, the worst of each stretch: a plot shall not hide what it leaves out.
pub fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(POINTS_MAX).max(1);
    let worst = |points: &[(f64, f64)]| points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    points.chunks(stretch).filter_map(worst).collect()
}

/// By how much each beep comes before its picture, in microseconds: both lists on one timeline, each mark with the
/// nearest beep within half of `every`.
pub fn offsets(marks: &[i64], beeps: &[i64], every: i64) -> Vec<i64> {
    let near = |mark: &i64| {
        let nearest = beeps.iter().map(|beep| mark - beep).min_by_key(|off| off.abs())?;
        (nearest.abs() * 2 < every).then_some(nearest)
    };
    marks.iter().filter_map(near).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let found = Summary::of((1..=100).rev().map(|ms| ms * 1_000)).unwrap();
        assert_eq!((found.count, found.min_ms, found.max_ms), (100, 1.0, 100.0));
        assert_eq!((found.p50_ms, found.p95_ms, found.p99_ms), (50.0, 95.0, 99.0));
        let one = Summary::of([-1_500]).unwrap();
        assert_eq!((one.min_ms, one.p50_ms, one.p99_ms), (-1.5, -1.5, -1.5));
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn a_plot_keeps_the_worst_of_what_it_leaves_out() {
        let points: Vec<_> = (0..2_000).map(|n| (f64::from(n), if n == 777 { 9.0 } else { 1.0 })).collect();
        let kept = thinned(&points);
        assert_eq!(kept.len(), 400);
        assert!(kept.contains(&(777.0, 9.0)));
        assert_eq!(thinned(&[(0.0, 1.0)]), [(0.0, 1.0)]);
    }

    #[test]
    fn a_beep_belongs_to_the_nearest_mark_and_early_sound_counts_as_positive() {
        let marks = [1_000_000, 2_000_000, 3_000_000, 9_000_000];
        let beeps = [980_000, 2_050_000, 3_000_000];
        assert_eq!(offsets(&marks, &beeps, 1_000_000), [20_000, -50_000, 0]);
    }
}
