//! WHIP and WHEP over HTTP, with a server that answers what each test says.

import { describe, expect, it, vi } from 'vitest';
import { Exchange, type ExchangeOptions, type Fetch } from '../../src/signal/exchange.ts';

interface Request {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly keepalive: boolean;
}

const CREATED = {
  status: 201,
  headers: { 'content-type': 'application/sdp', location: '/live/demo/whep/7', etag: '"a"' },
};

/** Answers in order and notes what was asked. */
function serve(...answers: (Response | Error)[]) {
  const requests: Request[] = [];
  const fetch: ExchangeOptions['fetch'] = (url, init) => {
    const { method = 'GET', headers, body, keepalive = false } = init;
    requests.push({ url, method, headers: headers as Record<string, string>, body, keepalive });
    const answer = answers.shift() ?? new Response(null, { status: 200 });
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { requests, fetch };
}

const URL = 'https://host/live/demo/whep?auth=1';

function problem(status: number, body: object = { title: 'No common codec', detail: 'the stream is HEVC' }): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/problem+json' } });
}

async function failureOf(answer: Response | Error) {
  const opened = await new Exchange({ url: URL, fetch: serve(answer).fetch }).open('offer');
  if (opened.ok) throw new Error('opened');
  return opened.failure;
}

describe('Exchange', () => {
  it('posts_the_offer_and_gives_the_answer', async () => {
    const { requests, fetch } = serve(new Response('answer', CREATED));
    const exchange = new Exchange({ url: URL, fetch, token: 't' });
    expect(await exchange.open('offer')).toEqual({ ok: true, answer: 'answer' });
    expect(requests).toEqual([
      {
        url: URL,
        method: 'POST',
        headers: { 'content-type': 'application/sdp', authorization: 'Bearer t' },
        body: 'offer',
        keepalive: false,
      },
    ]);
  });

  it('sends_the_offer_again_beside_a_request_that_hangs_where_the_server_takes_both_for_one', async () => {
    vi.useFakeTimers();
    try {
      for (const [isOurs, expected] of [[true, 2], [false, 1]] as const) {
        let asked = 0;
        const hang: Fetch = () => {
          asked += 1;
          return asked === 2 ? Promise.resolve(new Response('answer', CREATED)) : new Promise(() => undefined);
        };
        const opened = new Exchange({ url: URL, fetch: hang, isOurs, pack: async () => undefined }).open('offer');
        await vi.advanceTimersByTimeAsync(4_000);
        expect(asked).toBe(expected);
        if (isOurs) expect(await opened).toEqual({ ok: true, answer: 'answer' });
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it('packs_the_offer_for_a_server_of_ours_and_for_no_other', async () => {
    for (const isOurs of [true, false]) {
      const { requests, fetch } = serve(new Response('answer', CREATED));
      await new Exchange({ url: URL, fetch, isOurs }).open('offer');
      expect(requests[0]?.headers['content-encoding']).toBe(isOurs ? 'gzip' : undefined);
      if (!isOurs) continue;
      const unpacked = new Blob([requests[0]?.body as ArrayBuffer]).stream().pipeThrough(new DecompressionStream('gzip'));
      expect(await new Response(unpacked).text()).toBe('offer');
    }
  });

  it('deletes_its_session_at_the_end_once_even_while_the_page_is_left', async () => {
    const { requests, fetch } = serve(new Response('answer', CREATED));
    const exchange = new Exchange({ url: URL, fetch, token: 't' });
    await exchange.open('offer');
    await Promise.all([exchange.close(), exchange.close()]);
    expect(requests.slice(1)).toEqual([
      {
        url: 'https://host/live/demo/whep/7',
        method: 'DELETE',
        headers: { authorization: 'Bearer t' },
        body: undefined,
        keepalive: true,
      },
    ]);
  });

  it('deletes_a_session_that_was_made_after_it_was_closed', async () => {
    const { requests, fetch } = serve(new Response('answer', CREATED));
    const exchange = new Exchange({ url: URL, fetch });
    const opening = exchange.open('offer');
    void exchange.close();
    expect((await opening).ok).toBe(false);
    expect(requests.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
  });

  it('deletes_nothing_where_the_server_named_no_session', async () => {
    const { requests, fetch } = serve(new Response('answer', { status: 201 }));
    const exchange = new Exchange({ url: URL, fetch });
    await exchange.open('offer');
    await exchange.close();
    expect(requests).toHaveLength(1);
  });

  it('tells_candidates_with_the_etag_and_restarts_with_any', async () => {
    const { requests, fetch } = serve(
      new Response('answer', CREATED),
      new Response(null, { status: 204 }),
      new Response('fragment', { status: 200, headers: { etag: '"b"' } }),
      new Response(null, { status: 204 }),
    );
    const exchange = new Exchange({ url: URL, fetch });
    await exchange.open('offer');
    expect(await exchange.trickle('candidates')).toBe(true);
    expect(await exchange.restart('credentials')).toBe('fragment');
    await exchange.trickle('more');
    expect(requests.slice(1).map(({ method, headers, body }) => [method, headers['if-match'], body])).toEqual([
      ['PATCH', '"a"', 'candidates'],
      ['PATCH', '*', 'credentials'],
      ['PATCH', '"b"', 'more'],
    ]);
    expect(requests[1]?.headers['content-type']).toBe('application/trickle-ice-sdpfrag');
  });

  it('is_refused_a_restart_by_an_error_an_empty_answer_and_a_broken_network', async () => {
    for (const answer of [problem(404), new Response(null, { status: 204 }), new TypeError('Failed to fetch')]) {
      const exchange = new Exchange({ url: URL, fetch: serve(new Response('answer', CREATED), answer).fetch });
      await exchange.open('offer');
      expect(await exchange.restart('credentials')).toBeUndefined();
    }
  });

  it('tells_failures_apart_by_what_follows_from_them', async () => {
    expect(await failureOf(problem(406))).toEqual({
      kind: 'codec',
      detail: 'HTTP 406: No common codec: the stream is HEVC',
      status: 406,
    });
    expect((await failureOf(problem(404))).kind).toBe('offline');
    expect((await failureOf(new Response('<h1>', { status: 404 }))).kind).toBe('handshake');
    expect((await failureOf(problem(401))).kind).toBe('refused');
    expect((await failureOf(problem(403))).kind).toBe('refused');
    expect((await failureOf(new Response(null, { status: 405 }))).kind).toBe('handshake');
    expect((await failureOf(problem(503, { title: 'Full' }))).detail).toBe('HTTP 503: Full');
    expect((await failureOf(new TypeError('Failed to fetch'))).kind).toBe('connect');
  });

  it('reads_a_problem_that_is_none', async () => {
    const broken = new Response('{', { status: 406, headers: { 'content-type': 'application/problem+json' } });
    expect((await failureOf(broken)).kind).toBe('codec');
  });
});
