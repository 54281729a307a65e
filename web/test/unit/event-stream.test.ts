//! The connection to the events: what it sends, when it comes back, and when it does not.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Client } from '../../src/api/client.ts';
import { EventStream, type Link, delayBefore } from '../../src/api/event-stream.ts';

const asked: { url: string; headers: Record<string, string> }[] = [];
let answers: (() => Promise<Response>)[];
let links: Link['kind'][];
let events: string[];
let last: Link | undefined;

const listener = {
  handleEvent: ({ event, data }: { event: string; data: string }) => void events.push(`${event}=${data}`),
  handleLink: (link: Link) => {
    last = link;
    links.push(link.kind);
  },
};

/** A body that says `text` and then ends, or stays silent. */
function stream(text: string, stays = false): Response {
  return new Response(
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text));
        if (!stays) controller.close();
      },
    }),
  );
}

beforeEach(() => {
  vi.useFakeTimers();
  [asked.length, answers, links, events, last] = [0, [], [], [], undefined];
  vi.stubGlobal('fetch', async (url: URL, init: { headers: Record<string, string>; signal: AbortSignal }) => {
    asked.push({ url: String(url), headers: init.headers });
    const answer = await (answers.shift() ?? (() => Promise.reject(new TypeError('no network'))))();
    // A body dies with its request, as in browsers.
    const body = answer.body?.getReader();
    if (body === undefined) return answer;
    return new Response(
      new ReadableStream<Uint8Array>({
        start: (controller) => init.signal.addEventListener('abort', () => controller.error(new DOMException('aborted', 'AbortError'))),
        async pull(controller) {
          const piece = await body.read();
          if (piece.done) controller.close();
          else controller.enqueue(piece.value);
        },
      }),
      { status: answer.status, headers: answer.headers },
    );
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('EventStream', () => {
  it('sends_the_token_in_the_header_and_never_in_the_address', async () => {
    answers = [async () => stream('event: node\ndata: {}\n\n', true)];
    const open = new EventStream(new Client('https://h', 'secret'), 'live/a b', listener);
    await vi.advanceTimersByTimeAsync(0);
    expect(asked[0]?.url).toBe('https://h/api/v1/events?path=live%2Fa+b&limit=1000');
    expect(asked[0]?.headers).toEqual({ accept: 'text/event-stream', authorization: 'Bearer secret' });
    expect(events).toEqual(['node={}']);
    expect(links).toEqual(['connecting', 'open']);
    open.close();
  });

  it('comes_back_later_and_later_and_at_once_when_nudged', async () => {
    const open = new EventStream(new Client('https://h'), undefined, listener);
    await vi.advanceTimersByTimeAsync(0);
    expect(links).toEqual(['connecting', 'waiting']);
    await vi.advanceTimersByTimeAsync(1_250);
    expect(asked.length).toBe(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked.length).toBe(2);
    answers = [async () => stream('data: 1\n\n')];
    open.nudge();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.length).toBe(3);
    expect(events).toEqual(['message=1']);
    await vi.advanceTimersByTimeAsync(1_250);
    expect(asked.length).toBe(4);
    open.close();
  });

  it('takes_silence_longer_than_two_pings_for_a_dead_connection', async () => {
    answers = [async () => stream(': ping\n\n', true)];
    const open = new EventStream(new Client('https://h'), undefined, listener);
    await vi.advanceTimersByTimeAsync(39_000);
    expect(links.at(-1)).toBe('open');
    await vi.advanceTimersByTimeAsync(1_001);
    expect(links.at(-1)).toBe('waiting');
    open.close();
  });

  it('gives_up_where_it_is_refused_and_says_what_the_server_says', async () => {
    const headers = { 'content-type': 'application/problem+json' };
    answers = [async () => new Response('{"detail":"the token has expired"}', { status: 401, headers })];
    new EventStream(new Client('https://h', 'old'), undefined, listener);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(last).toEqual({ kind: 'refused', status: 401, detail: 'the token has expired' });
    expect(asked.length).toBe(1);
  });

  it('waits_as_long_as_a_busy_server_asks_it_to', async () => {
    answers = [async () => new Response('', { status: 429, headers: { 'retry-after': '30' } })];
    const open = new EventStream(new Client('https://h'), undefined, listener);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked.length).toBe(2);
    open.close();
  });

  it('says_and_asks_nothing_after_its_end', async () => {
    const open = new EventStream(new Client('https://h'), undefined, listener);
    await vi.advanceTimersByTimeAsync(0);
    open.close();
    const told = links.length;
    await vi.advanceTimersByTimeAsync(100_000);
    expect([asked.length, links.length]).toEqual([1, told]);
  });

  it('backs_off_to_fifteen_seconds_and_a_quarter_at_most', () => {
    expect([1, 2, 3, 4, 5, 50].map((attempt) => delayBefore(attempt, 0))).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(delayBefore(50, 1)).toBe(18_750);
  });
});
