//! Server-sent events (HTML Living Standard §9.2.6) from bytes that arrive in any pieces. `EventSource` reads them too,
//! but sends no Authorization header.

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** The list of ten thousand streams fits; what is longer is not from our server. */
const EVENT_CHARS_MAX = 32 << 20;

/** The peer sends an event that never ends. */
export class SseError extends Error {}

export class SseParser {
  readonly #decoder = new TextDecoder();
  readonly #ready: ServerEvent[] = [];
  /** The line that has not ended yet. */
  #rest = '';
  /** A line ended by CR: an LF that follows belongs to it. */
  #afterCr = false;
  #event = '';
  #data: string[] = [];
  #dataChars = 0;
  #retryMs: number | undefined;

  /** What the server wishes as the time before reconnecting. */
  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  handleInput(bytes: Uint8Array): void {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return;
    if (this.#afterCr && text.startsWith('\n')) text = text.slice(1);
    this.#afterCr = text.endsWith('\r');
    const lines = text.split(/\r\n|\r|\n/);
    lines[0] = this.#rest + (lines[0] ?? '');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#handleLine(line);
    if (this.#rest.length + this.#dataChars > EVENT_CHARS_MAX) throw new SseError('an event is too long');
  }

  /** The next whole event, oldest first. An event that was cut off by the end of the connection never comes. */
  pollEvent(): ServerEvent | undefined {
    return this.#ready.shift();
  }

  #handleLine(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    // A line that begins with a colon is a comment; our server's ping is one.
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'event') this.#event = value;
    else if (field === 'data') {
      this.#data.push(value);
      this.#dataChars += value.length;
    } else if (field === 'retry' && /^\d+$/.test(value)) this.#retryMs = Number(value);
  }

  #dispatch(): void {
    if (this.#data.length > 0) {
      this.#ready.push({ event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n') });
    }
    this.#event = '';
    this.#data = [];
    this.#dataChars = 0;
  }
}
