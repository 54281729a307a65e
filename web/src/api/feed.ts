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
  readonly node: NodeHealth | undefined;
  /** The stream that `samples` are of. */
  readonly path: string | undefined;
  /** Oldest first. */
  readonly samples: readonly Sample[];
}

/** An hour of seconds: more than a chart is wide, and some 100 KB. */
export const SAMPLES_MAX = 3_600;

export const NOTHING: Feed = { broadcasts: undefined, node: undefined, path: undefined, samples: [] };

/** The feed after one event. What is of an unknown kind or broken changes nothing. */
export function reduceFeed(feed: Feed, { event, data }: ServerEvent, nowMs: number): Feed {
  const body = parse(data);
  if (body === undefined) return feed;
  if (event === 'broadcasts') return { ...feed, broadcasts: (body as { broadcasts: readonly Broadcast[] }).broadcasts };
  if (event === 'node') return { ...feed, node: body as unknown as NodeHealth };
  if (event === 'stats') return withStats(feed, body as Partial<Sample> & { path?: string; at?: string }, nowMs);
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

function withStats(feed: Feed, body: Partial<Sample> & { path?: string; at?: string }, nowMs: number): Feed {
  if (body.path === undefined || body.path !== feed.path) return feed;
  const sample = toSample(body, nowMs);
  const last = feed.samples.at(-1);
  // After a reconnection the server may tell the same second again.
  if (last !== undefined && sample.atMs <= last.atMs) return feed;
  return { ...feed, samples: [...feed.samples, sample].slice(-SAMPLES_MAX) };
}

/** A sample as the server writes it, with its time as RFC 3339 or, where it has none, `otherwiseMs`. */
export function toSample(body: Partial<Sample> & { at?: string }, otherwiseMs: number): Sample {
  const { bitrate_bps = null, fps = null, group_ms = null, viewers = null, delay_ms = null } = body;
  const atMs = body.at === undefined ? otherwiseMs : Date.parse(body.at);
  return { atMs, bitrate_bps, fps, group_ms, viewers, delay_ms };
}

function parse(data: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const body: unknown = JSON.parse(data);
    return typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
