//! The HTTP of WHIP (RFC 9725) and WHEP: an offer goes in, an answer comes out; ICE fragments by PATCH;
//! DELETE at the end. `fetch` is passed in, so that it runs anywhere.

import type { Failure } from '../play/policy.ts';
import { FRAGMENT_TYPE } from './sdp.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ExchangeOptions {
  readonly url: string;
  readonly fetch: Fetch;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined;
  readonly referrerPolicy?: ReferrerPolicy | undefined;
  /** The server is one of ours: it takes an offer that comes twice for one, and takes it packed. */
  readonly isOurs?: boolean;
  /** For tests; gzip otherwise. */
  readonly pack?: (offer: string) => Promise<BodyInit | undefined>;
}

export type Opened =
  | { readonly ok: true; readonly answer: string }
  | { readonly ok: false; readonly failure: Failure };

/** A server that has not answered by then is treated as unreachable. */
export const ANSWER_MS = 5_000;
/**
 * When an offer is sent, while nothing has answered: the first request may hang on a lost packet for a second, and twice as long
 * the next time, while another connection gets through. A calm network has answered before the second.
 */
const SENT_MS: readonly number[] = [0, 200, 450, 800, 1_300, 2_000, 3_000];
/** How long the end of a session is waited for. */
const DELETE_MS = 1_000;

interface Sending {
  /** How the body is packed. */
  readonly coding?: string | undefined;
  /** The ETag it must still have. */
  readonly match?: string | undefined;
  readonly ends?: AbortController;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  #resource: string | undefined;
  #etag: string | undefined;
  #closed = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** Sends the offer. Closed meanwhile, the session that the server made is deleted when it answers. */
  async open(offer: string): Promise<Opened> {
    let response: Response;
    try {
      response = await this.#post(offer);
    } catch (error) {
      return failed('connect', error instanceof Error ? error.message : String(error));
    }
    if (!response.ok) return { ok: false, failure: await failureOf(response) };
    const location = response.headers.get('location');
    if (location !== null) this.#resource = new URL(location, response.url || this.#options.url).href;
    this.#etag = response.headers.get('etag') ?? undefined;
    if (this.#closed) {
      void this.#delete();
      return failed('connect', 'closed meanwhile');
    }
    return { ok: true, answer: await response.text() };
  }

  /** Tells candidates; false when the server does not want them. */
  async trickle(fragment: string): Promise<boolean> {
    return (await this.#patch(fragment, this.#etag)) !== undefined;
  }

  /** Asks for an ICE restart; resolves to the server's fragment, or undefined when it refuses. */
  async restart(fragment: string): Promise<string | undefined> {
    const response = await this.#patch(fragment, '*');
    const text = await response?.text();
    return text === undefined || text.trim() === '' ? undefined : text;
  }

  /**
   * Ends the session on the server, even while the page is being left; resolves when that is done or has
   * taken too long. Close the peer connection after it: closed before, the server takes the session for
   * lost, and has none left to delete.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.race([this.#delete(), new Promise((done) => setTimeout(done, DELETE_MS))]);
  }

  /** The first answer, whatever it says. */
  async #post(offer: string): Promise<Response> {
    const { url, isOurs = cameFrom(url), pack = gzipped } = this.#options;
    const packed = isOurs ? await pack(offer) : undefined;
    const coding = packed === undefined ? undefined : 'gzip';
    const requests = (isOurs ? SENT_MS : [0]).map((afterMs) => ({ afterMs, ends: new AbortController() }));
    const send = async ({ afterMs, ends }: (typeof requests)[number]) => {
      if (afterMs > 0) await new Promise((done) => setTimeout(done, afterMs));
      return { ends, response: await this.#send(url, 'POST', 'application/sdp', packed ?? offer, { ends, coding }) };
    };
    // The first failure counts as well: a server that cannot be reached is not reached by asking more.
    const first = await Promise.race(requests.map(send)).catch((error: unknown) => {
      for (const { ends } of requests) ends.abort();
      throw error;
    });
    // The others would keep what the browser has of connections.
    for (const { ends } of requests) if (ends !== first.ends) ends.abort();
    return first.response;
  }

  async #delete(): Promise<void> {
    const resource = this.#resource;
    this.#resource = undefined;
    if (resource === undefined) return;
    const { fetch, referrerPolicy } = this.#options;
    const headers = this.#headers();
    try {
      await fetch(resource, { method: 'DELETE', keepalive: true, headers, ...(referrerPolicy && { referrerPolicy }) });
    } catch {
      // Nobody is left who could do anything about it; the server forgets silent sessions itself.
    }
  }

  async #patch(fragment: string, match: string | undefined): Promise<Response | undefined> {
    if (this.#resource === undefined) return undefined;
    try {
      const response = await this.#send(this.#resource, 'PATCH', FRAGMENT_TYPE, fragment, { match });
      if (!response.ok) return undefined;
      this.#etag = response.headers.get('etag') ?? this.#etag;
      return response;
    } catch {
      return undefined;
    }
  }

  /** Aborted by `ends`, or when it has not wholly answered in time. */
  async #send(url: string, method: string, type: string, body: BodyInit, how: Sending): Promise<Response> {
    const { fetch, referrerPolicy } = this.#options;
    const { coding, match, ends = new AbortController() } = how;
    ends.signal.throwIfAborted();
    const headers = {
      ...this.#headers(),
      'content-type': type,
      ...(coding !== undefined && { 'content-encoding': coding }),
      ...(match !== undefined && { 'if-match': match }),
    };
    setTimeout(() => ends.abort(new DOMException('no answer in time', 'TimeoutError')), ANSWER_MS);
    const asked = { method, headers, body, signal: ends.signal, cache: 'no-store' as const };
    return fetch(url, { ...asked, ...(referrerPolicy && { referrerPolicy }) });
  }

  #headers(): Record<string, string> {
    const { token } = this.#options;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }
}

/**
 * An offer of a browser fills six packets, and packed two: where half of all packets are lost, six come together once in sixty-four
 * tries. Undefined where the browser cannot pack.
 */
async function gzipped(offer: string): Promise<BodyInit | undefined> {
  if (typeof CompressionStream === 'undefined') return undefined;
  return new Response(new Blob([offer]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
}

/** The server that this module came from is one of ours. */
function cameFrom(url: string): boolean {
  try {
    return new URL(url, location.href).origin === new URL(import.meta.url).origin;
  } catch {
    return false;
  }
}

function failed(kind: Failure['kind'], detail: string): Opened {
  return { ok: false, failure: { kind, detail } };
}

/** What a refusal means. Only a problem document (RFC 9457) comes from a server that knows the stream. */
async function failureOf(response: Response): Promise<Failure> {
  const { status } = response;
  const problem = await problemOf(response);
  const detail = ['HTTP ' + status, problem].filter((part) => part !== undefined).join(': ');
  if (status === 406) return { kind: 'codec', detail, status };
  if (status === 401 || status === 403) return { kind: 'refused', detail, status };
  // Another server's 404 says that it has no such door; our own that nothing is live behind it.
  if ((status === 404 || status === 410) && problem !== undefined) return { kind: 'offline', detail, status };
  return { kind: 'handshake', detail, status };
}

async function problemOf(response: Response): Promise<string | undefined> {
  if (!/^application\/problem\+json\b/.test(response.headers.get('content-type') ?? '')) return undefined;
  try {
    const body = (await response.json()) as { title?: unknown; detail?: unknown };
    return [body.title, body.detail].filter((part) => typeof part === 'string').join(': ');
  } catch {
    return '';
  }
}
