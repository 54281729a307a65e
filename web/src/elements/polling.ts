//! Asks the server again and again while an element is on a page that somebody looks at.

import type { ReactiveController, ReactiveControllerHost } from 'lit';
import { type Poll, startPoll } from '../api/poll.ts';

export class Polling implements ReactiveController {
  readonly #ask: () => Promise<void>;
  #poll: Poll | undefined;

  /** `ask` must not throw. */
  constructor(host: ReactiveControllerHost, ask: () => Promise<void>) {
    this.#ask = ask;
    host.addController(this);
  }

  hostConnected(): void {
    this.#poll = startPoll(this.#ask);
    document.addEventListener('visibilitychange', this.#follow);
  }

  hostDisconnected(): void {
    document.removeEventListener('visibilitychange', this.#follow);
    this.#poll?.stop();
    this.#poll = undefined;
  }

  readonly #follow = (): void => {
    if (this.#poll !== undefined) this.#poll.active = !document.hidden;
  };
}
