//! `<live-pusher>`: WeChat's tag of the same name as a standard custom element: its attributes, methods and
//! events. Capturing is `Studio`, sending is `Broadcast`, what is drawn is `live-pusher.view.ts`.

import { LitElement, type PropertyValues, type TemplateResult } from 'lit';
import type { NetStatus } from '../play/netstatus.ts';
import { PushCode, PushError, type PushErrorCode, type PushStateCode, pushMessageOf } from '../publish/codes.ts';
import { type BeautyStyle, filterNamed } from '../publish/filters.ts';
import type { Notice } from '../publish/notices.ts';
import type { Device, Refusal } from '../publish/refusals.ts';
import { type Aspect, type Orientation, type PushMode, type Target, audioKbps, encodingsOf, targetOf } from '../publish/settings.ts';
import { pusherProperties } from './live-pusher.properties.ts';
import { pusherStyles } from './live-pusher.styles.ts';
import { renderPusher } from './live-pusher.view.ts';
import { Localized } from './localized.ts';
import { type Snapshot, takeSnapshot } from './media.ts';
import { Broadcast, type BroadcastPhase } from './push/broadcast.ts';
import { listDevices } from './push/capture.ts';
import { setTorch, setZoom } from './push/lens.ts';
import { type Source, Studio, type StudioWish } from './push/studio.ts';
import { keepAwake } from './push/wake-lock.ts';

/** WeChat tells of loudness five times a second. */
const VOLUME_EVERY_MS = 200;
/** Seconds in the words, and the live badge. */
const DRAW_EVERY_MS = 1_000;
/** What a notice is read in; those that last are told again by the state. */
const NOTICE_MS = 8_000;
const MUSIC_VOLUME = 1;

export type PusherView =
  | { readonly kind: 'idle' }
  | { readonly kind: 'opening' }
  | { readonly kind: 'preview' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'no-plan'; readonly problem: 'no-address' | 'no-support' }
  | BroadcastPhase;

export class LivePusher extends LitElement {
  static override styles = pusherStyles;
  static override properties = pusherProperties;

  declare url: string;
  /** Sent as `Authorization: Bearer`; an address may carry its own credentials instead. */
  declare token: string | undefined;
  declare mode: PushMode;
  declare autopush: boolean;
  declare muted: boolean;
  declare enableCamera: boolean;
  declare enableMic: boolean;
  declare orientation: Orientation;
  declare devicePosition: 'front' | 'back';
  declare mirror: boolean;
  declare remoteMirror: boolean;
  declare localMirror: 'auto' | 'enable' | 'disable';
  declare aspect: Aspect;
  declare minBitrate: number | undefined;
  declare maxBitrate: number | undefined;
  declare videoWidth: number | undefined;
  declare videoHeight: number | undefined;
  declare fps: number | undefined;
  declare audioQuality: 'high' | 'low';
  declare waitingImage: string;
  declare backgroundMute: boolean;
  declare beauty: number;
  declare whiteness: number;
  declare beautyStyle: BeautyStyle;
  declare filter: string;
  declare zoom: boolean;
  declare audioReverbType: number;
  declare voiceChangerType: number;
  declare enableAgc: boolean;
  declare enableAns: boolean;
  declare enableAec: boolean;
  declare simulcast: boolean;
  declare source: Source;
  declare cameraId: string | undefined;
  declare microphoneId: string | undefined;
  declare autoResume: boolean;
  declare controls: 'full' | 'none';
  declare debug: boolean;
  /** For `source="file"`: what to play, and whether over and over. */
  declare file: Blob | string | undefined;
  declare loop: boolean;
  /** Published instead of what would be captured. */
  declare stream: MediaStream | null;

  readonly #localized = new Localized(this);
  #view: PusherView = { kind: 'idle' };
  #studio: Studio | undefined;
  #opening: Promise<void> | undefined;
  #broadcast: Broadcast | undefined;
  #refusals = new Map<Device, Refusal>();
  #notice: { readonly notice: Notice; readonly untilMs: number } | undefined;
  #listeners: AbortController | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #release: (() => void) | undefined;
  #previewWanted = false;
  #isPaused = false;
  #micVolume = 1;
  #drawnMs = 0;
  #volumeWanted = false;

  constructor() {
    super();
    Object.assign(this, PROPERTIES_BY_DEFAULT);
  }

  // ---- what a page may call -------------------------------------------------------------------

  /** Opens camera and microphone where they are not, and goes live. */
  async start(): Promise<void> {
    if (this.#broadcast !== undefined) return;
    const problem = this.#problem();
    if (problem !== undefined) return this.#show({ kind: 'no-plan', problem });
    await this.#open();
    const studio = this.#studio;
    if (studio === undefined || this.#broadcast !== undefined || this.#isRefusedAltogether()) return;
    const { target } = this;
    const tracks = [studio.sound.track, ...(this.#sendsPicture() && studio.picture.track !== undefined ? [studio.picture.track] : [])];
    const plan = {
      url: new URL(this.url, document.baseURI).href,
      token: this.token,
      encodings: encodingsOf(target, this.simulcast),
      target,
      audioKbps: audioKbps(this.audioQuality),
      forever: () => this.autoResume,
    };
    this.#isPaused = false;
    studio.picture.setCovered(false);
    this.#release ??= keepAwake();
    this.#broadcast = new Broadcast(plan, tracks, this.#broadcastListener);
  }

  /** Ends the broadcast; camera and microphone go off with it unless a preview was asked for. */
  stop(): void {
    this.#endBroadcast();
    if (this.#previewWanted) this.#show({ kind: 'preview' });
    else this.#closeStudio();
  }

  /** Viewers see the waiting picture and hear nothing; the connection stays. */
  pause(): void {
    if (this.#broadcast === undefined) return;
    this.#isPaused = true;
    this.#studio?.picture.setCovered(true);
    this.#applyMuted();
    this.#show({ kind: 'paused' });
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#studio?.picture.setCovered(false);
    this.#applyMuted();
    this.#show(this.#phase);
  }

  /** Turns camera and microphone on without going live. */
  async startPreview(): Promise<void> {
    this.#previewWanted = true;
    await this.#open();
  }

  stopPreview(): void {
    this.#previewWanted = false;
    if (this.#broadcast === undefined) this.#closeStudio();
  }

  /** From front to back and the other way; with two cameras at a desk, to the next one. */
  async switchCamera(): Promise<void> {
    this.devicePosition = this.devicePosition === 'front' ? 'back' : 'front';
    const cameras = await this.devices().then((all) => all.filter(({ kind }) => kind === 'videoinput'));
    const isHandheld = matchMedia('(pointer: coarse)').matches;
    if (!isHandheld && cameras.length > 1) {
      const current = this.#studio?.camera?.getSettings().deviceId;
      const at = cameras.findIndex(({ deviceId }) => deviceId === current);
      this.cameraId = cameras[(at + 1) % cameras.length]?.deviceId;
    } else {
      this.cameraId = undefined;
    }
    await this.updateComplete;
    await this.#opening;
  }

  snapshot(options: { quality?: 'raw' | 'compressed' } = {}): Promise<Snapshot> {
    return takeSnapshot(this.#video(), options.quality ?? 'raw');
  }

  /** Rejects where camera or browser have no lamp. */
  async toggleTorch(): Promise<void> {
    await setTorch(this.#studio?.camera);
  }

  /** Rejects where camera or browser cannot; resolves to the largest zoom. */
  setZoom(zoom: number): Promise<{ readonly maxZoom: number }> {
    return setZoom(this.#studio?.camera, zoom);
  }

  async playBGM({ url }: { url: string }): Promise<void> {
    await this.#open();
    try {
      await this.#studio?.sound.wake();
      await this.#studio?.sound.music.play(url);
    } catch (error) {
      this.#error(PushError.Music, `the music cannot be played: ${String(error)}`);
      throw error;
    }
  }

  stopBGM(): void {
    this.#studio?.sound.music.stop();
  }

  pauseBGM(): void {
    this.#studio?.sound.music.pause();
  }

  async resumeBGM(): Promise<void> {
    await this.#studio?.sound.music.resume();
  }

  /** 0 … 1 */
  setBGMVolume({ volume }: { volume: number } = { volume: MUSIC_VOLUME }): void {
    if (this.#studio !== undefined) this.#studio.sound.music.volume = volume;
  }

  /** 0 … 1 */
  setMICVolume({ volume }: { volume: number }): void {
    this.#micVolume = Math.max(0, volume);
    this.#applyVoice();
  }

  /** Browsers let no page write SEI into the H.264 that they encode: it always rejects. */
  sendMessage(_: { msg: string }): Promise<never> {
    return Promise.reject(new DOMException('browsers do not let a page write SEI messages', 'NotSupportedError'));
  }

  /** Cameras and microphones; their names only once one of the kind was allowed. */
  devices(): Promise<readonly MediaDeviceInfo[]> {
    return listDevices();
  }

  // ---- what the view and pages read -----------------------------------------------------------

  get view(): PusherView {
    return this.#view;
  }

  get target(): Target {
    const { mode, orientation, aspect, videoWidth, videoHeight, fps } = this;
    return targetOf({ mode, orientation, aspect, videoWidth, videoHeight, fps, minKbps: this.minBitrate, maxKbps: this.maxBitrate });
  }

  get netstatus(): NetStatus | undefined {
    return this.#broadcast?.netstatus;
  }

  /** The connection, for statistics; another one after each reconnect. */
  get peer(): RTCPeerConnection | undefined {
    return this.#broadcast?.peer;
  }

  /** What is sent, or would be. */
  get outgoing(): MediaStream {
    const studio = this.#studio;
    const tracks = studio === undefined ? [] : [studio.sound.track, studio.picture.track];
    return new MediaStream(tracks.filter((track) => track !== undefined));
  }

  /** How loud the voice is, 0 … 100. */
  get volume(): number {
    return this.#isSilenced() ? 0 : (this.#studio?.sound.volume ?? 0);
  }

  get refusals(): readonly Refusal[] {
    return [...this.#refusals.values()];
  }

  /** The last thing that a person should know. */
  get notice(): Notice | undefined {
    return this.#notice?.notice;
  }

  dismissNotice(): void {
    this.#notice = undefined;
    this.requestUpdate();
  }

  get isLive(): boolean {
    return this.#broadcast !== undefined;
  }

  get hasCamera(): boolean {
    return this.#studio?.camera !== undefined;
  }

  get hasMicrophone(): boolean {
    return this.#studio?.microphone !== undefined;
  }

  /** Whether the preview is turned round, which a person expects of a mirror. */
  get isPreviewMirrored(): boolean {
    const facing = this.#studio?.camera?.getSettings().facingMode;
    const isSelfie = this.source === 'camera' && this.stream === null && this.hasCamera && facing !== 'environment';
    const wanted = this.localMirror === 'auto' ? isSelfie : this.localMirror === 'enable';
    return wanted !== (this.#studio?.picture.isMirrored ?? false);
  }

  /** The studio, for tests that look behind the scenes. */
  get studio(): Studio | undefined {
    return this.#studio;
  }

  get broadcast(): Broadcast | undefined {
    return this.#broadcast;
  }

  // ---- life of the element --------------------------------------------------------------------

  override connectedCallback(): void {
    super.connectedCallback();
    this.#listeners = new AbortController();
    const { signal } = this.#listeners;
    document.addEventListener('visibilitychange', () => this.#handleVisibility(), { signal });
    this.#ticker = setInterval(() => this.#tick(), VOLUME_EVERY_MS);
    if (this.hasUpdated && this.autopush && this.url !== '') void this.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#previewWanted = false;
    this.stop();
    this.#listeners?.abort();
    clearInterval(this.#ticker);
  }

  /** Measuring loudness costs something: only when somebody listens. */
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void {
    if (type === 'audiovolumenotify') this.#volumeWanted = true;
    super.addEventListener(type, listener, options);
  }

  protected override firstUpdated(): void {
    this.#video().addEventListener('loadeddata', () => this.#state(PushCode.FirstFrame));
    if (this.autopush && this.url !== '') void this.start();
  }

  protected override updated(changed: PropertyValues<this>): void {
    this.#showShape();
    const studio = this.#studio;
    if (studio === undefined) return;
    if (changed.has('stream')) void studio.give(this.stream ?? undefined).then(() => this.#reopen());
    if (CAPTURE.some((name) => changed.has(name))) this.#reopen();
    if (PICTURE.some((name) => changed.has(name))) this.#applyPicture();
    if (changed.has('audioReverbType') || changed.has('voiceChangerType')) this.#applyVoice();
    if (changed.has('muted') || changed.has('backgroundMute')) this.#applyMuted();
    if (changed.has('url') && changed.get('url') !== undefined && this.#broadcast !== undefined) {
      this.#endBroadcast();
      void this.start();
    }
  }

  protected override render(): TemplateResult {
    return renderPusher(this, this.#localized.messages);
  }

  #video(): HTMLVideoElement {
    const video = this.renderRoot.querySelector('video');
    if (video === null) throw new DOMException('not in a document yet', 'InvalidStateError');
    return video;
  }

  #problem(): 'no-address' | 'no-support' | undefined {
    if (typeof RTCPeerConnection === 'undefined') return 'no-support';
    return this.url === '' ? 'no-address' : undefined;
  }

  #open(): Promise<void> {
    this.#opening ??= this.#openStudio().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #openStudio(): Promise<void> {
    if (this.#broadcast === undefined && this.#view.kind !== 'preview') this.#show({ kind: 'opening' });
    this.#refusals.clear();
    const studio = (this.#studio ??= new Studio(this.#wish(), this.#studioListener));
    this.#applyPicture();
    this.#applyVoice();
    this.#applyMuted();
    if (this.stream !== null) await studio.give(this.stream);
    else await studio.open();
    if (this.#studio !== studio) return;
    this.#showPreview();
    if (this.#broadcast === undefined) this.#show({ kind: 'preview' });
    this.#fire('deviceschange', {});
  }

  #reopen(): void {
    const studio = this.#studio;
    if (studio === undefined) return;
    this.#refusals.clear();
    const before = this.#opening ?? Promise.resolve();
    this.#opening = before
      .then(() => studio.change(this.#wish()))
      .then(() => {
        this.#showPreview();
        this.#fire('deviceschange', {});
        this.requestUpdate();
      })
      .finally(() => (this.#opening = undefined));
    this.#publishPictureIfNew();
  }

  /** A broadcast of sound alone has no place for a picture: it is begun anew, as WeChat's clients do. */
  #publishPictureIfNew(): void {
    const sends = this.#broadcast?.peer?.getTransceivers().some(({ sender }) => sender.track?.kind === 'video');
    if (this.#broadcast === undefined || sends !== false || !this.#sendsPicture()) return;
    this.#endBroadcast();
    void this.#opening?.then(() => this.start());
  }

  /** Sound alone where no camera is wanted and nothing stands in for it. */
  #sendsPicture(): boolean {
    return this.stream !== null ? this.stream.getVideoTracks().length > 0 : this.enableCamera || this.waitingImage !== '';
  }

  #wish(): StudioWish {
    return {
      source: this.source,
      target: this.target,
      wantsCamera: this.enableCamera,
      wantsMicrophone: this.enableMic,
      cameraId: this.cameraId,
      microphoneId: this.microphoneId,
      position: this.devicePosition,
      agc: this.enableAgc,
      ans: this.enableAns,
      aec: this.enableAec,
      file: this.file,
      loop: this.loop,
    };
  }

  #applyPicture(): void {
    const { beauty, whiteness, beautyStyle: style } = this;
    const filter = filterNamed(this.filter);
    const mirror = this.mirror || this.remoteMirror;
    this.#studio?.setPicture({ beauty, whiteness, style, filter, mirror }, this.waitingImage);
    this.requestUpdate();
  }

  #applyVoice(): void {
    this.#studio?.setVoice({ voice: this.voiceChangerType, room: this.audioReverbType, volume: this.#micVolume });
  }

  #isSilenced(): boolean {
    return this.muted || this.#isPaused || (this.backgroundMute && document.hidden);
  }

  #applyMuted(): void {
    if (this.#studio !== undefined) this.#studio.muted = this.#isSilenced();
  }

  #showPreview(): void {
    const video = this.#video();
    const track = this.#studio?.picture.track;
    const shown = video.srcObject instanceof MediaStream ? video.srcObject.getVideoTracks()[0] : undefined;
    if (track !== shown) video.srcObject = track === undefined ? null : new MediaStream([track]);
    this.requestUpdate();
  }

  #endBroadcast(): void {
    this.#broadcast?.stop();
    this.#broadcast = undefined;
    this.#isPaused = false;
    this.#studio?.picture.setCovered(false);
    this.#applyMuted();
    this.#release?.();
    this.#release = undefined;
  }

  #closeStudio(): void {
    this.#studio?.close();
    this.#studio = undefined;
    this.#refusals.clear();
    if (this.hasUpdated) this.#video().srcObject = null;
    this.#show({ kind: 'idle' });
  }

  /** Nothing could be opened that was asked for: there is nothing to send. */
  #isRefusedAltogether(): boolean {
    const wantsPicture = this.enableCamera && !this.hasCamera;
    const wantsSound = this.enableMic && !this.hasMicrophone;
    return this.stream === null && this.#refusals.size > 0 && !this.hasCamera && !this.hasMicrophone && (wantsPicture || wantsSound);
  }

  #phase: BroadcastPhase = { kind: 'connecting' };

  readonly #broadcastListener = {
    handlePhase: (phase: BroadcastPhase): void => {
      this.#phase = phase;
      if (phase.kind === 'failed') this.#endBroadcast();
      if (!this.#isPaused) this.#show(phase);
    },
    handleCode: (code: PushStateCode, detail?: string): void => this.#state(code, detail),
    handleNetstatus: (info: NetStatus): void => this.#fire('netstatus', { info }),
    handleNotice: (notice: Notice): void => this.#tell(notice),
  };

  readonly #studioListener = {
    handleTrack: (kind: 'video' | 'audio', track: MediaStreamTrack): void => {
      this.#broadcast?.replace(track);
      if (kind === 'video' && this.hasUpdated) this.#showPreview();
    },
    handleCamera: (width: number, height: number): void => this.#state(PushCode.CameraOpen, `${width}x${height}`),
    handleRefusal: (refusal: Refusal): void => this.#refuse(refusal),
    handleNotice: (notice: Notice): void => this.#tell(notice),
    handleWaitingFailed: (url: string): void => this.#error(PushError.WaitingImage, `the waiting image cannot be loaded: ${url}`),
    handleBgm: (type: string, detail: object): void => this.#fire(type, detail),
  };

  #refuse(refusal: Refusal): void {
    this.#refusals.set(refusal.device, refusal);
    const { device, detail } = refusal;
    if (device === 'microphone') {
      this.#state(PushCode.MicrophoneFailed, detail);
      this.#error(PushError.Microphone, detail);
    } else {
      this.#state(PushCode.CameraFailed, detail);
      this.#error(PushError.Camera, detail);
    }
    this.requestUpdate();
  }

  #tell(notice: Notice): void {
    this.#notice = { notice, untilMs: performance.now() + NOTICE_MS };
    this.#fire('notice', { notice, message: this.#localized.messages.push.notice(notice) });
    this.requestUpdate();
  }

  #handleVisibility(): void {
    this.#applyMuted();
    if (!document.hidden) this.#broadcast?.hurry();
  }

  #tick(): void {
    const nowMs = performance.now();
    // Not by rendering: nothing else has changed.
    if (this.#studio !== undefined) this.style.setProperty('--_loudness', String(this.volume / 100));
    if (this.#volumeWanted && this.#studio !== undefined) this.#fire('audiovolumenotify', { volume: this.volume });
    if (this.#notice !== undefined && nowMs > this.#notice.untilMs) this.dismissNotice();
    if (this.#broadcast === undefined || nowMs - this.#drawnMs < DRAW_EVERY_MS) return;
    this.#drawnMs = nowMs;
    this.requestUpdate();
  }

  /** Only at the desk is the box given a shape: on a phone the camera's own turning decides. */
  #showShape(): void {
    const { width, height } = this.target;
    this.style.setProperty('--_shape', `${width} / ${height}`);
  }

  #show(view: PusherView): void {
    this.#view = view;
    this.#fire('viewchange', { view });
    this.requestUpdate();
  }

  #state(code: PushStateCode, detail = ''): void {
    this.#fire('statechange', { code, message: pushMessageOf(code, detail) });
  }

  #error(errCode: PushErrorCode, errMsg: string): void {
    this.#fire('error', { errCode, errMsg });
  }

  #fire(type: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/** WeChat's defaults, and ours where it has none. */
const PROPERTIES_BY_DEFAULT: Partial<LivePusher> = {
  url: '',
  token: undefined,
  mode: 'RTC',
  autopush: false,
  muted: false,
  enableCamera: true,
  enableMic: true,
  orientation: 'vertical',
  devicePosition: 'front',
  mirror: false,
  remoteMirror: false,
  localMirror: 'auto',
  aspect: '9:16',
  minBitrate: undefined,
  maxBitrate: undefined,
  videoWidth: undefined,
  videoHeight: undefined,
  fps: undefined,
  audioQuality: 'high',
  waitingImage: '',
  backgroundMute: false,
  beauty: 0,
  whiteness: 0,
  beautyStyle: 'smooth',
  filter: 'standard',
  zoom: false,
  audioReverbType: 0,
  voiceChangerType: 0,
  enableAgc: false,
  enableAns: false,
  enableAec: true,
  simulcast: false,
  source: 'camera',
  cameraId: undefined,
  microphoneId: undefined,
  autoResume: false,
  controls: 'full',
  debug: false,
  file: undefined,
  loop: false,
  stream: null,
};

/** What makes the studio open something else. */
const CAPTURE: readonly (keyof LivePusher)[] = [
  ...(['source', 'file', 'enableCamera', 'enableMic', 'cameraId', 'microphoneId', 'devicePosition'] as const),
  ...(['enableAgc', 'enableAns', 'enableAec'] as const),
];
const PICTURE: readonly (keyof LivePusher)[] = ['beauty', 'whiteness', 'beautyStyle', 'filter', 'mirror', 'remoteMirror', 'waitingImage'];

declare global {
  interface HTMLElementTagNameMap {
    'live-pusher': LivePusher;
  }
}
