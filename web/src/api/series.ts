//! Samples as lines of a chart.

import type { Measure, Sample } from './feed.ts';

/** Seconds since 1970, and values; null is a gap. */
export type Line = readonly [xs: readonly number[], ys: readonly (number | null)[]];

/** Further apart, nobody knows what was between: the connection was away. */
const GAP_S = 30;

/** The samples of the last `windowS` seconds before `nowMs`. */
export function seriesOf(samples: readonly Sample[], measure: Measure, windowS: number, nowMs: number): Line {
  const [xs, ys]: [number[], (number | null)[]] = [[], []];
  for (const sample of samples) {
    const x = sample.atMs / 1_000;
    if (x < nowMs / 1_000 - windowS) continue;
    const before = xs.at(-1);
    if (before !== undefined && x - before > GAP_S) {
      xs.push((before + x) / 2);
      ys.push(null);
    }
    xs.push(x);
    ys.push(sample[measure]);
  }
  return [xs, ys];
}
