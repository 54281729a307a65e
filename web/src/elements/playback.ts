//! One viewing in one media element: runs a `Session`, performs what it orders, and measures.
//! `<live-player>` keeps to attributes, events and words.

import { type EngineKind, type Mode, type Plan, plan, statusUrl } from '../play/address.ts';
import { Code, messageOf } from '../play/codes.ts';
import type { Bounds } from '../play/latency.ts';
import { type NetStatus, NetMeter } from '../play/netstatus.ts';
import { type Output, type Phase, Session, aheadS, delayS } from '../play/session.ts';
import { askStatus } from '../play/status.ts';
import { createEngine } from './engines/create.ts';
import type { Engine } from './engines/engine.ts';
import { detectSupport, framesShown, readMedia } from './media.ts';

/** How often the session sees the media element. */
const TICK_MS = 200;
const NETSTATUS_EVERY_MS = 1_000;
/** From this level on the input counts as unstable. */
const UNSTABLE_LEVEL = 4;
/** This far beyond where the delay is steered to, a viewer is called behind. */
const BEHIND_S = 1;

export interface Watch {
  readonly src: string;
  readonly mode: Mode;
  readonly boundsOf: (kind: EngineKind) => Bounds;
  readonly autoResume: boolean;
  readonly referrerPolicy: ReferrerPolicy;
}

/** What the player is told. */
export interface PlaybackListener {
  handlePhase(phase: Phase): void;
  /** An event of the tag: `statechange` or `netstatus`. */
  handleEvent(type: 'statechange' | 'netstatus', detail: object): void;
  handleTick(nowMs: number): void;
  handleMuted(): void;
}

export class Playback {
  readonly #video: HTMLVideoElement;
  readonly #listener: PlaybackListener;
  readonly #watch: Watch;
  readonly #meter = new NetMeter();
  readonly #session: Session;
  readonly #ticker: ReturnType<typeof setInterval>;
  #engine: Engine | undefined;
  #transport: EngineKind | undefined;
  #netstatus: NetStatus | undefined;
  #measuredMs = 0;
  #closed = false;

  private constructor(
    video: HTMLVideoElement,
    watch: Watch,
    planned: Extract<Plan, { ok: true }>,
    listener: PlaybackListener,
  ) {
    this.#video = video;
    this.#watch = watch;
    this.#listener = listener;
    const { boundsOf, autoResume } = watch;
    this.#session = new Session({ candidates: planned.candidates, boundsOf, autoResume });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#session.play(performance.now());
    this.#drain();
  }

  /** Starts watching, or says why there is nothing to watch. */
  static start(
    video: HTMLVideoElement,
    watch: Watch,
    listener: PlaybackListener,
  ): Playback | Extract<Plan, { ok: false }> {
    const planned = plan(watch.src, document.baseURI, detectSupport(), watch.mode);
    return planned.ok ? new Playback(video, watch, planned, listener) : planned;
  }

  get phase(): Phase {
    return this.#session.phase;
  }

  /** What brings the stream, once something does. */
  get transport(): EngineKind | undefined {
    return this.#transport;
  }

  get netstatus(): NetStatus | undefined {
    return this.#netstatus;
  }

  /** The network is too weak for pictures: there is sound alone. */
  get isSoundOnly(): boolean {
    return this.#engine?.facts.soundOnly === true;
  }

  /** Seconds behind live, or undefined while there is no picture. */
  get delayS(): number | undefined {
    if (this.#engine === undefined || this.#video.readyState === 0) return undefined;
    return delayS(this.#reading());
  }

  /** Whether the delay is clearly more than what we mean to keep. */
  get isBehind(): boolean {
    const delay = this.delayS;
    return delay !== undefined && delay > this.#session.targetS + BEHIND_S;
  }

  pause(): void {
    this.#session.pause(performance.now());
    this.#drain();
    this.#video.pause();
  }

  resume(): void {
    this.#session.resume(performance.now(), this.#reading());
    this.#drain();
    void this.begin();
  }

  goLive(): void {
    this.#session.goLive(this.#reading());
    this.#drain();
  }

  /** Something changed for the better: do not sit out a wait. */
  hurry(): void {
    this.#session.hurry(performance.now());
    this.#engine?.handleShown?.();
  }

  /** The page is shown again: phones stop a hidden video, and the viewer wants what is live now. */
  handleShown(): void {
    this.hurry();
    if (this.phase.kind !== 'playing') return;
    void this.begin();
    if (this.isBehind) this.goLive();
  }

  /** Paused from outside (media keys, a phone call): the same as the viewer's wish. */
  handlePaused(): void {
    const { kind } = this.phase;
    const running = kind === 'playing' || kind === 'loading';
    const { ended, paused, readyState } = this.#video;
    // The event of a pause that was taken back before the browser came to tell of it.
    if (!paused) return;
    const shown = !document.hidden && !ended && readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    if (!running || !shown || this.#engine === undefined) return;
    this.#session.pause(performance.now());
    this.#drain();
  }

  /** There is something to show: begin, without sound where the browser insists. */
  async begin(): Promise<void> {
    const video = this.#video;
    if (this.phase.kind === 'paused' || this.#engine === undefined || !video.paused) return;
    try {
      await video.play();
    } catch (error) {
      // Anything but the autoplay rule (a newer load, an emptied element) is followed by its own event.
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || video.muted) return;
      video.muted = true;
      this.#listener.handleMuted();
      await video.play().catch(() => this.#waitForHand());
    }
  }

  /** Not even a silent start is allowed (a phone that saves power): the viewer has to press play. */
  #waitForHand(): void {
    if (this.#closed || !this.#video.paused) return;
    this.#session.pause(performance.now());
    this.#drain();
  }

  /** Ends it all; the media element is left empty and no event follows. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#dropEngine();
  }

  #reading() {
    return readMedia(this.#video, this.#engine?.facts);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#session.handleReading(this.#reading(), nowMs);
    this.#drain();
    if (nowMs - this.#measuredMs >= NETSTATUS_EVERY_MS) {
      this.#measuredMs = nowMs;
      this.#measure(nowMs);
    }
    this.#listener.handleTick(nowMs);
  }

  #drain(): void {
    for (let output = this.#session.poll(); output !== undefined; output = this.#session.poll()) {
      if (!this.#closed) this.#perform(output);
    }
  }

  #perform(output: Output): void {
    switch (output.do) {
      case 'start':
        this.#start(output.candidate.kind, output.candidate.url);
        return;
      case 'stop':
        this.#dropEngine();
        return;
      case 'rate':
        this.#video.playbackRate = output.rate;
        return;
      case 'seek':
        this.#video.currentTime = output.toS;
        return;
      case 'emit':
        if (output.code === Code.Stalled) this.#meter.handleStall(performance.now());
        this.#listener.handleEvent('statechange', { code: output.code, message: output.message });
        return;
      case 'phase':
        this.#listener.handlePhase(output.phase);
        return;
      case 'ask':
        void this.#ask();
    }
  }

  #start(kind: EngineKind, url: string): void {
    this.#dropEngine();
    this.#meter.restart();
    this.#transport = kind;
    this.#engine = createEngine(kind, {
      url,
      video: this.#video,
      referrerPolicy: this.#watch.referrerPolicy,
      bounds: this.#watch.boundsOf(kind),
      emit: (event) => {
        this.#session.handleEngine(event, performance.now());
        this.#drain();
      },
    });
  }

  #dropEngine(): void {
    const engine = this.#engine;
    // Unset first: emptying the element makes it pause, which must not look like the viewer's wish.
    this.#engine = undefined;
    this.#transport = undefined;
    engine?.destroy();
  }

  async #ask(): Promise<void> {
    const status = await askStatus(statusUrl(this.#watch.src, document.baseURI));
    if (this.#closed) return;
    this.#session.handleStatus(status, performance.now());
    this.#drain();
  }

  #measure(nowMs: number): void {
    const facts = this.#engine?.facts;
    if (facts === undefined) return;
    const { videoWidth: width, videoHeight: height } = this.#video;
    const bufferedS = aheadS(this.#reading());
    const { videoS: videoCacheS, audioS: audioCacheS } = facts.cacheS ?? { videoS: bufferedS, audioS: bufferedS };
    const counters = { ...facts, framesShown: framesShown(this.#video), videoCacheS, audioCacheS, width, height };
    const measured = this.#meter.handleCounters(counters, nowMs);
    if (measured === undefined) return;
    const info = facts.layer === undefined ? measured : { ...measured, videoLayer: facts.layer.rid };
    const wasStable = (this.#netstatus?.netQualityLevel ?? 1) < UNSTABLE_LEVEL;
    this.#netstatus = info;
    if (wasStable && info.netQualityLevel >= UNSTABLE_LEVEL) {
      const detail = { code: Code.UnstableInput, message: messageOf(Code.UnstableInput) };
      this.#listener.handleEvent('statechange', detail);
    }
    this.#listener.handleEvent('netstatus', { info });
  }
}
