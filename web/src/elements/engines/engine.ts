//! What the player asks of an engine: bring one address into one media element, report what
//! happens, and keep the counters that `netstatus` needs.

import type { EngineEvent } from '../../play/session.ts';

/** Counters and facts of an engine at one moment. */
export interface EngineFacts {
  readonly bytes: number;
  readonly videoBytes: number;
  readonly audioBytes: number;
  readonly groupS: number;
  readonly jitterMs: number;
  readonly lastDataMs: number | undefined;
  readonly silenceMs: number;
  /** Delay behind live where the engine knows better than the buffer. */
  readonly delayS: number | undefined;
  readonly delayFloorS: number;
}

export interface Engine {
  readonly facts: EngineFacts;
  /** Leaves the media element empty; no event follows. */
  destroy(): void;
}

export interface EngineContext {
  readonly url: string;
  readonly video: HTMLVideoElement;
  readonly referrerPolicy: ReferrerPolicy;
  readonly emit: (event: EngineEvent) => void;
}
