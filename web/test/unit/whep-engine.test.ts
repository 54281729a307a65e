//! The WHEP engine with a fake browser: the order of HTTP and peer connection, and what is left behind.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WhepEngine } from '../../src/elements/engines/whep.ts';
import type { EngineEvent } from '../../src/play/session.ts';
import { ICE_MS } from '../../src/play/whep-link.ts';
import { FAKE_ANSWER, FakePeer } from './fake-peer.ts';

const URL = 'https://h/live/demo/whep';

/** One engine on a page that has nothing but it. */
class Page {
  readonly peer = new FakePeer();
  readonly window = new EventTarget();
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  readonly video = { srcObject: null as unknown, videoWidth: 0, clientWidth: 320, clientHeight: 180 };
  readonly requests: { readonly method: string; readonly url: string; readonly body: string }[] = [];
  readonly events: EngineEvent[] = [];
  answers: Response[] = [new Response(FAKE_ANSWER, { status: 201, headers: { location: '/live/demo/whep/1', etag: '"1"' } })];

  start(): WhepEngine {
    const { peer, window } = this;
    vi.stubGlobal('RTCPeerConnection', function () {
      return peer;
    });
    vi.stubGlobal('MediaStream', class {
      addTrack = vi.fn();
    });
    vi.stubGlobal('window', window);
    vi.stubGlobal('document', this.document);
    vi.stubGlobal('devicePixelRatio', 2);
    vi.stubGlobal('ResizeObserver', class {
      observe = vi.fn();
      disconnect = vi.fn();
    });
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
      this.requests.push({ method: init.method ?? '', url, body: String(init.body ?? '') });
      return this.answers.shift() ?? new Response(null, { status: 204 });
    });
    return new WhepEngine({
      url: URL,
      video: this.video as unknown as HTMLVideoElement,
      bounds: { minS: 0.1, maxS: 0.3 },
      referrerPolicy: 'no-referrer',
      emit: (event) => this.events.push(event),
    });
  }

  get told(): readonly string[] {
    return this.events.map((event) => (event.type === 'failed' ? `failed ${event.failure.kind}` : event.type));
  }
}

describe('WhepEngine', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('offers_to_receive_sound_and_picture_at_once_and_sets_both_jitter_buffers_alike', async () => {
    const page = new Page();
    page.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(page.peer.transceivers.map(({ kind, direction }) => `${kind} ${direction}`)).toEqual([
      'audio recvonly',
      'video recvonly',
    ]);
    const [posted] = page.requests;
    expect([posted?.method, posted?.url]).toEqual(['POST', URL]);
    expect(posted?.body).toContain('a=rtcp-fb:111 nack\r\n');
    expect(posted?.body).toContain('stereo=1;useinbandfec=1');
    expect(page.peer.remoteDescription).toEqual({ type: 'answer', sdp: FAKE_ANSWER });
    expect(page.peer.receivers.map(({ jitterBufferTarget }) => jitterBufferTarget)).toEqual([100, 100]);
  });

  it('tells_what_it_shows_and_knows_what_the_server_chose', async () => {
    const page = new Page();
    const engine = page.start();
    const [channel] = page.peer.channels;
    expect(channel?.label).toBe('openmic');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(channel?.sent).toEqual([]);
    channel?.open();
    expect(channel?.sent).toEqual(['{"type":"view","width":640,"height":360,"visible":true}']);
    page.document.visibilityState = 'hidden';
    page.document.dispatchEvent(new Event('visibilitychange'));
    await vi.advanceTimersByTimeAsync(500);
    expect(channel?.sent.slice(1)).toEqual(['{"type":"view","width":640,"height":360,"visible":false}']);
    expect([engine.facts.layer, engine.facts.soundOnly]).toEqual([undefined, false]);
    channel?.hear('{"type":"layer","rid":"l","width":320,"height":180,"reason":"size"}');
    channel?.hear('{"type":"video","state":"paused","reason":"bandwidth"}');
    expect([engine.facts.layer?.rid, engine.facts.soundOnly]).toEqual(['l', true]);
  });

  it('deletes_its_session_and_leaves_the_element_empty', async () => {
    const page = new Page();
    const engine = page.start();
    await vi.advanceTimersByTimeAsync(10);
    const track = new Event('track');
    page.peer.dispatchEvent(Object.assign(track, { track: {} }));
    expect(page.video.srcObject).not.toBeNull();
    engine.destroy();
    await vi.advanceTimersByTimeAsync(1);
    expect(page.requests.at(-1)).toMatchObject({ method: 'DELETE', url: 'https://h/live/demo/whep/1' });
    expect(page.peer.closed).toBe(true);
    expect(page.video.srcObject).toBeNull();
    page.peer.become('failed', 'failed');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(page.told).toEqual([]);
  });

  it('deletes_its_session_when_the_page_is_left', async () => {
    const page = new Page();
    page.start();
    await vi.advanceTimersByTimeAsync(10);
    page.window.dispatchEvent(new Event('pagehide'));
    expect(page.requests.at(-1)?.method).toBe('DELETE');
    page.window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
    expect(page.told).toEqual(['failed lost']);
  });

  it('fails_at_once_on_a_refusal_and_after_three_seconds_where_udp_is_blocked', async () => {
    for (const [status, told] of [
      [404, 'failed offline'],
      [406, 'failed codec'],
    ] as const) {
      const page = new Page();
      page.answers = [
        new Response('{"title":"no"}', { status, headers: { 'content-type': 'application/problem+json' } }),
      ];
      page.start();
      await vi.advanceTimersByTimeAsync(1);
      expect(page.told).toEqual([told]);
    }
    const blocked = new Page();
    blocked.start();
    await vi.advanceTimersByTimeAsync(ICE_MS - 300);
    expect(blocked.told).toEqual([]);
    await vi.advanceTimersByTimeAsync(600);
    expect(blocked.told).toEqual(['failed connect']);
  });

  it('restarts_ice_by_patch_and_takes_the_new_credentials', async () => {
    const page = new Page();
    page.start();
    await vi.advanceTimersByTimeAsync(10);
    page.peer.become('connected', 'connected');
    page.answers = [new Response('a=ice-ufrag:u3\r\na=ice-pwd:p3\r\na=candidate:9\r\n', { status: 200 })];
    page.peer.become('failed', 'failed');
    await vi.advanceTimersByTimeAsync(10);
    expect(page.told).toEqual(['connected', 'interrupted']);
    expect(page.peer.offers).toEqual([undefined, { iceRestart: true }]);
    expect(page.requests.at(-1)).toMatchObject({ method: 'PATCH', url: 'https://h/live/demo/whep/1' });
    expect(page.requests.at(-1)?.body).toContain('a=ice-ufrag:u1');
    expect(page.peer.remoteDescription?.sdp).toContain('a=ice-ufrag:u3');
    expect(page.peer.remoteDescription?.sdp).toContain('a=candidate:9');
  });

  it('asks_for_a_new_session_when_the_server_refuses_the_restart', async () => {
    const page = new Page();
    page.start();
    await vi.advanceTimersByTimeAsync(10);
    page.peer.become('connected', 'connected');
    page.answers = [new Response(null, { status: 404 })];
    page.peer.become('failed', 'failed');
    await vi.advanceTimersByTimeAsync(10);
    expect(page.told).toEqual(['connected', 'interrupted', 'failed lost']);
  });

  it('reads_its_numbers_from_the_statistics_of_the_connection', async () => {
    const page = new Page();
    const engine = page.start();
    await vi.advanceTimersByTimeAsync(10);
    page.peer.become('connected', 'connected');
    const at = (seconds: number): object[] => [
      { type: 'transport', selectedCandidatePairId: 'p' },
      { type: 'candidate-pair', id: 'p', currentRoundTripTime: 0.06 },
      {
        ...{ type: 'inbound-rtp', kind: 'video', bytesReceived: 125_000 * seconds, headerBytesReceived: 1_000 * seconds },
        ...{ packetsReceived: 100 * seconds, packetsLost: 5 * seconds, jitter: 0.012, framesDecoded: 30 * seconds },
        ...{ keyFramesDecoded: Math.ceil(seconds / 2), jitterBufferDelay: 3 * seconds, jitterBufferEmittedCount: 30 * seconds },
      },
      {
        ...{ type: 'inbound-rtp', kind: 'audio', bytesReceived: 8_000 * seconds, packetsReceived: 50 * seconds },
        ...{ packetsLost: 0, jitter: 0.003, jitterBufferDelay: 4_800 * seconds, jitterBufferEmittedCount: 48_000 * seconds },
      },
    ];
    for (let seconds = 1; seconds <= 5; seconds += 1) {
      page.peer.stats = at(seconds);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(page.told).toEqual(['connected', 'first-bytes', 'keyframe']);
    const { facts } = engine;
    expect(facts).toMatchObject({ bytes: 670_000, videoBytes: 625_000, audioBytes: 40_000, selfPaced: true });
    expect(facts.jitterMs).toBeCloseTo(12, 5);
    expect(facts.delayS).toBeCloseTo(0.1 + 0.03, 5);
    expect(facts.cacheS?.videoS).toBeCloseTo(0.1, 5);
    expect(facts.cacheS?.audioS).toBeCloseTo(0.1, 5);
    expect(facts.groupS).toBeCloseTo(2, 1);
    expect(facts.lossShare).toBeCloseTo(5 / 105, 2);
    engine.destroy();
  });
});
