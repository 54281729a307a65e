//! Keeps one connection to `/api/v1/events` open: reads it, notices when it is dead, and opens it again with back-off.

import { ApiError, type Client, detailOf } from './client.ts';
import { type ServerEvent, SseParser } from './sse.ts';

/** How the connection is doing. `refused` stays: the same token would be refused again. */
export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  | { readonly kind: 'waiting'; readonly delayMs: number }
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string };

export interface Listener {
  handleEvent(event: ServerEvent): void;
  handleLink(link: Link): void;
}

/** The server pings each 15 s; two that fail to come mean a dead connection that TCP has not noticed. */
const SILENCE_MS = 40_000;
const DELAY_MS_MIN = 1_000;
const DELAY_MS_MAX = 15_000;
/** Consoles that lost the server at the same moment do not all come back at the same moment. */
const JITTER = 0.25;
/** Streams in the list, as many as the server tells. */
const LIST_MAX = 1_000;
/** A longer wish is taken for a mistake. */
const RETRY_AFTER_S_MAX = 120;

/** Before the `attempt`th reconnection, from 1: 1, 2, 4, 8, then 15 s, each up to a quarter more. */
export function delayBefore(attempt: number, random: number): number {
  const delay = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.min(attempt - 1, 10));
  return Math.round(delay * (1 + JITTER * random));
}

export class EventStream {
  readonly #client: Client;
  /** Whose statistics come along. */
  readonly #path: string | undefined;
  readonly #listener: Listener;
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;

  constructor(client: Client, path: string | undefined, listener: Listener) {
    this.#client = client;
    this.#path = path;
    this.#listener = listener;
    void this.#run();
  }

  close(): void {
    this.#stop.abort();
    this.#wake?.();
  }

  /** The network or the page is back: what waits need not wait any longer. */
  nudge(): void {
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      this.#say({ kind: 'connecting' });
      const end = await this.#connect();
      if (this.#stop.signal.aborted) return;
      if (end.kind === 'refused') return this.#say(end);
      failures = end.heard ? 1 : failures + 1;
      const delayMs = Math.max(end.atLeastMs, delayBefore(failures, Math.random()));
      this.#say({ kind: 'waiting', delayMs });
      await this.#wait(delayMs);
    }
  }

  async #connect(): Promise<Extract<Link, { kind: 'refused' }> | { kind: 'over'; heard: boolean; atLeastMs: number }> {
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const parser = new SseParser();
    let heard = false;
    try {
      const answer = await fetch(this.#client.url('/events', { path: this.#path, limit: LIST_MAX }), {
        ...{ signal, cache: 'no-store', credentials: 'omit' },
        headers: { accept: 'text/event-stream', ...this.#client.headers },
      });
      if (answer.status === 401 || answer.status === 403) {
        return { kind: 'refused', status: answer.status, detail: await detailOf(answer) };
      }
      if (!answer.ok || answer.body === null) {
        return { kind: 'over', heard, atLeastMs: retryAfterMs(answer.headers.get('retry-after')) };
      }
      this.#say({ kind: 'open' });
      const reader = answer.body.getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        parser.handleInput(piece.value);
        for (let event = parser.pollEvent(); event !== undefined; event = parser.pollEvent()) {
          heard = true;
          if (!this.#stop.signal.aborted) this.#listener.handleEvent(event);
        }
      }
    } catch (error) {
      // Broken, silent or closed by us: the caller tells them apart. What a listener throws is our own mistake.
      if (!(error instanceof TypeError || error instanceof DOMException || error instanceof ApiError)) reportError(error);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
    return { kind: 'over', heard, atLeastMs: parser.retryMs ?? 0 };
  }

  #say(link: Link): void {
    if (!this.#stop.signal.aborted) this.#listener.handleLink(link);
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>((done) => {
      const timer = setTimeout(done, ms);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.#wake = undefined;
  }
}

/** RFC 9110 §10.2.3, the form in seconds; what is no number asks for nothing. */
function retryAfterMs(value: string | null): number {
  const seconds = value !== null && /^\d+$/.test(value) ? Number(value) : 0;
  return Math.min(seconds, RETRY_AFTER_S_MAX) * 1_000;
}
