//! What to do when publishing fails. WeChat's tag reconnects three times and then reports -1307; so do we.
//! With `forever` we go on at a slow pace after that, which is what somebody wants who is on air.

import type { Failure } from '../play/policy.ts';

export type Verdict =
  /** Connect again after `afterMs`; `attempt` counts from 1. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly attempt: number }
  | { readonly kind: 'give-up' };

export const PUSH_RETRIES_MAX = 3;
/** The first comes quickly, since most breaks are short. */
const DELAYS_MS: readonly number[] = [300, 1_500, 3_000];
/** With `forever`; the last value repeats. */
const SLOW_DELAYS_MS: readonly number[] = [5_000, 10_000, 15_000];

export class PushPolicy {
  readonly #forever: () => boolean;
  #attempt = 0;

  /** `forever` is asked anew each time: the page may change its mind. */
  constructor(forever: () => boolean) {
    this.#forever = forever;
  }

  /** It works: count from zero again. */
  handleConnected(): void {
    this.#attempt = 0;
  }

  handleFailure(failure: Failure): Verdict {
    // The same request would be answered the same way.
    if (failure.kind === 'refused' || failure.kind === 'codec') return { kind: 'give-up' };
    if (failure.status === 404 || failure.status === 405) return { kind: 'give-up' };
    const quick = DELAYS_MS[this.#attempt];
    const slow = SLOW_DELAYS_MS[Math.min(this.#attempt - PUSH_RETRIES_MAX, SLOW_DELAYS_MS.length - 1)];
    if (quick === undefined && !this.#forever()) return { kind: 'give-up' };
    this.#attempt += 1;
    return { kind: 'retry', afterMs: quick ?? slow ?? 0, attempt: this.#attempt };
  }
}
