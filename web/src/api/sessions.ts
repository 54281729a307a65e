//! Who is connected: publishers and viewers, one by one.

import type { Client } from './client.ts';

export interface Session {
  readonly id: string | number;
  readonly action: string;
  readonly path: string;
  readonly protocol: string;
  readonly address: string | null;
  /** What the peer says of itself: anything at all. */
  readonly agent: string | null;
  readonly since: string;
  readonly bytes: number;
  /** How far behind live it is sent; null where that is not known, and for publishers. */
  readonly lag_ms: number | null;
}

/** Rows that a page shows; the table says when there are more. */
export const SESSIONS_MAX = 200;

export interface SessionList {
  readonly sessions: readonly Session[];
  /** Of all there are. */
  readonly total: number;
}

export function listSessions(client: Client, path: string): Promise<SessionList> {
  return client.json<SessionList>('GET', '/sessions', { query: { path, limit: SESSIONS_MAX } });
}

export function endSession(client: Client, id: Session['id']): Promise<void> {
  return client.delete(`/sessions/${encodeURIComponent(id)}`);
}
