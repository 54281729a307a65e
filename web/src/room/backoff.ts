//! How long to wait between attempts to come back, as docs/signalling.md says.

const DELAYS_MS: readonly number[] = [200, 500, 1_000, 2_000, 5_000];
/** Each wait is a random quarter more or less, so that those who were cut off together do not come back together. */
const SPREAD = 0.25;

/** Before the attempt with this number, the first being 0. `random` is 0 to 1. */
export function delayMs(attempt: number, random: number): number {
  const base = DELAYS_MS[Math.min(attempt, DELAYS_MS.length - 1)] ?? 0;
  return base * (1 - SPREAD + 2 * SPREAD * random);
}
