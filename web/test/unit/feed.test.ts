//! What the console makes of events, and of a list of hundreds.

import { describe, expect, it } from 'vitest';
import type { Broadcast } from '../../src/api/broadcasts.ts';
import { type Feed, NOTHING, SAMPLES_MAX, reduceFeed, turnTo, withHistory } from '../../src/api/feed.ts';
import { samplesOf } from '../../src/api/history.ts';
import { PAGE_CARDS, arrange } from '../../src/api/listing.ts';
import { hashOf, routeOf } from '../../src/api/route.ts';

function broadcast(path: string, viewers: number, since = '2026-11-26T00:00:00Z'): Broadcast {
  return {
    ...{ path, state: 'live', since, viewers: { flv: viewers }, viewers_total: viewers },
    ...{ bitrate_bps: 1, tracks: [], publisher: null, conversions: [] },
  };
}

function stats(path: string, viewers: number): { event: string; data: string } {
  return { event: 'stats', data: JSON.stringify({ path, bitrate_bps: 5, fps: 30, group_ms: 2000, viewers, delay_ms: null }) };
}

describe('reduceFeed', () => {
  it('takes_the_whole_list_and_the_node_as_they_come', () => {
    const list = [broadcast('a/b', 1)];
    let feed = reduceFeed(NOTHING, { event: 'broadcasts', data: JSON.stringify({ broadcasts: list }) }, 1);
    feed = reduceFeed(feed, { event: 'node', data: '{"connections":3}' }, 1);
    expect(feed.broadcasts).toEqual(list);
    expect(feed.node?.connections).toBe(3);
  });

  it('keeps_statistics_of_the_stream_that_is_looked_at_and_of_no_other', () => {
    let feed = turnTo(NOTHING, 'a/b');
    feed = reduceFeed(feed, stats('a/b', 1), 1_000);
    feed = reduceFeed(feed, stats('c/d', 9), 1_500);
    feed = reduceFeed(feed, stats('a/b', 2), 2_000);
    expect(feed.samples.map(({ atMs, viewers }) => [atMs, viewers])).toEqual([[1_000, 1], [2_000, 2]]);
    expect(feed.samples[0]).toEqual({ atMs: 1_000, bitrate_bps: 5, fps: 30, group_ms: 2000, viewers: 1, delay_ms: null });
    expect(turnTo(feed, 'c/d').samples).toEqual([]);
    expect(turnTo(feed, 'a/b')).toBe(feed);
  });

  it('changes_nothing_for_what_is_broken_or_unknown', () => {
    for (const data of ['', '{', 'null', '7', '"text"']) {
      for (const event of ['broadcasts', 'stats', 'node']) expect(reduceFeed(NOTHING, { event, data }, 1)).toBe(NOTHING);
    }
    expect(reduceFeed(NOTHING, { event: 'later', data: '{}' }, 1)).toBe(NOTHING);
  });

  it('puts_history_before_what_has_come_since_and_keeps_an_hour', () => {
    const feed = reduceFeed(turnTo(NOTHING, 'a/b'), stats('a/b', 1), 5_000_000);
    const history = Array.from({ length: 6_000 }, (_, at) => ({ ...(feed.samples[0] as Feed['samples'][number]), atMs: at * 1_000 }));
    const joined = withHistory(feed, 'a/b', history);
    expect(joined.samples.length).toBe(SAMPLES_MAX);
    const times = joined.samples.map(({ atMs }) => atMs);
    expect(times.slice(-3)).toEqual([4_998_000, 4_999_000, 5_000_000]);
    expect(withHistory(feed, 'other/stream', history)).toBe(feed);
  });
});

describe('samplesOf', () => {
  it('gives_each_value_its_time_counted_back_from_the_last', () => {
    const history = {
      ...{ path: 'a/b', until: '2026-11-26T00:00:10Z', step_ms: 2_000, bitrate_bps: [1, 2, 3], fps: [null, 30, 25] },
      ...{ group_ms: [null, 2_000, 2_000], viewers: [0, 1, 2], delay_ms: [null, null, 40] },
    };
    const endMs = Date.parse(history.until);
    expect(samplesOf(history)).toEqual([
      { atMs: endMs - 4_000, bitrate_bps: 1, fps: null, group_ms: null, viewers: 0, delay_ms: null },
      { atMs: endMs - 2_000, bitrate_bps: 2, fps: 30, group_ms: 2_000, viewers: 1, delay_ms: null },
      { atMs: endMs, bitrate_bps: 3, fps: 25, group_ms: 2_000, viewers: 2, delay_ms: 40 },
    ]);
  });
});

describe('arrange', () => {
  const all = [broadcast('live/b', 2, '2026-01-03T00:00:00Z'), broadcast('live/a10', 2), broadcast('class/Piano', 9, '2026-01-01T00:00:00Z'), broadcast('live/a9', 2)];
  const paths = (search: string, sort: Parameters<typeof arrange>[2]): readonly string[] =>
    arrange(all, search, sort, 0).shown.map(({ path }) => path);

  it('orders_by_viewers_name_or_age_and_alike_ones_by_name', () => {
    expect(paths('', 'viewers')).toEqual(['class/Piano', 'live/a9', 'live/a10', 'live/b']);
    expect(paths('', 'name')).toEqual(['class/Piano', 'live/a9', 'live/a10', 'live/b']);
    expect(paths('', 'since')).toEqual(['live/a9', 'live/a10', 'live/b', 'class/Piano']);
  });

  it('finds_every_word_in_any_order_and_case', () => {
    expect(paths('  pIANO class ', 'name')).toEqual(['class/Piano']);
    expect(paths('live a', 'name')).toEqual(['live/a9', 'live/a10']);
    expect(paths('nothing', 'name')).toEqual([]);
  });

  it('pages_hundreds_and_stays_within_the_pages', () => {
    const many = Array.from({ length: 500 }, (_, at) => broadcast(`live/${at}`, 0));
    const last = arrange(many, '', 'name', 99);
    expect([last.page, last.pages, last.matching]).toEqual([10, 11, 500]);
    expect(last.shown.map(({ path }) => path).at(-1)).toBe('live/499');
    expect(arrange(many, '', 'name', 0).shown.length).toBe(PAGE_CARDS);
    expect(arrange([], '', 'name', 3)).toEqual({ shown: [], matching: 0, page: 0, pages: 1 });
  });
});

describe('routeOf', () => {
  it('reads_what_hashOf_writes', () => {
    for (const page of ['live', 'push', 'keys', 'hooks', 'node'] as const) expect(routeOf(hashOf({ page }))).toEqual({ page });
    for (const path of ['live/demo', 'class/3/课 #?%', 'a/<script>']) {
      expect(routeOf(hashOf({ page: 'stream', path }))).toEqual({ page: 'stream', path });
    }
  });

  it('takes_anything_else_for_the_list', () => {
    for (const hash of ['', '#', '#/nowhere', '#/streams/', '#/streams/alone', '#/streams/a/%ZZ']) {
      expect(routeOf(hash)).toEqual({ page: 'live' });
    }
  });
});
