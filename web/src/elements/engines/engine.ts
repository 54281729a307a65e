//! What the player asks of an engine: bring one address into one media element, report what
//! happens, and keep the counters that `netstatus` needs.

import type { Bounds } from '../../play/latency.ts';
import type { Layer } from '../../play/control-channel.ts';
import type { EngineEvent, Limits } from '../../play/session.ts';

/** Counters and facts of an engine at one moment. */
export interface EngineFacts {
  readonly bytes: number;
  readonly videoBytes: number;
  readonly audioBytes: number;
  readonly groupS: number;
  readonly jitterMs: number;
  readonly lossShare: number;
  readonly lastDataMs: number | undefined;
  readonly limits: Limits;
  /** Delay behind live where the engine knows better than the buffer. */
  readonly delayS: number | undefined;
  readonly delayFloorS: number;
  /** What waits to be shown, where the media element's buffer does not say it. */
  readonly cacheS: { readonly videoS: number; readonly audioS: number } | undefined;
  readonly selfPaced: boolean;
  /** The rendering that is seen, where the server chooses from several. */
  readonly layer?: Layer | undefined;
  /** The network is too weak for pictures. */
  readonly soundOnly?: boolean;
}

export interface Engine {
  readonly facts: EngineFacts;
  /** Leaves the media element empty; no event follows. */
  destroy(): void;
  /** Back from the background, or the network has changed. */
  handleShown?(): void;
}

export interface EngineContext {
  readonly url: string;
  readonly video: HTMLVideoElement;
  readonly bounds: Bounds;
  readonly referrerPolicy: ReferrerPolicy;
  readonly emit: (event: EngineEvent) => void;
}
