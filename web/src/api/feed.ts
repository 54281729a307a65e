//! What the console knows of the server, made of its events one by one: a reducer without a clock or a socket.

import type { Broadcast } from './broadcasts.ts';
import type { NodeHealth } from './node.ts';
import type { ServerEvent } from './sse.ts';

/** One second of a stream. Null where nothing was measured. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly bitrate_bps: number | null;
  readonly fps: number | null;
  readonly group_ms: number | null;
  readonly viewers: number | null;
  readonly delay_ms: number | null;
}

/** What a chart can show of a sample. */
export type Measure = Exclude<keyof Sample, 'atMs'>;

export interface Feed {
  /** Undefined until the server has told. */
  readonly broadcasts: readonly Broadcast[] | undefined;
  /** Of all there are, where the list does not hold them all. */
  readonly total: number;
  readonly node: NodeHealth | undefined;
  /** The stream that `samples` are of. */
  readonly path: string | undefined;
  /** Oldest first. */
  readonly samples: readonly Sample[];
}

/** An hour of seconds: more than a chart is wide, and some 100 KB. */
export const SAMPLES_MAX = 3_600;

export const NOTHING: Feed = { broadcasts: undefined, total: 0, node: undefined, path: undefined, samples: [] };

/** The feed after one event. What is of an unknown kind or broken changes nothing. */
export function reduceFeed(feed: Feed, { event, data }: ServerEvent, nowMs: number): Feed {
  const body = parse(data);
  if (body === undefined) return feed;
  if (event === 'broadcasts') {
    const { broadcasts, total } = body as { broadcasts: readonly Broadcast[]; total: number };
    return { ...feed, broadcasts, total };
  }
  if (event === 'node') return { ...feed, node: body as unknown as NodeHealth };
  if (event === 'stats') return withStats(feed, body as Partial<Sample> & { path?: string }, nowMs);
  return feed;
}

/** The feed turned to another stream, or to none. */
export function turnTo(feed: Feed, path: string | undefined): Feed {
  return path === feed.path ? feed : { ...feed, path, samples: [] };
}

/** Puts what the server remembers of a stream before what has come since. */
export function withHistory(feed: Feed, path: string, history: readonly Sample[]): Feed {
  if (path !== feed.path) return feed;
  const firstMs = feed.samples[0]?.atMs ?? Number.POSITIVE_INFINITY;
  const older = history.filter(({ atMs }) => atMs < firstMs);
  return { ...feed, samples: [...older, ...feed.samples].slice(-SAMPLES_MAX) };
}

function withStats(feed: Feed, body: Partial<Sample> & { path?: string }, nowMs: number): Feed {
  if (body.path === undefined || body.path !== feed.path) return feed;
  const { bitrate_bps = null, fps = null, group_ms = null, viewers = null, delay_ms = null } = body;
  const sample: Sample = { atMs: nowMs, bitrate_bps, fps, group_ms, viewers, delay_ms };
  return { ...feed, samples: [...feed.samples, sample].slice(-SAMPLES_MAX) };
}

function parse(data: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const body: unknown = JSON.parse(data);
    return typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
