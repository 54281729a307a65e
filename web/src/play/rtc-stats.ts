//! Numbers of a WebRTC connection from what `getStats()` counts: one sample is read tolerantly (engines
//! differ in what they count), and the meter makes rates and shares from samples about a second apart.

/** Counters of one received track. */
export interface TrackSample {
  readonly bytes: number;
  readonly headerBytes: number;
  readonly packets: number;
  readonly lost: number;
  readonly resent: number;
  readonly jitterS: number;
  /** Seconds that all emitted frames or samples together have waited in the jitter buffer. */
  readonly bufferedS: number;
  readonly emitted: number;
  readonly frames: number;
  readonly keyframes: number;
}

export interface RtcSample {
  readonly video: TrackSample | undefined;
  readonly audio: TrackSample | undefined;
  readonly roundTripS: number;
}

/** Reads the values of an `RTCStatsReport`. */
export function readSample(stats: Iterable<unknown>): RtcSample {
  const all = [...stats].map((each) => each as Readonly<Record<string, unknown>>);
  const inbound = (kind: string): TrackSample | undefined => {
    const found = all.find((each) => each['type'] === 'inbound-rtp' && each['kind'] === kind);
    return found === undefined ? undefined : readTrack(found);
  };
  return { video: inbound('video'), audio: inbound('audio'), roundTripS: roundTripOf(all) };
}

function readTrack(stats: Readonly<Record<string, unknown>>): TrackSample {
  const read = (name: string): number => numberOf(stats[name]);
  const frames = read('framesDecoded');
  return {
    bytes: read('bytesReceived'),
    headerBytes: read('headerBytesReceived'),
    packets: read('packetsReceived'),
    lost: read('packetsLost'),
    resent: read('retransmittedPacketsReceived'),
    jitterS: read('jitter'),
    bufferedS: read('jitterBufferDelay'),
    emitted: read('jitterBufferEmittedCount'),
    frames,
    // Where keyframes are not counted, the first decoded picture proves the first of them.
    keyframes: 'keyFramesDecoded' in stats ? read('keyFramesDecoded') : Math.min(1, frames),
  };
}

function roundTripOf(all: readonly Readonly<Record<string, unknown>>[]): number {
  const selected = all.find((each) => each['type'] === 'transport')?.['selectedCandidatePairId'];
  const pairs = all.filter((each) => each['type'] === 'candidate-pair');
  const pair =
    pairs.find((each) => each['id'] === selected) ??
    pairs.find((each) => each['nominated'] === true && each['state'] === 'succeeded');
  return numberOf(pair?.['currentRoundTripTime']);
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** What the meter knows at one moment. */
export interface RtcNumbers {
  readonly bytes: number;
  readonly videoBytes: number;
  readonly audioBytes: number;
  /** Share of packets that were lost, repaired or not, 0 … 1. */
  readonly lossShare: number;
  readonly jitterMs: number;
  /** Mean wait in the jitter buffer lately. */
  readonly videoCacheS: number;
  readonly audioCacheS: number;
  /** From the server to the screen: the jitter buffer and half the round trip. */
  readonly delayS: number | undefined;
  readonly groupS: number;
  readonly lastDataMs: number | undefined;
}

/** Rates are taken over at least this long, or a single burst would pass for weather. */
const WINDOW_MS = 1_000;
/** A share of fewer packets than this says nothing. */
const PACKETS_MIN = 10;

const NOTHING: TrackSample = {
  bytes: 0,
  headerBytes: 0,
  packets: 0,
  lost: 0,
  resent: 0,
  jitterS: 0,
  bufferedS: 0,
  emitted: 0,
  frames: 0,
  keyframes: 0,
};

interface Dated {
  readonly nowMs: number;
  readonly sample: RtcSample;
}

export class RtcMeter {
  #recent: Dated[] = [];
  #numbers: RtcNumbers = {
    bytes: 0,
    videoBytes: 0,
    audioBytes: 0,
    lossShare: 0,
    jitterMs: 0,
    videoCacheS: 0,
    audioCacheS: 0,
    delayS: undefined,
    groupS: 0,
    lastDataMs: undefined,
  };
  #keyframe: { readonly count: number; readonly atMs: number } | undefined;

  get numbers(): RtcNumbers {
    return this.#numbers;
  }

  handleSample(sample: RtcSample, nowMs: number): void {
    // The oldest kept sample is the youngest that is at least a window old.
    while (this.#recent.length > 1 && nowMs - (this.#recent[1]?.nowMs ?? nowMs) >= WINDOW_MS) this.#recent.shift();
    const before = this.#recent[0]?.sample ?? { video: undefined, audio: undefined, roundTripS: 0 };
    this.#recent.push({ nowMs, sample });
    const { video = NOTHING, audio = NOTHING } = sample;
    const bytes = video.bytes + video.headerBytes + audio.bytes + audio.headerBytes;
    const last = this.#numbers;
    const videoCacheS = meanWait(video, before.video, last.videoCacheS);
    const audioCacheS = meanWait(audio, before.audio, last.audioCacheS);
    const waitS = video.emitted > 0 ? videoCacheS : audioCacheS;
    this.#numbers = {
      bytes,
      videoBytes: video.bytes,
      audioBytes: audio.bytes,
      lossShare: Math.max(lossShare(video, before.video), lossShare(audio, before.audio)),
      jitterMs: Math.max(video.jitterS, audio.jitterS) * 1000,
      videoCacheS,
      audioCacheS,
      delayS: video.emitted + audio.emitted > 0 ? waitS + sample.roundTripS / 2 : undefined,
      groupS: this.#groupS(video.keyframes, nowMs),
      lastDataMs: bytes > last.bytes ? nowMs : last.lastDataMs,
    };
  }

  #groupS(count: number, nowMs: number): number {
    const last = this.#keyframe;
    if (count === 0 || (last !== undefined && count <= last.count)) return this.#numbers.groupS;
    this.#keyframe = { count, atMs: nowMs };
    return last === undefined ? 0 : (nowMs - last.atMs) / 1000 / (count - last.count);
  }
}

function meanWait(now: TrackSample, before: TrackSample | undefined, otherwise: number): number {
  const { bufferedS, emitted } = before ?? NOTHING;
  return now.emitted > emitted ? Math.max(0, now.bufferedS - bufferedS) / (now.emitted - emitted) : otherwise;
}

/** Packets repaired by RTX stay counted as lost; those sent again as themselves do not: take the larger. */
function lossShare(now: TrackSample, before: TrackSample | undefined): number {
  const { packets, lost, resent } = before ?? NOTHING;
  const gone = Math.max(0, now.lost - lost, now.resent - resent);
  const all = now.packets - packets + gone;
  return all < PACKETS_MIN ? 0 : gone / all;
}
