//! From one address to the ways of playing it. `x.flv`, `x.m3u8`, `x/whep` and `rtmp://…/x` name the
//! same stream on an openmic server, so any of them yields all candidates, the asked-for one first.

/** A way of bringing a stream into a media element. */
export type EngineKind = 'whep' | 'http-flv' | 'ws-flv' | 'hls' | 'native-hls';

/** One thing to try: an engine and the absolute address it reads. */
export interface Candidate {
  readonly kind: EngineKind;
  readonly url: string;
}

/** What this browser can do, found out once by the caller. */
export interface Support {
  /** Media Source Extensions (or Apple's managed variant) with H.264 in MP4. */
  readonly mse: boolean;
  /** The media element reads HLS by itself. */
  readonly nativeHls: boolean;
  readonly webSocket: boolean;
  /** Peer connections that receive. */
  readonly webRtc: boolean;
}

/** `mode` of the tag: smooth, or with the least delay. */
export type Mode = 'live' | 'RTC';

/** Why an address gives nothing to try. */
export type AddressProblem = 'empty' | 'malformed' | 'rtmp-elsewhere' | 'unsupported-browser';

export type Plan =
  | { readonly ok: true; readonly candidates: readonly [Candidate, ...Candidate[]] }
  | { readonly ok: false; readonly problem: AddressProblem };

/** WebRTC is tried only where it is asked for, by `mode` or by the address: it gives up quality for delay. */
const ORDERS: Readonly<Record<'whep' | 'flv' | 'ws' | 'hls', readonly EngineKind[]>> = {
  whep: ['whep', 'http-flv', 'ws-flv', 'hls', 'native-hls'],
  flv: ['http-flv', 'ws-flv', 'hls', 'native-hls'],
  ws: ['ws-flv', 'http-flv', 'hls', 'native-hls'],
  hls: ['hls', 'native-hls', 'http-flv', 'ws-flv'],
};

/**
 * Lists what to try for `src`, best first.
 *
 * `src` may be `http(s)://…flv|m3u8|/whep`, `ws(s)://…flv`, a path relative to `base`, a bare
 * `{app}/{stream}`, or `rtmp://` of the page's own host (browsers speak no RTMP, but an openmic
 * server offers the same stream over HTTP). In the mode `RTC`, WebRTC comes before what `src` asks for.
 */
export function plan(src: string, base: string, support: Support, mode: Mode = 'live'): Plan {
  if (src.trim() === '') return { ok: false, problem: 'empty' };
  const located = locate(src.trim(), base);
  if (typeof located === 'string') return { ok: false, problem: located };
  const order = ORDERS[located.asked];
  const candidates = (mode === 'RTC' ? (['whep', ...order.filter((kind) => kind !== 'whep')] as const) : order)
    .filter((kind) => isPossible(kind, support))
    .map((kind): Candidate => ({ kind, url: addressOf(kind, located.url) }));
  const [first, ...rest] = candidates;
  return first === undefined
    ? { ok: false, problem: 'unsupported-browser' }
    : { ok: true, candidates: [first, ...rest] };
}

/** The server's description of the stream behind `src`, or undefined when there is no telling. */
export function statusUrl(src: string, base: string): string | undefined {
  const located = locate(src.trim(), base);
  if (typeof located === 'string') return undefined;
  const path = withoutExtension(located.url.pathname);
  const scheme = secure(located.url) ? 'https:' : 'http:';
  return `${scheme}//${located.url.host}/api/v1/broadcasts${path}`;
}

interface Located {
  readonly url: URL;
  readonly asked: keyof typeof ORDERS;
}

function locate(src: string, base: string): Located | AddressProblem {
  let url: URL;
  try {
    url = new URL(src, /^[a-z][a-z0-9+.-]*:/i.test(src) || src.startsWith('/') ? base : new URL('/', base));
  } catch {
    return 'malformed';
  }
  if (url.protocol === 'rtmp:' || url.protocol === 'rtmps:') return fromRtmp(url, base);
  if (url.protocol === 'ws:' || url.protocol === 'wss:') return { url, asked: 'ws' };
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'malformed';
  if (url.pathname.endsWith('/whep')) return { url, asked: 'whep' };
  return { url, asked: url.pathname.endsWith('.m3u8') ? 'hls' : 'flv' };
}

function fromRtmp(url: URL, base: string): Located | AddressProblem {
  const page = new URL(base);
  if (url.hostname !== page.hostname) return 'rtmp-elsewhere';
  return { url: new URL(url.pathname + url.search, page.origin), asked: 'flv' };
}

function isPossible(kind: EngineKind, support: Support): boolean {
  switch (kind) {
    case 'whep':
      return support.webRtc;
    case 'http-flv':
    case 'hls':
      return support.mse;
    case 'ws-flv':
      return support.mse && support.webSocket;
    case 'native-hls':
      // Where both work, our own loader gives delay control and numbers; the native one is the last resort.
      return support.nativeHls;
  }
}

function addressOf(kind: EngineKind, url: URL): string {
  const path = withoutExtension(url.pathname);
  const s = secure(url) ? 's' : '';
  switch (kind) {
    case 'whep':
      return `http${s}://${url.host}${path}/whep${url.search}`;
    case 'http-flv':
      return `http${s}://${url.host}${path}.flv${url.search}`;
    case 'ws-flv':
      return `ws${s}://${url.host}${path}.flv${url.search}`;
    case 'hls':
    case 'native-hls':
      return `http${s}://${url.host}${path}.m3u8${url.search}`;
  }
}

function withoutExtension(path: string): string {
  return path.replace(/(\.flv|\.m3u8|\/whep)$/, '');
}

function secure(url: URL): boolean {
  return url.protocol === 'https:' || url.protocol === 'wss:';
}
