//! Keys, tokens made of them, and addresses signed with them.

import type { Client } from './client.ts';

export interface Key {
  readonly id: string;
  readonly kind: 'publish' | 'play' | 'jwt' | 'admin';
  /** Null for keys of all apps. */
  readonly app: string | null;
  readonly created: string | null;
  /** Until when its previous value is taken too. */
  readonly previous_until: string | null;
}

export type Scope = 'publish' | 'play' | 'admin' | 'room';

export interface Token {
  readonly token: string;
  readonly expires: string;
}

/** As the server makes them. A side is null where nobody may do that in this app; what it has no port for is too. */
export interface SignedAddresses {
  readonly publish: {
    readonly rtmp: RtmpTarget | null;
    readonly rtmps: RtmpTarget | null;
    readonly whip: string;
  } | null;
  readonly play: {
    readonly flv: string;
    readonly ws_flv: string;
    readonly hls: string;
    readonly rtmp: string | null;
    readonly whep: string;
    readonly page: string;
  } | null;
}

export interface RtmpTarget {
  readonly server: string;
  readonly key: string;
}

export async function listKeys(client: Client): Promise<readonly Key[]> {
  return (await client.json<{ keys: readonly Key[] }>('GET', '/keys')).keys;
}

/** The new secret, which is told this once. The former one is taken for `keepS` seconds more. */
export async function rotateKey(client: Client, id: string, keepS: number): Promise<string> {
  const body = { keep_s: keepS };
  return (await client.json<{ secret: string }>('POST', `/keys/${encodeURIComponent(id)}/rotate`, { body })).secret;
}

export interface TokenRequest {
  readonly scope: readonly Scope[];
  /** A stream `{app}/{stream}`, or an app. */
  readonly for: string;
  readonly seconds: number;
}

export function makeToken(client: Client, { scope, for: target, seconds }: TokenRequest): Promise<Token> {
  const where = target === '' ? {} : target.includes('/') ? { path: target } : { app: target };
  return client.json<Token>('POST', '/tokens', { body: { scope, ...where, seconds } });
}

export function makeAddresses(client: Client, path: string, seconds: number): Promise<SignedAddresses> {
  return client.json<SignedAddresses>('POST', '/addresses', { body: { path, seconds } });
}
