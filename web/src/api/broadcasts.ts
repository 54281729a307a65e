//! The server's JSON about what is live, read into types and nothing else. Times are RFC 3339.

import { ApiError, type Client } from './client.ts';

/** Viewers by protocol: `flv`, `ws_flv`, `rtmp`, `hls`, and what later servers add. */
export type Viewers = Readonly<Record<string, number>>;

export interface Track {
  readonly id: number;
  readonly kind: 'video' | 'audio' | 'data';
  /** RFC 6381, e.g. `avc1.64001f`; null for data. */
  readonly codec: string | null;
  /** For people, e.g. `H.264`. */
  readonly name: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly sample_rate: number | null;
  readonly channels: number | null;
  readonly bitrate_bps: number | null;
  readonly fps: number | null;
  readonly group_ms: number | null;
}

export interface Publisher {
  readonly protocol: string;
  /** Null for the built-in stream. */
  readonly address: string | null;
  readonly agent: string | null;
}

/** What the server computes for viewers that cannot take the stream as it is, while somebody needs it. */
export interface Conversion {
  /** `Opus from AAC` */
  readonly what: string;
  /** Protocols, as in `Viewers`. */
  readonly viewers: readonly string[];
  /** The share of one core that it takes. */
  readonly cores: number;
}

export interface Broadcast {
  /** `{app}/{stream}`; the app may contain slashes. */
  readonly path: string;
  readonly state: 'live' | 'waiting';
  readonly since: string;
  readonly viewers: Viewers;
  readonly viewers_total: number;
  readonly bitrate_bps: number | null;
  readonly tracks: readonly Track[];
  readonly publisher: Publisher | null;
  readonly conversions: readonly Conversion[];
}

export interface ServerInfo {
  readonly version: string;
  readonly rtmp_port: number | null;
  readonly rtmps_port: number | null;
  readonly uptime_s: number;
  /** Whether the API and media want credentials. */
  readonly guarded: boolean;
}

/** One broadcast, or undefined when nothing is live at `path`. */
export async function getBroadcast(client: Client, path: string): Promise<Broadcast | undefined> {
  try {
    return await client.json<Broadcast>('GET', `/broadcasts/${encodePath(path)}`);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Ends it for everybody. With `banS` the path is refused to publishers for so many seconds. */
export function endBroadcast(client: Client, path: string, banS: number | undefined): Promise<void> {
  return client.delete(`/broadcasts/${encodePath(path)}`, { ban_s: banS });
}

export function getServer(client: Client): Promise<ServerInfo> {
  return client.json<ServerInfo>('GET', '/server');
}

/** Escapes each segment; the slashes between them stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** The stream of a page's path `/play/{app}/{stream}` or `/publish/{app}/{stream}`, or undefined when it names none. */
export function streamOfPage(pathname: string): string | undefined {
  const match = /^\/(?:play|publish)\/(.+?)\/?$/.exec(pathname);
  const path = match?.[1];
  if (path === undefined || !path.includes('/')) return undefined;
  return decodePath(path);
}

/**
 * The query of the media's address: that of the page, and what stands behind its `#`. A signature stands there, because
 * browsers send it to no server and no other page.
 */
export function queryOfPage(search: string, hash: string): string {
  const kept = hash.replace(/^#/, '');
  if (!kept.includes('=')) return search;
  return search === '' ? `?${kept}` : `${search}&${kept}`;
}

/** Undoes `encodePath`; undefined for what it never writes. */
export function decodePath(encoded: string): string | undefined {
  try {
    return encoded.split('/').map(decodeURIComponent).join('/');
  } catch {
    return undefined;
  }
}
