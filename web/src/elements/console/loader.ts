//! Asks the API for something when an element appears and whenever it is told to, and keeps the answer for rendering.

import type { ReactiveController, ReactiveControllerHost } from 'lit';
import type { ApiError } from '../../api/client.ts';
import { asApiError, reportUnauthorized } from './failure.ts';

type Host = ReactiveControllerHost & EventTarget;

export class Loader<T> implements ReactiveController {
  readonly #host: Host;
  readonly #load: () => Promise<T>;
  #asked = 0;
  #value: T | undefined;
  #error: ApiError | undefined;
  #answeredMs: number | undefined;
  #busy = false;

  constructor(host: Host, load: () => Promise<T>) {
    this.#host = host;
    this.#load = load;
    host.addController(this);
  }

  /** The last answer; an error later does not take it away. */
  get value(): T | undefined {
    return this.#value;
  }

  get error(): ApiError | undefined {
    return this.#error;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** When the last answer came. */
  get answeredMs(): number | undefined {
    return this.#answeredMs;
  }

  hostConnected(): void {
    // Properties are set after the element is connected.
    queueMicrotask(() => void this.refresh());
  }

  hostDisconnected(): void {
    this.#asked += 1;
  }

  /** Forgets the answer, which was about something else. */
  reset(): void {
    this.#value = undefined;
    void this.refresh();
  }

  async refresh(): Promise<void> {
    const turn = (this.#asked += 1);
    this.#busy = true;
    this.#host.requestUpdate();
    try {
      const value = await this.#load();
      if (turn !== this.#asked) return;
      [this.#value, this.#error, this.#answeredMs] = [value, undefined, Date.now()];
    } catch (error) {
      if (turn !== this.#asked) return;
      this.#error = asApiError(error);
      reportUnauthorized(this.#host, this.#error);
    }
    this.#busy = false;
    this.#host.requestUpdate();
  }
}
