//! What a viewer and the server say to each other on the data channel `openmic`
//! (docs/control-channel.md), without a browser: views go in and messages come out, and the other way.

/** The channel's label. */
export const CONTROL_LABEL = 'openmic';
/** Somebody who drags a window's edge is not followed more often; the server reads no more either. */
export const VIEW_EVERY_MS = 250;

/** The server asks for no more; whatever else says more is not believed. */
export const HOLD_MAX_MS = 1_240;

/** What a viewer shows: device pixels of its element, and whether anybody can see them. */
export interface ShownView {
  readonly width: number;
  readonly height: number;
  readonly visible: boolean;
  /** Sound alone is asked for. */
  readonly audioOnly?: boolean;
}

/** One rendering of the pictures, as the server names it. */
export interface Layer {
  readonly rid: string;
  readonly width: number;
  readonly height: number;
  readonly reason: string;
}

/** What the server has said so far. */
export interface ControlState {
  /** What is seen; undefined where there is nothing to choose from. */
  readonly layer: Layer | undefined;
  /** There is no room for pictures now. */
  readonly soundOnly: boolean;
  /** How long to hold what comes, for what is lost before it reaches the server comes late. */
  readonly holdMs: number;
}

export class ControlChannel {
  #state: ControlState = { layer: undefined, soundOnly: false, holdMs: 0 };
  #view: ShownView | undefined;
  #told: string | undefined;
  #toldMs = -Infinity;

  get state(): ControlState {
    return this.#state;
  }

  /** What is shown now; `poll` says when that is worth telling. */
  handleView(view: ShownView): void {
    this.#view = view;
  }

  /** The message that is due, on a channel that is open. */
  poll(nowMs: number): string | undefined {
    if (this.#view === undefined || nowMs - this.#toldMs < VIEW_EVERY_MS) return undefined;
    const message = JSON.stringify({ type: 'view', ...this.#view });
    if (message === this.#told) return undefined;
    this.#told = message;
    this.#toldMs = nowMs;
    return message;
  }

  /** A message of the server's; whether what it says is new. */
  handleMessage(text: unknown): boolean {
    const said = parsed(text);
    switch (said?.['type']) {
      case 'layer':
        this.#state = { ...this.#state, layer: layerOf(said), soundOnly: false };
        return true;
      case 'video': {
        const soundOnly = said['state'] === 'paused';
        if (soundOnly === this.#state.soundOnly) return false;
        this.#state = { ...this.#state, soundOnly };
        return true;
      }
      case 'hold': {
        const { ms } = said;
        if (typeof ms !== 'number' || ms === this.#state.holdMs) return false;
        this.#state = { ...this.#state, holdMs: Math.min(Math.max(0, ms), HOLD_MAX_MS) };
        return true;
      }
      default:
        return false;
    }
  }
}

function parsed(text: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

function layerOf(said: Readonly<Record<string, unknown>>): Layer {
  const number = (name: string): number => (typeof said[name] === 'number' ? said[name] : 0);
  const { rid, reason } = said;
  return { rid: String(rid), width: number('width'), height: number('height'), reason: String(reason) };
}
