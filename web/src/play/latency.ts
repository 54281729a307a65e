//! Keeps the delay behind live between two bounds: a little faster when behind, a little slower
//! when the buffer runs thin, a jump when so far behind that hurrying would take too long.
//! Speeds stay in the range where time-stretched speech still sounds natural.

/** Bounds of the delay in seconds: `min-cache` and `max-cache` of the element. */
export interface Bounds {
  readonly minS: number;
  readonly maxS: number;
}

export type Correction =
  | { readonly kind: 'rate'; readonly rate: number }
  /** Go to the point `delayS` behind live. */
  | { readonly kind: 'jump'; readonly delayS: number };

/** Further than this beyond the upper bound we jump: catching up at 1.25 would take over 16 s. */
export const JUMP_BEYOND_S = 4;
/** The slowest and fastest speeds we use. */
export const RATE_MIN = 0.9;
export const RATE_MAX = 1.25;
/** Below this share of the lower bound we slow down, and stop slowing once the bound is reached. */
const THIN_SHARE = 0.6;
/** Seconds of excess that add 0.05 to the speed. */
const EXCESS_PER_STEP_S = 0.5;
const RATE_STEP = 0.05;
/** Each stall lifts the point we steer to by this share of the room between the bounds. */
const STALL_LIFT_SHARE = 0.25;
/** Without a stall for this long the lift is taken back by one step. */
const LIFT_KEPT_MS = 30_000;

type Mode = 'steady' | 'hurrying' | 'filling';

export class LatencyController {
  #bounds: Bounds;
  #mode: Mode = 'steady';
  #liftShare = 0;
  #lastStallMs = 0;

  constructor(bounds: Bounds) {
    this.#bounds = sane(bounds);
  }

  get bounds(): Bounds {
    return this.#bounds;
  }

  set bounds(bounds: Bounds) {
    this.#bounds = sane(bounds);
  }

  /** Where we steer to, in seconds behind live: the middle of the bounds, higher after stalls. */
  get targetS(): number {
    const { minS, maxS } = this.#bounds;
    return minS + (maxS - minS) * Math.min(1, 0.5 + this.#liftShare);
  }

  handleStall(nowMs: number): void {
    this.#lastStallMs = nowMs;
    this.#liftShare = Math.min(0.5, this.#liftShare + STALL_LIFT_SHARE);
  }

  /** The correction for a delay measured now, while playing. */
  handleDelay(delayS: number, nowMs: number): Correction {
    this.#relax(nowMs);
    const { minS, maxS } = this.#bounds;
    if (delayS > maxS + JUMP_BEYOND_S) {
      this.#mode = 'steady';
      return { kind: 'jump', delayS: this.targetS };
    }
    if (delayS > maxS) this.#mode = 'hurrying';
    else if (delayS < minS * THIN_SHARE) this.#mode = 'filling';
    else if (this.#mode === 'hurrying' && delayS <= this.targetS) this.#mode = 'steady';
    else if (this.#mode === 'filling' && delayS >= minS) this.#mode = 'steady';
    return { kind: 'rate', rate: this.#rate(delayS) };
  }

  #rate(delayS: number): number {
    switch (this.#mode) {
      case 'steady':
        return 1;
      case 'hurrying': {
        const steps = 1 + Math.floor(Math.max(0, delayS - this.targetS) / EXCESS_PER_STEP_S);
        return Math.min(RATE_MAX, round(1 + steps * RATE_STEP));
      }
      case 'filling':
        return delayS < (this.#bounds.minS * THIN_SHARE) / 2 ? RATE_MIN : round(RATE_MIN + RATE_STEP);
    }
  }

  #relax(nowMs: number): void {
    if (this.#liftShare > 0 && nowMs - this.#lastStallMs >= LIFT_KEPT_MS) {
      this.#liftShare = Math.max(0, this.#liftShare - STALL_LIFT_SHARE);
      this.#lastStallMs = nowMs;
    }
  }
}

function sane(bounds: Bounds): Bounds {
  const minS = Math.max(0, bounds.minS);
  return { minS, maxS: Math.max(minS, bounds.maxS) };
}

/** Keeps 1.1500000000000001 out of `playbackRate`. */
function round(rate: number): number {
  return Math.round(rate * 100) / 100;
}
