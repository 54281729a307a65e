//! Low-Latency HLS by hls.js, loaded on first use. Its own delay keeping is left off: the session
//! steers all engines alike.

import type Hls from 'hls.js';
import type { ErrorData } from 'hls.js';
import { Code } from '../../play/codes.ts';
import { failureOfStatus } from '../../play/source.ts';
import type { Failure } from '../../play/policy.ts';
import { DEAD_MS, FIRST_BYTES_MS, type Limits } from '../../play/session.ts';
import type { Engine, EngineContext, EngineFacts } from './engine.ts';

/** Longer than a target duration of 6 s: a plain playlist brings nothing for that long. */
const LIMITS: Limits = { firstBytesMs: FIRST_BYTES_MS, silenceMs: 8_000, deadMs: DEAD_MS };
const BACK_BUFFER_S = 30;
/** hls.js recovers most media errors itself; beyond this many in a session something is wrong. */
const RECOVERIES_MAX = 2;

export class HlsEngine implements Engine {
  readonly #context: EngineContext;
  #hls: Hls | undefined;
  readonly #listeners = new AbortController();
  #destroyed = false;
  #bytes = 0;
  #lastDataMs: number | undefined;
  #groupS = 0;
  #connected = false;
  #recoveries = 0;
  #ended = false;

  constructor(context: EngineContext) {
    this.#context = context;
    void this.#start();
  }

  get facts(): EngineFacts {
    const hls = this.#hls;
    return {
      bytes: this.#bytes,
      // One file carries both kinds and only their sum is known; the picture is nearly all of it.
      videoBytes: this.#bytes,
      audioBytes: 0,
      groupS: this.#groupS,
      jitterMs: 0,
      lossShare: 0,
      lastDataMs: this.#lastDataMs,
      limits: LIMITS,
      delayS: hls === undefined || hls.latency === 0 ? undefined : hls.latency,
      delayFloorS: hls?.targetLatency ?? 0,
      cacheS: undefined,
      selfPaced: false,
    };
  }

  destroy(): void {
    this.#destroyed = true;
    this.#listeners.abort();
    this.#hls?.destroy();
    this.#hls = undefined;
  }

  async #start(): Promise<void> {
    let library: typeof Hls;
    try {
      library = (await import('hls.js')).default;
    } catch (error) {
      this.#fail({ kind: 'connect', detail: `player part not loaded: ${String(error)}` });
      return;
    }
    if (this.#destroyed) return;
    const hls = new library({
      // fMP4 needs no transmuxing, so a worker would only cost a `blob:` in the security policy.
      enableWorker: false,
      lowLatencyMode: true,
      backBufferLength: BACK_BUFFER_S,
      maxLiveSyncPlaybackRate: 1,
      liveDurationInfinity: true,
    });
    this.#hls = hls;
    this.#listen(library, hls);
    hls.loadSource(this.#context.url);
    hls.attachMedia(this.#context.video);
  }

  #listen(library: typeof Hls, hls: Hls): void {
    const { Events } = library;
    hls.on(Events.MANIFEST_LOADED, () => {
      if (this.#connected) return;
      this.#connected = true;
      this.#emit({ type: 'connected' });
    });
    hls.on(Events.FRAG_LOADED, (_event, data) => {
      if (this.#bytes === 0) this.#emit({ type: 'first-bytes' });
      const stats = data.part?.stats ?? data.frag.stats;
      this.#bytes += stats.total;
      this.#lastDataMs = performance.now();
      if (data.part === null && data.frag.duration > 0) this.#groupS = data.frag.duration;
    });
    hls.on(Events.FRAG_BUFFERED, () => this.#emit({ type: 'keyframe' }));
    hls.on(Events.LEVEL_UPDATED, (_event, data) => {
      if (!data.details.live) this.#ended = true;
    });
    const handleEnded = (): void => {
      if (this.#ended) this.#emit({ type: 'ended' });
    };
    this.#context.video.addEventListener('ended', handleEnded, { signal: this.#listeners.signal });
    hls.on(Events.ERROR, (_event, data) => this.#handleError(library, hls, data));
  }

  #handleError(library: typeof Hls, hls: Hls, data: ErrorData): void {
    if (!data.fatal) return;
    const { ErrorTypes, ErrorDetails } = library;
    const status = data.response?.code;
    if (data.type === ErrorTypes.NETWORK_ERROR) {
      const lost: Failure = { kind: this.#bytes > 0 ? 'lost' : 'connect', detail: data.details };
      this.#fail(status !== undefined && status >= 400 ? failureOfStatus(status) : lost);
      return;
    }
    const isCodec =
      data.details === ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR ||
      data.details === ErrorDetails.BUFFER_ADD_CODEC_ERROR ||
      data.details === ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR;
    if (!isCodec && data.type === ErrorTypes.MEDIA_ERROR && this.#recoveries < RECOVERIES_MAX) {
      this.#recoveries += 1;
      hls.recoverMediaError();
      return;
    }
    const failure: Failure = { kind: isCodec ? 'codec' : 'decode', detail: data.details };
    this.#emit({ type: 'failed', failure, code: Code.VideoDecodeFailed });
  }

  #fail(failure: Failure): void {
    this.#emit({ type: 'failed', failure });
  }

  #emit(event: Parameters<EngineContext['emit']>[0]): void {
    if (!this.#destroyed) this.#context.emit(event);
  }
}
