//! One viewing of one address as a state machine without DOM, clock or network: engine events and
//! readings of the media element go in, orders to the engine and events for the page come out.

import type { Candidate, EngineKind } from './address.ts';
import { Code, type StateCode, messageOf } from './codes.ts';
import { type Bounds, LatencyController } from './latency.ts';
import { type Failure, Policy } from './policy.ts';

export interface Options {
  readonly candidates: readonly [Candidate, ...Candidate[]];
  /** The bounds of the delay; what is little for one engine is unreachable for another. */
  readonly boundsOf: (kind: EngineKind) => Bounds;
  /** Keep looking after the three tries are used up. */
  readonly autoResume: boolean;
}

/** What an engine reports about itself. */
export type EngineEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'first-bytes' }
  | { readonly type: 'keyframe' }
  | { readonly type: 'discontinuity' }
  | { readonly type: 'message'; readonly text: string }
  /** The connection broke and the engine is mending it itself. */
  | { readonly type: 'interrupted'; readonly detail: string }
  | { readonly type: 'ended' }
  | { readonly type: 'failed'; readonly failure: Failure; readonly code?: StateCode };

/** The media element as it is now; times in seconds on its own clock. */
export interface Reading {
  readonly positionS: number;
  /** Buffered ranges, ascending. */
  readonly buffered: readonly (readonly [startS: number, endS: number])[];
  readonly paused: boolean;
  /** Frames shown since the element was made; for sound alone, any number that never changes. */
  readonly framesShown: number;
  readonly hasMetadata: boolean;
  readonly width: number;
  readonly height: number;
  /** Delay as the engine knows it; undefined: what is buffered ahead is the delay. */
  readonly engineDelayS: number | undefined;
  /** The least delay this engine can keep (HLS hold-back), 0 for FLV. */
  readonly delayFloorS: number;
  /** When media bytes last arrived, on the session's clock; undefined before the first. */
  readonly lastDataMs: number | undefined;
  readonly limits: Limits;
  /** The engine keeps its delay itself; speed and jumps would do nothing. */
  readonly selfPaced: boolean;
}

/** How long an engine may be without bytes before that means something. */
export interface Limits {
  /** From the connection to the first byte: later, something holds the stream back. */
  readonly firstBytesMs: number;
  /** A pause this long is worth asking the server about. */
  readonly silenceMs: number;
  /** A silent connection to a stream that is not called away is dead after this. */
  readonly deadMs: number;
}

/** What the server says about the stream when asked. */
export type Status = 'live' | 'waiting' | 'absent' | 'unknown';

/** What the viewer should be told. */
export type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly engine: EngineKind }
  | { readonly kind: 'loading' }
  | { readonly kind: 'playing' }
  | { readonly kind: 'paused' }
  /** Connected, but nothing arrives since `sinceMs`; `publisherLeft` once the server has said so. */
  | { readonly kind: 'waiting'; readonly sinceMs: number; readonly publisherLeft: boolean }
  | { readonly kind: 'reconnecting'; readonly attempt: number; readonly offline: boolean }
  | { readonly kind: 'ended'; readonly resumeAtMs: number | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly resumeAtMs: number | undefined };

export type Output =
  | { readonly do: 'start'; readonly candidate: Candidate }
  | { readonly do: 'stop' }
  | { readonly do: 'rate'; readonly rate: number }
  | { readonly do: 'seek'; readonly toS: number }
  | { readonly do: 'emit'; readonly code: StateCode; readonly message: string }
  | { readonly do: 'phase'; readonly phase: Phase }
  /** Ask the server about the stream and hand the answer to `handleStatus`. */
  | { readonly do: 'ask' };

/** WeChat reports a stall at a render gap of 800 ms. */
export const STALL_GAP_MS = 800;
/** Over HTTP, a connection that brings nothing for this long may sit behind a buffering middlebox. */
export const FIRST_BYTES_MS = 6_000;
/** Over HTTP, a silent connection to a server that calls the stream live is dead after this. */
export const DEAD_MS = 20_000;
/** While nothing arrives, the server is asked this often. */
export const ASK_EVERY_MS = 3_000;
/** A paused viewer keeps the connection this long; later, resuming connects anew. */
export const PAUSE_KEPT_MS = 10_000;
/** Bytes without a keyframe for this long are worth an event: the longest groups are 10 s. */
export const KEYFRAME_WAIT_MS = 12_000;
/** Pictures that move for this long after a stall are no mere repetition of the last ones. */
const STEADY_MS = 600;
/** Played this long, the earlier failures are forgotten. */
const SETTLED_MS = 5_000;
/** Land this far inside a buffered range, or the decoder may still see the gap. */
const RANGE_MARGIN_S = 0.05;

/** What is known about the current connection. */
interface Link {
  readonly startedMs: number;
  connectedMs: number | undefined;
  firstBytesLimitMs: number;
  firstBytesMs: number | undefined;
  keyframe: boolean;
  keyframeMissed: boolean;
  decoder: boolean;
  frame: boolean;
  playingSinceMs: number | undefined;
}

export class Session {
  readonly #policy: Policy;
  readonly #latency: LatencyController;
  readonly #boundsOf: Options['boundsOf'];
  #asked: Bounds;
  readonly #outputs: Output[] = [];
  #phase: Phase = { kind: 'idle' };
  #link: Link | undefined;
  #startAtMs: number | undefined;
  #pausedSinceMs: number | undefined;
  #askedAtMs = -Infinity;
  #size = { width: 0, height: 0 };
  #rate = 1;
  #moved = { positionS: -1, framesShown: -1, atMs: 0 };
  #stalled = false;
  /** Since the first of the stalls that no steady playing has ended. */
  #unsteadySinceMs: number | undefined;
  /** Since when pictures move. */
  #movingSinceMs: number | undefined;

  constructor(options: Options) {
    this.#policy = new Policy(options.candidates, options.autoResume);
    this.#boundsOf = options.boundsOf;
    this.#asked = options.boundsOf(options.candidates[0].kind);
    this.#latency = new LatencyController(this.#asked);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Where the delay is steered to, in seconds. */
  get targetS(): number {
    return this.#latency.targetS;
  }

  /** The next thing to do or tell, in order; undefined when there is none. */
  poll(): Output | undefined {
    return this.#outputs.shift();
  }

  /** Begin, or begin anew after a stop, an end or a failure. */
  play(nowMs: number): void {
    this.#halt();
    this.#phase = { kind: 'idle' };
    this.#connect(this.#policy.restart(), nowMs);
  }

  stop(): void {
    this.#halt();
    this.#setPhase({ kind: 'idle' });
  }

  pause(nowMs: number): void {
    if (this.#link === undefined) {
      this.stop();
      return;
    }
    this.#pausedSinceMs = nowMs;
    this.#setPhase({ kind: 'paused' });
  }

  /** Go on at live after a pause. */
  resume(nowMs: number, reading: Reading): void {
    this.#pausedSinceMs = undefined;
    if (this.#link === undefined) {
      this.play(nowMs);
      return;
    }
    this.#moved = { positionS: -1, framesShown: -1, atMs: nowMs };
    this.#setPhase({ kind: 'loading' });
    this.goLive(reading);
  }

  /** Jump to the point we steer to, e.g. on the viewer's wish or when the page is shown again. */
  goLive(reading: Reading): void {
    this.#jump(reading, this.#latency.targetS);
  }

  /** The network is back, or the page is shown again: do not sit out a wait. */
  hurry(nowMs: number): void {
    if (this.#startAtMs !== undefined) this.#startAtMs = nowMs;
  }

  handleEngine(event: EngineEvent, nowMs: number): void {
    const link = this.#link;
    if (link === undefined) return;
    switch (event.type) {
      case 'connected':
        link.connectedMs = nowMs;
        this.#emit(Code.Connected);
        return;
      case 'first-bytes':
        this.#handleFirstBytes(link, nowMs);
        return;
      case 'keyframe':
        this.#handleKeyframe(link);
        return;
      case 'discontinuity':
        this.#emit(Code.Discontinuity);
        return;
      case 'message':
        this.#emit(Code.Message, event.text);
        return;
      case 'interrupted':
        this.#emit(Code.Reconnecting, event.detail);
        this.#setPhase({ kind: 'reconnecting', attempt: 1, offline: false });
        return;
      case 'ended':
        this.#end(nowMs);
        return;
      case 'failed':
        this.#fail(event.failure, nowMs, event.code);
        return;
    }
  }

  /** The answer to `ask`. */
  handleStatus(status: Status, nowMs: number): void {
    const phase = this.#phase;
    if (phase.kind === 'waiting') {
      const publisherLeft = status === 'waiting';
      if (publisherLeft !== phase.publisherLeft) this.#setPhase({ ...phase, publisherLeft });
    }
    const link = this.#link;
    if (link === undefined) return;
    if (link.firstBytesMs !== undefined) {
      const sinceMs = this.#unsteadySinceMs;
      // A silence where the stream is gone was its end: WebRTC has no other word for it.
      if (status === 'absent' && (phase.kind === 'waiting' || sinceMs !== undefined)) this.#end(nowMs);
      const isShowing = phase.kind === 'loading' || phase.kind === 'playing';
      if (status === 'waiting' && isShowing && sinceMs !== undefined) {
        // Told already; the next stall is the same one.
        this.#stalled = true;
        this.#setPhase({ kind: 'waiting', sinceMs, publisherLeft: true });
      }
      return;
    }
    // A connection without its first byte: the publisher is away (wait), or something holds bytes back.
    const limitMs = link.firstBytesLimitMs;
    if (status === 'waiting') {
      this.#setPhase({ kind: 'waiting', sinceMs: link.startedMs, publisherLeft: true });
    } else if (nowMs - (link.connectedMs ?? link.startedMs) >= limitMs) {
      this.#fail({ kind: 'silent', detail: `no byte in ${limitMs} ms` }, nowMs);
    }
  }

  /** Call five times a second with the state of the media element. */
  handleReading(reading: Reading, nowMs: number): void {
    if (this.#startAtMs !== undefined && nowMs >= this.#startAtMs) {
      this.#connect(this.#policy.candidate, nowMs);
      return;
    }
    const link = this.#link;
    if (link === undefined) return;
    if (this.#pausedSinceMs !== undefined) {
      if (nowMs - this.#pausedSinceMs >= PAUSE_KEPT_MS) this.#halt();
      return;
    }
    this.#checkSilence(link, reading, nowMs);
    if (this.#link !== link) return;
    this.#checkPicture(link, reading, nowMs);
    if (reading.paused || !reading.hasMetadata) return;
    const wasPlaying = this.#phase.kind === 'playing';
    this.#checkMotion(link, reading, nowMs);
    // The first motion may have jumped; this reading no longer says where we are.
    if (wasPlaying && this.#phase.kind === 'playing' && !reading.selfPaced) this.#steer(reading, nowMs);
  }

  #connect(candidate: Candidate, nowMs: number): void {
    this.#startAtMs = undefined;
    this.#pausedSinceMs = undefined;
    this.#stalled = false;
    this.#unsteadySinceMs = undefined;
    this.#movingSinceMs = undefined;
    this.#moved = { positionS: -1, framesShown: -1, atMs: nowMs };
    this.#link = {
      startedMs: nowMs,
      connectedMs: undefined,
      firstBytesLimitMs: FIRST_BYTES_MS,
      firstBytesMs: undefined,
      keyframe: false,
      keyframeMissed: false,
      decoder: false,
      frame: false,
      playingSinceMs: undefined,
    };
    this.#asked = this.#boundsOf(candidate.kind);
    this.#latency.bounds = this.#asked;
    this.#setRate(1);
    // Words that stand there (reconnecting, ended, failed) stay until bytes arrive, or they would flicker.
    const words = this.#phase.kind;
    if (words !== 'reconnecting' && words !== 'ended' && words !== 'failed') {
      this.#setPhase({ kind: 'connecting', engine: candidate.kind });
    }
    this.#outputs.push({ do: 'start', candidate });
  }

  #halt(): void {
    this.#startAtMs = undefined;
    this.#pausedSinceMs = undefined;
    if (this.#link !== undefined) this.#outputs.push({ do: 'stop' });
    this.#link = undefined;
  }

  #end(nowMs: number): void {
    this.#halt();
    this.#emit(Code.Ended);
    this.#setPhase({ kind: 'ended', resumeAtMs: this.#scheduleResume(nowMs) });
  }

  /** After an end or a failure: look again later without a word, if that was asked for. */
  #scheduleResume(nowMs: number): number | undefined {
    const afterMs = this.#policy.nextResumeMs();
    this.#startAtMs = afterMs === undefined ? undefined : nowMs + afterMs;
    return this.#startAtMs;
  }

  #fail(failure: Failure, nowMs: number, code?: StateCode): void {
    this.#halt();
    const phase = this.#phase;
    if (phase.kind === 'ended' || phase.kind === 'failed') {
      // A quiet look found nothing new: no codes, no other words.
      this.#setPhase({ ...phase, resumeAtMs: this.#scheduleResume(nowMs) });
      return;
    }
    this.#emit(code ?? codeOf(failure), failure.detail);
    const decision = this.#policy.handleFailure(failure);
    switch (decision.kind) {
      case 'switch':
        this.#connect(decision.candidate, nowMs);
        return;
      case 'retry':
        this.#emit(Code.Reconnecting, `attempt ${decision.attempt}`);
        this.#startAtMs = nowMs + decision.afterMs;
        this.#setPhase({
          kind: 'reconnecting',
          attempt: decision.attempt,
          offline: failure.kind === 'offline',
        });
        return;
      case 'give-up':
        this.#emit(Code.GaveUp, failure.detail);
        this.#startAtMs = decision.resumeAfterMs === undefined ? undefined : nowMs + decision.resumeAfterMs;
        this.#setPhase({ kind: 'failed', failure, resumeAtMs: this.#startAtMs });
        return;
    }
  }

  #checkSilence(link: Link, reading: Reading, nowMs: number): void {
    const { firstBytesMs, silenceMs, deadMs } = reading.limits;
    if (link.firstBytesMs === undefined) {
      if (link.connectedMs !== undefined) link.firstBytesLimitMs = firstBytesMs;
      if (nowMs - (link.connectedMs ?? link.startedMs) >= link.firstBytesLimitMs) this.#ask(nowMs);
      return;
    }
    const quietMs = nowMs - (reading.lastDataMs ?? link.startedMs);
    if (quietMs < silenceMs) {
      // What arrives may be the last group again, for a decoder that asks for a keyframe.
      if (this.#unsteadySinceMs !== undefined && nowMs - this.#unsteadySinceMs >= silenceMs) this.#ask(nowMs);
      else if (this.#phase.kind === 'waiting') this.#setPhase({ kind: 'loading' });
      return;
    }
    this.#ask(nowMs);
    const waiting = this.#phase.kind === 'waiting' ? this.#phase : undefined;
    if (waiting === undefined && aheadS(reading) < 0.2) {
      this.#setPhase({ kind: 'waiting', sinceMs: nowMs - quietMs, publisherLeft: false });
    }
    if (quietMs >= deadMs && !(waiting?.publisherLeft ?? false)) {
      this.#fail({ kind: 'lost', detail: `no byte in ${deadMs} ms` }, nowMs);
    }
  }

  #ask(nowMs: number): void {
    if (nowMs - this.#askedAtMs < ASK_EVERY_MS) return;
    this.#askedAtMs = nowMs;
    this.#outputs.push({ do: 'ask' });
  }

  #handleFirstBytes(link: Link, nowMs: number): void {
    if (link.firstBytesMs !== undefined) return;
    link.firstBytesMs = nowMs;
    this.#emit(Code.Pulling);
    this.#setPhase({ kind: 'loading' });
  }

  #handleKeyframe(link: Link): void {
    if (!link.keyframe) this.#emit(Code.FirstKeyframe);
    link.keyframe = true;
  }

  #checkPicture(link: Link, reading: Reading, nowMs: number): void {
    if (reading.hasMetadata && !link.decoder) {
      // A picture proves its bytes and its keyframe; an engine that counts now and then tells them later.
      this.#handleFirstBytes(link, nowMs);
      if (reading.width > 0) this.#handleKeyframe(link);
      link.decoder = true;
      this.#emit(Code.DecoderStart);
    }
    const { width, height } = reading;
    if (width > 0 && (width !== this.#size.width || height !== this.#size.height)) {
      this.#size = { width, height };
      this.#emit(Code.Resolution, `${width}x${height}`);
    }
    const since = link.firstBytesMs;
    if (since === undefined || link.keyframe || link.decoder || link.keyframeMissed) return;
    if (nowMs - since >= KEYFRAME_WAIT_MS) {
      link.keyframeMissed = true;
      this.#emit(Code.FirstKeyframeFailed);
    }
  }

  #checkMotion(link: Link, reading: Reading, nowMs: number): void {
    const { positionS, framesShown } = reading;
    const first = this.#moved.positionS < 0;
    const framesMoved = framesShown !== this.#moved.framesShown;
    const positionMoved = positionS !== this.#moved.positionS;
    // A picture that stands still while sound goes on is a render gap too.
    const moved = reading.width > 0 ? framesMoved && positionMoved : positionMoved;
    if (first || moved) {
      this.#moved = { positionS, framesShown, atMs: nowMs };
      if (!first) this.#handleMotion(link, reading, nowMs);
      return;
    }
    if (nowMs - this.#moved.atMs < STALL_GAP_MS) return;
    this.#movingSinceMs = undefined;
    if (!this.#stalled && link.frame) {
      this.#stalled = true;
      this.#unsteadySinceMs ??= this.#moved.atMs;
      this.#latency.handleStall(nowMs);
      this.#emit(Code.Stalled, `render gap of ${Math.round(nowMs - this.#moved.atMs)} ms`);
      this.#emit(Code.Loading);
      if (this.#phase.kind === 'playing') this.#setPhase({ kind: 'loading' });
    }
    this.#crossGap(reading);
  }

  #handleMotion(link: Link, reading: Reading, nowMs: number): void {
    this.#movingSinceMs ??= nowMs;
    const isSteady = nowMs - this.#movingSinceMs >= STEADY_MS;
    if (isSteady) this.#unsteadySinceMs = undefined;
    // By WebRTC, a picture now and then while the publisher is away is not playing.
    const isAway = reading.selfPaced && this.#phase.kind === 'waiting' && this.#phase.publisherLeft;
    if (isAway && !isSteady) return;
    this.#stalled = false;
    if (!link.frame) {
      link.frame = true;
      if (reading.width > 0) this.#emit(Code.FirstFrame);
      // What piled up while the decoder started has been seen by nobody: jump instead of hurrying.
      if (delayS(reading) > this.#latency.bounds.maxS) this.goLive(reading);
    }
    if (this.#phase.kind !== 'playing') {
      link.playingSinceMs = nowMs;
      this.#setPhase({ kind: 'playing' });
      this.#emit(Code.Playing);
    } else if (link.playingSinceMs !== undefined && nowMs - link.playingSinceMs >= SETTLED_MS) {
      this.#policy.handlePlaying();
    }
  }

  /** Standing before a hole with media behind it: step over it. */
  #crossGap(reading: Reading): void {
    const next = reading.buffered.find(([startS]) => startS > reading.positionS);
    const inside = reading.buffered.some(
      ([startS, endS]) => startS <= reading.positionS && reading.positionS < endS - RANGE_MARGIN_S * 2,
    );
    if (next !== undefined && !inside) this.#seek(next[0] + RANGE_MARGIN_S);
  }

  #steer(reading: Reading, nowMs: number): void {
    const floorS = reading.delayFloorS;
    const { minS, maxS } = this.#asked;
    if (floorS > minS) this.#latency.bounds = { minS: floorS, maxS: Math.max(maxS, floorS + (maxS - minS)) };
    const correction = this.#latency.handleDelay(delayS(reading), nowMs);
    switch (correction.kind) {
      case 'rate':
        this.#setRate(correction.rate);
        return;
      case 'jump':
        this.#setRate(1);
        this.#jump(reading, correction.delayS);
        return;
    }
  }

  #jump(reading: Reading, toDelayS: number): void {
    const last = reading.buffered.at(-1);
    if (last === undefined || reading.selfPaced) return;
    const behind = delayS(reading);
    if (behind <= toDelayS) return;
    const wanted = reading.positionS + (behind - toDelayS);
    // Only what has arrived can be shown: never land beyond the last range.
    const toS = Math.min(Math.max(wanted, last[0] + RANGE_MARGIN_S), last[1] - RANGE_MARGIN_S);
    if (toS > reading.positionS) this.#seek(toS);
  }

  #seek(toS: number): void {
    this.#outputs.push({ do: 'seek', toS });
  }

  #setRate(rate: number): void {
    if (rate === this.#rate) return;
    this.#rate = rate;
    this.#outputs.push({ do: 'rate', rate });
  }

  #setPhase(phase: Phase): void {
    this.#phase = phase;
    this.#outputs.push({ do: 'phase', phase });
  }

  #emit(code: StateCode, detail = ''): void {
    this.#outputs.push({ do: 'emit', code, message: messageOf(code, detail) });
  }
}

/** Seconds behind live of what is on the screen. */
export function delayS(reading: Reading): number {
  if (reading.engineDelayS !== undefined) return reading.engineDelayS;
  const last = reading.buffered.at(-1);
  return last === undefined ? 0 : Math.max(0, last[1] - reading.positionS);
}

/** Seconds that can be shown from here without a byte more. */
export function aheadS(reading: Reading): number {
  const here = reading.buffered.find(
    ([startS, endS]) => startS <= reading.positionS + RANGE_MARGIN_S && reading.positionS <= endS,
  );
  return here === undefined ? 0 : here[1] - reading.positionS;
}

function codeOf(failure: Failure): StateCode {
  switch (failure.kind) {
    case 'connect':
    case 'silent':
      return Code.ConnectFailed;
    case 'offline':
    case 'refused':
    case 'handshake':
      return Code.HandshakeFailed;
    case 'lost':
      return Code.ReadFailed;
    case 'codec':
    case 'engine':
    case 'decode':
      return Code.VideoDecodeFailed;
  }
}
