//! What the server remembers of a stream, second by second.

import { encodePath } from './broadcasts.ts';
import { ApiError, type Client } from './client.ts';
import type { Measure, Sample } from './feed.ts';

/** Columns of values, oldest first and all as long; one value each `step_ms`, the last of them at about `until`. */
export interface History extends Readonly<Record<Measure, readonly (number | null)[]>> {
  readonly path: string;
  readonly until: string;
  readonly step_ms: number;
}

/** Oldest first; nothing where nothing is live. */
export async function getHistory(client: Client, path: string): Promise<readonly Sample[]> {
  try {
    return samplesOf(await client.json<History>('GET', `/broadcasts/${encodePath(path)}/history`));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}

export function samplesOf({ until, step_ms: stepMs, bitrate_bps, fps, group_ms, viewers, delay_ms }: History): readonly Sample[] {
  const untilMs = Date.parse(until);
  return bitrate_bps.map((bps, at) => ({
    atMs: untilMs - (bitrate_bps.length - 1 - at) * stepMs,
    bitrate_bps: bps,
    fps: fps[at] ?? null,
    group_ms: group_ms[at] ?? null,
    viewers: viewers[at] ?? null,
    delay_ms: delay_ms[at] ?? null,
  }));
}
