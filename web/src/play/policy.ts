//! What to do when playing fails: try another transport, the same one after a pause, or give up.
//! WeChat's tag reconnects three times and then reports -2301; so do we. With `autoResume` we keep
//! looking at a slow pace after that, which is what a person in front of a screen wants.

import type { Candidate, EngineKind } from './address.ts';

/** Why an engine stopped. The kind decides what follows, the detail is for the log. */
export interface Failure {
  readonly kind: FailureKind;
  readonly detail: string;
  /** HTTP status, where the server answered one. */
  readonly status?: number;
}

/**
 * - `offline`: the server answers, but nothing is live there (404).
 * - `refused`: the server will not let us (401, 403).
 * - `connect`: no connection came about; `handshake`: another answer than success.
 * - `silent`: connected, but no byte within the limit (a buffering middlebox does that).
 * - `lost`: the connection broke after media had arrived.
 * - `codec`: this browser cannot decode the stream; `decode`: it failed while decoding.
 * - `engine`: the library that this engine reads with does not know the codec; the browser was not asked.
 */
export type FailureKind =
  | 'offline'
  | 'refused'
  | 'connect'
  | 'handshake'
  | 'silent'
  | 'lost'
  | 'codec'
  | 'engine'
  | 'decode';

export type Decision =
  /** Start `candidate` at once: another transport may pass where this one did not. */
  | { readonly kind: 'switch'; readonly candidate: Candidate }
  /** Start `candidate` after `afterMs`; this is reconnect number `attempt`. */
  | { readonly kind: 'retry'; readonly candidate: Candidate; readonly afterMs: number; readonly attempt: number }
  /** Stop. `resumeAfterMs` says when to look again by ourselves, if ever. */
  | { readonly kind: 'give-up'; readonly failure: Failure; readonly resumeAfterMs: number | undefined };

/** Who decodes: engines that share a decoder share its limits. */
const DECODERS: Readonly<Record<EngineKind, 'webrtc' | 'media-source' | 'native'>> = {
  whep: 'webrtc',
  'http-flv': 'media-source',
  'ws-flv': 'media-source',
  hls: 'media-source',
  'native-hls': 'native',
};

/** What reads each kind of address: two that share it know the same codecs. */
const READERS: Readonly<Record<EngineKind, 'webrtc' | 'mpegts.js' | 'hls.js' | 'browser'>> = {
  whep: 'webrtc',
  'http-flv': 'mpegts.js',
  'ws-flv': 'mpegts.js',
  hls: 'hls.js',
  'native-hls': 'browser',
};

/** WeChat's tag tries three times. */
export const RETRIES_MAX = 3;
/** Waits before the first, second and third reconnect: quick first, since most breaks are short. */
export const RETRY_DELAYS_MS: readonly number[] = [500, 1500, 3000];
/** After giving up, how often to look again; the last value repeats. */
export const RESUME_DELAYS_MS: readonly number[] = [5_000, 10_000, 20_000, 30_000];

export class Policy {
  readonly #candidates: readonly [Candidate, ...Candidate[]];
  readonly #autoResume: boolean;
  readonly #impossible = new Set<Candidate>();
  readonly #proven = new Set<Candidate>();
  #index = 0;
  #attempt = 0;
  #resumes = 0;

  constructor(candidates: readonly [Candidate, ...Candidate[]], autoResume: boolean) {
    this.#candidates = candidates;
    this.#autoResume = autoResume;
  }

  /** What is being tried, or would be next. */
  get candidate(): Candidate {
    return this.#candidates[this.#index] ?? this.#candidates[0];
  }

  /** It plays: count failures from zero again. */
  handlePlaying(): void {
    this.#proven.add(this.candidate);
    this.#attempt = 0;
    this.#resumes = 0;
  }

  /** A new beginning by the viewer or by automatic resumption: tries start anew, knowledge stays. */
  restart(): Candidate {
    this.#attempt = 0;
    this.#index = this.#firstPossible() ?? 0;
    return this.candidate;
  }

  /** How long to wait before looking again by ourselves; undefined when nobody asked for that. */
  nextResumeMs(): number | undefined {
    if (!this.#autoResume) return undefined;
    const last = RESUME_DELAYS_MS.length - 1;
    const resumeAfterMs = RESUME_DELAYS_MS[Math.min(this.#resumes, last)];
    this.#resumes += 1;
    return resumeAfterMs;
  }

  handleFailure(failure: Failure): Decision {
    switch (failure.kind) {
      case 'codec': {
        // What one engine over Media Source cannot decode, the next cannot either; others might.
        const decoder = DECODERS[this.candidate.kind];
        return this.#dropOr(failure, (kind) => DECODERS[kind] === decoder);
      }
      case 'engine': {
        // Only what reads the same container fails alike: VP9 in FLV may play from fMP4.
        const reader = READERS[this.candidate.kind];
        return this.#dropOr(failure, (kind) => READERS[kind] === reader);
      }
      case 'refused':
        return { kind: 'give-up', failure, resumeAfterMs: undefined };
      case 'connect':
      case 'handshake':
        return this.#switchOr(failure);
      case 'silent':
        // A transport that has brought this stream before is not what holds it back.
        return this.#proven.has(this.candidate) ? this.#retry(failure) : this.#switchOr(failure);
      case 'offline':
      case 'lost':
      case 'decode':
        return this.#retry(failure);
    }
  }

  #switchOr(failure: Failure): Decision {
    for (let next = this.#index + 1; next < this.#candidates.length; next += 1) {
      const candidate = this.#candidates[next];
      if (candidate !== undefined && !this.#impossible.has(candidate)) {
        this.#index = next;
        return { kind: 'switch', candidate };
      }
    }
    this.#index = this.#firstPossible() ?? 0;
    return this.#retry(failure);
  }

  #retry(failure: Failure): Decision {
    if (this.#attempt >= RETRIES_MAX) return this.#giveUp(failure);
    const afterMs = RETRY_DELAYS_MS[this.#attempt] ?? 0;
    this.#attempt += 1;
    return { kind: 'retry', candidate: this.candidate, afterMs, attempt: this.#attempt };
  }

  #giveUp(failure: Failure): Decision {
    return { kind: 'give-up', failure, resumeAfterMs: this.nextResumeMs() };
  }

  /** Never tries these kinds again. */
  #dropOr(failure: Failure, fails: (kind: EngineKind) => boolean): Decision {
    for (const candidate of this.#candidates) {
      if (fails(candidate.kind)) this.#impossible.add(candidate);
    }
    const next = this.#firstPossible();
    if (next === undefined) return { kind: 'give-up', failure, resumeAfterMs: undefined };
    this.#index = next;
    return { kind: 'switch', candidate: this.candidate };
  }

  #firstPossible(): number | undefined {
    const at = this.#candidates.findIndex((candidate) => !this.#impossible.has(candidate));
    return at < 0 ? undefined : at;
  }
}
