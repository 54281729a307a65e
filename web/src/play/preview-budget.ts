//! Which of many streams may show a moving preview: a few at a time, those in view first, and
//! whatever somebody asked for.

export class PreviewBudget {
  readonly #max: number;
  /** Oldest first. */
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

  get granted(): ReadonlySet<string> {
    const wanted = this.#wanted;
    const first = wanted !== undefined && this.#visible.has(wanted) ? [wanted] : [];
    const others = [...this.#visible].filter((key) => key !== wanted);
    return new Set([...first, ...others].slice(0, this.#max));
  }
}
