//! Numbers of a publishing connection from what `getStats()` counts, and the `netstatus` event made of them.

import type { NetStatus } from '../play/netstatus.ts';

/** Counters of everything of one kind that is sent, simulcast layers together. */
export interface SentSample {
  readonly bytes: number;
  readonly headerBytes: number;
  readonly packets: number;
  readonly frames: number;
  readonly keyframes: number;
  readonly width: number;
  readonly height: number;
  /** What holds the picture back: `none`, `cpu`, `bandwidth`, `other`. */
  readonly limitedBy: string;
  readonly encoder: string;
}

/** The server's receiver reports. */
export interface ReportSample {
  readonly lossShare: number;
  readonly jitterS: number;
  /** `timestamp` of the newest report, to tell a new one from one seen before. */
  readonly atMs: number;
}

export interface PushSample {
  readonly video: SentSample;
  readonly audio: SentSample;
  readonly report: ReportSample | undefined;
  readonly roundTripMs: number | undefined;
  readonly availableKbps: number | undefined;
}

type Stats = Readonly<Record<string, unknown>>;

/** Reads the values of an `RTCStatsReport`, whatever the engine leaves out. */
export function readPushSample(stats: Iterable<unknown>): PushSample {
  const all = [...stats].map((each) => each as Stats);
  const reports = all.filter(({ type }) => type === 'remote-inbound-rtp');
  const pair = selectedPair(all);
  const tripS = newestTripOf(reports) ?? numberOf(pair?.['currentRoundTripTime']);
  const available = numberOf(pair?.['availableOutgoingBitrate']);
  return {
    video: sentOf(all, 'video'),
    audio: sentOf(all, 'audio'),
    report: reportOf(reports),
    roundTripMs: tripS > 0 ? tripS * 1000 : undefined,
    availableKbps: available > 0 ? available / 1000 : undefined,
  };
}

function sentOf(all: readonly Stats[], kind: string): SentSample {
  const found = all.filter((each) => each['type'] === 'outbound-rtp' && each['kind'] === kind);
  const sum = (name: string): number => found.reduce((total, each) => total + numberOf(each[name]), 0);
  const most = (name: string): number => Math.max(0, ...found.map((each) => numberOf(each[name])));
  const largest = found.reduce<Stats>(
    (best, each) => (numberOf(each['frameWidth']) > numberOf(best['frameWidth']) ? each : best),
    found[0] ?? {},
  );
  return {
    bytes: sum('bytesSent'),
    headerBytes: sum('headerBytesSent'),
    packets: sum('packetsSent'),
    frames: most('framesEncoded'),
    keyframes: most('keyFramesEncoded'),
    width: numberOf(largest['frameWidth']),
    height: numberOf(largest['frameHeight']),
    limitedBy: textOf(largest['qualityLimitationReason']),
    encoder: textOf(largest['encoderImplementation']),
  };
}

/**
 * The worst loss of the streams: sound has few packets, but it alone goes on when there is no picture. The least
 * jitter: all go the same way, and the packets of a large picture are spread on purpose.
 */
function reportOf(reports: readonly Stats[]): ReportSample | undefined {
  if (reports.length === 0) return undefined;
  return {
    lossShare: Math.max(...reports.map((each) => numberOf(each['fractionLost']))),
    jitterS: Math.min(...reports.map((each) => numberOf(each['jitter']))),
    atMs: Math.max(...reports.map((each) => numberOf(each['timestamp']))),
  };
}

/** Reports get lost too: the last of a stream may tell of a queue that is long gone, or not yet of one that stands. */
function newestTripOf(reports: readonly Stats[]): number | undefined {
  const timed = reports.filter((each) => numberOf(each['roundTripTime']) > 0);
  const newest = timed.reduce<Stats | undefined>(
    (best, each) => (best === undefined || numberOf(each['timestamp']) > numberOf(best['timestamp']) ? each : best),
    undefined,
  );
  return newest === undefined ? undefined : numberOf(newest['roundTripTime']);
}

function selectedPair(all: readonly Stats[]): Stats | undefined {
  const selected = all.find(({ type }) => type === 'transport')?.['selectedCandidatePairId'];
  const pairs = all.filter(({ type }) => type === 'candidate-pair');
  return pairs.find(({ id }) => id === selected) ?? pairs.find(({ nominated, state }) => nominated === true && state === 'succeeded');
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Upper limits of the lost share for the levels 1 to 5. */
const LOSS_LEVELS: readonly number[] = [0.02, 0.05, 0.1, 0.3, 0.5];
/** Upper limits of jitter in milliseconds for the levels 1 to 5. */
const JITTER_LEVELS_MS: readonly number[] = [30, 80, 150, 300, 600];
/** A picture turned down for want of bandwidth is seen. */
const LIMITED_LEVEL = 3;

interface Dated {
  readonly nowMs: number;
  readonly sample: PushSample;
}

export class PushMeter {
  #last: Dated | undefined;
  #keyframe: { readonly count: number; readonly atMs: number } | undefined;
  #groupS = 0;

  /** A new connection: its counters start from zero. */
  restart(): void {
    this.#last = undefined;
    this.#keyframe = undefined;
    this.#groupS = 0;
  }

  /** Rates since the previous call; undefined on the first one. */
  handleSample(sample: PushSample, nowMs: number): NetStatus | undefined {
    const last = this.#last;
    this.#last = { nowMs, sample };
    this.#noteKeyframes(sample.video.keyframes, nowMs);
    if (last === undefined || nowMs <= last.nowMs) return undefined;
    const seconds = (nowMs - last.nowMs) / 1000;
    const rate = (now: number, before: number): number => Math.max(0, Math.round(((now - before) * 8) / 1000 / seconds));
    const before = last.sample;
    const wire = ({ video, audio }: PushSample): number => video.bytes + video.headerBytes + audio.bytes + audio.headerBytes;
    return {
      videoBitrate: rate(sample.video.bytes, before.video.bytes),
      audioBitrate: rate(sample.audio.bytes, before.audio.bytes),
      videoFPS: Math.max(0, Math.round((sample.video.frames - before.video.frames) / seconds)),
      videoGOP: Math.round(this.#groupS * 10) / 10,
      netSpeed: rate(wire(sample), wire(before)),
      netJitter: Math.round((sample.report?.jitterS ?? 0) * 1000),
      netQualityLevel: levelOf(sample),
      videoWidth: sample.video.width,
      videoHeight: sample.video.height,
      videoCache: 0,
      audioCache: 0,
    };
  }

  #noteKeyframes(count: number, nowMs: number): void {
    const last = this.#keyframe;
    if (count === 0 || (last !== undefined && count <= last.count)) return;
    this.#keyframe = { count, atMs: nowMs };
    if (last !== undefined) this.#groupS = (nowMs - last.atMs) / 1000 / (count - last.count);
  }
}

function levelOf({ report, video }: PushSample): number {
  const { lossShare, jitterS } = report ?? { lossShare: 0, jitterS: 0 };
  const byLoss = 1 + LOSS_LEVELS.filter((limit) => lossShare > limit).length;
  const byJitter = 1 + JITTER_LEVELS_MS.filter((limit) => jitterS * 1000 > limit).length;
  const byLimit = video.limitedBy === 'bandwidth' ? LIMITED_LEVEL : 1;
  return Math.min(6, Math.max(byLoss, byJitter, byLimit));
}
