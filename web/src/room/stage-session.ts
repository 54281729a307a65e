//! Everything that one sees and hears of a stage over one peer connection, negotiated once (docs/control-channel.md):
//! slots for voices and pictures, filled by the server; kept up through changes of the network and connected anew
//! when it is lost.

import type { Failure } from '../play/policy.ts';
import { isReachable, watchNetwork } from '../publish/network.ts';
import { PushLink } from '../publish/push-link.ts';
import { Exchange, type Fetch } from '../signal/exchange.ts';
import { offerToReceive } from '../signal/offer.ts';
import { fragmentOf, wantsCandidates, withFragment } from '../signal/sdp.ts';
import { Slots, TILES, VOICES, type Wanted } from './slots.ts';

const CHANNEL = 'openmic';
const TICK_MS = 200;
/** ICE and DTLS through a weak network take some seconds; after this they will not succeed. */
const CONNECT_MS = 10_000;
/** The first comes quickly, since most breaks are short; the last repeats for as long as one is on the stage. */
const DELAYS_MS: readonly number[] = [300, 1_000, 2_000, 5_000];

export type StagePhase =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'up' }
  | { readonly kind: 'interrupted'; readonly sinceMs: number }
  | { readonly kind: 'reconnecting'; readonly attempt: number; readonly failure: Failure };

export interface StageSessionListener {
  handlePhase(phase: StagePhase): void;
  /** Other tracks, another tile, other speakers. */
  handleChange(): void;
}

export interface StageSessionOptions {
  /** `/rooms/{room}/stage?member={n}` */
  readonly url: string;
  readonly token: string;
  /** For tests; the browser's own otherwise. */
  readonly fetch?: Fetch;
  readonly connect?: () => RTCPeerConnection;
}

/** One attempt: what belongs to a peer connection and goes with it. */
interface Session {
  readonly peer: RTCPeerConnection;
  readonly channel: RTCDataChannel;
  readonly exchange: Exchange;
  readonly ends: AbortController;
  readonly link: PushLink;
  readonly slots: Slots;
  readonly streams: ReadonlyMap<string, MediaStream>;
  readonly voices: readonly MediaStreamTrack[];
  answer: string;
  isUp: boolean;
}

export class StageSession {
  readonly #options: StageSessionOptions;
  readonly #listener: StageSessionListener;
  readonly #ends = new AbortController();
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS);
  #session: Session | undefined;
  #wanted: readonly Wanted[] = [];
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(options: StageSessionOptions, listener: StageSessionListener) {
    this.#options = options;
    this.#listener = listener;
    watchNetwork(() => this.hurry(), this.#ends.signal);
    window.addEventListener('pagehide', () => void this.#session?.exchange.close(), { signal: this.#ends.signal });
    void this.#connect();
  }

  /** For statistics; another one after each reconnect. */
  get peer(): RTCPeerConnection | undefined {
    return this.#session?.peer;
  }

  get slots(): Slots | undefined {
    return this.#session?.slots;
  }

  /** The voices, to be played all at once; others after a reconnect. */
  get voices(): readonly MediaStreamTrack[] {
    return this.#session?.voices ?? [];
  }

  /** The slot's picture, whosever it is. */
  streamOf(mid: string): MediaStream | undefined {
    return this.#session?.streams.get(mid);
  }

  /** Whose pictures are seen, the most important first. */
  want(wanted: readonly Wanted[]): void {
    this.#wanted = wanted;
    this.#session?.slots.want(wanted);
    this.#tell();
  }

  /** No waiting, and no trust in an old path. */
  hurry(): void {
    if (this.#retry !== undefined) return void this.#connect();
    this.#session?.link.handleNetworkChange(performance.now());
    this.#drain();
  }

  close(): void {
    this.#ends.abort();
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    this.#drop();
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#attempt === 0) this.#listener.handlePhase({ kind: 'connecting' });
    const { url, token, fetch = (to, init) => globalThis.fetch(to, init), connect = () => new RTCPeerConnection() } = this.#options;
    const parts = open(connect());
    let session: Session | undefined;
    try {
      const sdp = await offerToReceive(parts.peer);
      if (this.#ends.signal.aborted) return parts.peer.close();
      session = this.#begin(parts, new Exchange({ url, token, fetch }));
      const opened = await session.exchange.open(sdp);
      if (session !== this.#session) return;
      if (!opened.ok) return this.#fail(session, opened.failure);
      session.answer = opened.answer;
      await session.peer.setRemoteDescription({ type: 'answer', sdp: opened.answer });
      if (wantsCandidates(opened.answer)) tellCandidates(session);
    } catch (error) {
      this.#fail(session, { kind: 'handshake', detail: String(error) });
    }
  }

  #begin({ peer, channel, voices, tiles }: Parts, exchange: Exchange): Session {
    const ends = new AbortController();
    const { signal } = ends;
    const streams = new Map(tiles.map(({ mid, receiver }) => [mid ?? '', new MediaStream([receiver.track])] as const));
    const session: Session = {
      ...{ peer, channel, exchange, ends, streams, answer: '', isUp: false },
      link: new PushLink(performance.now()),
      slots: new Slots([...streams.keys()]),
      voices: voices.map(({ receiver }) => receiver.track),
    };
    session.slots.want(this.#wanted);
    channel.addEventListener('open', () => this.#tell(), { signal });
    channel.addEventListener('message', ({ data }) => this.#handleMessage(session, data), { signal });
    peer.addEventListener('connectionstatechange', () => this.#follow(session), { signal });
    const timer = setTimeout(() => session.isUp || this.#fail(session, { kind: 'connect', detail: 'not connected in time' }), CONNECT_MS);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    this.#session = session;
    return session;
  }

  #handleMessage({ slots, peer }: Session, data: unknown): void {
    const holdMs = slots.holdMs;
    if (!slots.handleMessage(data)) return;
    // All alike, so that lips stay with the voice.
    if (slots.holdMs !== holdMs) for (const receiver of peer.getReceivers()) receiver.jitterBufferTarget = slots.holdMs;
    this.#listener.handleChange();
  }

  #follow(session: Session): void {
    const { connectionState } = session.peer;
    if (session.isUp) return this.#tick();
    if (connectionState === 'failed') return this.#fail(session, { kind: 'connect', detail: 'ICE or DTLS failed' });
    if (connectionState !== 'connected') return;
    session.isUp = true;
    this.#attempt = 0;
    this.#listener.handlePhase({ kind: 'up' });
    this.#listener.handleChange();
  }

  #tick(): void {
    const session = this.#session;
    if (session === undefined || !session.isUp) return;
    const nowMs = performance.now();
    session.link.handleStates(session.peer.iceConnectionState, session.peer.connectionState, nowMs);
    session.link.handleTick(nowMs);
    this.#drain();
    this.#tell();
  }

  #drain(): void {
    const session = this.#session;
    if (session === undefined || !session.isUp) return;
    for (let output = session.link.poll(); output !== undefined; output = session.link.poll()) {
      switch (output.do) {
        case 'probe':
          void isReachable(this.#options.url).then((reached) => session.link.handleProbed(reached, performance.now()));
          break;
        case 'restart':
          void restart(session).then((accepted) => session.link.handleRestarted(accepted, performance.now()));
          break;
        case 'lost':
          this.#fail(session, { kind: 'lost', detail: output.detail });
          return;
        case 'interrupted':
          this.#listener.handlePhase({ kind: 'interrupted', sinceMs: performance.now() });
          break;
        case 'healed':
          this.#listener.handlePhase({ kind: 'up' });
          break;
      }
    }
  }

  #tell(): void {
    const { channel, slots } = this.#session ?? {};
    if (channel?.readyState !== 'open') return;
    const message = slots?.poll(performance.now());
    if (message !== undefined) channel.send(message);
  }

  #fail(session: Session | undefined, failure: Failure): void {
    if (session !== this.#session || this.#ends.signal.aborted) return;
    this.#drop();
    const delay = DELAYS_MS[Math.min(this.#attempt, DELAYS_MS.length - 1)];
    this.#attempt += 1;
    this.#listener.handlePhase({ kind: 'reconnecting', attempt: this.#attempt, failure });
    this.#listener.handleChange();
    this.#retry = setTimeout(() => void this.#connect(), delay);
  }

  #drop(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.ends.abort();
    void session?.exchange.close().then(() => session.peer.close());
  }
}

interface Parts {
  readonly peer: RTCPeerConnection;
  readonly channel: RTCDataChannel;
  readonly voices: readonly RTCRtpTransceiver[];
  readonly tiles: readonly RTCRtpTransceiver[];
}

/** All that will ever be needed, so that nothing has to be negotiated later. */
function open(peer: RTCPeerConnection): Parts {
  const receive = (kind: 'audio' | 'video', count: number): readonly RTCRtpTransceiver[] =>
    Array.from({ length: count }, () => peer.addTransceiver(kind, { direction: 'recvonly' }));
  const voices = receive('audio', VOICES);
  const tiles = receive('video', TILES);
  return { peer, voices, tiles, channel: peer.createDataChannel(CHANNEL) };
}

function tellCandidates({ peer, exchange, ends }: Session): void {
  const tell = (): void => {
    if (peer.iceGatheringState !== 'complete' || peer.localDescription === null) return;
    peer.removeEventListener('icegatheringstatechange', tell);
    void exchange.trickle(fragmentOf(peer.localDescription.sdp));
  };
  peer.addEventListener('icegatheringstatechange', tell, { signal: ends.signal });
  tell();
}

async function restart(session: Session): Promise<boolean> {
  const { peer, exchange } = session;
  try {
    const fragment = await exchange.restart(fragmentOf(await offerToReceive(peer, { iceRestart: true })));
    const sdp = fragment === undefined ? undefined : withFragment(session.answer, fragment);
    if (sdp === undefined) return false;
    session.answer = sdp;
    await peer.setRemoteDescription({ type: 'answer', sdp });
    return true;
  } catch {
    // Refused by the browser or closed meanwhile: the same as refused by the server.
    return false;
  }
}
