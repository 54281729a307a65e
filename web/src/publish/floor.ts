//! How low the browser may turn the picture under loss. Its congestion control takes random loss for a full
//! queue and turns down until nothing is left (2.6 fps at 30 %). Loss with a round trip as short as ever is no
//! queue: then a floor holds the rate. A growing round trip is one: then the floor goes at once.

import type { VideoLevel } from './layers.ts';

/** What was measured since the last sample, about a second ago. */
export interface FloorSample {
  /** Share of packets that did not arrive, 0 … 1; undefined while no report has come. */
  readonly lossShare: number | undefined;
  readonly roundTripMs: number | undefined;
  /** kbit/s of pictures that were sent. */
  readonly sentKbps: number;
}

export interface FloorLimits {
  readonly minKbps: number;
  readonly maxKbps: number;
}

export interface FloorDecision {
  /** kbit/s below which the browser must not go; undefined leaves it alone. */
  readonly floorKbps: number | undefined;
  /** kbit/s of it for pictures: what is left is for sending again what was lost. Browsers never send more again than that. */
  readonly pictureKbps: number | undefined;
  readonly level: VideoLevel;
}

/** From this loss on the browser turns down by itself; and below that one it no longer does. */
export const LOSS_HIGH = 0.08;
export const LOSS_LOW = 0.04;
/** Small pictures of one or two packets each arrive where large ones do not. */
export const LOSS_BASE = 0.6;
export const LOSS_BASE_OVER = 0.4;
/** Beyond this even those stand still, and every packet sent is one that sound does not get. */
export const LOSS_OFF = 0.8;
export const LOSS_OFF_OVER = 0.65;
/** A round trip longer than its minimum by this much, and by this share of it, is a queue. */
const QUEUE_MS = 60;
const QUEUE_SHARE = 0.4;
/** The minimum is forgotten after this long, or another path with a longer trip would pass for a queue. */
const MINIMUM_MS = 30_000;
/** Loss in a single report of few packets says little: this share of the new one is taken. */
const SMOOTHING = 0.6;
/** What must last before something is done, and before it is undone. */
const HIGH_FOR_MS = 900;
const LOW_FOR_MS = 6_000;
const LEVEL_DOWN_FOR_MS = 2_500;
const LEVEL_UP_FOR_MS = 5_000;
/** After a queue no floor is tried for this long, and then a lower one. */
const REST_MS = 8_000;
const STEP_DOWN = 0.6;
/** The floor leaves congestion control this much room below what the link is known to carry. */
const HEADROOM = 0.85;
/** Where nothing is known yet, this share of the largest rate is tried. */
const SHARE_AT_FIRST = 0.6;
/** A floor for small pictures: sent anew as often as they have to be, which takes most of it. */
const BASE_KBPS = 700;
/** Room for what is lost again on its way, and for several losses at once. */
const AGAIN_SHARE = 1.5;
const PICTURE_MIN_KBPS = 60;
/** Each change is applied by describing the session anew; smaller ones are not worth it. */
const CHANGE_MIN = 0.2;

export class Floor {
  readonly #limits: FloorLimits;
  #loss = 0;
  /** What the server says is lost by chance before it is sent again, if it does: reports count what was sent again, and what a queue dropped. */
  #told: number | undefined;
  #trips: { readonly atMs: number; readonly ms: number }[] = [];
  /** kbit/s that went through without a queue. */
  #provenKbps = 0;
  #ceilingKbps: number;
  #restUntilMs = -Infinity;
  #floorKbps: number | undefined;
  #pictureKbps: number | undefined;
  #level: VideoLevel = 'full';
  #highSinceMs: number | undefined;
  #lowSinceMs: number | undefined;
  #downSinceMs: number | undefined;
  #upSinceMs: number | undefined;

  constructor(limits: FloorLimits) {
    this.#limits = limits;
    this.#ceilingKbps = limits.maxKbps;
  }

  get decision(): FloorDecision {
    return { floorKbps: this.#floorKbps, pictureKbps: this.#floorKbps === undefined ? undefined : this.#pictureKbps, level: this.#level };
  }

  /** The smoothed loss, 0 … 1. */
  get lossShare(): number {
    return this.#loss;
  }

  /** Whether the round trip says that a queue stands somewhere. */
  get hasQueue(): boolean {
    const least = Math.min(...this.#trips.map(({ ms }) => ms));
    const recent = this.#trips.slice(-3).map(({ ms }) => ms).sort((a, b) => a - b);
    const median = recent[recent.length >> 1];
    if (median === undefined || this.#trips.length < 3) return false;
    return median > least + Math.max(QUEUE_MS, least * QUEUE_SHARE);
  }

  /** The loss that is no queue's, as far as that is known. */
  get #byChance(): number {
    return this.#told ?? this.#loss;
  }

  handleToldLoss(share: number): void {
    this.#told = share;
  }

  handleSample(sample: FloorSample, nowMs: number): FloorDecision {
    // Without reports there is no way back at all; that is ICE's business, and no sign of loss.
    if (sample.lossShare === undefined) return this.decision;
    this.#loss += (sample.lossShare - this.#loss) * SMOOTHING;
    this.#noteTrip(sample.roundTripMs, nowMs);
    const hasQueue = this.hasQueue;
    if (!hasQueue && this.#byChance < LOSS_HIGH) this.#learn(sample.sentKbps);
    this.#stepLevel(nowMs);
    this.#stepFloor(hasQueue, nowMs);
    return this.decision;
  }

  #noteTrip(ms: number | undefined, nowMs: number): void {
    if (ms !== undefined && ms > 0) this.#trips.push({ atMs: nowMs, ms });
    this.#trips = this.#trips.filter(({ atMs }) => nowMs - atMs <= MINIMUM_MS);
  }

  #learn(sentKbps: number): void {
    this.#provenKbps = Math.max(this.#provenKbps * 0.98, sentKbps);
    // A calm network may have healed: trust in it grows back slowly.
    this.#ceilingKbps = Math.min(this.#limits.maxKbps, this.#ceilingKbps * 1.03);
  }

  #stepFloor(hasQueue: boolean, nowMs: number): void {
    if (hasQueue) {
      if (this.#floorKbps !== undefined) {
        this.#ceilingKbps = this.#floorKbps * STEP_DOWN;
        this.#restUntilMs = nowMs + REST_MS;
      }
      this.#floorKbps = undefined;
      this.#highSinceMs = undefined;
      return;
    }
    this.#highSinceMs = this.#byChance > LOSS_HIGH ? (this.#highSinceMs ?? nowMs) : undefined;
    this.#lowSinceMs = this.#byChance < LOSS_LOW ? (this.#lowSinceMs ?? nowMs) : undefined;
    if (this.#level === 'off') this.#floorKbps = undefined;
    else if (lasts(this.#highSinceMs, HIGH_FOR_MS, nowMs) && nowMs >= this.#restUntilMs) this.#raise();
    else if (lasts(this.#lowSinceMs, LOW_FOR_MS, nowMs)) this.#floorKbps = undefined;
  }

  #raise(): void {
    const { minKbps, maxKbps } = this.#limits;
    const known = Math.max(this.#provenKbps * HEADROOM, maxKbps * SHARE_AT_FIRST);
    const wanted = this.#level === 'base' ? Math.min(BASE_KBPS, this.#ceilingKbps) : Math.max(Math.min(known, this.#ceilingKbps), Math.min(minKbps, this.#ceilingKbps));
    if (differs(wanted, this.#floorKbps)) this.#floorKbps = Math.round(wanted);
    const picture = this.#pictureOf(this.#floorKbps ?? wanted);
    if (differs(picture, this.#pictureKbps)) this.#pictureKbps = Math.round(picture);
  }

  /** The more is lost, the fewer packets a picture should have: it is whole at once only if none of them is. */
  #pictureOf(floorKbps: number): number {
    const arrives = 1 - Math.min(Math.max(this.#loss, this.#told ?? 0), LOSS_OFF);
    return Math.max(PICTURE_MIN_KBPS, (floorKbps * arrives) / (1 + (AGAIN_SHARE * (1 - arrives)) / arrives));
  }

  #stepLevel(nowMs: number): void {
    const [down, up] = LEVELS[this.#level];
    this.#downSinceMs = this.#loss > down ? (this.#downSinceMs ?? nowMs) : undefined;
    this.#upSinceMs = this.#loss < up ? (this.#upSinceMs ?? nowMs) : undefined;
    const to = lasts(this.#downSinceMs, LEVEL_DOWN_FOR_MS, nowMs)
      ? WORSE[this.#level]
      : lasts(this.#upSinceMs, LEVEL_UP_FOR_MS, nowMs)
        ? BETTER[this.#level]
        : this.#level;
    if (to === this.#level) return;
    this.#level = to;
    this.#downSinceMs = undefined;
    this.#upSinceMs = undefined;
  }
}

/** The losses at which each level goes down and up. */
const LEVELS: Readonly<Record<VideoLevel, readonly [down: number, up: number]>> = {
  full: [LOSS_BASE, -1],
  base: [LOSS_OFF, LOSS_BASE_OVER],
  off: [Infinity, LOSS_OFF_OVER],
};
const WORSE: Readonly<Record<VideoLevel, VideoLevel>> = { full: 'base', base: 'off', off: 'off' };
const BETTER: Readonly<Record<VideoLevel, VideoLevel>> = { full: 'full', base: 'full', off: 'base' };

function lasts(sinceMs: number | undefined, forMs: number, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs - sinceMs >= forMs;
}

function differs(wanted: number, before: number | undefined): boolean {
  return before === undefined || Math.abs(wanted - before) >= before * CHANGE_MIN;
}
