//! `<live-room>`: a room as one element. It is the address of the room and an invitation; who may do what, who is on
//! the stage and what is said comes from the server, and looks as `*.view.ts` draw it.

import { LitElement, type PropertyValues, type TemplateResult } from 'lit';
import { type Layout, gridOf, layoutOf } from '../../room/layout.ts';
import type { RoomNotice } from '../../room/notices.ts';
import { RoomSession } from '../../room/session.ts';
import type { All, Delta, Own } from '../../room/tracks.ts';
import { declineCall } from '../../room/decline.ts';
import { dialWebSocket, socketUrl } from '../../room/wire.ts';
import { type Target, targetOf } from '../../publish/settings.ts';
import { listDevices } from '../push/capture.ts';
import { keepAwake } from '../push/wake-lock.ts';
import { FocusKeeper } from './focus.ts';
import { Floaters } from './floaters.ts';
import { roomProperties } from './live-room.properties.ts';
import { renderRoom } from './room.view.ts';
import { mayReturn, renderIncoming, renderJoining, renderOver } from './screens.view.ts';
import { roomStyles } from './styles/index.ts';
import { RoomUi } from './ui.ts';
import type { RoomView } from './view.ts';
import { Voices } from './voices.ts';
import { TileWatch } from './watch-tiles.ts';
import { RoomWords } from './words.ts';

/** Seconds in the words. */
const DRAW_EVERY_MS = 1_000;
/** Narrower, it is laid out as on a phone. */
const NARROW_PX = 640;
const GAP_PX = 8;
const FPS = 24;

export class LiveRoom extends LitElement {
  static override styles = roomStyles;
  static override properties = roomProperties;

  /** `/rooms/{room}/ws`, on this server or another. */
  declare url: string;
  /** The invitation: a join token. */
  declare token: string;
  /** Counts where the token has none. */
  declare name: string;
  /** Comes in with the microphone, or the camera, off; afterwards, whether it is. `wantschange` tells. */
  declare muted: boolean;
  declare cameraOff: boolean;
  declare cameraId: string | undefined;
  declare microphoneId: string | undefined;
  /** The template's own where it is not set. */
  declare layout: Layout | undefined;
  /** A call that is to be accepted or declined first; `caller` says whose. */
  declare ring: boolean;
  declare caller: string;
  /** The app that broadcasts of rooms live in, as the server's configuration has it. */
  declare app: string;
  /** Pixels of a picture held upright, and its rate, as `<live-pusher>` has them. */
  declare videoWidth: number | undefined;
  declare videoHeight: number | undefined;
  declare fps: number;

  readonly #localized = new RoomWords(this);
  readonly #ui = new RoomUi(() => this.requestUpdate());
  readonly #voices = new Voices(() => this.requestUpdate());
  readonly #floaters = new Floaters();
  readonly #focus = new FocusKeeper();
  readonly #sizes = new ResizeObserver(() => this.#measure());
  #tiles: TileWatch | undefined;
  #session: RoomSession | undefined;
  /** Shown on, while a connection is built anew. */
  #shown: { readonly all: All; readonly own: Own } | undefined;
  #listeners: AbortController | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #awake: (() => void) | undefined;
  #ringing: 'rings' | 'accepted' | 'declined' = 'rings';
  #tokenShown = '';

  constructor() {
    super();
    Object.assign(this, { url: '', token: '', name: '', muted: false, cameraOff: false, ring: false, caller: '', app: 'room', fps: FPS });
  }

  // ---- what a page may call and read ----------------------------------------------------------

  /** The member, its room and its media; undefined before and after. */
  get session(): RoomSession | undefined {
    return this.#session;
  }

  /** Comes in, where it has not by itself. */
  join(): void {
    if (this.#session !== undefined || this.url === '' || this.token === '') return;
    const url = socketUrl(this.url, document.baseURI);
    this.#tokenShown = this.token;
    this.#awake ??= keepAwake();
    this.#session = new RoomSession(
      {
        ...{ url, token: this.token, name: this.name === '' ? null : this.name },
        target: (template) => this.#target(template),
        devices: { cameraId: this.cameraId, microphoneId: this.microphoneId, position: 'front' },
        wants: { sound: !this.muted, picture: !this.cameraOff },
      },
      {
        handleChange: () => this.#handleChange(),
        handleDelta: (delta) => this.#handleDelta(delta),
        handleNotice: (notice) => this.#handleNotice(notice),
      },
    );
    this.requestUpdate();
  }

  /** Leaves the room; `left` tells when that is done. */
  leave(): void {
    this.#session?.leave();
  }

  // ---- life of the element --------------------------------------------------------------------

  override connectedCallback(): void {
    super.connectedCallback();
    this.#listeners = new AbortController();
    const { signal } = this.#listeners;
    this.#tiles = new TileWatch((wanted) => this.#session?.media?.down?.want(wanted));
    document.addEventListener('visibilitychange', () => document.hidden || this.#session?.hurry(), { signal });
    window.addEventListener('online', () => this.#session?.hurry(), { signal });
    for (const type of ['pointermove', 'pointerdown', 'keydown', 'focusin']) this.addEventListener(type, () => this.#ui.wake(), { signal, passive: true });
    this.addEventListener('keydown', (event) => this.#handleKey(event), { signal });
    this.#sizes.observe(this);
    this.renderRoot.addEventListener('resize', ({ target }) => target instanceof HTMLVideoElement && fit(target), { signal, capture: true });
    this.#ticker = setInterval(() => this.#tick(), DRAW_EVERY_MS);
    this.#ui.wake();
    if (this.hasUpdated && !this.ring) this.join();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#close();
    this.#listeners?.abort();
    this.#tiles?.stop();
    this.#sizes.disconnect();
    this.#ui.stop();
    clearInterval(this.#ticker);
  }

  protected override firstUpdated(): void {
    if (!this.ring) this.join();
  }

  protected override willUpdate(): void {
    this.#focus.note(this.renderRoot);
  }

  protected override updated(changed: PropertyValues<this>): void {
    if ((changed.has('url') || changed.has('token')) && this.#session !== undefined && this.token !== this.#tokenShown) {
      this.#close();
      this.join();
    }
    if (this.#session === undefined && !this.ring && changed.has('token')) this.join();
    this.#voices.play(this.#session?.media?.down?.voices ?? []);
    const box = this.renderRoot.querySelector('.stage-box');
    // Moved, it would begin all flights anew.
    if (box !== null && this.#floaters.layer.parentElement !== box) box.append(this.#floaters.layer);
    this.renderRoot.querySelector<HTMLDialogElement>('dialog:not([open])')?.showModal();
    this.#focus.keep(this.renderRoot, this.#ui.panel);
    this.#placeTiles();
    if (this.#ui.isFollowing) this.renderRoot.querySelector('.lines')?.scrollTo({ top: 1e9 });
  }

  protected override render(): TemplateResult {
    const { words } = this.#localized;
    if (this.url === '' || this.token === '') return renderOver({ ...words.noAddress, again: undefined });
    if (typeof RTCPeerConnection === 'undefined') return renderOver({ ...words.noSupport, again: undefined });
    if (this.ring && this.#ringing === 'rings') {
      return renderIncoming(words, this.caller, { accept: () => this.#answer('accepted'), decline: () => this.#answer('declined') });
    }
    const phase = this.#ringing === 'declined' ? DECLINED : (this.#session?.phase ?? { kind: 'joining', attempt: 0 });
    if (phase.kind === 'over') {
      const { code, sentence } = phase.ending;
      const again = mayReturn(code) ? { label: words.comeBack, press: () => this.#comeBack() } : undefined;
      return renderOver({ ...words.ending(code, sentence), again });
    }
    const view = this.#view();
    return view === undefined ? renderJoining(words, phase) : renderRoom(view);
  }

  #view(): RoomView | undefined {
    const [session, shown] = [this.#session, this.#shown];
    if (session === undefined || shown === undefined) return undefined;
    const slides = this.querySelector(':scope > [slot="slides"]') !== null;
    return {
      ...{ session, ui: this.#ui, words: this.#localized.words, ...shown, hasSlides: slides },
      layout: this.#ui.layout ?? this.layout ?? layoutOf(shown.all.about.template, showsScreen(shown)),
      isNarrow: this.#ui.size.width < NARROW_PX,
      audienceSrc: this.#audienceSrc(),
      isSoundBlocked: this.#voices.isBlocked,
      allowSound: () => this.#voices.allow(),
      leave: () => this.leave(),
    };
  }

  #audienceSrc(): string {
    const url = new URL(this.url, document.baseURI);
    const room = /\/rooms\/([^/]+)\/ws$/.exec(url.pathname)?.[1] ?? '';
    const scheme = url.protocol.replace('ws', 'http');
    return `${scheme}//${url.host}/${this.app}/${room}.flv?auth=${encodeURIComponent(this.token)}`;
  }

  #target(template: string): Target {
    const isUpright = matchMedia('(pointer: coarse) and (orientation: portrait)').matches;
    return targetOf({
      // Two who talk see each other large; among many a picture is a tile.
      mode: template === 'call' || template === 'show' ? 'FHD' : 'HD',
      orientation: isUpright ? 'vertical' : 'horizontal',
      ...{ aspect: '9:16', videoWidth: this.videoWidth, videoHeight: this.videoHeight, fps: this.fps },
      ...{ minKbps: undefined, maxKbps: undefined },
    });
  }

  #answer(answer: 'accepted' | 'declined'): void {
    this.#ringing = answer;
    if (answer === 'accepted') this.join();
    else declineCall(socketUrl(this.url, document.baseURI), this.token, dialWebSocket);
    this.requestUpdate();
  }

  #comeBack(): void {
    this.#close();
    this.join();
  }

  #close(): void {
    this.#session?.close();
    this.#session = undefined;
    this.#shown = undefined;
    this.#voices.stop();
    this.#floaters.clear();
    this.#awake?.();
    this.#awake = undefined;
  }

  #handleChange(): void {
    const session = this.#session;
    // The first phase is told before the constructor has returned.
    if (session === undefined) return;
    const { all, own, phase } = session;
    if (all !== undefined && own !== undefined) this.#shown = { all, own };
    this.#keepWants(session.wants);
    for (const media of this.#ui.declined) if (own?.asked.some((asked) => asked === media) === false) this.#ui.declined.delete(media);
    if (phase.kind === 'over') this.#handleOver(phase.ending.code);
    this.requestUpdate();
  }

  /** Who comes back, by pressing or by loading the page anew, is heard and seen as little as before. */
  #keepWants({ sound, picture }: RoomSession['wants']): void {
    if (this.muted === !sound && this.cameraOff === !picture) return;
    this.muted = !sound;
    this.cameraOff = !picture;
    this.#fire('wantschange', { muted: this.muted, cameraOff: this.cameraOff });
  }

  #handleOver(code: string): void {
    if (this.#awake === undefined) return;
    this.#awake();
    this.#awake = undefined;
    this.#voices.stop();
    this.#fire('left', { code });
  }

  #handleDelta({ change }: Delta): void {
    if (change?.name === 'said') {
      const { member, text } = change.said;
      if (this.#ui.flies) this.#floaters.say(text, member === this.#session?.own?.id);
      if (this.#ui.panel !== 'chat') this.#ui.unread += 1;
    }
    if (change?.name === 'reacted') for (const { reaction, count } of change.counts) this.#floaters.react(reaction, count);
    this.#fire('change', { change });
  }

  #handleNotice(notice: RoomNotice): void {
    this.#ui.tell(notice);
    if (notice.kind === 'up') void listDevices().then((devices) => this.#ui.set({ devices }));
    this.#fire('notice', { notice, message: this.#localized.words.notice(notice) });
  }

  #handleKey(event: KeyboardEvent): void {
    // A question has its own way to close.
    if (event.key !== 'Escape' || this.#ui.question !== undefined || (this.#ui.panel === 'none' && !this.#ui.isReacting)) return;
    event.stopPropagation();
    this.#ui.set({ panel: 'none', isReacting: false });
  }

  #tick(): void {
    const session = this.#session;
    if (session === undefined || session.phase.kind === 'over') return;
    const { all, own } = session;
    const hasSeconds =
      session.phase.kind === 'away' || all?.ringing_until != null || all?.host_until != null || own?.invited_until != null || this.#ui.panel === 'people';
    if (hasSeconds) this.requestUpdate();
    if (this.#ui.panel === 'settings' && this.#ui.devices.length === 0) void listDevices().then((devices) => this.#ui.set({ devices }));
  }

  #measure(): void {
    const { clientWidth: width, clientHeight: height } = this;
    this.#ui.size = { width, height };
    this.requestUpdate();
  }

  /** Tiles of a gallery are as large as the space allows; which is asked of the server. */
  #placeTiles(): void {
    const gallery = this.renderRoot.querySelector<HTMLElement>('.gallery');
    if (gallery !== null) {
      const count = gallery.querySelectorAll('.tile').length;
      const style = getComputedStyle(gallery);
      const width = gallery.clientWidth - parseFloat(style.paddingInlineStart) - parseFloat(style.paddingInlineEnd);
      const height = gallery.clientHeight - parseFloat(style.paddingBlockStart) - parseFloat(style.paddingBlockEnd);
      const { columns, rows } = gridOf(count, width, height);
      gallery.style.setProperty('--tile-inline', `${(width - GAP_PX * (columns - 1)) / columns}px`);
      gallery.style.setProperty('--tile-block', `${(height - GAP_PX * (rows - 1)) / rows}px`);
    }
    for (const video of this.renderRoot.querySelectorAll<HTMLVideoElement>('.tile video')) fit(video);
    this.#tiles?.watch([...this.renderRoot.querySelectorAll<HTMLElement>('.tile:not(.own)')]);
  }

  #fire(type: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/** A picture that fills its place loses its edges; one that would lose this much is shown whole. Tiles are for faces. */
const CROP_MAX = 0.45;
const TILE_CROP_MAX = 0.68;

function fit(video: HTMLVideoElement): void {
  const { videoWidth, videoHeight, clientWidth, clientHeight } = video;
  if (videoWidth * videoHeight * clientWidth * clientHeight === 0) return;
  const ratio = (videoWidth / videoHeight) * (clientHeight / clientWidth);
  const most = video.closest('.main') === null ? TILE_CROP_MAX : CROP_MAX;
  video.classList.toggle('contained', 1 - Math.min(ratio, 1 / ratio) > most);
}

function showsScreen({ all, own }: { readonly all: All; readonly own: Own }): boolean {
  return all.stage.some(({ member, sending }) => sending.screen && member !== own.id);
}

const DECLINED = { kind: 'over', ending: { by: 'bye', code: 'declined', sentence: '' } } as const;

