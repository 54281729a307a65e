//! Addresses, page paths and words of the console.

import { describe, expect, it } from 'vitest';
import { addressesOf, embedCode, openAddresses, playGroups, publishGroups } from '../../src/api/addresses.ts';
import { type Track, encodePath, queryOfPage, streamOfPage } from '../../src/api/broadcasts.ts';
import { audioParts, bitrate, bytesText, clockText, delayText, duration, frameRate, millisText, videoParts, viewersByProtocol } from '../../src/api/format.ts';
import { seriesOf } from '../../src/api/series.ts';
import { settingsOf } from '../../src/api/settings.ts';
import { consoleMessagesOf } from '../../src/i18n/console.ts';
import { messagesOf, pickLanguage } from '../../src/i18n/index.ts';

const SERVER = { version: '0.1.0', rtmp_port: 1935, rtmps_port: null, uptime_s: 1, guarded: false };
const TRACK: Track = {
  id: 0,
  kind: 'video',
  codec: 'avc1.64001f',
  name: 'H.264',
  width: 1280,
  height: 720,
  sample_rate: null,
  channels: null,
  bitrate_bps: 2_000_000,
  fps: 29.97,
  group_ms: 2000,
};

describe('addressesOf', () => {
  it('composes_all_addresses_and_what_obs_asks_for', () => {
    expect(addressesOf('class/3/demo', 'https://host:8443', { ...SERVER, rtmp_port: 1936 })).toEqual({
      httpFlv: 'https://host:8443/class/3/demo.flv',
      wsFlv: 'wss://host:8443/class/3/demo.flv',
      hls: 'https://host:8443/class/3/demo.m3u8',
      whep: 'https://host:8443/class/3/demo/whep',
      whip: 'https://host:8443/class/3/demo/whip',
      rtmp: 'rtmp://host:1936/class/3/demo',
      page: 'https://host:8443/play/class/3/demo',
      push: { server: 'rtmp://host:1936/class/3', key: 'demo' },
    });
  });

  it('leaves_out_the_usual_port_and_names_rtmps_where_it_is_all_there_is', () => {
    expect(addressesOf('a/b', 'http://h:8080', SERVER).rtmp).toBe('rtmp://h/a/b');
    const secure = { ...SERVER, rtmp_port: null, rtmps_port: 1936 };
    expect(addressesOf('a/b', 'http://h:8080', secure).rtmp).toBe('rtmps://h:1936/a/b');
    expect(addressesOf('a/b', 'http://h:8080', undefined).push).toBeUndefined();
  });

  it('escapes_what_a_name_may_carry', () => {
    expect(encodePath('live/a b?#"')).toBe('live/a%20b%3F%23%22');
    expect(embedCode('live/"><script>', 'https://h')).not.toContain('"><script>"');
  });
});

describe('ready-made lines', () => {
  it('names_for_every_program_what_it_asks_for', () => {
    const groups = publishGroups(openAddresses('live/a', 'http://h:8080', SERVER));
    expect(groups.map(({ kind }) => kind)).toEqual(['publishPage', 'obs', 'whip', 'ffmpeg', 'miniPush']);
    expect(groups[0]?.lines[0]?.value).toBe('http://h:8080/publish/live/a');
    expect(groups[1]?.lines.map(({ value }) => value)).toEqual(['rtmp://h/live', 'a']);
    expect(groups[3]?.lines[0]?.value.endsWith(' -f flv rtmp://h/live/a')).toBe(true);
    const without = publishGroups(openAddresses('live/a', 'http://h', { ...SERVER, rtmp_port: null }));
    expect(without.map(({ kind }) => kind)).toEqual(['publishPage', 'whip']);
  });

  it('keeps_a_signature_whole_in_a_shell_and_in_markup', () => {
    const flv = 'https://h/live/a.flv?txSecret=s&txTime=t';
    const signed = {
      publish: { rtmp: { server: 'rtmp://h/live', key: "it's?txSecret=s&txTime=t" }, rtmps: null, whip: 'https://h/live/a/whip?auth=x' },
      play: { flv, ws_flv: 'wss://h/live/a.flv', hls: 'https://h/live/a.m3u8', rtmp: null, whep: 'https://h/live/a/whep', page: 'https://h/play/live/a' },
    };
    const lines = [...publishGroups(signed), ...playGroups(signed, 'https://h')].flatMap((group) => group.lines);
    const valueOf = (wanted: string): string => lines.find(({ kind }) => kind === wanted)?.value ?? '';
    expect(valueOf('ffmpegTest').endsWith(` 'rtmp://h/live/it'\\''s?txSecret=s&txTime=t'`)).toBe(true);
    expect(valueOf('livePusher')).toContain('url="rtmp://h/live/it\'s?txSecret=s&txTime=t"');
    expect(valueOf('embed')).toContain('src="https://h/live/a.flv?txSecret=s&amp;txTime=t"');
    expect(valueOf('publishPage')).toBe('https://h/publish/live/a#auth=x');
    expect(valueOf('embedPusher')).toContain('url="https://h/live/a/whip?auth=x"');
    expect(valueOf('livePlayer')).toContain('https://h/live/a.flv');
    expect(lines.some(({ kind }) => kind === 'rtmpPlay')).toBe(false);
    expect([...publishGroups({ publish: null, play: null }), ...playGroups({ publish: null, play: null }, 'https://h')]).toEqual([]);
  });
});

describe('seriesOf', () => {
  const sample = (atMs: number, fps: number | null) => ({ atMs, fps, bitrate_bps: null, group_ms: null, viewers: null, delay_ms: null });

  it('shows_the_window_and_leaves_a_gap_where_the_connection_was_away', () => {
    const samples = [sample(1_000, 1), sample(100_000, 30), sample(101_000, null), sample(201_000, 25)];
    expect(seriesOf(samples, 'fps', 110, 205_000)).toEqual([[100, 101, 151, 201], [30, null, null, 25]]);
    expect(seriesOf([], 'fps', 60, 1)).toEqual([[], []]);
  });

  it('draws_a_long_window_by_averages_that_stay_while_it_moves_on', () => {
    const samples = [sample(100_000, 30), sample(104_000, 20), sample(109_999, null), sample(110_000, 10), sample(120_000, null)];
    const drawn = [[109.999, 110, 120], [25, 10, null]];
    expect(seriesOf(samples, 'fps', 600, 125_000)).toEqual(drawn);
    expect(seriesOf(samples, 'fps', 600, 129_000)).toEqual(drawn);
  });
});

describe('settingsOf', () => {
  it('lists_sections_as_the_file_has_them_and_nested_names_with_dots', () => {
    expect(settingsOf({ name: 'n', http: { listen: '127.0.0.1:8080', tls: { cert: null }, hosts: ['a', 'b'], empty: {} } })).toEqual([
      { name: '', settings: [['name', 'n']] },
      { name: 'http', settings: [['listen', '127.0.0.1:8080'], ['tls.cert', '–'], ['hosts', '["a","b"]'], ['empty', '{}']] },
    ]);
    expect(settingsOf(['no', 'table'])).toEqual([]);
  });
});

describe('streamOfPage', () => {
  it('reads_app_and_stream_with_slashes_and_escapes', () => {
    expect(streamOfPage('/play/live/demo')).toBe('live/demo');
    expect(streamOfPage('/play/class/3/%E8%AF%BE/')).toBe('class/3/课');
  });

  it('is_nothing_for_a_path_that_names_no_stream', () => {
    for (const path of ['/play/', '/play/live', '/', '/play/a/%ZZ']) expect(streamOfPage(path)).toBeUndefined();
  });
});

describe('queryOfPage', () => {
  it('has_the_signature_that_stands_behind_the_hash', () => {
    expect(queryOfPage('', '#auth=v1.5.x')).toBe('?auth=v1.5.x');
    expect(queryOfPage('?tracks=all', '#auth=v1.5.x')).toBe('?tracks=all&auth=v1.5.x');
  });

  it('is_that_of_the_page_where_nothing_stands_there', () => {
    for (const hash of ['', '#', '#share']) expect(queryOfPage('?a=b', hash)).toBe('?a=b');
  });
});

describe('words', () => {
  const en = messagesOf('en');

  it('tells_durations_in_at_most_two_units', () => {
    const told = [0, 59, 61, 3_600, 7_860, 90_000, 172_800].map((s) => duration(s, en));
    expect(told).toEqual(['0 s', '59 s', '1 min', '1 h', '2 h 11 min', '1 d 1 h', '2 d']);
  });

  it('rounds_rates_as_people_read_them', () => {
    expect([bitrate(96_000), bitrate(2_449_000)]).toEqual(['96 kbit/s', '2.4 Mbit/s']);
    expect([frameRate(30.001), frameRate(29.97)]).toEqual(['30 fps', '29.97 fps']);
  });

  it('tells_sizes_in_decimal_units_and_spans_in_ms_or_s', () => {
    expect([0, 999, 1_000, 99_949, 999_499, 999_500, 1.25e9, 4e17].map(bytesText)).toEqual([
      ...['0 B', '999 B', '1.0 kB', '99.9 kB', '999 kB', '1.0 MB', '1.3 GB', '400 PB'],
    ]);
    expect([millisText(4.4), millisText(999), millisText(2_040)]).toEqual(['4 ms', '999 ms', '2.0 s']);
  });

  it('tells_the_time_of_today_and_the_date_of_other_days', () => {
    const now = new Date(2026, 10, 26, 12).getTime();
    expect(clockText(new Date(2026, 10, 26, 0, 5, 9).getTime(), now, 'en')).toBe('00:05:09');
    expect(clockText(new Date(2026, 10, 25, 23, 5, 9).getTime(), now, 'en')).toBe('Nov 25, 23:05:09');
    expect(clockText(new Date(2025, 0, 2, 3, 4, 5).getTime(), now, 'en')).toContain('2025');
    expect(clockText(Number.NaN, now, 'en')).toBe('–');
  });

  it('tells_a_short_delay_by_webrtc_in_milliseconds_and_others_in_seconds', () => {
    expect(delayText(0.1834, 'whep', en)).toBe('180 ms');
    expect(delayText(1.23, 'whep', en)).toBe('1.2 s');
    expect(delayText(0.18, 'http-flv', en)).toBe('0.2 s');
  });

  it('describes_tracks_as_far_as_they_are_known', () => {
    expect(videoParts(TRACK)).toEqual(['H.264', '1280×720 · 29.97 fps']);
    expect(videoParts({ ...TRACK, width: null, fps: null })).toEqual(['H.264', '']);
    const sound = { ...TRACK, name: 'AAC', sample_rate: 44_100, channels: 2 };
    expect(audioParts(sound, en)).toEqual(['AAC', '44.1 kHz · stereo']);
  });

  it('lists_viewers_by_protocol_most_first', () => {
    expect(viewersByProtocol({ flv: 1, ws_flv: 0, rtmp: 0, hls: 2 })).toEqual([
      ['HLS', 2],
      ['HTTP-FLV', 1],
    ]);
  });

  it('picks_the_first_language_we_speak', () => {
    expect(pickLanguage(['fr', 'zh-TW', 'en'])).toBe('zh-CN');
    expect(pickLanguage(['en-GB', 'zh'])).toBe('en');
    expect(pickLanguage(['fr', ''])).toBe('en');
  });

  it('has_a_text_in_both_languages_for_every_key', () => {
    const zh: Record<string, unknown> = { ...messagesOf('zh-CN'), ...consoleMessagesOf('zh-CN') };
    for (const [key, text] of Object.entries({ ...en, ...consoleMessagesOf('en') })) {
      expect(typeof zh[key], key).toBe(typeof text);
      if (typeof text === 'string') expect(zh[key], key).not.toBe('');
    }
  });
});

describe('catalogues', () => {
  it('keep_no_text_that_nothing_says', async () => {
    const { readFileSync, readdirSync } = await import('node:fs');
    const root = new URL('../../src/', import.meta.url);
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const code = files
      .filter((file) => !file.startsWith('i18n'))
      .map((file) => readFileSync(new URL(file, root), 'utf8'))
      .join('\n');
    const unused = Object.keys({ ...messagesOf('en'), ...consoleMessagesOf('en') }).filter((key) => !new RegExp(`\\.${key}\\b`).test(code));
    expect(unused).toEqual([]);
  });
});
