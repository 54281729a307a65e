//! `<live-player>`: WeChat's tag of the same name as a standard custom element. It owns the media
//! element, runs a `Session` on it, and turns the session's outputs into DOM events and words.

import { LitElement, type PropertyValues, type TemplateResult } from 'lit';
import { type AddressProblem, plan, statusUrl } from '../play/address.ts';
import { Code, messageOf } from '../play/codes.ts';
import type { Bounds } from '../play/latency.ts';
import { type NetStatus, NetMeter } from '../play/netstatus.ts';
import { type Output, type Phase, Session, aheadS, delayS } from '../play/session.ts';
import { askStatus } from '../play/status.ts';
import { createEngine } from './engines/create.ts';
import type { Engine } from './engines/engine.ts';
import { Localized } from './localized.ts';
import { playerStyles } from './live-player.styles.ts';
import { renderPlayer } from './live-player.view.ts';
import {
  type Snapshot,
  canPictureInPicture,
  detectSupport,
  enterFullScreen,
  framesShown,
  leaveFullScreen,
  readMedia,
  takeSnapshot,
} from './media.ts';
import { VolumeMeter } from './volume-meter.ts';

/** How often the session sees the media element. */
const TICK_MS = 200;
const NETSTATUS_EVERY_MS = 1_000;
/** Controls leave the picture after this long without a hand on them. */
const CONTROLS_SHOWN_MS = 3_000;
const VOLUME_STEP = 0.1;
/** WeChat's defaults in seconds, and what its documentation advises for calls. */
const CACHE_LIVE: Bounds = { minS: 1, maxS: 3 };
const CACHE_CALL: Bounds = { minS: 0.2, maxS: 0.8 };

/** Attributes of a Mini Program arrive as `"false"` too; in HTML, presence means true. */
const flag = (byDefault: boolean) => ({
  fromAttribute: (value: string | null): boolean => (value === null ? byDefault : value !== 'false'),
  toAttribute: (value: boolean): string | null => (value === byDefault ? null : String(value)),
});

/** What is said on the picture: the session's phase, or why there is no session. */
export type View = Phase | { readonly kind: 'no-plan'; readonly problem: AddressProblem };

export class LivePlayer extends LitElement {
  static override styles = playerStyles;
  static override properties = {
    src: {},
    mode: {},
    autoplay: { converter: flag(false) },
    muted: { converter: flag(false) },
    orientation: { reflect: true },
    objectFit: { attribute: 'object-fit', reflect: true },
    backgroundMute: { attribute: 'background-mute', converter: flag(false) },
    minCache: { attribute: 'min-cache', type: Number },
    maxCache: { attribute: 'max-cache', type: Number },
    soundMode: { attribute: 'sound-mode' },
    autoPauseIfNavigate: { attribute: 'auto-pause-if-navigate', converter: flag(true) },
    pictureInPictureMode: { attribute: 'picture-in-picture-mode' },
    referrerPolicy: { attribute: 'referrer-policy' },
    debug: { converter: flag(false) },
    autoResume: { attribute: 'auto-resume', converter: flag(false) },
    controls: {},
  };

  declare src: string;
  declare mode: 'live' | 'RTC';
  declare autoplay: boolean;
  declare muted: boolean;
  declare orientation: 'vertical' | 'horizontal';
  declare objectFit: 'contain' | 'fillCrop';
  declare backgroundMute: boolean;
  /** Seconds; undefined takes the default of `mode`. */
  declare minCache: number | undefined;
  declare maxCache: number | undefined;
  /** Kept for compatibility: browsers do not let a page choose the earpiece. */
  declare soundMode: 'speaker' | 'ear';
  declare autoPauseIfNavigate: boolean;
  declare pictureInPictureMode: string;
  declare referrerPolicy: ReferrerPolicy;
  declare debug: boolean;
  /** Keep looking for the stream after giving up or after its end. */
  declare autoResume: boolean;
  declare controls: 'full' | 'none';

  readonly #localized = new Localized(this);
  readonly #meter = new NetMeter();
  #session: Session | undefined;
  #engine: Engine | undefined;
  #view: View = { kind: 'idle' };
  #video: HTMLVideoElement | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #listeners: AbortController | undefined;
  #controlsUntilMs = 0;
  #needsTap = false;
  #lastNetstatusMs = 0;
  #netstatus: NetStatus | undefined;
  #volumeWanted = false;
  #volumeMeter: VolumeMeter | undefined;
  #shownSecond = -1;

  constructor() {
    super();
    this.src = '';
    this.mode = 'live';
    this.autoplay = false;
    this.muted = false;
    this.orientation = 'vertical';
    this.objectFit = 'contain';
    this.backgroundMute = false;
    this.minCache = undefined;
    this.maxCache = undefined;
    this.soundMode = 'speaker';
    this.autoPauseIfNavigate = true;
    this.pictureInPictureMode = '';
    this.referrerPolicy = 'no-referrer';
    this.debug = false;
    this.autoResume = false;
    this.controls = 'full';
  }

  // ---- what a page may call -------------------------------------------------------------------

  /** Starts, or starts anew after a stop, an end or a failure. */
  play(): void {
    const video = this.#media();
    const planned = plan(this.src, document.baseURI, detectSupport());
    this.#session?.stop();
    this.#drain();
    if (!planned.ok) {
      this.#show({ kind: 'no-plan', problem: planned.problem });
      this.#fire('statechange', { code: Code.GaveUp, message: messageOf(Code.GaveUp, planned.problem) });
      return;
    }
    this.#session = new Session({
      candidates: planned.candidates,
      bounds: this.#bounds(),
      autoResume: this.autoResume,
    });
    video.muted = this.muted;
    // Safari unlocks the element only when `play` is called in the gesture itself.
    if (navigator.userActivation?.isActive === true) void video.play().catch(() => undefined);
    this.#session.play(performance.now());
    this.#drain();
    this.#startTicking();
  }

  stop(): void {
    this.#session?.stop();
    this.#drain();
    this.#session = undefined;
    this.#stopTicking();
    this.#show({ kind: 'idle' });
  }

  pause(): void {
    this.#session?.pause(performance.now());
    this.#drain();
    this.#media().pause();
  }

  /** Goes on at live, not where it was paused. */
  resume(): void {
    if (this.#session === undefined) {
      this.play();
      return;
    }
    const video = this.#media();
    this.#session.resume(performance.now(), readMedia(video, this.#engine?.facts));
    this.#drain();
    void this.#begin();
  }

  /** Turns the sound off or on; without an argument, the other way. */
  mute(muted = !this.#media().muted): void {
    const video = this.#media();
    video.muted = muted;
    if (!muted && video.volume === 0) video.volume = 1;
    this.#needsTap = false;
    this.requestUpdate();
  }

  /** Jumps to live when behind. */
  goLive(): void {
    this.#session?.goLive(readMedia(this.#media(), this.#engine?.facts));
    this.#drain();
  }

  async requestFullScreen(options: { direction?: 0 | 90 | -90 } = {}): Promise<void> {
    await enterFullScreen(this, this.#media());
    const wanted = options.direction === undefined || options.direction === 0 ? 'portrait' : 'landscape';
    const orientation = screen.orientation as ScreenOrientation & { lock?: (to: string) => Promise<void> };
    // Only phones can be turned; elsewhere the request is refused and means nothing.
    if (options.direction !== undefined) await orientation.lock?.(wanted).catch(() => undefined);
  }

  async exitFullScreen(): Promise<void> {
    await leaveFullScreen(this.#media());
  }

  async requestPictureInPicture(): Promise<void> {
    await this.#media().requestPictureInPicture();
  }

  async exitPictureInPicture(): Promise<void> {
    if (document.pictureInPictureElement !== null) await document.exitPictureInPicture();
  }

  snapshot(options: { quality?: 'raw' | 'compressed' } = {}): Promise<Snapshot> {
    return takeSnapshot(this.#media(), options.quality ?? 'raw');
  }

  // ---- what the view reads --------------------------------------------------------------------

  get view(): View {
    return this.#view;
  }

  get localized(): Localized {
    return this.#localized;
  }

  /** Seconds behind live, or undefined while there is no picture. */
  get delay(): number | undefined {
    if (this.#video === undefined || this.#engine === undefined || this.#video.readyState === 0) return undefined;
    return delayS(readMedia(this.#video, this.#engine.facts));
  }

  /** Whether the delay is more than the player means to keep. */
  get isBehind(): boolean {
    const { delay } = this;
    return delay !== undefined && this.#session !== undefined && delay > this.#session.targetS + 1;
  }

  get netstatus(): NetStatus | undefined {
    return this.#netstatus;
  }

  get soundOff(): boolean {
    return this.#video?.muted ?? this.muted;
  }

  get volume(): number {
    return this.#video?.volume ?? 1;
  }

  set volume(volume: number) {
    const video = this.#media();
    video.volume = Math.min(1, Math.max(0, volume));
    this.mute(video.volume === 0);
  }

  /** The browser let us start only without sound. */
  get needsTap(): boolean {
    return this.#needsTap;
  }

  get isFullScreen(): boolean {
    return this.matches(':fullscreen');
  }

  get isPictureInPicture(): boolean {
    return this.#video !== undefined && this.shadowRoot?.pictureInPictureElement === this.#video;
  }

  get hasPictureInPicture(): boolean {
    return canPictureInPicture();
  }

  get controlsShown(): boolean {
    return this.#view.kind !== 'playing' || performance.now() < this.#controlsUntilMs;
  }

  toggle(): void {
    switch (this.#view.kind) {
      case 'playing':
      case 'loading':
      case 'waiting':
        this.pause();
        return;
      case 'paused':
        this.resume();
        return;
      default:
        this.play();
    }
  }

  /** A hand is on the player: show the controls for a while. */
  wake(): void {
    this.#controlsUntilMs = performance.now() + CONTROLS_SHOWN_MS;
    this.requestUpdate();
  }

  /** A finger on the picture shows the controls, or puts them away. */
  toggleControls(): void {
    if (this.controlsShown) this.#controlsUntilMs = 0;
    else this.#controlsUntilMs = performance.now() + CONTROLS_SHOWN_MS;
    this.requestUpdate();
  }

  handleKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.composedPath()[0] instanceof HTMLButtonElement;
    const action = this.#keys[event.key.toLowerCase()];
    // Space and arrows belong to a focused control first.
    if (action === undefined || (onButton && event.key === ' ')) return;
    event.preventDefault();
    this.wake();
    action();
  }

  readonly #keys: Readonly<Record<string, () => void>> = {
    ' ': () => this.toggle(),
    k: () => this.toggle(),
    m: () => this.mute(),
    l: () => this.goLive(),
    f: () => void (this.isFullScreen ? this.exitFullScreen() : this.requestFullScreen()),
    arrowup: () => (this.volume += VOLUME_STEP),
    arrowdown: () => (this.volume -= VOLUME_STEP),
  };

  // ---- life of the element --------------------------------------------------------------------

  override connectedCallback(): void {
    super.connectedCallback();
    this.#listeners = new AbortController();
    const { signal } = this.#listeners;
    document.addEventListener('visibilitychange', () => this.#handleVisibility(), { signal });
    document.addEventListener('fullscreenchange', () => this.#handleFullScreen(), { signal });
    window.addEventListener('online', () => this.#session?.hurry(performance.now()), { signal });
    window.addEventListener('pagehide', () => this.autoPauseIfNavigate && this.pause(), { signal });
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#emitCode(Code.AudioDevice), { signal });
    if (this.hasUpdated && this.autoplay && this.src !== '') this.play();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop();
    this.#listeners?.abort();
    this.#volumeMeter?.close();
    this.#volumeMeter = undefined;
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
    const video = this.#media();
    const on = (type: string, handle: () => void): void => video.addEventListener(type, handle);
    on('canplay', () => void this.#begin());
    on('pause', () => this.#handlePause());
    on('volumechange', () => this.requestUpdate());
    on('enterpictureinpicture', () => this.#fire('enterpictureinpicture', {}));
    on('leavepictureinpicture', () => this.#fire('leavepictureinpicture', {}));
    if (this.autoplay && this.src !== '') this.play();
  }

  protected override updated(changed: PropertyValues<this>): void {
    const video = this.#media();
    if (changed.has('muted')) video.muted = this.muted;
    if (changed.has('src') && changed.get('src') !== undefined) {
      const wasActive = this.#session !== undefined;
      this.stop();
      if (this.src !== '' && (wasActive || this.autoplay)) this.play();
    }
    if (changed.has('pictureInPictureMode')) this.#offerAutomaticPictureInPicture();
  }

  protected override render(): TemplateResult {
    return renderPlayer(this, this.#localized.messages);
  }

  #media(): HTMLVideoElement {
    this.#video ??= this.renderRoot.querySelector('video') ?? undefined;
    if (this.#video === undefined) throw new DOMException('not in a document yet', 'InvalidStateError');
    return this.#video;
  }

  #bounds(): Bounds {
    const byMode = this.mode === 'RTC' ? CACHE_CALL : CACHE_LIVE;
    return { minS: this.minCache ?? byMode.minS, maxS: this.maxCache ?? byMode.maxS };
  }

  #startTicking(): void {
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #stopTicking(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #tick(): void {
    const nowMs = performance.now();
    const video = this.#media();
    this.#session?.handleReading(readMedia(video, this.#engine?.facts), nowMs);
    this.#drain();
    if (nowMs - this.#lastNetstatusMs >= NETSTATUS_EVERY_MS) {
      this.#lastNetstatusMs = nowMs;
      this.#reportNetstatus(nowMs);
    }
    if (this.#volumeWanted) this.#reportVolume();
    // Seconds in the words and the badge move even when nothing else does.
    const tenth = Math.floor(nowMs / (this.#view.kind === 'playing' ? 500 : 1000));
    if (tenth !== this.#shownSecond) {
      this.#shownSecond = tenth;
      this.requestUpdate();
    }
  }

  #drain(): void {
    for (let output = this.#session?.poll(); output !== undefined; output = this.#session?.poll()) {
      this.#perform(output);
    }
  }

  #perform(output: Output): void {
    const video = this.#media();
    switch (output.do) {
      case 'start':
        this.#dropEngine();
        this.#meter.restart();
        this.#engine = createEngine(output.candidate.kind, {
          url: output.candidate.url,
          video,
          referrerPolicy: this.referrerPolicy,
          emit: (event) => {
            this.#session?.handleEngine(event, performance.now());
            this.#drain();
          },
        });
        return;
      case 'stop':
        this.#dropEngine();
        return;
      case 'rate':
        video.playbackRate = output.rate;
        return;
      case 'seek':
        video.currentTime = output.toS;
        return;
      case 'emit':
        if (output.code === Code.Stalled) this.#meter.handleStall(performance.now());
        this.#fire('statechange', { code: output.code, message: output.message });
        return;
      case 'phase':
        this.#show(output.phase);
        return;
      case 'ask':
        void this.#ask();
    }
  }

  async #ask(): Promise<void> {
    const session = this.#session;
    const status = await askStatus(statusUrl(this.src, document.baseURI));
    if (this.#session !== session) return;
    session?.handleStatus(status, performance.now());
    this.#drain();
  }

  #dropEngine(): void {
    const engine = this.#engine;
    // Unset first: emptying the element makes it pause, which must not look like the viewer's wish.
    this.#engine = undefined;
    engine?.destroy();
    this.#volumeMeter?.close();
    this.#volumeMeter = undefined;
  }

  #show(view: View): void {
    this.#view = view;
    if (view.kind === 'playing') this.wake();
    this.requestUpdate();
  }

  /** There is something to play: begin, without sound where the browser insists. */
  async #begin(): Promise<void> {
    if (this.#view.kind === 'paused' || this.#engine === undefined) return;
    const video = this.#media();
    if (!video.paused) return;
    try {
      await video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || video.muted) return;
      video.muted = true;
      this.#needsTap = true;
      this.requestUpdate();
      await video.play().catch(() => undefined);
    }
  }

  /** Paused from outside: media keys, a phone call, picture in picture. */
  #handlePause(): void {
    const video = this.#media();
    const playing = this.#view.kind === 'playing' || this.#view.kind === 'loading';
    if (playing && this.#engine !== undefined && !video.ended && !document.hidden && video.readyState >= 2) {
      this.#session?.pause(performance.now());
      this.#drain();
    }
  }

  #handleVisibility(): void {
    const video = this.#media();
    if (document.hidden) {
      if (this.backgroundMute) video.muted = true;
      return;
    }
    if (this.backgroundMute) video.muted = this.muted || this.#needsTap;
    this.#session?.hurry(performance.now());
    // Phones stop a hidden video; on return the viewer wants what is live now.
    if (this.#view.kind === 'playing') {
      void this.#begin();
      if (this.isBehind) this.goLive();
    }
  }

  #handleFullScreen(): void {
    const fullScreen = this.isFullScreen;
    this.requestUpdate();
    const direction = screen.orientation?.type.startsWith('landscape') === true ? 'horizontal' : 'vertical';
    this.#fire('fullscreenchange', { direction, fullScreen });
  }

  #offerAutomaticPictureInPicture(): void {
    const wanted = /push|pop/.test(this.pictureInPictureMode);
    const session = navigator.mediaSession as MediaSession | undefined;
    try {
      const action = 'enterpictureinpicture' as MediaSessionAction;
      session?.setActionHandler(action, wanted ? () => void this.requestPictureInPicture() : null);
    } catch {
      // The browser knows no automatic picture in picture; the button remains.
    }
  }

  #reportNetstatus(nowMs: number): void {
    const facts = this.#engine?.facts;
    if (facts === undefined) return;
    const video = this.#media();
    const info = this.#meter.handleCounters(
      {
        ...facts,
        framesShown: framesShown(video),
        bufferedS: aheadS(readMedia(video, facts)),
        width: video.videoWidth,
        height: video.videoHeight,
      },
      nowMs,
    );
    if (info === undefined) return;
    const wasSteady = (this.#netstatus?.netQualityLevel ?? 1) < 4;
    this.#netstatus = info;
    if (wasSteady && info.netQualityLevel >= 4) this.#emitCode(Code.UnstableInput);
    this.#fire('netstatus', { info });
    if (this.debug) this.requestUpdate();
  }

  #reportVolume(): void {
    if (this.#view.kind !== 'playing') return;
    this.#volumeMeter ??= VolumeMeter.of(this.#media());
    if (this.#volumeMeter !== undefined) this.#fire('audiovolumenotify', { volume: this.#volumeMeter.volume });
  }

  #emitCode(code: typeof Code.AudioDevice | typeof Code.UnstableInput): void {
    if (this.#session !== undefined) this.#fire('statechange', { code, message: messageOf(code) });
  }

  #fire(type: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'live-player': LivePlayer;
  }
}
