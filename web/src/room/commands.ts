//! A member's commands on their way: numbered, at most so many open, sent again after a lost connection, and each
//! answered once.

import { type Command, writeUp } from './messages.ts';

/** What became of a command. */
export type Answer = { readonly ok: true } | { readonly ok: false; readonly code: string; readonly sentence: string };

/** The server remembers so many answers; with more open it could not tell a repetition from something new. */
export const OPEN_MAX = 32;

interface Waiting {
  readonly text: string;
  isSent: boolean;
  readonly settle: (answer: Answer) => void;
}

export class Commands {
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  /** Takes a command; the promise never rejects. */
  add(command: Command): Promise<Answer> {
    const text = writeUp({ type: 'command', n: this.#last + 1, command });
    if (text === undefined) {
      return Promise.resolve({ ok: false, code: 'message_too_long', sentence: 'the message is longer than 16384 bytes' });
    }
    this.#last += 1;
    return new Promise((settle) => this.#waiting.set(this.#last, { text, isSent: false, settle }));
  }

  /** The next to be sent, in the order of their numbers. */
  poll(): string | undefined {
    let open = 0;
    for (const waiting of this.#waiting.values()) {
      if (!waiting.isSent) {
        if (open >= OPEN_MAX) return undefined;
        waiting.isSent = true;
        return waiting.text;
      }
      open += 1;
    }
    return undefined;
  }

  /**
   * Another connection: what is not answered goes again under its old number. That of those the server has answered
   * too, if the answer was lost on its way: it gives the same answer and does nothing again.
   */
  handleResumed(): void {
    for (const waiting of this.#waiting.values()) waiting.isSent = false;
  }

  handleAck(n: number): void {
    this.#settle(n, { ok: true });
  }

  handleRefused(n: number, code: string, sentence: string): void {
    // Only what was sent twice can be answered so: the server has done with it and forgotten how.
    this.#settle(n, code === 'already_answered' ? { ok: true } : { ok: false, code, sentence });
  }

  /** The place they were meant for is gone. Another one counts from 1. */
  handleGone(code: string, sentence: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#last = 0;
    for (const { settle } of waiting) settle({ ok: false, code, sentence });
  }

  #settle(n: number, answer: Answer): void {
    const waiting = this.#waiting.get(n);
    this.#waiting.delete(n);
    waiting?.settle(answer);
  }
}
