//! How long WebRTC's jitter buffer should hold media: as little as the viewer asked for on a calm
//! network, more while it loses or scatters packets, and little again once it is calm.

/** Lost shares and jitter beyond these make the picture stand or the sound break at the base target. */
export const LOSS_HIGH = 0.1;
export const JITTER_HIGH_MS = 50;
/** Half of that counts as calm: between the two the target stays, or it would swing. */
const LOSS_CALM = 0.05;
const JITTER_CALM_MS = 30;
/** At 500 ms, 30 % loss still plays without a gap; more would no longer be a conversation. */
export const TARGET_MAX_MS = 500;
/** Weather this long is no gust: going up it doubles each time, going down it takes steps nobody hears. */
const RISE_MS = 1_000;
const STEP_DOWN_MS = 100;
export const CALM_MS = 10_000;
const FALL_EVERY_MS = 1_000;
/** A silence this long is an outage. What piled up in it, or before the start, says nothing about now. */
const OUTAGE_MS = 1_000;
const OUTAGE_FORGOTTEN_MS = 2_000;

export interface Weather {
  readonly lossShare: number;
  readonly jitterMs: number;
  readonly lastDataMs: number | undefined;
}

export class JitterTarget {
  readonly #baseMs: number;
  readonly #maxMs: number;
  #targetMs: number;
  #holdMs = 0;
  #roughMs = -Infinity;
  #roughSinceMs: number | undefined;
  #changedMs = -Infinity;
  #blindUntilMs: number | undefined;

  constructor(baseMs: number) {
    this.#baseMs = baseMs;
    this.#maxMs = Math.max(baseMs, TARGET_MAX_MS);
    this.#targetMs = baseMs;
  }

  get targetMs(): number {
    return Math.max(this.#targetMs, this.#holdMs);
  }

  /** What the server asks for: it knows what is lost before it, which no measurement here shows. */
  handleHold(holdMs: number): void {
    this.#holdMs = holdMs;
  }

  /** Takes a measurement; call about twice a second. */
  handleWeather({ lossShare, jitterMs, lastDataMs }: Weather, nowMs: number): void {
    if (lastDataMs === undefined) return;
    if (this.#blindUntilMs === undefined || nowMs - lastDataMs >= OUTAGE_MS) this.#blindUntilMs = nowMs + OUTAGE_FORGOTTEN_MS;
    if (nowMs < this.#blindUntilMs) return;
    const rough = lossShare > LOSS_HIGH || jitterMs > JITTER_HIGH_MS;
    if (rough || lossShare > LOSS_CALM || jitterMs > JITTER_CALM_MS) this.#roughMs = nowMs;
    this.#roughSinceMs = rough ? (this.#roughSinceMs ?? nowMs) : undefined;
    if (this.#roughSinceMs !== undefined) {
      if (nowMs - Math.max(this.#roughSinceMs, this.#changedMs) < RISE_MS) return;
      this.#set(Math.min(this.#maxMs, Math.max(this.#targetMs * 2, this.#targetMs + STEP_DOWN_MS)), nowMs);
    } else if (nowMs - this.#roughMs >= CALM_MS && nowMs - this.#changedMs >= FALL_EVERY_MS) {
      this.#set(Math.max(this.#baseMs, this.#targetMs - STEP_DOWN_MS), nowMs);
    }
  }

  #set(targetMs: number, nowMs: number): void {
    if (targetMs === this.#targetMs) return;
    this.#targetMs = targetMs;
    this.#changedMs = nowMs;
  }
}
