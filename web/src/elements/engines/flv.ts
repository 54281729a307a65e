//! HTTP-FLV and WS-FLV: our own byte source feeds mpegts.js, which demuxes into Media Source.
//! The library is loaded on first use.

import type Mpegts from 'mpegts.js';
import { FlvScanner } from '../../play/flv-scan.ts';
import type { Failure } from '../../play/policy.ts';
import { type Source, openSource } from '../../play/source.ts';
import { decodeText } from '../sei.ts';
import { DEAD_MS, FIRST_BYTES_MS, type Limits } from '../../play/session.ts';
import type { Engine, EngineContext, EngineFacts } from './engine.ts';

type Library = typeof Mpegts;

/** FLV brings a frame every few tens of milliseconds; two seconds without one is a silence. */
const LIMITS: Limits = { firstBytesMs: FIRST_BYTES_MS, silenceMs: 2_000, deadMs: DEAD_MS };
/** Played media kept behind for snapshots and short rewinds of the decoder. */
const BACK_BUFFER_MAX_S = 30;
const BACK_BUFFER_MIN_S = 10;
/** Beyond the time that the buffered rest should take. */
const PLAY_OUT_MARGIN_MS = 500;

export class FlvEngine implements Engine {
  readonly #context: EngineContext;
  readonly #scanner = new FlvScanner();
  #player: Mpegts.Player | undefined;
  readonly #listeners = new AbortController();
  #destroyed = false;
  #bytes = 0;
  #lastDataMs: number | undefined;

  constructor(context: EngineContext) {
    this.#context = context;
    void this.#start();
  }

  get facts(): EngineFacts {
    const { videoBytes, audioBytes, groupS, jitterMs } = this.#scanner.counts;
    return {
      bytes: this.#bytes,
      videoBytes,
      audioBytes,
      groupS,
      jitterMs,
      lossShare: 0,
      lastDataMs: this.#lastDataMs,
      limits: LIMITS,
      delayS: undefined,
      delayFloorS: 0,
      cacheS: undefined,
      selfPaced: false,
    };
  }

  destroy(): void {
    this.#destroyed = true;
    this.#listeners.abort();
    this.#player?.destroy();
    this.#player = undefined;
  }

  async #start(): Promise<void> {
    let library: Library;
    try {
      library = (await import('mpegts.js')).default;
    } catch (error) {
      this.#fail({ kind: 'connect', detail: `player part not loaded: ${String(error)}` });
      return;
    }
    if (this.#destroyed) return;
    library.LoggingControl.applyConfig({ enableAll: false });
    const { url, video } = this.#context;
    const player = library.createPlayer({ type: 'flv', isLive: true, url }, this.#config(library));
    this.#player = player;
    this.#listen(library, player);
    player.attachMediaElement(video);
    player.load();
  }

  #config(library: Library): Mpegts.Config {
    return {
      isLive: true,
      enableWorker: false,
      // A stash delays every frame by its filling time; the demuxer keeps what is incomplete anyway.
      enableStashBuffer: false,
      // Suspending a live connection and asking for the rest by range cannot work.
      lazyLoad: false,
      autoCleanupSourceBuffer: true,
      autoCleanupMaxBackwardDuration: BACK_BUFFER_MAX_S,
      autoCleanupMinBackwardDuration: BACK_BUFFER_MIN_S,
      customLoader: makeLoader(library, this, this.#context.referrerPolicy),
    };
  }

  #listen(library: Library, player: Mpegts.Player): void {
    const { Events, ErrorDetails, ErrorTypes } = library;
    player.on(Events.LOADING_COMPLETE, () => this.#playOut());
    player.on(Events.ERROR, (type: string, detail: string, info: { msg?: string } | undefined) => {
      // Network failures come from our own source, which knows more about them.
      if (type === ErrorTypes.NETWORK_ERROR) return;
      const text = info?.msg ?? detail;
      this.#fail({ kind: kindOf(detail === ErrorDetails.MEDIA_CODEC_UNSUPPORTED, text), detail: text });
    });
    // Present in the library since 1.8, missing from its types.
    player.on('sei_arrived', (sei: { user_data?: Uint8Array }) => {
      if (sei.user_data !== undefined) this.#emit({ type: 'message', text: decodeText(sei.user_data) });
    });
  }

  handleConnected(): void {
    this.#emit({ type: 'connected' });
  }

  handleBytes(data: Uint8Array): void {
    const nowMs = performance.now();
    const { counts } = this.#scanner;
    const { keyframes, discontinuities } = counts;
    if (this.#bytes === 0) this.#emit({ type: 'first-bytes' });
    this.#bytes += data.length;
    this.#lastDataMs = nowMs;
    this.#scanner.handleInput(data, nowMs);
    if (keyframes === 0 && counts.keyframes > 0) this.#emit({ type: 'keyframe' });
    if (counts.discontinuities > discontinuities) this.#emit({ type: 'discontinuity' });
  }

  handleFailure(failure: Failure): void {
    this.#fail(failure);
  }

  /** The server has closed; what is buffered is still to be shown. */
  #playOut(): void {
    const { video } = this.#context;
    const { buffered, currentTime } = video;
    const restS = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1) - currentTime;
    const { signal } = this.#listeners;
    const end = (): void => {
      this.#listeners.abort();
      this.#emit({ type: 'ended' });
    };
    video.addEventListener('ended', end, { signal });
    // A paused or blocked element never ends by itself.
    const timer = setTimeout(end, Math.max(0, restS) * 1000 + PLAY_OUT_MARGIN_MS);
    signal.addEventListener('abort', () => clearTimeout(timer));
  }

  #fail(failure: Failure): void {
    this.#emit({ type: 'failed', failure });
  }

  #emit(event: Parameters<EngineContext['emit']>[0]): void {
    if (!this.#destroyed) this.#context.emit(event);
  }
}

/** The demuxer gives its own detail to codecs it does not know; what Media Source refuses is known by its words. */
function kindOf(isDemuxers: boolean, text: string): Failure['kind'] {
  if (isDemuxers) return 'engine';
  return /not supported|unsupported/i.test(text) ? 'codec' : 'decode';
}

/** What the loader tells its engine. */
interface LoaderOwner {
  handleConnected(): void;
  handleBytes(data: Uint8Array): void;
  handleFailure(failure: Failure): void;
}

/** The loader class for mpegts.js: it constructs the loader itself, so the owner is closed over. */
function makeLoader(library: Library, owner: LoaderOwner, referrerPolicy: ReferrerPolicy) {
  return class Loader extends library.BaseLoader {
    #source: Source | undefined;
    #received = 0;

    constructor() {
      super('openmic');
      this._needStash = false;
      this._status = library.LoaderStatus.kIdle;
    }

    override open(segment: Mpegts.MediaSegment, range: Mpegts.Range): void {
      if (range.from > 0) {
        owner.handleFailure({ kind: 'lost', detail: 'the buffer was full' });
        return;
      }
      this._status = library.LoaderStatus.kConnecting;
      this.#source = openSource(segment.url, referrerPolicy, {
        handleConnected: () => owner.handleConnected(),
        handleData: (data) => this.#handleData(data),
        handleEnd: () => {
          this._status = library.LoaderStatus.kComplete;
          this.onComplete(0, this.#received - 1);
        },
        handleFailure: (failure) => {
          this._status = library.LoaderStatus.kError;
          owner.handleFailure(failure);
        },
      });
    }

    override abort(): void {
      this.#source?.close();
      this.#source = undefined;
      this._status = library.LoaderStatus.kComplete;
    }

    override destroy(): void {
      this.abort();
      super.destroy();
    }

    #handleData(data: Uint8Array<ArrayBuffer>): void {
      this._status = library.LoaderStatus.kBuffering;
      owner.handleBytes(data);
      const start = this.#received;
      this.#received += data.length;
      const whole = data.byteLength === data.buffer.byteLength;
      this.onDataArrival(whole ? data.buffer : data.slice().buffer, start, this.#received);
    }
  };
}
