//! Taps on a reaction, gathered: two thumbs do not outrun the pace that the server allows.

import type { Command } from './messages.ts';
import type { Reaction } from './tracks.ts';

/** The server tells reactions four times a second at most. */
const GATHER_MS = 250;
const TIMES_MAX = 20;

export class Taps {
  readonly #send: (command: Command) => void;
  readonly #counts = new Map<Reaction, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (command: Command) => void) {
    this.#send = send;
  }

  handleTap(reaction: Reaction): void {
    this.#counts.set(reaction, Math.min(TIMES_MAX, (this.#counts.get(reaction) ?? 0) + 1));
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  #flush(): void {
    this.#timer = undefined;
    for (const [reaction, times] of this.#counts) this.#send({ name: 'react', reaction, times });
    this.#counts.clear();
  }
}
