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
  if (typeof message !== 'string' || message.length > MESSAGE_LENGTH_MAX) return undefined;
  let told: unknown;
  try {
    told = JSON.parse(message);
  } catch {
    return undefined;
  }
  if (typeof told !== 'object' || told === null) return undefined;
  const { type, active } = told as { type?: unknown; active?: unknown };
  if (type !== 'layers' || !Array.isArray(active)) return undefined;
  const rids = active.filter((rid): rid is string => typeof rid === 'string');
  return rids.length === 0 ? undefined : new Set(rids);
}

export interface Steering {
  readonly level: VideoLevel;
  /** What the server asks for; undefined while it has not said. */
  readonly watched: ReadonlySet<string> | undefined;
  /** The short side of what is captured. */
  readonly shortSide: number;
}

/** The encodings to set. `wanted` is what was negotiated, from small to large. */
export function steer(wanted: readonly Encoding[], { level, watched, shortSide }: Steering): readonly Encoding[] {
  if (level === 'off') return wanted.map((each) => ({ ...each, active: false }));
  if (wanted.length < 2) return wanted.map((each) => (level === 'base' ? baseOf(each, shortSide) : each));
  const known = watched !== undefined && wanted.some(({ rid }) => rid !== undefined && watched.has(rid));
  const isWatched = ({ rid }: Encoding): boolean => !known || (rid !== undefined && watched.has(rid));
  return wanted.map((each, at) => (level === 'base' ? { ...each, active: at === 0, maxBitrate: BASE_BPS } : { ...each, active: isWatched(each) }));
}

function baseOf(encoding: Encoding, shortSide: number): Encoding {
  return {
    ...encoding,
    scaleResolutionDownBy: Math.max(1, shortSide / BASE_SIDE),
    maxBitrate: BASE_BPS,
  };
}
