//! Publishing by WHIP with a fake peer connection and server.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PublishError, type PublishOptions, publish } from '../../src/publish/whip.ts';
import { FAKE_ANSWER, FakePeer } from './fake-peer.ts';

const STREAM = { getTracks: () => [{ kind: 'audio' }, { kind: 'video' }] } as unknown as MediaStream;
const CODECS = ['video/VP8', 'video/rtx', 'video/H264', 'video/H264', 'video/AV1'].map((mimeType) => ({ mimeType }));

function stage(answer: Response = created(), more: PublishOptions = {}) {
  const peer = new FakePeer();
  const requests: { readonly url: string; readonly init: RequestInit }[] = [];
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    requests.push({ url, init });
    if (init.method === 'POST') return answer;
    const isRestart = new Headers(init.headers).get('if-match') === '*';
    return isRestart ? new Response('a=ice-ufrag:u3\r\na=ice-pwd:p3\r\n') : new Response(null, { status: 204 });
  };
  const connect = (): RTCPeerConnection => peer as unknown as RTCPeerConnection;
  const start = (url = 'https://h/a/b/whip') => publish(url, STREAM, { token: 'secret', fetch, connect, ...more });
  return { peer, requests, start };
}

function created(sdp = FAKE_ANSWER): Response {
  return new Response(sdp, { status: 201, headers: { location: 'whip/1' } });
}

describe('publish', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('RTCRtpSender', { getCapabilities: () => ({ codecs: CODECS }) });
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('sends_all_tracks_with_h264_first_and_ends_the_session_on_the_server', async () => {
    const { peer, requests, start } = stage();
    const starting = start();
    await vi.advanceTimersByTimeAsync(10);
    peer.become('connected', 'connected');
    const publication = await starting;
    expect(peer.transceivers).toEqual([
      { kind: 'audio', direction: 'sendonly', codecs: [] },
      {
        kind: 'video',
        direction: 'sendonly',
        codecs: ['video/H264', 'video/H264', 'video/VP8', 'video/rtx', 'video/AV1'],
      },
    ]);
    expect(requests[0]?.init.headers).toMatchObject({ authorization: 'Bearer secret' });
    expect(requests[0]?.init.body).toContain('a=rtcp-fb:111 nack');
    publication.stop();
    await vi.advanceTimersByTimeAsync(1);
    expect(requests.at(-1)).toMatchObject({ url: 'https://h/a/b/whip/1', init: { method: 'DELETE', keepalive: true } });
    expect(peer.closed).toBe(true);
  });

  it('hands_the_bitrate_hints_of_the_server_to_the_browser_as_they_are', async () => {
    const hinted = `${FAKE_ANSWER}a=fmtp:96 x-google-min-bitrate=600\r\n`;
    const { peer, start } = stage(created(hinted));
    const starting = start();
    await vi.advanceTimersByTimeAsync(10);
    peer.become('connected', 'connected');
    await starting;
    expect(peer.remoteDescription?.sdp).toBe(hinted);
  });

  it('says_why_the_server_refused_and_leaves_nothing_open', async () => {
    const { peer, start } = stage(new Response(null, { status: 401 }));
    const error = await start().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PublishError);
    expect((error as PublishError).failure).toEqual({ kind: 'refused', detail: 'HTTP 401', status: 401 });
    await vi.advanceTimersByTimeAsync(1);
    expect(peer.closed).toBe(true);
  });

  it('gives_up_and_deletes_when_no_connection_comes_about', async () => {
    const { requests, start } = stage();
    const failing = start().catch((reason: unknown) => reason);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(((await failing) as PublishError).failure.kind).toBe('connect');
    expect(requests.at(-1)?.init.method).toBe('DELETE');
  });

  it('tells_when_the_connection_is_lost', async () => {
    const { peer, start } = stage();
    const starting = start();
    await vi.advanceTimersByTimeAsync(10);
    peer.become('connected', 'connected');
    const { lost } = await starting;
    peer.become('failed', 'failed');
    expect((await lost).kind).toBe('lost');
  });

  async function connected(more: PublishOptions = {}) {
    const staged = stage(created(`${FAKE_ANSWER}a=fmtp:96 packetization-mode=1\r\n`), more);
    const starting = staged.start();
    await vi.advanceTimersByTimeAsync(10);
    staged.peer.become('connected', 'connected');
    return { ...staged, publication: await starting };
  }

  it('sets_a_floor_and_takes_it_away_on_the_same_session_without_a_word_to_the_server', async () => {
    const { peer, requests, publication } = await connected();
    const before = requests.length;
    await publication.hint({ minKbps: 600, startKbps: 600, maxKbps: 1_800 });
    expect(peer.answers.at(-1)).toContain('packetization-mode=1;x-google-min-bitrate=600;x-google-start-bitrate=600');
    expect(peer.answers.at(-1)).toContain('a=ice-ufrag:u2');
    await publication.hint(undefined);
    expect(peer.answers.at(-1)).toBe(peer.answers[0]);
    expect(requests).toHaveLength(before);
    expect(peer.offers.every((options) => options?.iceRestart !== true)).toBe(true);
  });

  it('restarts_ice_with_the_servers_new_credentials_and_keeps_the_floor', async () => {
    const { peer, publication } = await connected();
    const hinting = publication.hint({ minKbps: 600, startKbps: 600, maxKbps: 1_800 });
    const restarting = publication.restart();
    await hinting;
    expect(await restarting).toBe(true);
    expect(peer.offers.at(-1)).toEqual({ iceRestart: true });
    expect(peer.answers.at(-1)).toContain('a=ice-ufrag:u3');
    expect(peer.answers.at(-1)).toContain('x-google-min-bitrate=600');
    await publication.hint(undefined);
    expect(peer.answers.at(-1)).toContain('a=ice-ufrag:u3');
  });

  it('offers_layers_and_hears_what_the_server_says_about_them', async () => {
    const heard: unknown[] = [];
    const encodings = [{ rid: 'l', active: true }, { rid: 'h', active: true }];
    const { peer } = await connected({ encodings, handleControl: (message) => heard.push(message) });
    expect(peer.sendEncodings).toEqual([undefined, encodings]);
    const [channel] = peer.channels;
    expect(channel?.label).toBe('openmic');
    channel?.dispatchEvent(Object.assign(new Event('message'), { data: '{"type":"layers"}' }));
    expect(heard).toEqual(['{"type":"layers"}']);
  });

  it('leaves_at_once_when_it_is_given_up_while_connecting', async () => {
    const giving = new AbortController();
    const { requests, start } = stage(created(), { signal: giving.signal });
    const failing = start().catch((reason: unknown) => reason);
    await vi.advanceTimersByTimeAsync(10);
    giving.abort();
    expect(await failing).toBeInstanceOf(PublishError);
    expect(requests.at(-1)?.init.method).toBe('DELETE');
  });
});
