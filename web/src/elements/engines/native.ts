//! HLS by the media element itself: iOS before Managed Media Source, and the last resort elsewhere.

import { DEAD_MS, FIRST_BYTES_MS, type Limits } from '../../play/session.ts';
import type { Engine, EngineContext, EngineFacts } from './engine.ts';

/** The element loads by its own rhythm; only a long pause means something. */
const LIMITS: Limits = { firstBytesMs: FIRST_BYTES_MS, silenceMs: 12_000, deadMs: DEAD_MS };
/** Safari keeps at least three target durations without, and the hold-back with low latency. */
const DELAY_FLOOR_S = 3;

export class NativeEngine implements Engine {
  readonly #context: EngineContext;
  readonly #listeners = new AbortController();
  #lastDataMs: number | undefined;
  #begun = false;

  constructor(context: EngineContext) {
    this.#context = context;
    const { video, url, emit } = context;
    const { signal } = this.#listeners;
    video.addEventListener('loadstart', () => emit({ type: 'connected' }), { signal, once: true });
    video.addEventListener('progress', () => this.#handleProgress(), { signal });
    video.addEventListener('loadeddata', () => emit({ type: 'keyframe' }), { signal });
    video.addEventListener('ended', () => emit({ type: 'ended' }), { signal });
    video.addEventListener('error', () => this.#handleError(), { signal });
    video.src = url;
    video.load();
  }

  get facts(): EngineFacts {
    return {
      bytes: 0,
      videoBytes: 0,
      audioBytes: 0,
      groupS: 0,
      jitterMs: 0,
      lossShare: 0,
      lastDataMs: this.#lastDataMs,
      limits: LIMITS,
      delayS: this.#delayS(),
      delayFloorS: DELAY_FLOOR_S,
      cacheS: undefined,
      selfPaced: false,
    };
  }

  destroy(): void {
    this.#listeners.abort();
    this.#context.video.removeAttribute('src');
    this.#context.video.load();
  }

  /** What the element may seek to ends at the live edge. */
  #delayS(): number | undefined {
    const { seekable, currentTime } = this.#context.video;
    return seekable.length === 0 ? undefined : Math.max(0, seekable.end(seekable.length - 1) - currentTime);
  }

  #handleProgress(): void {
    this.#lastDataMs = performance.now();
    if (this.#begun) return;
    this.#begun = true;
    this.#context.emit({ type: 'first-bytes' });
  }

  #handleError(): void {
    const { error } = this.#context.video;
    const detail = error?.message ?? 'media element error';
    switch (error?.code) {
      case MediaError.MEDIA_ERR_NETWORK:
        this.#context.emit({ type: 'failed', failure: { kind: 'lost', detail } });
        return;
      case MediaError.MEDIA_ERR_DECODE:
        this.#context.emit({ type: 'failed', failure: { kind: 'decode', detail } });
        return;
      default:
        // "Source not supported" is also how the element says that the address answered 404.
        void this.#explain(detail);
    }
  }

  async #explain(detail: string): Promise<void> {
    const { url, referrerPolicy, emit } = this.#context;
    try {
      const { ok, status } = await fetch(url, { referrerPolicy, signal: this.#listeners.signal });
      const kind = ok ? 'codec' : status === 404 ? 'offline' : 'handshake';
      emit({ type: 'failed', failure: { kind, detail, status } });
    } catch {
      if (!this.#listeners.signal.aborted) emit({ type: 'failed', failure: { kind: 'connect', detail } });
    }
  }
}
