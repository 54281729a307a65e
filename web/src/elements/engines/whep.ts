//! WebRTC by WHEP: least delay. What to do when is `WhepLink`, the HTTP is `Exchange`; here they meet
//! the browser's peer connection.

import { CONTROL_LABEL, ControlChannel } from '../../play/control-channel.ts';
import { RTC_LIMITS, WhepLink } from '../../play/whep-link.ts';
import { readSample } from '../../play/rtc-stats.ts';
import { Exchange } from '../../signal/exchange.ts';
import { offerToReceive } from '../../signal/offer.ts';
import { fragmentOf, inOneStream, promisesVideo, wantsCandidates, withFragment } from '../../signal/sdp.ts';
import type { Engine, EngineContext, EngineFacts } from './engine.ts';

/** How often deadlines are looked at. */
const TICK_MS = 250;
/** Reading statistics costs something: each tick until there is a picture, every other one later. */
const SAMPLE_MS = 450;

/** Receivers before `jitterBufferTarget` had a hint in seconds. */
interface OlderReceiver {
  playoutDelayHint?: number;
}

export class WhepEngine implements Engine {
  readonly #context: EngineContext;
  readonly #link: WhepLink;
  readonly #exchange: Exchange;
  readonly #peer = new RTCPeerConnection();
  readonly #control = new ControlChannel();
  readonly #channel = this.#peer.createDataChannel(CONTROL_LABEL);
  readonly #sizes = new ResizeObserver(() => this.#lookAtView());
  readonly #stream = new MediaStream();
  readonly #listeners = new AbortController();
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS);
  #destroyed = false;
  #sampledMs = -Infinity;
  #isSampling = false;
  #wantsCandidates = false;

  constructor(context: EngineContext) {
    this.#context = context;
    const { url, referrerPolicy, bounds } = context;
    this.#link = new WhepLink(Math.round(bounds.minS * 1000));
    this.#exchange = new Exchange({ url, referrerPolicy, fetch: (to, init) => fetch(to, init) });
    this.#listen();
    void this.#start();
  }

  get facts(): EngineFacts {
    const { bytes, videoBytes, audioBytes, groupS, jitterMs, lossShare, lastDataMs, delayS } = this.#link.numbers;
    const { videoCacheS: videoS, audioCacheS: audioS } = this.#link.numbers;
    return {
      ...{ bytes, videoBytes, audioBytes, groupS, jitterMs, lossShare, lastDataMs, delayS },
      limits: RTC_LIMITS,
      delayFloorS: 0,
      cacheS: { videoS, audioS },
      selfPaced: true,
      ...this.#control.state,
    };
  }

  handleShown(): void {
    this.#link.handleShown(performance.now());
    this.#drain();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#leave();
    this.#listeners.abort();
    this.#sizes.disconnect();
    this.#context.video.srcObject = null;
  }

  #leave(): void {
    clearInterval(this.#ticker);
    void this.#exchange.close().then(() => this.#peer.close());
  }

  #listen(): void {
    const { signal } = this.#listeners;
    const peer = this.#peer;
    const follow = (): void => {
      this.#link.handleStates(peer.iceConnectionState, peer.connectionState, performance.now());
      this.#drain();
    };
    peer.addEventListener('iceconnectionstatechange', follow, { signal });
    peer.addEventListener('connectionstatechange', follow, { signal });
    peer.addEventListener('icegatheringstatechange', () => this.#tellCandidates(), { signal });
    peer.addEventListener('track', ({ track }) => this.#show(track), { signal });
    this.#sizes.observe(this.#context.video);
    document.addEventListener('visibilitychange', () => this.#lookAtView(), { signal });
    this.#channel.addEventListener('open', () => this.#lookAtView(), { signal });
    this.#channel.addEventListener('message', ({ data }) => this.#handleTold(data), { signal });
    window.addEventListener('pagehide', () => this.#leave(), { signal });
    // Kept by the browser and shown again: what was left above has to be made anew.
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#fail('lost', 'the page was put away'), {
      signal,
    });
  }

  /** Tells the server what is shown, so that it sends no more than can be seen. */
  #lookAtView(): void {
    const { clientWidth, clientHeight } = this.#context.video;
    const device = (pixels: number): number => Math.round(pixels * devicePixelRatio);
    const visible = document.visibilityState === 'visible' && clientWidth > 0;
    this.#control.handleView({ width: device(clientWidth), height: device(clientHeight), visible });
    if (this.#channel.readyState !== 'open') return;
    const message = this.#control.poll(performance.now());
    if (message !== undefined) this.#channel.send(message);
  }

  #handleTold(data: unknown): void {
    if (!this.#control.handleMessage(data)) return;
    this.#link.handleHold(this.#control.state.holdMs);
    this.#drain();
  }

  #show(track: MediaStreamTrack): void {
    this.#stream.addTrack(track);
    const { video } = this.#context;
    if (video.srcObject !== this.#stream) video.srcObject = this.#stream;
  }

  async #start(): Promise<void> {
    const peer = this.#peer;
    try {
      for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
      const opened = await this.#exchange.open(await offerToReceive(this.#peer));
      if (this.#destroyed) return;
      if (!opened.ok) {
        this.#link.handleFailure(opened.failure);
        this.#drain();
        return;
      }
      const answer = inOneStream(opened.answer);
      await peer.setRemoteDescription({ type: 'answer', sdp: answer });
      this.#wantsCandidates = wantsCandidates(answer);
      this.#link.handleAnswer(promisesVideo(answer), performance.now());
      this.#drain();
      this.#tellCandidates();
    } catch (error) {
      // The answer does not fit the offer: another transport has no such trouble.
      this.#fail('handshake', String(error));
    }
  }

  /** Once and all together, where the server can use them. */
  #tellCandidates(): void {
    const { iceGatheringState, localDescription } = this.#peer;
    if (!this.#wantsCandidates || iceGatheringState !== 'complete' || localDescription === null) return;
    this.#wantsCandidates = false;
    void this.#exchange.trickle(fragmentOf(localDescription.sdp));
  }

  async #restart(): Promise<void> {
    const peer = this.#peer;
    let accepted = false;
    try {
      const fragment = await this.#exchange.restart(fragmentOf(await offerToReceive(this.#peer, { iceRestart: true })));
      const before = peer.remoteDescription?.sdp ?? '';
      const sdp = fragment === undefined ? undefined : withFragment(before, fragment);
      if (sdp !== undefined) await peer.setRemoteDescription({ type: 'answer', sdp });
      accepted = sdp !== undefined;
    } catch {
      // Refused by the browser or closed meanwhile: the same as refused by the server.
    }
    this.#link.handleRestarted(accepted);
    this.#drain();
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#link.handleTick(nowMs);
    this.#drain();
    // Also what was held back, and pixels of a screen that the page was moved to.
    this.#lookAtView();
    const everyMs = this.#context.video.videoWidth === 0 ? 0 : SAMPLE_MS;
    if (!this.#isSampling && nowMs - this.#sampledMs >= everyMs) void this.#sample(nowMs);
  }

  async #sample(nowMs: number): Promise<void> {
    this.#sampledMs = nowMs;
    this.#isSampling = true;
    try {
      const report = await this.#peer.getStats();
      this.#link.handleSample(readSample(report.values()), performance.now());
      this.#drain();
    } finally {
      this.#isSampling = false;
    }
  }

  #drain(): void {
    for (let output = this.#link.poll(); output !== undefined; output = this.#link.poll()) {
      if (this.#destroyed) return;
      switch (output.do) {
        case 'emit':
          this.#context.emit(output.event);
          break;
        case 'restart':
          void this.#restart();
          break;
        case 'target':
          for (const receiver of this.#peer.getReceivers()) setTarget(receiver, output.ms);
          break;
      }
    }
  }

  #fail(kind: 'lost' | 'handshake', detail: string): void {
    if (this.#destroyed) return;
    this.#link.handleFailure({ kind, detail });
    this.#drain();
  }
}

function setTarget(receiver: RTCRtpReceiver, ms: number): void {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = ms;
  else (receiver as OlderReceiver).playoutDelayHint = ms / 1000;
}
