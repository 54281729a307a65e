//! The server's JSON about what is live, read into types and nothing else. Times are RFC 3339.

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
  readonly tracks: readonly Track[];
  readonly publisher: Publisher | null;
  /** Absent from servers that convert nothing. */
  readonly conversions?: readonly Conversion[];
}

export interface ServerInfo {
  readonly version: string;
  readonly rtmp_port: number | null;
  readonly rtmps_port: number | null;
  readonly uptime_s: number;
}

/** A request that did not bring what it should; `status` 0 means no answer at all. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A server that takes longer is treated as unreachable; polling goes on. */
const ANSWER_MS = 5_000;

export async function listBroadcasts(base: string): Promise<readonly Broadcast[]> {
  const body = (await get(base, '/api/v1/broadcasts')) as { broadcasts?: readonly Broadcast[] };
  return body.broadcasts ?? [];
}

/** One broadcast, or undefined when nothing is live at `path`. */
export async function getBroadcast(base: string, path: string): Promise<Broadcast | undefined> {
  try {
    return (await get(base, `/api/v1/broadcasts/${encodePath(path)}`)) as Broadcast;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

export async function getServer(base: string): Promise<ServerInfo> {
  return (await get(base, '/api/v1/server')) as ServerInfo;
}

/** Escapes each segment; the slashes between them stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** The stream of a player page's path `/play/{app}/{stream}`, or undefined when it names none. */
export function streamOfPage(pathname: string): string | undefined {
  const match = /^\/play\/(.+?)\/?$/.exec(pathname);
  const path = match?.[1];
  if (path === undefined || !path.includes('/')) return undefined;
  try {
    return path.split('/').map(decodeURIComponent).join('/');
  } catch {
    return undefined;
  }
}

async function get(base: string, path: string): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(new URL(path, base), { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    throw new ApiError(0, String(error));
  }
  if (!answer.ok) throw new ApiError(answer.status, `${path} answered ${answer.status}`);
  return answer.json();
}
