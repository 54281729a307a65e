//! Publishing by WHIP (RFC 9725) without any user interface: tracks go in, a session comes out.
//! Bitrate hints in the server's answer (`x-google-*`) are passed to the browser as they are.

import type { Failure } from '../play/policy.ts';
import { Exchange, type Fetch } from '../signal/exchange.ts';
import { askForRobustSound, fragmentOf, wantsCandidates } from '../signal/sdp.ts';

export interface PublishOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
  /** For tests and for other runtimes; the browser's own otherwise. */
  readonly fetch?: Fetch;
  readonly connect?: () => RTCPeerConnection;
}

/** A running publication. */
export interface Publication {
  /** For statistics and for replacing tracks. */
  readonly peer: RTCPeerConnection;
  /** Resolves when the connection is lost; never after `stop()`. */
  readonly lost: Promise<Failure>;
  /** Ends the session on the server; the tracks stay the caller's. */
  stop(): void;
}

/** The server refused, or no connection came about. */
export class PublishError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.detail);
    this.failure = failure;
  }
}

/** ICE and DTLS through a weak network take some seconds; after this they will not succeed. */
const CONNECT_MS = 10_000;

/** Publishes the tracks of `stream` and resolves once the server is connected. */
export async function publish(url: string, stream: MediaStream, options: PublishOptions = {}): Promise<Publication> {
  const { token, fetch = (to, init) => globalThis.fetch(to, init), connect = () => new RTCPeerConnection() } = options;
  const peer = connect();
  const exchange = new Exchange({ url: absolute(url), fetch, token });
  const ends = new AbortController();
  const stop = (): void => {
    ends.abort();
    void exchange.close().then(() => peer.close());
  };
  try {
    for (const track of stream.getTracks()) send(peer, track, stream);
    const opened = await exchange.open(await offer(peer));
    if (!opened.ok) throw new PublishError(opened.failure);
    await peer.setRemoteDescription({ type: 'answer', sdp: opened.answer });
    if (wantsCandidates(opened.answer)) tellCandidates(peer, exchange, ends.signal);
    await connected(peer);
  } catch (error) {
    stop();
    throw error instanceof PublishError ? error : new PublishError({ kind: 'handshake', detail: String(error) });
  }
  if (typeof addEventListener === 'function') addEventListener('pagehide', stop, { signal: ends.signal });
  return { peer, lost: lossOf(peer, ends.signal), stop };
}

/** Relative to the page, where there is one. */
function absolute(url: string): string {
  return typeof location === 'undefined' ? url : new URL(url, location.href).href;
}

function send(peer: RTCPeerConnection, track: MediaStreamTrack, stream: MediaStream): void {
  const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
  if (track.kind === 'video') preferH264(transceiver);
}

/** H.264 reaches every viewer without transcoding: RTMP, FLV and HLS carry it as it is. */
function preferH264(transceiver: RTCRtpTransceiver): void {
  const { codecs } = RTCRtpSender.getCapabilities('video') ?? { codecs: [] };
  const isH264 = ({ mimeType }: { readonly mimeType: string }): boolean => /^video\/h264$/i.test(mimeType);
  const preferred = [...codecs.filter(isH264), ...codecs.filter((codec) => !isH264(codec))];
  if (codecs.some(isH264)) transceiver.setCodecPreferences(preferred);
}

async function offer(peer: RTCPeerConnection): Promise<string> {
  const made = await peer.createOffer();
  const sdp = askForRobustSound(made.sdp ?? '');
  try {
    await peer.setLocalDescription({ type: 'offer', sdp });
  } catch {
    // The browser insists on its own words; the server may still honour ours.
    await peer.setLocalDescription(made);
  }
  return sdp;
}

function tellCandidates(peer: RTCPeerConnection, exchange: Exchange, signal: AbortSignal): void {
  const tell = (): void => {
    if (peer.iceGatheringState !== 'complete' || peer.localDescription === null) return;
    peer.removeEventListener('icegatheringstatechange', tell);
    void exchange.trickle(fragmentOf(peer.localDescription.sdp));
  };
  peer.addEventListener('icegatheringstatechange', tell, { signal });
  tell();
}

function connected(peer: RTCPeerConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (detail?: string): void => {
      clearTimeout(timer);
      peer.removeEventListener('connectionstatechange', follow);
      if (detail === undefined) resolve();
      else reject(new PublishError({ kind: 'connect', detail }));
    };
    const follow = (): void => {
      if (peer.connectionState === 'connected') settle();
      else if (peer.connectionState === 'failed') settle('ICE or DTLS failed');
    };
    const timer = setTimeout(() => settle(`not connected in ${CONNECT_MS} ms`), CONNECT_MS);
    peer.addEventListener('connectionstatechange', follow);
    follow();
  });
}

function lossOf(peer: RTCPeerConnection, signal: AbortSignal): Promise<Failure> {
  return new Promise((resolve) => {
    const follow = (): void => {
      if (peer.connectionState === 'failed') resolve({ kind: 'lost', detail: 'ICE or DTLS failed' });
    };
    peer.addEventListener('connectionstatechange', follow, { signal });
  });
}
