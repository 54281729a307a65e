//! Which of many streams may show a moving preview: a few at a time, those in view in turn, and
//! whatever somebody asked for.

export class PreviewBudget {
  readonly #max: number;
  /** Those whose turn it is longest first. */
  readonly #visible = new Set<string>();
  #wanted: string | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  handleVisible(key: string, visible: boolean): void {
    if (visible) this.#visible.add(key);
    else this.#visible.delete(key);
  }

  /** Somebody pressed "show preview": this one goes before the others while it is in view. */
  want(key: string): void {
    this.#wanted = key;
  }

  forget(key: string): void {
    this.#visible.delete(key);
    if (this.#wanted === key) this.#wanted = undefined;
  }

  /** Those that have moved make room for others in view; false where nobody waits. */
  rotate(): boolean {
    if (this.#max === 0 || this.#visible.size <= this.#max) return false;
    for (const key of this.granted) {
      if (key === this.#wanted) continue;
      this.#visible.delete(key);
      this.#visible.add(key);
    }
    return true;
  }

  /** What somebody asked for is shown even where nothing moves by itself. */
  get granted(): ReadonlySet<string> {
    const wanted = this.#wanted;
    const first = wanted !== undefined && this.#visible.has(wanted) ? [wanted] : [];
    const others = [...this.#visible].filter((key) => key !== wanted);
    return new Set([...first, ...others].slice(0, Math.max(this.#max, first.length)));
  }
}
