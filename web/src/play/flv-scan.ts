//! Walks over FLV tags without keeping them, for numbers that the demuxer does not report: bytes by
//! kind, keyframe distance, arrival jitter, gaps. Adobe Video File Format 10.1 §E.4; the extended
//! headers of Enhanced RTMP v2.

/** Everything counted since the beginning of the connection. */
export interface FlvCounts {
  videoBytes: number;
  audioBytes: number;
  videoFrames: number;
  keyframes: number;
  /** Seconds between the last two keyframes, 0 until there were two. */
  groupS: number;
  /** Smoothed difference between arrival and media time steps in milliseconds (as in RFC 3550 §6.4.1). */
  jitterMs: number;
  /** Steps of the media clock that were far from continuous. */
  discontinuities: number;
}

const FILE_HEADER_BYTES = 9;
const TAG_HEADER_BYTES = 11;
const PREVIOUS_TAG_SIZE_BYTES = 4;
/** First payload bytes we look at: frame type, codec or packet type. */
const PEEK_BYTES = 2;
const AUDIO = 8;
const VIDEO = 9;
/** A media clock step beyond this, forwards or backwards, is a discontinuity. */
const STEP_MAX_MS = 2_000;
/** Smoothing of the jitter estimate, RFC 3550. */
const JITTER_GAIN = 1 / 16;

type Stage = 'file-header' | 'tag-header' | 'peek';

export class FlvScanner {
  readonly counts: FlvCounts = {
    videoBytes: 0,
    audioBytes: 0,
    videoFrames: 0,
    keyframes: 0,
    groupS: 0,
    jitterMs: 0,
    discontinuities: 0,
  };
  #stage: Stage = 'file-header';
  #head = new Uint8Array(TAG_HEADER_BYTES);
  #have = 0;
  #need = FILE_HEADER_BYTES;
  #skip = 0;
  #tag = { type: 0, bytes: 0, timestampMs: 0 };
  #lastKeyframeMs: number | undefined;
  #lastVideo: { readonly mediaMs: number; readonly arrivalMs: number } | undefined;

  /** Takes the next bytes of the stream; `nowMs` is their arrival on a monotonic clock. */
  handleInput(data: Uint8Array, nowMs: number): void {
    let at = 0;
    while (at < data.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, data.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      const step = Math.min(this.#need - this.#have, data.length - at);
      this.#head.set(data.subarray(at, at + step), this.#have);
      this.#have += step;
      at += step;
      if (this.#have === this.#need) this.#advance(nowMs);
    }
  }

  #advance(nowMs: number): void {
    switch (this.#stage) {
      case 'file-header': {
        const headerBytes = readU32(this.#head, 5);
        this.#expect('tag-header', TAG_HEADER_BYTES);
        this.#skip = Math.max(0, headerBytes - FILE_HEADER_BYTES) + PREVIOUS_TAG_SIZE_BYTES;
        return;
      }
      case 'tag-header':
        this.#handleTagHeader();
        return;
      case 'peek':
        this.#handlePeek(nowMs);
        return;
    }
  }

  #handleTagHeader(): void {
    const head = this.#head;
    const bytes = readU24(head, 1);
    // The fourth timestamp byte is the most significant one (§E.4.1).
    const timestampMs = readU24(head, 4) + (head[7] ?? 0) * 0x100_0000;
    this.#tag = { type: (head[0] ?? 0) & 0x1f, bytes, timestampMs };
    if (this.#tag.type === AUDIO) this.counts.audioBytes += bytes;
    if (this.#tag.type === VIDEO) this.counts.videoBytes += bytes;
    if (this.#tag.type === VIDEO && bytes >= PEEK_BYTES) {
      this.#expect('peek', PEEK_BYTES);
    } else {
      this.#expect('tag-header', TAG_HEADER_BYTES);
      this.#skip = bytes + PREVIOUS_TAG_SIZE_BYTES;
    }
  }

  #handlePeek(nowMs: number): void {
    const [first = 0, second = 0] = this.#head;
    if (isFrame(first, second)) this.#handleFrame(((first >> 4) & 0x07) === 1, nowMs);
    this.#expect('tag-header', TAG_HEADER_BYTES);
    this.#skip = this.#tag.bytes - PEEK_BYTES + PREVIOUS_TAG_SIZE_BYTES;
  }

  #handleFrame(isKeyframe: boolean, nowMs: number): void {
    const mediaMs = this.#tag.timestampMs;
    this.counts.videoFrames += 1;
    if (isKeyframe) {
      this.counts.keyframes += 1;
      if (this.#lastKeyframeMs !== undefined && mediaMs > this.#lastKeyframeMs) {
        this.counts.groupS = (mediaMs - this.#lastKeyframeMs) / 1000;
      }
      this.#lastKeyframeMs = mediaMs;
    }
    if (this.#lastVideo !== undefined) {
      const step = mediaMs - this.#lastVideo.mediaMs;
      if (Math.abs(step) > STEP_MAX_MS) {
        this.counts.discontinuities += 1;
      } else {
        const wander = Math.abs(nowMs - this.#lastVideo.arrivalMs - step);
        this.counts.jitterMs += (wander - this.counts.jitterMs) * JITTER_GAIN;
      }
    }
    this.#lastVideo = { mediaMs, arrivalMs: nowMs };
  }

  #expect(stage: Stage, bytes: number): void {
    this.#stage = stage;
    this.#need = bytes;
    this.#have = 0;
  }
}

/** Whether a video tag carries a picture and not parameters, an end mark or metadata. */
function isFrame(first: number, second: number): boolean {
  if ((first & 0x80) === 0) {
    const codec = first & 0x0f;
    // Only AVC (7) and the older Chinese HEVC (12) have a packet type; 1 is a picture (§E.4.3.1).
    return codec === 7 || codec === 12 ? second === 1 : true;
  }
  // Enhanced RTMP v2: 1 CodedFrames, 3 CodedFramesX, 6 Multitrack (of which the first picture counts).
  const packet = first & 0x0f;
  return packet === 1 || packet === 3 || packet === 6;
}

function readU24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

function readU32(bytes: Uint8Array, at: number): number {
  return readU24(bytes, at + 1) + (bytes[at] ?? 0) * 0x100_0000;
}
