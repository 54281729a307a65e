//! `<live-player>`: WeChat's tag of the same name as a standard custom element: its attributes,
//! methods and events. Watching itself is `Playback`, what is drawn is `live-player.view.ts`.

import { LitElement, type PropertyValues, type TemplateResult } from 'lit';
import type { AddressProblem, EngineKind, Mode } from '../play/address.ts';
import { Code, messageOf } from '../play/codes.ts';
import type { Bounds } from '../play/latency.ts';
import type { NetStatus } from '../play/netstatus.ts';
import type { Phase } from '../play/session.ts';
import { Localized } from './localized.ts';
import { busyStyles } from './busy.styles.ts';
import { playerStyles } from './live-player.styles.ts';
import { renderPlayer } from './live-player.view.ts';
import { type Snapshot, canPictureInPicture, enterFullScreen, leaveFullScreen, takeSnapshot } from './media.ts';
import { Playback } from './playback.ts';
import { VolumeMeter } from './volume-meter.ts';

/** Controls leave the picture after this long without a hand on them. */
const CONTROLS_SHOWN_MS = 3_000;
/** How often numbers on the picture change: the badge while playing, seconds in the words otherwise. */
const BADGE_EVERY_MS = 500;
const WORDS_EVERY_MS = 1_000;
const VOLUME_STEP = 0.1;
/**
 * WeChat's defaults in seconds, and what its documentation advises for calls: the shorter one where
 * lost packets do not hold up those behind them.
 */
const CACHE_LIVE: Bounds = { minS: 1, maxS: 3 };
const CACHE_CALL: Bounds = { minS: 0.2, maxS: 0.8 };
const CACHE_WEBRTC: Bounds = { minS: 0.1, maxS: 0.3 };

/** Attributes of a Mini Program arrive as `"false"` too; in HTML, presence means true. */
const flag = (byDefault: boolean) => ({
  fromAttribute: (value: string | null): boolean => (value === null ? byDefault : value !== 'false'),
  toAttribute: (value: boolean): string | null => (value === byDefault ? null : String(value)),
});

/** What is said on the picture: the session's phase, or why there is no session. */
export type View = Phase | { readonly kind: 'no-plan'; readonly problem: AddressProblem };

export class LivePlayer extends LitElement {
  static override styles = [busyStyles, playerStyles];
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
  declare mode: Mode;
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
  #playback: Playback | undefined;
  #view: View = { kind: 'idle' };
  #video: HTMLVideoElement | undefined;
  #listeners: AbortController | undefined;
  #controlsUntilMs = 0;
  #needsTap = false;
  #volumeWanted = false;
  #volumeMeter: VolumeMeter | undefined;
  #drawnAt = -1;

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
    this.#drop();
    if (navigator.userActivation?.isActive === true) {
      // With a gesture the browser no longer insists on silence.
      if (this.#needsTap) this.mute(false);
      // Safari unlocks the element only when `play` is called in the gesture itself.
      void video.play().catch(() => undefined);
    }
    const { src, mode, autoResume, referrerPolicy } = this;
    const boundsOf = this.#boundsOf();
    const started = Playback.start(video, { src, mode, autoResume, referrerPolicy, boundsOf }, this.#listener);
    if (started instanceof Playback) {
      this.#playback = started;
      return;
    }
    this.#show({ kind: 'no-plan', problem: started.problem });
    this.#fire('statechange', { code: Code.GaveUp, message: messageOf(Code.GaveUp, started.problem) });
  }

  stop(): void {
    this.#drop();
    this.#show({ kind: 'idle' });
  }

  pause(): void {
    this.#playback?.pause();
  }

  /** Goes on at live, not where it was paused. */
  resume(): void {
    if (this.#playback === undefined) this.play();
    else this.#playback.resume();
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
    this.#playback?.goLive();
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

  /** Seconds behind live, or undefined while there is no picture. */
  get delay(): number | undefined {
    return this.#playback?.delayS;
  }

  /** Whether the delay is more than the player means to keep. */
  get isBehind(): boolean {
    return this.#playback?.isBehind ?? false;
  }

  /** What brings the stream, while something does. */
  get transport(): EngineKind | undefined {
    return this.#playback?.transport;
  }

  get netstatus(): NetStatus | undefined {
    return this.#playback?.netstatus;
  }

  /** The network is too weak for pictures: there is sound alone. */
  get isSoundOnly(): boolean {
    return this.#playback?.isSoundOnly ?? false;
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
    super.addEventListener('fullscreenchange', (event) => this.#handleFullScreen(event), { signal });
    window.addEventListener('online', () => this.#playback?.hurry(), { signal });
    window.addEventListener('pagehide', () => this.autoPauseIfNavigate && this.pause(), { signal });
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#handleDevice(), { signal });
    if (this.hasUpdated && this.autoplay && this.src !== '') this.play();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop();
    this.#listeners?.abort();
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
    on('canplay', () => void this.#playback?.begin());
    on('pause', () => this.#playback?.handlePaused());
    on('volumechange', () => this.requestUpdate());
    // iPhones fill the screen with the video alone and tell only the video.
    on('webkitbeginfullscreen', () => this.#reportFullScreen(true));
    on('webkitendfullscreen', () => this.#reportFullScreen(false));
    on('enterpictureinpicture', () => this.#fire('enterpictureinpicture', {}));
    on('leavepictureinpicture', () => this.#fire('leavepictureinpicture', {}));
    if (this.autoplay && this.src !== '') this.play();
  }

  protected override updated(changed: PropertyValues<this>): void {
    const video = this.#media();
    if (changed.has('muted')) video.muted = this.muted;
    // The first values are no change; later ones switch over.
    if (['src', 'mode'].some((name) => changed.get(name as 'src' | 'mode') !== undefined)) {
      const wasActive = this.#playback !== undefined;
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

  /** The asked-for bounds, as they are when playing begins. */
  #boundsOf(): (kind: EngineKind) => Bounds {
    const { minCache, maxCache } = this;
    const byMode = this.mode === 'RTC' ? CACHE_CALL : CACHE_LIVE;
    return (kind) => {
      const byDefault = kind === 'whep' ? CACHE_WEBRTC : byMode;
      return { minS: minCache ?? byDefault.minS, maxS: maxCache ?? byDefault.maxS };
    };
  }

  readonly #listener = {
    handlePhase: (phase: Phase): void => this.#show(phase),
    handleEvent: (type: string, detail: object): void => this.#fire(type, detail),
    handleTick: (nowMs: number): void => this.#handleTick(nowMs),
    handleMuted: (): void => {
      this.#needsTap = true;
      this.requestUpdate();
    },
  };

  #handleTick(nowMs: number): void {
    if (this.#volumeWanted) this.#reportVolume();
    const at = Math.floor(nowMs / (this.#view.kind === 'playing' ? BADGE_EVERY_MS : WORDS_EVERY_MS));
    if (at === this.#drawnAt) return;
    this.#drawnAt = at;
    this.requestUpdate();
  }

  #drop(): void {
    this.#playback?.close();
    this.#playback = undefined;
    this.#dropVolumeMeter();
  }

  #dropVolumeMeter(): void {
    this.#volumeMeter?.close();
    this.#volumeMeter = undefined;
  }

  #show(view: View): void {
    this.#view = view;
    if (view.kind === 'playing') this.wake();
    // A new connection brings new sound tracks; the copy of the old ones stays silent.
    else if (view.kind !== 'loading' && view.kind !== 'waiting') this.#dropVolumeMeter();
    this.requestUpdate();
  }

  #handleVisibility(): void {
    const video = this.#media();
    if (this.backgroundMute) video.muted = document.hidden || this.muted || this.#needsTap;
    if (!document.hidden) this.#playback?.handleShown();
  }

  #handleDevice(): void {
    if (this.#playback === undefined) return;
    this.#fire('statechange', { code: Code.AudioDevice, message: messageOf(Code.AudioDevice) });
  }

  /** The platform's event of the same name gives way to the tag's: one event, with its detail. */
  #handleFullScreen(event: Event): void {
    if (event instanceof CustomEvent) return;
    event.stopImmediatePropagation();
    this.#reportFullScreen(this.isFullScreen);
  }

  #reportFullScreen(fullScreen: boolean): void {
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

  #reportVolume(): void {
    if (this.#view.kind !== 'playing') return;
    this.#volumeMeter ??= VolumeMeter.of(this.#media());
    if (this.#volumeMeter !== undefined) this.#fire('audiovolumenotify', { volume: this.#volumeMeter.volume });
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
