//! The machine and the process: health, usage, configuration.

import type { Client } from './client.ts';

export interface NodeHealth {
  readonly uptime_s: number;
  /** Cores kept busy during the last seconds. */
  readonly cpu_cores: number;
  readonly cpu_cores_max: number;
  readonly memory_bytes: number | null;
  readonly memory_bytes_max: number | null;
  readonly file_descriptors: number | null;
  readonly file_descriptors_max: number | null;
  readonly connections: number;
  readonly connections_max: number | null;
  /** Media held for viewers who join or are late. */
  readonly ring_bytes: number;
  readonly ring_bytes_max: number | null;
  readonly panics: number;
  readonly sessions: number;
  readonly broadcasts: number;
  readonly publishers: number;
  readonly viewers: number;
  readonly received_bps: number;
  readonly sent_bps: number;
  readonly tls: { readonly expires: string | null } | null;
  readonly warnings: readonly string[];
}

/** What was carried for a group of sessions; the fields of `by` tell which. */
export interface UsageRow {
  readonly app?: string | null;
  readonly stream?: string | null;
  readonly protocol?: string | null;
  readonly action?: string | null;
  readonly sessions: number;
  readonly seconds: number;
  readonly bytes: number;
}

export type UsageBy = 'app' | 'stream' | 'protocol' | 'app,protocol';

export interface Reloaded {
  readonly changed: readonly string[];
  readonly needs_restart: readonly string[];
}

export function getNode(client: Client): Promise<NodeHealth> {
  return client.json<NodeHealth>('GET', '/node');
}

export interface UsageQuery {
  readonly by: UsageBy;
  /** RFC 3339; undefined leaves the side open. */
  readonly from: string | undefined;
}

export async function getUsage(client: Client, { by, from }: UsageQuery): Promise<readonly UsageRow[]> {
  return (await client.json<{ rows: readonly UsageRow[] }>('GET', '/usage', { query: { by, from } })).rows;
}

export function getUsageCsv(client: Client, { by, from }: UsageQuery): Promise<string> {
  return client.text('/usage', { query: { by, from, format: 'csv' }, accept: 'text/csv' });
}

export function getConfig(client: Client): Promise<unknown> {
  return client.json<unknown>('GET', '/config');
}

export function reloadConfig(client: Client): Promise<Reloaded> {
  return client.json<Reloaded>('POST', '/config/reload', { body: {} });
}
