//! Publishing by WHIP (RFC 9725) without any user interface: tracks go in, a session comes out.
//! Bitrate hints in the server's answer (`x-google-*`) are passed to the browser as they are.

import type { Failure } from '../play/policy.ts';
import { Exchange, type Fetch } from '../signal/exchange.ts';
import { offerToSend } from '../signal/offer.ts';
import { type RateHints, fragmentOf, wantsCandidates, withFragment, withRateHints } from '../signal/sdp.ts';
import { CONTROL_CHANNEL, type Encoding } from './layers.ts';

export interface PublishOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
  /** For tests and for other runtimes; the browser's own otherwise. */
  readonly fetch?: Fetch;
  readonly connect?: () => RTCPeerConnection;
  /** How pictures are encoded: several with rids are sent as simulcast. */
  readonly encodings?: readonly Encoding[];
  /** Opens the data channel on which our server says which layers are watched; each of its messages. */
  readonly handleControl?: (message: unknown) => void;
  /** Gives up on connecting. */
  readonly signal?: AbortSignal;
}

/** A running publication. */
export interface Publication {
  /** For statistics and for replacing tracks. */
  readonly peer: RTCPeerConnection;
  /** Resolves when the connection is lost; never after `stop()`. */
  readonly lost: Promise<Failure>;
  /** Restarts ICE with the server's help; false when it refuses or cannot be reached. */
  restart(): Promise<boolean>;
  /** Describes the session anew with these hints, or with the server's own words; nothing is asked of the server. */
  hint(hints: RateHints | undefined): Promise<void>;
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
    // Asked twice, the connection must not close before the server has heard of the end.
    if (ends.signal.aborted) return;
    ends.abort();
    void exchange.close().then(() => peer.close());
  };
  options.signal?.addEventListener('abort', stop, { once: true, signal: ends.signal });
  try {
    for (const track of stream.getTracks()) send(peer, track, stream, options.encodings);
    if (options.handleControl !== undefined) openControl(peer, options.handleControl, ends.signal);
    const opened = await exchange.open(await offerToSend(peer));
    if (!opened.ok) throw new PublishError(opened.failure);
    await peer.setRemoteDescription({ type: 'answer', sdp: opened.answer });
    if (wantsCandidates(opened.answer)) tellCandidates(peer, exchange, ends.signal);
    await connected(peer, ends.signal);
    if (typeof addEventListener === 'function') addEventListener('pagehide', stop, { signal: ends.signal });
    const { restart, hint } = new Descriptions(peer, exchange, opened.answer);
    return { peer, lost: lossOf(peer, ends.signal), restart, hint, stop };
  } catch (error) {
    stop();
    throw error instanceof PublishError ? error : new PublishError({ kind: 'handshake', detail: String(error) });
  }
}

/** Describes a running session anew, one change after the other: descriptions must not overlap. */
class Descriptions {
  readonly #peer: RTCPeerConnection;
  readonly #exchange: Exchange;
  /** The server's own words, with the credentials of its last restart. */
  #answer: string;
  #hints: RateHints | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(peer: RTCPeerConnection, exchange: Exchange, answer: string) {
    this.#peer = peer;
    this.#exchange = exchange;
    this.#answer = answer;
  }

  readonly restart = (): Promise<boolean> => this.#after(() => this.#restart());

  readonly hint = (hints: RateHints | undefined): Promise<void> => {
    this.#hints = hints;
    return this.#after(() => this.#apply());
  };

  #after<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #restart(): Promise<boolean> {
    try {
      const fragment = await this.#exchange.restart(fragmentOf(await offerToSend(this.#peer, { iceRestart: true })));
      const sdp = fragment === undefined ? undefined : withFragment(this.#answer, fragment);
      if (sdp === undefined) return false;
      this.#answer = sdp;
      await this.#peer.setRemoteDescription({ type: 'answer', sdp: this.#hinted() });
      return true;
    } catch {
      // Refused by the browser or closed meanwhile: the same as refused by the server.
      return false;
    }
  }

  async #apply(): Promise<void> {
    if (this.#peer.signalingState !== 'stable') return;
    await offerToSend(this.#peer);
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: this.#hinted() });
  }

  #hinted(): string {
    return this.#hints === undefined ? this.#answer : withRateHints(this.#answer, this.#hints);
  }
}

/** Relative to the page, where there is one. */
function absolute(url: string): string {
  return typeof location === 'undefined' ? url : new URL(url, location.href).href;
}

function send(peer: RTCPeerConnection, track: MediaStreamTrack, stream: MediaStream, encodings?: readonly Encoding[]): void {
  const isVideo = track.kind === 'video';
  const sendEncodings = isVideo && encodings !== undefined ? encodings.map((each) => ({ ...each })) : undefined;
  const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [stream], ...(sendEncodings && { sendEncodings }) });
  if (isVideo) preferH264(transceiver);
}

function openControl(peer: RTCPeerConnection, handle: (message: unknown) => void, signal: AbortSignal): void {
  const channel = peer.createDataChannel(CONTROL_CHANNEL);
  channel.addEventListener('message', ({ data }) => handle(data), { signal });
}

/** H.264 reaches every viewer without transcoding: RTMP, FLV and HLS carry it as it is. */
function preferH264(transceiver: RTCRtpTransceiver): void {
  const { codecs } = RTCRtpSender.getCapabilities('video') ?? { codecs: [] };
  const isH264 = ({ mimeType }: { readonly mimeType: string }): boolean => /^video\/h264$/i.test(mimeType);
  const preferred = [...codecs.filter(isH264), ...codecs.filter((codec) => !isH264(codec))];
  if (codecs.some(isH264)) transceiver.setCodecPreferences(preferred);
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

function connected(peer: RTCPeerConnection, signal: AbortSignal): Promise<void> {
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
    signal.addEventListener('abort', () => settle('stopped meanwhile'), { once: true });
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
