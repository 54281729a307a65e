//! Asks the server how a stream is: the one question a silent connection cannot answer itself.

import type { Status } from './session.ts';

/** A server that does not answer in this time tells us nothing. */
const ANSWER_MS = 3_000;

export async function askStatus(url: string | undefined): Promise<Status> {
  if (url === undefined) return 'unknown';
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), cache: 'no-store' });
    if (answer.status === 404) return 'absent';
    if (!answer.ok) return 'unknown';
    const body: unknown = await answer.json();
    if (typeof body !== 'object' || body === null || !('state' in body)) return 'unknown';
    return body.state === 'live' || body.state === 'waiting' ? body.state : 'unknown';
  } catch {
    // Another origin without CORS, no network, or no openmic server: all the same to the caller.
    return 'unknown';
  }
}
