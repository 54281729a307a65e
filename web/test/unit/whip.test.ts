//! Publishing by WHIP with a fake peer connection and server.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PublishError, publish } from '../../src/publish/whip.ts';
import { FAKE_ANSWER, FakePeer } from './fake-peer.ts';

const STREAM = { getTracks: () => [{ kind: 'audio' }, { kind: 'video' }] } as unknown as MediaStream;
const CODECS = ['video/VP8', 'video/rtx', 'video/H264', 'video/H264', 'video/AV1'].map((mimeType) => ({ mimeType }));

function stage(answer: Response = created()) {
  const peer = new FakePeer();
  const requests: { readonly url: string; readonly init: RequestInit }[] = [];
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    requests.push({ url, init });
    return init.method === 'POST' ? answer : new Response(null, { status: 204 });
  };
  const connect = (): RTCPeerConnection => peer as unknown as RTCPeerConnection;
  const start = (url = 'https://h/a/b/whip') => publish(url, STREAM, { token: 'secret', fetch, connect });
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
});
