//! Samples as lines of a chart.

import type { Measure, Sample } from './feed.ts';

/** Seconds since 1970, and values; null is a gap. */
export type Line = readonly [xs: readonly number[], ys: readonly (number | null)[]];

/** Further apart, nobody knows what was between: the connection was away. */
const GAP_S = 90;

/** Windows longer than this are drawn by averages: the server remembers some seconds together, and tells single ones. */
const SINGLE_S_MAX = 120;
/** Averages in a window. */
const AVERAGES = 60;

/** The samples of the last `windowS` seconds before `nowMs`. */
export function seriesOf(samples: readonly Sample[], measure: Measure, windowS: number, nowMs: number): Line {
  const stepS = windowS > SINGLE_S_MAX ? windowS / AVERAGES : 0;
  const fromS = nowMs / 1_000 - windowS;
  const [xs, ys]: [number[], (number | null)[]] = [[], []];
  let group: Sample[] = [];
  const finish = (): void => {
    const x = group.at(-1)?.atMs;
    if (x !== undefined) addPoint([xs, ys], x / 1_000, average(group, measure));
  };
  for (const sample of samples) {
    if (sample.atMs / 1_000 < fromS) continue;
    const first = group[0];
    if (first !== undefined && slotOf(first, stepS) !== slotOf(sample, stepS)) {
      finish();
      group = [];
    }
    group.push(sample);
  }
  finish();
  return [xs, ys];
}

function addPoint([xs, ys]: readonly [number[], (number | null)[]], x: number, y: number | null): void {
  const before = xs.at(-1);
  if (before !== undefined && x - before > GAP_S) {
    xs.push((before + x) / 2);
    ys.push(null);
  }
  xs.push(x);
  ys.push(y);
}

/** Slots begin at whole steps of the clock, so that averages stay what they are while the window moves on. */
function slotOf({ atMs }: Sample, stepS: number): number {
  return stepS === 0 ? atMs : Math.floor(atMs / 1_000 / stepS);
}

function average(group: readonly Sample[], measure: Measure): number | null {
  const values = group.map((sample) => sample[measure]).filter((value) => value !== null);
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
}
