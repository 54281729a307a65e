//! The room clock: what to add to one's own clock, and which moment an RTP time is. Microseconds throughout.

/** `sentUs` and `backUs` on the own clock, the others on the room's. */
export interface Exchange {
  readonly sentUs: number;
  readonly receivedUs: number;
  readonly answeredUs: number;
  readonly backUs: number;
}

/** At a ping each five seconds this is 40 s: clocks of phones drift by under 2 ms in that time. */
const EXCHANGES_KEPT = 8;

export class RoomClock {
  #newest: Exchange[] = [];

  handleExchange(exchange: Exchange): void {
    this.#newest = [...this.#newest, exchange].slice(-EXCHANGES_KEPT);
  }

  /** What to add to the own clock; undefined before the first exchange. It is wrong by half the round trip at most. */
  offsetUs(): number | undefined {
    const [first, ...others] = this.#newest;
    if (first === undefined) return undefined;
    const best = others.reduce((best, next) => (roundTripUs(next) < roundTripUs(best) ? next : best), first);
    return (best.receivedUs - best.sentUs + (best.answeredUs - best.backUs)) / 2;
  }
}

function roundTripUs({ sentUs, receivedUs, answeredUs, backUs }: Exchange): number {
  return backUs - sentUs - (answeredUs - receivedUs);
}

/** A point at which the RTP time of a media section and the room clock are the same moment (docs/control-channel.md). */
export interface Mapping {
  readonly rtp: number;
  /** Ticks a second. */
  readonly rate: number;
  readonly at_us: number;
}

/** The room clock at an RTP time less than half a wrap from that of the mapping (RFC 3550 §5.1: 32 bits that wrap). */
export function roomUsAt({ rtp, rate, at_us }: Mapping, rtpNow: number): number {
  return at_us + Math.trunc((((rtpNow - rtp) | 0) * 1_000_000) / Math.max(1, rate));
}
