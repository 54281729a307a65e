//! One WHEP connection as a state machine without browser or clock: states of the peer connection and
//! samples go in; events for the session, ICE restarts and the jitter target come out.

import { JitterTarget } from './jitter-target.ts';
import type { Failure } from './policy.ts';
import { type RtcNumbers, RtcMeter, type RtcSample } from './rtc-stats.ts';
import type { EngineEvent, Limits } from './session.ts';

/** `RTCIceConnectionState` and `RTCPeerConnectionState`, which workers' type libraries lack. */
export type IceState = 'new' | 'checking' | 'connected' | 'completed' | 'disconnected' | 'failed' | 'closed';
export type PeerState = 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed';

export type LinkOutput =
  | { readonly do: 'emit'; readonly event: EngineEvent }
  /** Restart ICE by PATCH and report to `handleRestarted`. */
  | { readonly do: 'restart' }
  /** Set both receivers' jitter buffers alike, so that lips stay with the voice. */
  | { readonly do: 'target'; readonly ms: number };

/** UDP that is blocked answers nothing; ICE over TCP is through long before this. */
export const ICE_MS = 3_000;
/** DTLS after ICE: flights repeated under loss. UDP passes, and on a way that loses much TCP would be no better. */
export const SECURE_MS = 8_000;
/** From the first media, which follows the connection at once, to the first picture. */
export const PICTURE_MS = 5_000;
/** ICE calls a short gap `disconnected` and often heals by itself. */
export const DISCONNECTED_MS = 2_000;
/** A restart takes one PATCH and a few checks. */
export const RESTART_MS = 5_000;

/**
 * RTP flows all the time: three seconds without are a silence. A publisher's own network may be away for
 * longer than that, and a new connection would not bring it back.
 */
export const RTC_LIMITS: Limits = { firstBytesMs: 3_000, silenceMs: 3_000, deadMs: 30_000 };

type Stage = 'asking' | 'joining' | 'up' | 'broken' | 'restarting' | 'over';

export class WhepLink {
  readonly #meter = new RtcMeter();
  readonly #target: JitterTarget;
  readonly #outputs: LinkOutput[] = [];
  #stage: Stage = 'asking';
  #sinceMs = 0;
  #iceMs: number | undefined;
  #connected = false;
  #bytesMs: number | undefined;
  #wantsPicture = false;
  #pictured = false;

  /** `baseMs`: the jitter buffer on a calm network. */
  constructor(baseMs: number) {
    this.#target = new JitterTarget(baseMs);
  }

  get numbers(): RtcNumbers {
    return this.#meter.numbers;
  }

  get targetMs(): number {
    return this.#target.targetMs;
  }

  poll(): LinkOutput | undefined {
    return this.#outputs.shift();
  }

  /** The answer is set; ICE runs. */
  handleAnswer(wantsPicture: boolean, nowMs: number): void {
    this.#wantsPicture = wantsPicture;
    this.#enter('joining', nowMs);
    this.#tellTarget();
  }

  handleFailure(failure: Failure): void {
    this.#fail(failure);
  }

  handleStates(ice: IceState, peer: PeerState, nowMs: number): void {
    const iceUp = ice === 'connected' || ice === 'completed';
    if (iceUp) this.#iceMs ??= nowMs;
    switch (this.#stage) {
      case 'joining':
        if (peer === 'connected') this.#handleUp(nowMs);
        else if (ice === 'failed' || peer === 'failed') this.#fail({ kind: 'connect', detail: `ICE ${ice}, peer ${peer}` });
        return;
      case 'up':
      case 'broken':
        // ICE lives and the whole does not: DTLS has ended, which no restart brings back.
        if (iceUp && (peer === 'failed' || peer === 'closed')) this.#fail({ kind: 'lost', detail: 'DTLS ended' });
        else if (ice === 'failed') this.#restart('ICE failed', nowMs);
        else if (ice === 'disconnected' && this.#stage === 'up') this.#enter('broken', nowMs);
        else if (iceUp && this.#stage === 'broken') this.#enter('up', nowMs);
        return;
      case 'restarting':
        if (peer === 'connected') this.#enter('up', nowMs);
        return;
      case 'asking':
      case 'over':
        return;
    }
  }

  /** How the PATCH ended. */
  handleRestarted(accepted: boolean): void {
    if (this.#stage === 'restarting' && !accepted) this.#fail({ kind: 'lost', detail: 'the server refused an ICE restart' });
  }

  /** Back from the background, or the network changed: a broken connection is not waited for. */
  handleShown(nowMs: number): void {
    if (this.#stage === 'broken') this.#restart('shown again', nowMs);
  }

  handleSample(sample: RtcSample, nowMs: number): void {
    if (this.#stage === 'over') return;
    const before = this.targetMs;
    this.#meter.handleSample(sample, nowMs);
    const { numbers } = this;
    if (this.#bytesMs === undefined && numbers.bytes > 0 && this.#connected) {
      this.#bytesMs = nowMs;
      this.#emit({ type: 'first-bytes' });
    }
    if (this.#bytesMs !== undefined && !this.#pictured && (sample.video?.frames ?? 0) > 0) {
      this.#pictured = true;
      this.#emit({ type: 'keyframe' });
    }
    this.#target.handleWeather(numbers, nowMs);
    if (this.targetMs !== before) this.#tellTarget();
  }

  /** How long the server asks to hold what comes. */
  handleHold(holdMs: number): void {
    const before = this.targetMs;
    this.#target.handleHold(holdMs);
    if (this.targetMs !== before && this.#stage !== 'over') this.#tellTarget();
  }

  /** Call a few times a second. */
  handleTick(nowMs: number): void {
    const stageMs = nowMs - this.#sinceMs;
    switch (this.#stage) {
      case 'joining':
        if (this.#iceMs === undefined && stageMs >= ICE_MS) this.#fail({ kind: 'connect', detail: `no ICE in ${ICE_MS} ms` });
        else if (this.#iceMs !== undefined && nowMs - this.#iceMs >= SECURE_MS) {
          this.#fail({ kind: 'connect', detail: `no DTLS in ${SECURE_MS} ms` });
        }
        return;
      case 'up':
        this.#checkPicture(nowMs);
        return;
      case 'broken':
        if (stageMs >= DISCONNECTED_MS) this.#restart(`ICE disconnected for ${DISCONNECTED_MS} ms`, nowMs);
        return;
      case 'restarting':
        if (stageMs >= RESTART_MS) this.#fail({ kind: 'lost', detail: `no ICE restart in ${RESTART_MS} ms` });
        return;
      case 'asking':
      case 'over':
        return;
    }
  }

  #handleUp(nowMs: number): void {
    this.#connected = true;
    this.#enter('up', nowMs);
    this.#emit({ type: 'connected' });
  }

  /** Without any byte it is the session's question whether the publisher is away. */
  #checkPicture(nowMs: number): void {
    if (!this.#wantsPicture || this.#pictured || this.#bytesMs === undefined) return;
    if (nowMs - this.#bytesMs >= PICTURE_MS) this.#fail({ kind: 'silent', detail: `no picture in ${PICTURE_MS} ms` });
  }

  #restart(reason: string, nowMs: number): void {
    this.#enter('restarting', nowMs);
    this.#emit({ type: 'interrupted', detail: `${reason}; restarting ICE` });
    this.#outputs.push({ do: 'restart' });
  }

  #fail(failure: Failure): void {
    if (this.#stage === 'over') return;
    this.#stage = 'over';
    this.#emit({ type: 'failed', failure });
  }

  #enter(stage: Stage, nowMs: number): void {
    this.#stage = stage;
    this.#sinceMs = nowMs;
  }

  #emit(event: EngineEvent): void {
    this.#outputs.push({ do: 'emit', event });
  }

  #tellTarget(): void {
    this.#outputs.push({ do: 'target', ms: this.targetMs });
  }
}
