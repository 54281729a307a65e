//! What the server remembers of a stream, second by second.

import { encodePath } from './broadcasts.ts';
import { ApiError, type Client } from './client.ts';
import { type Sample, toSample } from './feed.ts';

/** Oldest first; nothing where nothing is live. */
export async function getHistory(client: Client, path: string): Promise<readonly Sample[]> {
  try {
    const { samples } = await client.json<{ samples: readonly (Partial<Sample> & { at: string })[] }>(
      'GET',
      `/broadcasts/${encodePath(path)}/history`,
    );
    return samples.map((sample) => toSample(sample, 0));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}
