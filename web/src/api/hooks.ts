//! Webhooks and what became of their deliveries.

import type { Client } from './client.ts';

export interface Hook {
  readonly name: string;
  /** Without its secret and without user information. */
  readonly url: string;
  readonly events: readonly string[];
  readonly veto: boolean;
  readonly on_failure: 'allow' | 'refuse';
  /** Of these apps alone; empty is of all. */
  readonly apps: readonly string[];
  /** Notifications that it is still owed. */
  readonly waiting: number;
}

export interface Delivery {
  readonly id: string | number;
  readonly hook: string;
  readonly event: string;
  readonly path: string;
  readonly at: string;
  readonly attempts: number;
  readonly status: 'delivered' | 'retrying' | 'dead';
  readonly http_status: number | null;
  readonly error: string | null;
  readonly took_ms: number | null;
}

/** Deliveries that a page shows. */
const DELIVERIES_MAX = 100;

export async function listHooks(client: Client): Promise<readonly Hook[]> {
  return (await client.json<{ hooks: readonly Hook[] }>('GET', '/hooks')).hooks;
}

export async function listDeliveries(client: Client): Promise<readonly Delivery[]> {
  const query = { limit: DELIVERIES_MAX };
  return (await client.json<{ deliveries: readonly Delivery[] }>('GET', '/hooks/deliveries', { query })).deliveries;
}

export function testHook(client: Client, name: string): Promise<Delivery> {
  return client.json<Delivery>('POST', `/hooks/${encodeURIComponent(name)}/test`, { body: {} });
}
