//! The slots of a stage session (docs/control-channel.md): six voices that the server fills, and tiles that we ask
//! for; who is in which now, and who speaks. Pure: wishes and messages go in, messages come out.

import { HOLD_MAX_MS } from '../play/control-channel.ts';
import type { Mapping } from './clock.ts';

/** Somebody whose picture is wanted, in device pixels of its tile. */
export interface Wanted {
  readonly member: number;
  readonly width: number;
  readonly height: number;
}

export type TileState = 'playing' | 'waiting' | 'paused';

/** What the server says of a picture slot. */
export interface Tile {
  readonly member: number;
  readonly width: number;
  readonly height: number;
  readonly state: TileState;
  readonly reason: string | undefined;
}

export interface Speaker {
  readonly member: number;
  /** dBFS */
  readonly level: number;
}

export const VOICES = 6;
export const TILES = 9;
/** The server reads eight messages a second after sixteen at once. */
export const ASK_EVERY_MS = 250;
const MESSAGE_LENGTH_MAX = 1_024;
/** Layers are chosen by far coarser steps: a window's edge that is dragged says less. */
const STEP_PX = 16;
const SIDE_MAX = 16_384;

export class Slots {
  readonly #tileMids: readonly string[];
  readonly #asked = new Map<string, Wanted>();
  readonly #tiles = new Map<string, Tile>();
  readonly #voices = new Map<string, number>();
  readonly #mappings = new Map<string, Mapping & { readonly member: number }>();
  #order: readonly number[] = [];
  #speakers: readonly Speaker[] = [];
  #holdMs = 0;
  #told = '';
  #toldMs = -Infinity;

  constructor(tileMids: readonly string[]) {
    this.#tileMids = tileMids;
  }

  /** Loudest first; only who speaks. */
  get speakers(): readonly Speaker[] {
    return this.#speakers;
  }

  /** How long to hold what comes: what is lost on somebody's way to the server comes so late. */
  get holdMs(): number {
    return this.#holdMs;
  }

  /** The members whose voices come, by slot. */
  get voices(): ReadonlyMap<string, number> {
    return this.#voices;
  }

  /** The slot that shows this member, as the server says it, and not as we have asked. */
  tileOf(member: number): (Tile & { readonly mid: string }) | undefined {
    for (const [mid, tile] of this.#tiles) if (tile.member === member && this.#asked.has(mid)) return { mid, ...tile };
    return undefined;
  }

  /** Which moment of the room clock an RTP time in this slot is, while this member feeds it. */
  mapping(mid: string, member: number): Mapping | undefined {
    const known = this.#mappings.get(mid);
    return known?.member === member ? known : undefined;
  }

  /** Whose pictures are wanted, the most important first. Who has a slot keeps it: its picture goes on. */
  want(wanted: readonly Wanted[]): void {
    const kept = wanted.slice(0, this.#tileMids.length);
    for (const [mid, { member }] of this.#asked) {
      if (!kept.some((each) => each.member === member)) this.#asked.delete(mid);
    }
    for (const each of kept) {
      const mid = this.#midOf(each.member) ?? this.#freeMid(each.member);
      if (mid !== undefined) this.#asked.set(mid, each);
    }
    this.#order = kept.map(({ member }) => member);
  }

  /** The message that is due, on a channel that is open. */
  poll(nowMs: number): string | undefined {
    if (nowMs - this.#toldMs < ASK_EVERY_MS) return undefined;
    const tiles = this.#order.flatMap((member) => {
      const mid = this.#midOf(member);
      const asked = mid === undefined ? undefined : this.#asked.get(mid);
      return asked === undefined ? [] : [{ mid, member, width: step(asked.width), height: step(asked.height) }];
    });
    const message = JSON.stringify({ type: 'tiles', tiles });
    if (message === this.#told || (this.#told === '' && tiles.length === 0)) return undefined;
    this.#told = message;
    this.#toldMs = nowMs;
    return message;
  }

  /** A message of the server's; whether it changed anything that is shown. */
  handleMessage(data: unknown): boolean {
    const said = parsed(data);
    switch (said?.['type']) {
      case 'voice':
        return this.#handleVoice(said);
      case 'tile':
        return this.#handleTile(said);
      case 'speakers':
        return this.#handleSpeakers(said);
      case 'hold':
        return this.#handleHold(said);
      case 'clock':
        return this.#handleClock(said);
      default:
        return false;
    }
  }

  #handleVoice({ mid, member }: Said): boolean {
    if (typeof mid !== 'string') return false;
    if (isNumber(member)) this.#voices.set(mid, member);
    else this.#voices.delete(mid);
    return true;
  }

  #handleTile({ mid, member, width, height, state, reason }: Said): boolean {
    if (typeof mid !== 'string') return false;
    if (!isNumber(member)) return this.#tiles.delete(mid);
    if (state !== 'playing' && state !== 'waiting' && state !== 'paused') return false;
    this.#tiles.set(mid, {
      member,
      width: isNumber(width) ? width : 0,
      height: isNumber(height) ? height : 0,
      state,
      reason: typeof reason === 'string' ? reason : undefined,
    });
    return true;
  }

  #handleSpeakers({ speakers }: Said): boolean {
    if (!Array.isArray(speakers)) return false;
    this.#speakers = speakers.flatMap((each: unknown) => {
      const { member, level } = (each ?? {}) as Said;
      return isNumber(member) && isNumber(level) ? [{ member, level }] : [];
    });
    return true;
  }

  #handleHold({ ms }: Said): boolean {
    if (!isNumber(ms)) return false;
    const holdMs = Math.min(Math.max(0, ms), HOLD_MAX_MS);
    if (holdMs === this.#holdMs) return false;
    this.#holdMs = holdMs;
    return true;
  }

  /** Nothing that is shown changes by it. */
  #handleClock({ mid, member, rtp, rate, at_us }: Said): false {
    const isWhole = isNumber(member) && isNumber(rtp) && isNumber(rate) && isNumber(at_us);
    if (typeof mid === 'string' && isWhole) this.#mappings.set(mid, { member, rtp, rate, at_us });
    return false;
  }

  #midOf(member: number): string | undefined {
    for (const [mid, asked] of this.#asked) if (asked.member === member) return mid;
    return undefined;
  }

  /** One that showed this member last, else one that shows nobody, or the picture of the former would flash up. */
  #freeMid(member: number): string | undefined {
    const free = this.#tileMids.filter((mid) => !this.#asked.has(mid));
    return free.find((mid) => this.#tiles.get(mid)?.member === member) ?? free.find((mid) => !this.#tiles.has(mid)) ?? free[0];
  }
}

type Said = Readonly<Record<string, unknown>>;

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function step(pixels: number): number {
  return Math.min(SIDE_MAX, Math.max(STEP_PX, Math.ceil(pixels / STEP_PX) * STEP_PX));
}

function parsed(data: unknown): Said | undefined {
  if (typeof data !== 'string' || data.length > MESSAGE_LENGTH_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? (value as Said) : undefined;
  } catch {
    return undefined;
  }
}
