//! One running WHIP connection as a state machine without browser or clock: states of the peer connection, what
//! the network says and the results of probes go in; probes, ICE restarts and the loss of the connection come out.

import type { IceState, PeerState } from '../play/whep-link.ts';

export type PushLinkOutput =
  /** Ask the server for anything by HTTP and report to `handleProbed`. */
  | { readonly do: 'probe' }
  /** Restart ICE by PATCH and report to `handleRestarted`. */
  | { readonly do: 'restart' }
  /** Nothing can be repaired: connect anew. */
  | { readonly do: 'lost'; readonly detail: string }
  /** Tell the page that the way to the server is interrupted, or is there again. */
  | { readonly do: 'interrupted'; readonly detail: string }
  | { readonly do: 'healed' };

/** ICE calls a short gap `disconnected` and often heals by itself. */
export const DISCONNECTED_MS = 1_200;
/** The server answers HTTP and ICE has not healed by then: the path is another one. */
export const HEAL_MS = 400;
/** A server that is sent media reports ten times a second: after this silence it is asked by another way… */
export const QUIET_MS = 300;
/** …and after this one the path is given up, if it has answered. */
export const SILENT_MS = 600;
/** From the end of a probe of a network that is away, which takes up to a second, to the next. */
export const PROBE_EVERY_MS = 100;
/** A restart takes one PATCH and a few checks. */
export const RESTARTING_MS = 5_000;
/** After this without a way to the server its session is over too (30 s of silence). */
export const AWAY_MS = 30_000;

type Stage = 'up' | 'broken' | 'probing' | 'probed' | 'restarting' | 'over';

export class PushLink {
  readonly #outputs: PushLinkOutput[] = [];
  #stage: Stage = 'up';
  #sinceMs = 0;
  #brokenMs: number | undefined;
  /** The browser says that the path is another one, whatever ICE still believes. */
  #isSuspect = false;
  /** It is suspected because nothing came. */
  #isSilent = false;
  /** Of the question that is asked while it is only quiet, so that its answer is there when the path is given up. */
  #early: 'none' | 'asked' | 'reached' | 'unreached' = 'none';
  #isAccepted = false;
  /** ICE has given its path up and will not heal by itself. */
  #isIceOver = false;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  poll(): PushLinkOutput | undefined {
    return this.#outputs.shift();
  }

  /** To be told on every change, and before each tick. */
  handleStates(ice: IceState, peer: PeerState, nowMs: number): void {
    if (this.#stage === 'over') return;
    // Browsers say it of the peer while ICE still calls itself disconnected.
    this.#isIceOver = ice === 'failed' || peer === 'failed';
    if (ice === 'connected' || ice === 'completed') {
      // With a way to the server, only what runs over it can have failed.
      if (peer === 'failed') return this.#lose('DTLS failed');
      // What was given up because nothing came is good when something comes: ICE still calls the old path connected.
      const isRestarted = this.#stage === 'restarting' && this.#isAccepted && !this.#isSilent;
      const isSpared = this.#stage !== 'restarting' && this.#stage !== 'up' && !this.#isSuspect;
      if (isRestarted || isSpared) this.#heal(nowMs);
    } else if (this.#stage === 'up' && (ice === 'disconnected' || ice === 'failed')) {
      this.#break(`ICE ${ice}`, nowMs);
    }
  }

  /** The browser says that the network has changed or is there again. ICE takes seconds to miss its old path. */
  handleNetworkChange(nowMs: number): void {
    if (this.#stage === 'up') {
      this.#isSuspect = true;
      this.#break('the network changed', nowMs);
    }
    if (this.#stage === 'broken') this.#probe(nowMs);
  }

  /** Nothing has come from the server for so long. ICE takes five seconds to say that its path is gone. */
  handleSilence(silentMs: number, nowMs: number): void {
    if (silentMs < SILENT_MS) {
      // Heard again: whatever was suspected, the path is good.
      const isRestarting = this.#stage === 'restarting';
      if (this.#isSilent && !isRestarting) this.#isSuspect = this.#isSilent = false;
      if (this.#isSilent && isRestarting && this.#isAccepted && silentMs < QUIET_MS) this.#heal(nowMs);
      this.#handleQuiet(silentMs >= QUIET_MS);
      return;
    }
    if (this.#stage !== 'up') return;
    this.#isSilent = this.#isSuspect = true;
    this.#break('nothing comes from the server', nowMs);
    if (this.#early === 'reached') this.#restart(nowMs);
    else if (this.#early === 'asked') this.#enter('probing', nowMs);
    else this.#probe(nowMs);
  }

  /** `reached`: whether the server answered, whatever it said. */
  handleProbed(reached: boolean, nowMs: number): void {
    if (this.#early === 'asked') this.#early = reached ? 'reached' : 'unreached';
    if (this.#stage !== 'probing') return;
    // The old path may be good all the same: ICE will say so, unless nothing comes by it.
    if (!reached && !this.#isSilent) this.#isSuspect = false;
    this.#enter(reached ? 'probed' : 'broken', nowMs);
    if (reached && this.#isIceOver) this.#restart(nowMs);
  }

  handleRestarted(accepted: boolean, nowMs: number): void {
    if (this.#stage !== 'restarting') return;
    if (!accepted) return this.#lose('the server has no such session any more');
    this.#isAccepted = true;
    this.#sinceMs = nowMs;
  }

  handleTick(nowMs: number): void {
    const forMs = nowMs - this.#sinceMs;
    if (this.#brokenMs !== undefined && nowMs - this.#brokenMs >= AWAY_MS) {
      return this.#lose(`no way to the server for ${AWAY_MS} ms`);
    }
    switch (this.#stage) {
      case 'broken':
        if (forMs >= (this.#brokenMs === this.#sinceMs ? DISCONNECTED_MS : PROBE_EVERY_MS)) this.#probe(nowMs);
        break;
      case 'probed':
        if (forMs >= HEAL_MS || this.#isIceOver || this.#isSilent) this.#restart(nowMs);
        break;
      case 'restarting':
        if (forMs >= RESTARTING_MS) this.#lose(`the restart took ${RESTARTING_MS} ms`);
        break;
      case 'up':
      case 'probing':
      case 'over':
        break;
    }
  }

  #handleQuiet(isQuiet: boolean): void {
    if (this.#stage !== 'up' || this.#early === 'asked') return;
    if (!isQuiet) {
      this.#early = 'none';
    } else if (this.#early === 'none') {
      this.#early = 'asked';
      this.#outputs.push({ do: 'probe' });
    }
  }

  #break(detail: string, nowMs: number): void {
    this.#brokenMs = nowMs;
    this.#enter('broken', nowMs);
    this.#outputs.push({ do: 'interrupted', detail });
  }

  #heal(nowMs: number): void {
    this.#brokenMs = undefined;
    this.#isSuspect = this.#isSilent = false;
    this.#early = 'none';
    this.#enter('up', nowMs);
    this.#outputs.push({ do: 'healed' });
  }

  #probe(nowMs: number): void {
    if (this.#stage !== 'broken') return;
    this.#enter('probing', nowMs);
    this.#outputs.push({ do: 'probe' });
  }

  #restart(nowMs: number): void {
    this.#isAccepted = false;
    this.#enter('restarting', nowMs);
    this.#outputs.push({ do: 'restart' });
  }

  #lose(detail: string): void {
    if (this.#stage === 'over') return;
    this.#stage = 'over';
    this.#outputs.push({ do: 'lost', detail });
  }

  #enter(stage: Stage, nowMs: number): void {
    this.#stage = stage;
    this.#sinceMs = nowMs;
  }
}
