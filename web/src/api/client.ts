//! Asks the server's API. A token goes into the Authorization header and nowhere else: addresses end up in logs.

/** A request that did not bring what it should; `status` 0 means no answer at all. */
export class ApiError extends Error {
  readonly status: number;
  /** What the server says about it, in English; empty when it says nothing. */
  readonly detail: string;

  constructor(status: number, detail: string) {
    super(`${status} ${detail}`);
    this.status = status;
    this.detail = detail;
  }
}

/** A server that takes longer is treated as unreachable. Testing a hook takes 10 s at most. */
const ANSWER_MS = 15_000;
/** A problem document is a few sentences; a proxy's error page in its place is not read. */
const DETAIL_CHARS_MAX = 500;

type Query = Readonly<Record<string, string | number | undefined>>;

export interface Question {
  readonly query?: Query;
  readonly body?: unknown;
  readonly accept?: string;
}

export class Client {
  readonly base: string;
  readonly token: string | undefined;

  /** `base` is the origin of the server. */
  constructor(base: string, token?: string) {
    this.base = base;
    this.token = token;
  }

  /** The answer's JSON, which is trusted to be what the contract says. */
  async json<T>(method: 'GET' | 'POST', path: string, question: Question = {}): Promise<T> {
    return (await (await this.#ask(method, path, question)).json()) as T;
  }

  async text(path: string, question: Question = {}): Promise<string> {
    return (await this.#ask('GET', path, question)).text();
  }

  async delete(path: string, query: Query = {}): Promise<void> {
    await this.#ask('DELETE', path, { query });
  }

  /** The address of `path`, without any token. */
  url(path: string, query: Query = {}): URL {
    const url = new URL(`/api/v1${path}`, this.base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
    }
    return url;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
  }

  async #ask(method: string, path: string, { query, body, accept = 'application/json' }: Question): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(this.url(path, query), {
        method,
        cache: 'no-store',
        credentials: 'omit',
        signal: AbortSignal.timeout(ANSWER_MS),
        headers: { accept, ...this.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new ApiError(0, String(error));
    }
    if (!answer.ok) throw new ApiError(answer.status, await detailOf(answer));
    return answer;
  }
}

/** The `detail` of a problem document (RFC 9457 §3.1.4). */
export async function detailOf(answer: Response): Promise<string> {
  if (!(answer.headers.get('content-type') ?? '').includes('json')) return '';
  try {
    const problem = (await answer.json()) as { detail?: unknown };
    return typeof problem.detail === 'string' ? problem.detail.slice(0, DETAIL_CHARS_MAX) : '';
  } catch {
    // A broken document says no more than its status does.
    return '';
  }
}
