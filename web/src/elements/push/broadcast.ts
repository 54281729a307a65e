//! One broadcast: keeps a WHIP connection up through failures and changes of the network, sends the tracks it is
//! given, and holds the picture as good as the network lets it. Without a screen of its own.

import type { Failure } from '../../play/policy.ts';
import type { NetStatus } from '../../play/netstatus.ts';
import type { RateHints } from '../../signal/sdp.ts';
import { PushCode, type PushStateCode } from '../../publish/codes.ts';
import { Floor, type FloorDecision } from '../../publish/floor.ts';
import { type Encoding, type VideoLevel, readLayers, readLoss, steer } from '../../publish/layers.ts';
import { isReachable, trafficOf, watchNetwork } from '../../publish/network.ts';
import type { Notice } from '../../publish/notices.ts';
import { PushLink, QUIET_MS } from '../../publish/push-link.ts';
import { PushMeter, type PushSample, readPushSample } from '../../publish/push-stats.ts';
import { PushPolicy } from '../../publish/retry.ts';
import { type Target, encodingsOf } from '../../publish/settings.ts';
import { type Publication, PublishError, publish } from '../../publish/whip.ts';

export type BroadcastPhase =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live'; readonly sinceMs: number }
  /** The connection may heal; viewers wait. */
  | { readonly kind: 'interrupted'; readonly sinceMs: number }
  | { readonly kind: 'reconnecting'; readonly attempt: number }
  | { readonly kind: 'failed'; readonly failure: Failure };

export interface BroadcastPlan {
  readonly url: string;
  readonly token: string | undefined;
  readonly encodings: readonly Encoding[];
  readonly target: Target;
  readonly audioKbps: number;
  /** Asked at each failure. */
  readonly forever: () => boolean;
}

export interface BroadcastListener {
  handlePhase(phase: BroadcastPhase): void;
  handleCode(code: PushStateCode, detail?: string): void;
  handleNetstatus(info: NetStatus): void;
  handleNotice(notice: Notice): void;
}

const TICK_MS = 100;
/** Sound alone is five packets in a tick; a server that gets less has little to say. */
const SENDS_PACKETS = 2;
const SAMPLE_EVERY_MS = 1_000;
/** From this level on the uplink is told to be too small, once until it is better. */
const WEAK_LEVEL = 4;
const LEVEL_NOTICES: Readonly<Record<VideoLevel, Notice>> = { full: 'video-back', base: 'video-base', off: 'video-off' };

export class Broadcast {
  readonly #plan: BroadcastPlan;
  readonly #listener: BroadcastListener;
  readonly #stream = new MediaStream();
  readonly #policy: PushPolicy;
  readonly #meter = new PushMeter();
  readonly #ends = new AbortController();
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS);
  #publication: Publication | undefined;
  #link: PushLink | undefined;
  #floor: Floor;
  #applied: FloorDecision = { floorKbps: undefined, pictureKbps: undefined, level: 'full' };
  #watched: ReadonlySet<string> | undefined;
  /** What was negotiated: one of what is planned where the server takes no simulcast. */
  #encodings: readonly Encoding[];
  #sinceMs: number | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #sentPackets = 0;
  #sampledMs = 0;
  #reportMs = 0;
  #isWeak = false;
  #size = '';
  #encoder = '';
  #netstatus: NetStatus | undefined;

  constructor(plan: BroadcastPlan, tracks: readonly MediaStreamTrack[], listener: BroadcastListener) {
    this.#plan = plan;
    this.#listener = listener;
    this.#policy = new PushPolicy(plan.forever);
    this.#floor = new Floor(plan.target);
    this.#encodings = plan.encodings;
    for (const track of tracks) this.#stream.addTrack(track);
    watchNetwork(() => this.hurry(), this.#ends.signal);
    void this.#connect();
  }

  get netstatus(): NetStatus | undefined {
    return this.#netstatus;
  }

  /** For statistics; another one after each reconnect. */
  get peer(): RTCPeerConnection | undefined {
    return this.#publication?.peer;
  }

  /** The running session, for tests that steer it themselves. */
  get publication(): Publication | undefined {
    return this.#publication;
  }

  /** What the floor decided last. */
  get floor(): FloorDecision {
    return this.#applied;
  }

  /** Sends another track of the kind from now on, without anybody being asked. */
  replace(track: MediaStreamTrack): void {
    for (const old of this.#stream.getTracks()) {
      if (old.kind === track.kind) this.#stream.removeTrack(old);
    }
    this.#stream.addTrack(track);
    void this.#sender(track.kind)?.replaceTrack(track).catch(() => undefined);
  }

  /** Connects at once instead of after the pause that is being waited for. */
  hurry(): void {
    if (this.#retry !== undefined) void this.#connect();
    this.#link?.handleNetworkChange(performance.now());
    this.#drain();
  }

  stop(): void {
    this.#ends.abort();
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    this.#publication?.stop();
    this.#publication = undefined;
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const { url, token, encodings } = this.#plan;
    const { signal } = this.#ends;
    if (this.#sinceMs === undefined) this.#listener.handlePhase({ kind: 'connecting' });
    try {
      const handleControl = (message: unknown): void => this.#handleControl(message);
      const options = { encodings, handleControl, signal, ...(token !== undefined && { token }) };
      const publication = await publish(url, this.#stream, options);
      if (signal.aborted) return publication.stop();
      this.#begin(publication);
    } catch (error) {
      if (signal.aborted) return;
      const failure: Failure = error instanceof PublishError ? error.failure : { kind: 'handshake', detail: String(error) };
      const code = failure.kind === 'connect' ? PushCode.ConnectFailed : PushCode.HandshakeFailed;
      this.#listener.handleCode(code, failure.detail);
      this.#fail(failure);
    }
  }

  #begin(publication: Publication): void {
    this.#publication = publication;
    this.#link = new PushLink(performance.now());
    this.#policy.handleConnected();
    this.#meter.restart();
    this.#floor = new Floor(this.#plan.target);
    this.#applied = { floorKbps: undefined, pictureKbps: undefined, level: 'full' };
    this.#watched = undefined;
    this.#size = '';
    this.#encoder = '';
    this.#sinceMs ??= performance.now();
    this.#listener.handleCode(PushCode.Connected);
    this.#listener.handleCode(PushCode.Pushing);
    this.#listener.handlePhase({ kind: 'live', sinceMs: this.#sinceMs });
    // A track may have been replaced while we connected.
    for (const track of this.#stream.getTracks()) void this.#sender(track.kind)?.replaceTrack(track);
    const count = this.#sender('video')?.getParameters().encodings.length ?? 0;
    // Browsers keep the first of ours, which is the smallest.
    this.#encodings = count < this.#plan.encodings.length ? encodingsOf(this.#plan.target, false) : this.#plan.encodings;
    if (count < this.#plan.encodings.length) void this.#steer();
    void this.#limitSound();
  }

  #fail(failure: Failure): void {
    const verdict = this.#policy.handleFailure(failure);
    if (verdict.kind === 'give-up') {
      this.#listener.handleCode(PushCode.GaveUp, failure.detail);
      this.#listener.handlePhase({ kind: 'failed', failure });
      this.stop();
      return;
    }
    this.#listener.handleCode(PushCode.Reconnecting);
    this.#listener.handlePhase({ kind: 'reconnecting', attempt: verdict.attempt });
    this.#retry = setTimeout(() => void this.#connect(), verdict.afterMs);
  }

  #lose(detail: string): void {
    this.#listener.handleCode(PushCode.ReadWriteFailed, detail);
    this.#publication?.stop();
    this.#publication = undefined;
    this.#link = undefined;
    this.#fail({ kind: 'lost', detail });
  }

  #tick(): void {
    const peer = this.#publication?.peer;
    if (peer === undefined || this.#link === undefined) return;
    const nowMs = performance.now();
    this.#link.handleStates(peer.iceConnectionState, peer.connectionState, nowMs);
    this.#link.handleTick(nowMs);
    this.#drain();
    void this.#listen(peer);
    if (nowMs - this.#sampledMs >= SAMPLE_EVERY_MS) void this.#sample(nowMs);
  }

  /** Whether anything comes from the server, which reports on whatever is sent to it. */
  async #listen(peer: RTCPeerConnection): Promise<void> {
    const link = this.#link;
    const traffic = await trafficOf(peer);
    if (traffic === undefined) return;
    const sends = traffic.sentPackets - this.#sentPackets >= SENDS_PACKETS;
    this.#sentPackets = traffic.sentPackets;
    // A server that is sent nothing may be silent.
    if (sends || traffic.silentMs < QUIET_MS) link?.handleSilence(traffic.silentMs, performance.now());
    this.#drain();
  }

  #drain(): void {
    for (let output = this.#link?.poll(); output !== undefined; output = this.#link?.poll()) {
      switch (output.do) {
        case 'probe':
          void this.#probe();
          break;
        case 'restart':
          void this.#restart();
          break;
        case 'lost':
          this.#lose(output.detail);
          break;
        case 'interrupted':
          this.#listener.handleCode(PushCode.Reconnecting, output.detail);
          this.#listener.handlePhase({ kind: 'interrupted', sinceMs: performance.now() });
          break;
        case 'healed':
          this.#listener.handleCode(PushCode.Pushing);
          this.#listener.handlePhase({ kind: 'live', sinceMs: this.#sinceMs ?? performance.now() });
          break;
      }
    }
  }

  async #probe(): Promise<void> {
    const link = this.#link;
    const reached = await isReachable(this.#plan.url);
    link?.handleProbed(reached, performance.now());
    this.#drain();
  }

  async #restart(): Promise<void> {
    const link = this.#link;
    const accepted = (await this.#publication?.restart()) ?? false;
    link?.handleRestarted(accepted, performance.now());
    this.#drain();
    await this.#steer();
  }

  async #sample(nowMs: number): Promise<void> {
    this.#sampledMs = nowMs;
    const publication = this.#publication;
    const sample = readPushSample((await publication?.peer.getStats())?.values() ?? []);
    if (publication === undefined || publication !== this.#publication) return;
    this.#tellEncoder(sample);
    const info = this.#meter.handleSample(sample, performance.now());
    if (info === undefined) return;
    this.#netstatus = info;
    this.#tellWeak(info.netQualityLevel);
    this.#listener.handleNetstatus(info);
    const { report, roundTripMs } = sample;
    const isNew = report !== undefined && report.atMs !== this.#reportMs;
    this.#reportMs = report?.atMs ?? 0;
    const decision = this.#floor.handleSample(
      { lossShare: isNew ? report.lossShare : undefined, roundTripMs, sentKbps: info.videoBitrate },
      performance.now(),
    );
    await this.#obey(decision, publication);
  }

  async #obey(decision: FloorDecision, publication: Publication): Promise<void> {
    const before = this.#applied;
    this.#applied = decision;
    if (decision.level !== before.level) this.#listener.handleNotice(LEVEL_NOTICES[decision.level]);
    if (decision.floorKbps !== before.floorKbps) {
      this.#listener.handleCode(PushCode.Bitrate, decision.floorKbps === undefined ? 'no floor' : `floor ${decision.floorKbps} kbit/s`);
      await publication.hint(this.#hints(decision.floorKbps)).catch(() => undefined);
    } else if (decision.level === before.level && decision.pictureKbps === before.pictureKbps) {
      return;
    }
    // An answer that names a layer turns it on again, so that the layers are steered after each.
    await this.#steer();
  }

  #hints(floorKbps: number | undefined): RateHints | undefined {
    if (floorKbps === undefined) return undefined;
    return { minKbps: floorKbps, startKbps: floorKbps, maxKbps: Math.max(floorKbps, this.#plan.target.maxKbps) };
  }

  #handleControl(message: unknown): void {
    const loss = readLoss(message);
    if (loss !== undefined) this.#floor.handleToldLoss(loss);
    const watched = readLayers(message);
    if (watched === undefined) return;
    this.#watched = watched;
    void this.#steer();
  }

  async #steer(): Promise<void> {
    const sender = this.#sender('video');
    if (sender === undefined) return;
    const { width, height } = this.#plan.target;
    const { level, pictureKbps } = this.#applied;
    const steering = { level, pictureKbps, watched: this.#watched, shortSide: Math.min(width, height) };
    const wanted = steer(this.#encodings, steering);
    const parameters = sender.getParameters();
    const isSimulcast = this.#encodings.length > 1;
    parameters.encodings = parameters.encodings.map((each, at) => {
      const { rid: _, ...found } = wanted.find(({ rid }) => isSimulcast && rid === each.rid) ?? wanted[at] ?? { active: true };
      return { ...each, ...found };
    });
    await sender.setParameters(parameters).catch(() => undefined);
  }

  async #limitSound(): Promise<void> {
    const sender = this.#sender('audio');
    if (sender === undefined) return;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) {
      encoding.maxBitrate = this.#plan.audioKbps * 1000;
      // Sound goes before pictures where they wait for the same link.
      encoding.priority = 'high';
      encoding.networkPriority = 'high';
    }
    await sender.setParameters(parameters).catch(() => undefined);
  }

  #sender(kind: string): RTCRtpSender | undefined {
    return this.#publication?.peer.getTransceivers().find(({ receiver }) => receiver.track.kind === kind)?.sender;
  }

  #tellEncoder({ video }: PushSample): void {
    if (video.frames === 0) return;
    const size = `${video.width}x${video.height}`;
    if (this.#size === '') this.#listener.handleCode(PushCode.EncoderStart, video.encoder);
    else if (size !== this.#size) this.#listener.handleCode(PushCode.Resolution, size);
    if (isHardware(this.#encoder) && !isHardware(video.encoder)) this.#listener.handleCode(PushCode.SoftwareEncoder, video.encoder);
    this.#size = size;
    this.#encoder = video.encoder;
  }

  #tellWeak(level: number): void {
    const isWeak = level >= WEAK_LEVEL;
    if (isWeak && !this.#isWeak) this.#listener.handleCode(PushCode.WeakUplink);
    this.#isWeak = isWeak;
  }
}

function isHardware(encoder: string): boolean {
  return encoder !== '' && !/openh264|libvpx|libaom|software|unknown/i.test(encoder);
}
