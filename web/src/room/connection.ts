//! A member's connection to its room (docs/signalling.md): joins, follows the numbered changes, sends commands, and
//! comes back after every loss with nothing missed and nothing repeated. No DOM; sockets are dialled by the caller.

import { delayMs } from './backoff.ts';
import { RoomClock } from './clock.ts';
import { type Answer, Commands } from './commands.ts';
import { type Next, afterBye, afterRefusal } from './endings.ts';
import { type Command, type Down, type Seen, type Up, VERSION, type Welcome, parseDown, writeUp } from './messages.ts';
import { ShapeError } from './shape.ts';
import { RoomState } from './state.ts';
import type { Delta } from './tracks.ts';
import type { Dial, Wire } from './wire.ts';

/** Why it is over: the server's code with its sentence, and which kind of message said so. */
export interface Ending {
  readonly by: 'bye' | 'refused';
  readonly code: string;
  readonly sentence: string;
}

export type Phase =
  | { readonly kind: 'joining'; readonly attempt: number }
  | { readonly kind: 'in' }
  /** The connection is lost; the place is kept for a while, and media goes on. */
  | { readonly kind: 'away'; readonly sinceMs: number; readonly attempt: number }
  | { readonly kind: 'over'; readonly ending: Ending };

export interface ConnectionListener {
  handlePhase(phase: Phase): void;
  /** The state is another one. */
  handleState(): void;
  /** One change, once, after it was applied. What was missed and comes with a welcome is not told apart. */
  handleDelta(delta: Delta): void;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly token: string;
  /** Counts where the token has none. */
  readonly name: string | null;
  readonly dial: Dial;
  /** 0 to 1; `Math.random` unless a test says otherwise. */
  readonly random?: () => number;
}

/** The server closes one that has not joined by then; a network that takes longer is tried anew. */
export const WELCOME_MS = 10_000;
const PING_EVERY_MS = 5_000;
/** "Four times at once." */
const PINGS_AT_ONCE = 4;
/** Two pongs missing: nobody is there, whatever TCP believes. */
export const SILENCE_MS = 12_000;
/** After a change of the network, an answer that is not there by then will not come over the old path. */
export const PROBE_MS = 2_000;
/** A connection that stood so long was a good one: the next loss is a first one again. */
const STABLE_MS = 5_000;

const NOTHING_SEEN: Seen = { all: null, stage: null, hosts: null, own: null };

interface Link {
  readonly wire: Wire;
  readonly deadline: ReturnType<typeof setTimeout>;
  heardMs: number;
}

export class Connection {
  readonly clock = new RoomClock();
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  readonly #commands = new Commands();
  #state = new RoomState();
  #phase: Phase = { kind: 'joining', attempt: 0 };
  #member: number | undefined;
  /** The one that was welcomed, and the one that is dialled to take its place. */
  #link: Link | undefined;
  #next: Link | undefined;
  /** Something was not understood: the state is shown, but not built upon. */
  #isDoubtful = false;
  #attempt = 0;
  #welcomedMs = 0;
  #roomAheadMs: number | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #drain: ReturnType<typeof setTimeout> | undefined;
  #pings: ReturnType<typeof setInterval> | undefined;
  #probe: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions, listener: ConnectionListener) {
    this.#options = options;
    this.#listener = listener;
    this.#dial();
  }

  get phase(): Phase {
    return this.#phase;
  }

  get state(): RoomState {
    return this.#state;
  }

  /** One's own number; undefined before the first welcome. */
  get member(): number | undefined {
    return this.#member;
  }

  /** Milliseconds since the epoch on the room clock; the own clock's before anything was heard. */
  nowMs(): number {
    const offsetUs = this.clock.offsetUs();
    const own = performance.now();
    if (offsetUs !== undefined) return own + offsetUs / 1_000;
    return this.#roomAheadMs === undefined ? Date.now() : own + this.#roomAheadMs;
  }

  /** Sent at once, or when the connection is back. Resolves with the server's answer and never rejects. */
  command(command: Command): Promise<Answer> {
    if (this.#phase.kind === 'over') return Promise.resolve({ ok: false, ...this.#phase.ending });
    const answer = this.#commands.add(command);
    this.#sendCommands();
    return answer;
  }

  /** Says goodbye where there is somebody to say it to. */
  leave(): void {
    if (this.#link !== undefined) void this.command({ name: 'leave' });
    // The bye that comes would say the same; a server that does not answer must not keep anybody.
    this.#end({ by: 'bye', code: 'left', sentence: 'you left' });
  }

  /** The network has changed, or the page is shown again: no waiting, and no trust in an old connection. */
  hurry(): void {
    if (this.#phase.kind === 'over') return;
    if (this.#retry !== undefined) return this.#dial();
    const link = this.#link;
    if (link === undefined || this.#probe !== undefined) return;
    const askedMs = performance.now();
    this.#ping();
    this.#probe = setTimeout(() => {
      this.#probe = undefined;
      if (link === this.#link && link.heardMs < askedMs) this.#drop(link);
    }, PROBE_MS);
  }

  #dial(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#hangUp(this.#next);
    const link: Link = {
      wire: this.#options.dial(this.#options.url, {
        handleOpen: () => link === this.#next && this.#send(link, this.#greeting()),
        handleText: (text) => this.#isOurs(link) && this.#handleText(link, text),
        handleClose: () => this.#isOurs(link) && this.#drop(link),
      }),
      deadline: setTimeout(() => link === this.#next && this.#drop(link), WELCOME_MS),
      heardMs: performance.now(),
    };
    this.#next = link;
  }

  #greeting(): Up {
    const { token, name } = this.#options;
    const member = this.#member;
    if (member === undefined) return { type: 'join', v: VERSION, token, name };
    const seen = this.#isDoubtful ? NOTHING_SEEN : this.#state.seen();
    return { type: 'resume', v: VERSION, token, member, seen };
  }

  #isOurs(link: Link): boolean {
    return link === this.#link || link === this.#next;
  }

  #send(link: Link, up: Up): void {
    const text = writeUp(up);
    if (text !== undefined) link.wire.send(text);
  }

  #handleText(link: Link, text: string): void {
    link.heardMs = performance.now();
    let message: Down | undefined;
    try {
      message = parseDown(text);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      // It may have been a change. The state is asked for whole, at the pace of failures.
      this.#isDoubtful = true;
      return this.#drop(link);
    }
    if (message !== undefined) this.#handleMessage(link, message);
  }

  #handleMessage(link: Link, message: Down): void {
    switch (message.type) {
      case 'welcome':
        return link === this.#next ? this.#handleWelcome(link, message) : undefined;
      case 'delta':
      case 'state':
      case 'hide':
        return link === this.#link ? this.#handleTrack(message) : undefined;
      case 'ack':
        this.#commands.handleAck(message.n);
        return this.#sendCommands();
      case 'refused':
        return this.#handleRefused(link, message);
      case 'pong': {
        const { t: sentUs, received_us: receivedUs, sent_us: answeredUs } = message;
        return this.clock.handleExchange({ sentUs, receivedUs, answeredUs, backUs: ownUs() });
      }
      case 'drain':
        clearTimeout(this.#drain);
        this.#drain = setTimeout(() => this.#dial(), message.after_ms);
        return;
      case 'bye':
        return this.#follow(link, afterBye(message.reason), { by: 'bye', code: message.reason, sentence: message.sentence });
    }
  }

  #handleWelcome(link: Link, welcome: Welcome): void {
    clearTimeout(link.deadline);
    this.#hangUp(this.#link);
    clearTimeout(this.#drain);
    this.#next = undefined;
    this.#link = link;
    this.#member = welcome.member;
    this.#welcomedMs = performance.now();
    this.#roomAheadMs = welcome.now - performance.now();
    this.#isDoubtful = false;
    const next = this.#state.handleMessage(welcome);
    this.#commands.handleResumed();
    this.#sendCommands();
    for (let at = 0; at < PINGS_AT_ONCE; at += 1) this.#ping();
    clearInterval(this.#pings);
    this.#pings = setInterval(() => this.#keepAlive(), PING_EVERY_MS);
    this.#enter({ kind: 'in' });
    this.#listener.handleState();
    if (next === 'resume') this.#redial();
  }

  #handleTrack(message: Extract<Down, { type: 'delta' | 'state' | 'hide' }>): void {
    const before = message.type === 'delta' ? this.#state[message.delta.track]?.n : undefined;
    const next = this.#state.handleMessage(message);
    this.#listener.handleState();
    if (next === 'resume') return this.#next === undefined && this.#retry === undefined ? this.#redial() : undefined;
    if (message.type === 'delta' && this.#state[message.delta.track]?.n !== before) this.#listener.handleDelta(message.delta);
  }

  #handleRefused(link: Link, refused: Extract<Down, { type: 'refused' }>): void {
    const { n, code, sentence } = refused;
    if (n !== null) {
      this.#commands.handleRefused(n, code, sentence);
      return this.#sendCommands();
    }
    // To one that is in, it is about a message that had no number: nothing hangs on it.
    if (link === this.#next) this.#follow(link, afterRefusal(code), { by: 'refused', code, sentence });
  }

  #follow(link: Link, next: Next, ending: Ending): void {
    switch (next) {
      case 'stop':
        return this.#end(ending);
      case 'retry':
        return this.#drop(link);
      case 'join':
        this.#member = undefined;
        this.#state = new RoomState();
        this.#commands.handleGone(ending.code, ending.sentence);
        return this.#drop(link);
    }
  }

  /** Another attempt beside the connection that stands; it waits a little, or a server at fault would be hammered. */
  #redial(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#dial(), this.#pause());
  }

  #drop(link: Link): void {
    const wasIn = link === this.#link;
    this.#hangUp(link);
    if (wasIn) this.#link = undefined;
    else this.#next = undefined;
    if (this.#next !== undefined) return;
    this.#redial();
    if (this.#link !== undefined) return;
    clearInterval(this.#pings);
    if (this.#member === undefined) return this.#enter({ kind: 'joining', attempt: this.#attempt });
    const sinceMs = this.#phase.kind === 'away' ? this.#phase.sinceMs : performance.now();
    this.#enter({ kind: 'away', sinceMs, attempt: this.#attempt });
  }

  #pause(): number {
    const wasStable = this.#link === undefined && this.#welcomedMs > 0 && performance.now() - this.#welcomedMs >= STABLE_MS;
    if (this.#phase.kind === 'in' && wasStable) this.#attempt = 0;
    const { random = Math.random } = this.#options;
    const pause = delayMs(this.#attempt, random());
    this.#attempt += 1;
    return pause;
  }

  #keepAlive(): void {
    const link = this.#link;
    if (link === undefined) return;
    if (performance.now() - link.heardMs >= SILENCE_MS) this.#drop(link);
    else this.#ping();
  }

  #ping(): void {
    if (this.#link !== undefined) this.#send(this.#link, { type: 'ping', t: ownUs() });
  }

  #sendCommands(): void {
    const link = this.#link;
    if (link === undefined) return;
    for (let text = this.#commands.poll(); text !== undefined; text = this.#commands.poll()) link.wire.send(text);
  }

  #hangUp(link: Link | undefined): void {
    if (link === undefined) return;
    clearTimeout(link.deadline);
    link.wire.close();
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#listener.handlePhase(phase);
  }

  #end(ending: Ending): void {
    if (this.#phase.kind === 'over') return;
    for (const timer of [this.#retry, this.#drain, this.#probe]) clearTimeout(timer);
    clearInterval(this.#pings);
    this.#hangUp(this.#link);
    this.#hangUp(this.#next);
    this.#link = undefined;
    this.#next = undefined;
    this.#enter({ kind: 'over', ending });
    this.#commands.handleGone(ending.code, ending.sentence);
  }
}

/** The own clock in whole microseconds, as pings carry it. */
function ownUs(): number {
  return Math.round(performance.now() * 1_000);
}
