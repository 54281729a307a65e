//! Addresses, page paths and words of the console.

import { describe, expect, it } from 'vitest';
import { addressesOf, embedCode } from '../../src/api/addresses.ts';
import { type Track, encodePath, streamOfPage } from '../../src/api/broadcasts.ts';
import { audioParts, bitrate, delayText, duration, frameRate, videoParts, viewersByProtocol } from '../../src/api/format.ts';
import { messagesOf, pickLanguage } from '../../src/i18n/index.ts';

const SERVER = { version: '0.1.0', rtmp_port: 1935, rtmps_port: null, uptime_s: 1 };
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

describe('streamOfPage', () => {
  it('reads_app_and_stream_with_slashes_and_escapes', () => {
    expect(streamOfPage('/play/live/demo')).toBe('live/demo');
    expect(streamOfPage('/play/class/3/%E8%AF%BE/')).toBe('class/3/课');
  });

  it('is_nothing_for_a_path_that_names_no_stream', () => {
    for (const path of ['/play/', '/play/live', '/', '/play/a/%ZZ']) expect(streamOfPage(path)).toBeUndefined();
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
    const zh: Record<string, unknown> = messagesOf('zh-CN');
    for (const [key, text] of Object.entries(en)) {
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
    const unused = Object.keys(messagesOf('en')).filter((key) => !new RegExp(`\\.${key}\\b`).test(code));
    expect(unused).toEqual([]);
  });
});
