//! The `netstatus` event: numbers once a second under the names of WeChat's tag, from counters that
//! the engine and the media element keep.

/** The `info` of a `netstatus` event. */
export interface NetStatus {
  /** kbit/s */
  readonly videoBitrate: number;
  /** kbit/s */
  readonly audioBitrate: number;
  /** Pictures shown a second. */
  readonly videoFPS: number;
  /** Seconds between keyframes. */
  readonly videoGOP: number;
  /** kbit/s over the wire. */
  readonly netSpeed: number;
  /** Milliseconds. */
  readonly netJitter: number;
  /** 1 best … 6 unusable. */
  readonly netQualityLevel: number;
  readonly videoWidth: number;
  readonly videoHeight: number;
  /** Milliseconds of media received and not yet shown. */
  readonly videoCache: number;
  readonly audioCache: number;
  /** The rendering that is seen, as its publisher calls it, where the server chooses from several. */
  readonly videoLayer?: string;
}

/** Counters since the start, read by the caller at one moment. */
export interface Counters {
  readonly bytes: number;
  readonly videoBytes: number;
  readonly audioBytes: number;
  readonly framesShown: number;
  readonly groupS: number;
  readonly jitterMs: number;
  /** Share of packets lost on the way, 0 … 1; nothing is lost over TCP. */
  readonly lossShare: number;
  readonly videoCacheS: number;
  readonly audioCacheS: number;
  readonly width: number;
  readonly height: number;
}

/** Stalls older than this no longer darken the quality. */
const STALL_MEMORY_MS = 10_000;
/** Upper limits of jitter in milliseconds for the levels 1 to 5. */
const JITTER_LEVELS_MS: readonly number[] = [30, 80, 150, 300, 600];
/** Upper limits of the lost share: what repair hides, what it hides mostly, what stands now and then… */
const LOSS_LEVELS: readonly number[] = [0.02, 0.05, 0.1, 0.3, 0.5];

export class NetMeter {
  #last: { readonly nowMs: number; readonly counters: Counters } | undefined;
  #stallsMs: number[] = [];

  handleStall(nowMs: number): void {
    this.#stallsMs.push(nowMs);
  }

  /** A new connection: its counters start from zero. */
  restart(): void {
    this.#last = undefined;
  }

  /** Rates since the previous call; undefined on the first one. */
  handleCounters(counters: Counters, nowMs: number): NetStatus | undefined {
    const last = this.#last;
    this.#last = { nowMs, counters };
    if (last === undefined || nowMs <= last.nowMs || counters.bytes < last.counters.bytes) return undefined;
    const seconds = (nowMs - last.nowMs) / 1000;
    const kbps = (bytes: number): number => Math.max(0, Math.round((bytes * 8) / 1000 / seconds));
    const shown = Math.max(0, counters.framesShown - last.counters.framesShown);
    return {
      videoBitrate: kbps(counters.videoBytes - last.counters.videoBytes),
      audioBitrate: kbps(counters.audioBytes - last.counters.audioBytes),
      videoFPS: Math.round(shown / seconds),
      videoGOP: Math.round(counters.groupS * 10) / 10,
      netSpeed: kbps(counters.bytes - last.counters.bytes),
      netJitter: Math.round(counters.jitterMs),
      netQualityLevel: this.#level(counters, nowMs),
      videoWidth: counters.width,
      videoHeight: counters.height,
      videoCache: Math.round(counters.videoCacheS * 1000),
      audioCache: Math.round(counters.audioCacheS * 1000),
    };
  }

  #level(counters: Counters, nowMs: number): number {
    this.#stallsMs = this.#stallsMs.filter((at) => nowMs - at < STALL_MEMORY_MS);
    const byJitter = 1 + JITTER_LEVELS_MS.filter((limit) => counters.jitterMs > limit).length;
    const byLoss = 1 + LOSS_LEVELS.filter((limit) => counters.lossShare > limit).length;
    return Math.min(6, Math.max(byJitter, byLoss) + this.#stallsMs.length);
  }
}
