//! Lets the picture's filters step themselves down on a machine that cannot keep up: first without beauty, then
//! at half size, then without any. Pure: frame times go in, the step comes out.

/** What is still done: each step includes those before it. */
export type Effort = 'all' | 'no-beauty' | 'half-size' | 'none';

const STEPS: readonly Effort[] = ['all', 'no-beauty', 'half-size', 'none'];
/** This share of the time between two frames may go into drawing one; the encoder needs the rest. */
const SHARE_MAX = 0.6;
/** A step is judged by the median of this many frames: a single slow one is the browser's business. */
const FRAMES = 9;
/** Frames after a step that are not judged: textures and shaders are made anew. */
const SETTLING = 3;

export class Governor {
  readonly #budgetMs: number;
  #step = 0;
  #times: number[] = [];
  #skip = SETTLING;

  constructor(fps: number) {
    this.#budgetMs = (1000 / fps) * SHARE_MAX;
  }

  get effort(): Effort {
    return STEPS[this.#step] ?? 'none';
  }

  /** Returns the new effort when this frame was one too many. `hasBeauty`: without it that step saves nothing. */
  handleFrame(tookMs: number, hasBeauty: boolean): Effort | undefined {
    if (this.#skip > 0) {
      this.#skip -= 1;
      return undefined;
    }
    this.#times.push(tookMs);
    if (this.#times.length < FRAMES) return undefined;
    const median = [...this.#times].sort((a, b) => a - b)[FRAMES >> 1] ?? 0;
    this.#times = [];
    if (median <= this.#budgetMs || this.effort === 'none') return undefined;
    this.#step += this.effort === 'all' && !hasBeauty ? 2 : 1;
    this.#skip = SETTLING;
    return this.effort;
  }
}
