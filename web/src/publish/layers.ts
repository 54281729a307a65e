//! Which simulcast layers are sent: the server says who is watched over the data channel `openmic`, and a bad
//! network leaves the smallest or none.

/** The part of `RTCRtpEncodingParameters` that is steered; the library has no DOM types to share with workers. */
export interface Encoding {
  readonly rid?: string;
  readonly active: boolean;
  readonly scaleResolutionDownBy?: number;
  readonly maxBitrate?: number;
  readonly maxFramerate?: number;
}

/** How much picture the network carries. */
export type VideoLevel = 'full' | 'base' | 'off';

/** The label of the data channel between our browsers and our server. */
export const CONTROL_CHANNEL = 'openmic';
/** No message of the contract is longer. */
const MESSAGE_LENGTH_MAX = 1_024;
/** The short side that a base layer has where there is no simulcast: frames of one or two packets. */
const BASE_SIDE = 180;
/** And its rate, half of which goes into sending lost packets again. */
const BASE_BPS = 500_000;

/** The rids that somebody watches, from a message of the server; undefined for what says nothing about them. */
export function readLayers(message: unknown): ReadonlySet<string> | undefined {
  const { type, active } = read(message);
  if (type !== 'layers' || !Array.isArray(active)) return undefined;
  const rids = active.filter((rid): rid is string => typeof rid === 'string');
  return rids.length === 0 ? undefined : new Set(rids);
}

/** The share of its packets that is lost on the way to the server, 0 … 1; undefined for what says nothing about it. */
export function readLoss(message: unknown): number | undefined {
  const { type, percent } = read(message);
  return type === 'loss' && typeof percent === 'number' ? Math.min(1, Math.max(0, percent / 100)) : undefined;
}

function read(message: unknown): { readonly type?: unknown; readonly active?: unknown; readonly percent?: unknown } {
  if (typeof message !== 'string' || message.length > MESSAGE_LENGTH_MAX) return {};
  try {
    const told: unknown = JSON.parse(message);
    return typeof told === 'object' && told !== null ? told : {};
  } catch {
    return {};
  }
}

export interface Steering {
  readonly level: VideoLevel;
  /** kbit/s that all pictures together may have now; undefined leaves them what was wanted. */
  readonly pictureKbps?: number | undefined;
  /** What the server asks for; undefined while it has not said. */
  readonly watched: ReadonlySet<string> | undefined;
  /** The short side of what is captured. */
  readonly shortSide: number;
}

/** The encodings to set. `wanted` is what was negotiated, from small to large. */
export function steer(plan: readonly Encoding[], { level, pictureKbps, watched, shortSide }: Steering): readonly Encoding[] {
  const wanted = level === 'full' ? within(plan, pictureKbps) : plan;
  if (level === 'off') return wanted.map((each) => ({ ...each, active: false }));
  if (wanted.length < 2) return wanted.map((each) => (level === 'base' ? baseOf(each, shortSide) : each));
  const known = watched !== undefined && wanted.some(({ rid }) => rid !== undefined && watched.has(rid));
  const isWatched = ({ rid }: Encoding): boolean => !known || (rid !== undefined && watched.has(rid));
  return wanted.map((each, at) => (level === 'base' ? { ...each, active: at === 0, maxBitrate: BASE_BPS } : { ...each, active: isWatched(each) }));
}

/** The same with so much less for each that they keep to it together. */
function within(plan: readonly Encoding[], pictureKbps: number | undefined): readonly Encoding[] {
  const all = plan.reduce((sum, { maxBitrate = 0 }) => sum + maxBitrate, 0);
  if (pictureKbps === undefined || all <= pictureKbps * 1000) return plan;
  const share = (pictureKbps * 1000) / all;
  return plan.map((each) => (each.maxBitrate === undefined ? each : { ...each, maxBitrate: Math.round(each.maxBitrate * share) }));
}

function baseOf(encoding: Encoding, shortSide: number): Encoding {
  return {
    ...encoding,
    scaleResolutionDownBy: Math.max(1, shortSide / BASE_SIDE),
    maxBitrate: BASE_BPS,
  };
}
