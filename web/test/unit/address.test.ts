//! From an address to what is tried.

import { describe, expect, it } from 'vitest';
import { type Plan, type Support, plan, statusUrl } from '../../src/play/address.ts';

const CHROME: Support = { mse: true, nativeHls: false, webSocket: true, webRtc: true };
const OLD_IPHONE: Support = { mse: false, nativeHls: true, webSocket: true, webRtc: true };
const PAGE = 'https://host:8443/play/live/demo';

function urls(planned: Plan): readonly string[] {
  if (!planned.ok) throw new Error(planned.problem);
  return planned.candidates.map(({ kind, url }) => `${kind} ${url}`);
}

describe('plan', () => {
  it('tries_http_flv_then_websocket_then_hls_for_an_flv_address', () => {
    expect(urls(plan('https://cdn/live/demo.flv', PAGE, CHROME))).toEqual([
      'http-flv https://cdn/live/demo.flv',
      'ws-flv wss://cdn/live/demo.flv',
      'hls https://cdn/live/demo.m3u8',
    ]);
  });

  it('tries_the_asked_for_transport_first', () => {
    expect(urls(plan('ws://cdn:8080/live/demo.flv', PAGE, CHROME))[0]).toBe('ws-flv ws://cdn:8080/live/demo.flv');
    expect(urls(plan('http://cdn/live/demo.m3u8', PAGE, CHROME))[0]).toBe('hls http://cdn/live/demo.m3u8');
  });

  it('tries_webrtc_first_in_the_call_mode_and_for_a_whep_address_and_only_there', () => {
    const order = ['whep', 'http-flv', 'ws-flv', 'hls'];
    const kinds = (planned: Plan) => urls(planned).map((line) => line.split(' ')[0]);
    expect(kinds(plan('/live/demo.flv', PAGE, CHROME, 'RTC'))).toEqual(order);
    expect(kinds(plan('https://cdn/live/demo/whep', PAGE, CHROME))).toEqual(order);
    expect(kinds(plan('/live/demo.m3u8', PAGE, CHROME, 'RTC'))).toEqual(['whep', 'hls', 'http-flv', 'ws-flv']);
    expect(kinds(plan('/live/demo.flv', PAGE, CHROME))).toEqual(order.slice(1));
    expect(urls(plan('/live/demo.flv?auth=1', PAGE, CHROME, 'RTC'))[0]).toBe('whep https://host:8443/live/demo/whep?auth=1');
    expect(urls(plan('/live/demo/whep?auth=1', PAGE, CHROME))[1]).toBe('http-flv https://host:8443/live/demo.flv?auth=1');
  });

  it('falls_on_at_once_where_the_browser_has_no_webrtc', () => {
    const without = { ...CHROME, webRtc: false };
    expect(urls(plan('/live/demo/whep', PAGE, without, 'RTC'))[0]).toBe('http-flv https://host:8443/live/demo.flv');
  });

  it('keeps_the_signature_on_every_address', () => {
    const all = urls(plan('/live/demo.flv?txSecret=a&txTime=B', PAGE, CHROME));
    expect(all.every((url) => url.endsWith('?txSecret=a&txTime=B'))).toBe(true);
    expect(all).toHaveLength(3);
  });

  it('reads_a_bare_stream_name_from_the_root_of_the_page', () => {
    expect(urls(plan('live/demo', PAGE, CHROME))[0]).toBe('http-flv https://host:8443/live/demo.flv');
  });

  it('plays_hls_natively_where_there_is_no_media_source', () => {
    expect(urls(plan('https://cdn/live/demo.flv', PAGE, OLD_IPHONE))).toEqual(['native-hls https://cdn/live/demo.m3u8']);
  });

  it('turns_rtmp_of_the_own_host_into_flv_and_refuses_rtmp_elsewhere', () => {
    expect(urls(plan('rtmp://host/live/demo', PAGE, CHROME))[0]).toBe('http-flv https://host:8443/live/demo.flv');
    expect(plan('rtmp://other/live/demo', PAGE, CHROME)).toEqual({ ok: false, problem: 'rtmp-elsewhere' });
  });

  it('says_why_there_is_nothing_to_try', () => {
    expect(plan('  ', PAGE, CHROME)).toEqual({ ok: false, problem: 'empty' });
    expect(plan('mailto:me', PAGE, CHROME)).toEqual({ ok: false, problem: 'malformed' });
    expect(plan('https://[', PAGE, CHROME)).toEqual({ ok: false, problem: 'malformed' });
    const nothing = { mse: false, nativeHls: false, webSocket: true, webRtc: false };
    expect(plan('/live/demo.flv', PAGE, nothing)).toEqual({ ok: false, problem: 'unsupported-browser' });
  });
});

describe('statusUrl', () => {
  it('asks_the_host_of_the_media_without_its_parameters', () => {
    expect(statusUrl('wss://cdn/a/b/demo.flv?auth=1', PAGE)).toBe('https://cdn/api/v1/broadcasts/a/b/demo');
  });

  it('reads_the_stream_of_a_whep_address', () => {
    expect(statusUrl('/live/demo/whep', PAGE)).toBe('https://host:8443/api/v1/broadcasts/live/demo');
  });

  it('is_nothing_where_the_address_is_none', () => {
    expect(statusUrl('rtmp://other/live/demo', PAGE)).toBeUndefined();
  });
});
