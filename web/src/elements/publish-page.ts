//! `<om-publish-page>`: one's own picture first, what to check before going live, then how it goes.

import { LitElement, type TemplateResult, html, nothing, svg } from 'lit';
import { addressesOf } from '../api/addresses.ts';
import { type ServerInfo, encodePath, getServer, queryOfPage, streamOfPage } from '../api/broadcasts.ts';
import { ApiError, Client } from '../api/client.ts';
import { bitrate, clockSpan, frameRate } from '../api/format.ts';
import type { Messages } from '../i18n/index.ts';
import type { NetStatus } from '../play/netstatus.ts';
import { FILTERS } from '../publish/filters.ts';
import type { PushMode } from '../publish/settings.ts';
import { icon } from './icons.ts';
import type { LivePusher, PusherView } from './live-pusher.ts';
import { Localized } from './localized.ts';
import { keepPreference, readPreference } from './preference.ts';
import { publishPageStyles } from './publish-page.styles.ts';
import { QUIET, type QrCode, qrOf } from './qr-path.ts';
import { sharedStyles } from './shared.styles.ts';

/** Under this name the choice of the quality is kept. */
const PREFERENCE = 'publish-quality';
const QUALITIES: readonly (readonly [mode: PushMode, name: string])[] = [
  ['SD', '360p'],
  ['HD', '540p'],
  ['FHD', '720p'],
];
const FPS = 30;
/** Louder than a quiet room. */
const HEARD = 4;
/** Nothing is said about silence before somebody had time to speak. */
const SILENT_MS = 6_000;
const BEAUTY_MAX = 9;

export class PublishPage extends LitElement {
  static override properties = {
    server: { state: true },
    view: { state: true },
    info: { state: true },
    devices: { state: true },
    mode: { state: true },
    code: { state: true },
    sound: { state: true },
    isUpright: { state: true },
  };

  static override styles = [sharedStyles, publishPageStyles];

  declare server: ServerInfo | undefined;
  declare view: PusherView;
  declare info: NetStatus | undefined;
  declare devices: readonly MediaDeviceInfo[];
  declare mode: PushMode;
  declare code: QrCode | undefined;
  declare sound: 'unknown' | 'heard' | 'silent' | 'muted';
  declare isUpright: boolean;
  readonly #localized = new Localized(this);
  readonly #path = streamOfPage(location.pathname);
  readonly #upright = matchMedia('(pointer: coarse) and (orientation: portrait)');
  #listeningMs: number | undefined;

  constructor() {
    super();
    this.server = undefined;
    this.view = { kind: 'idle' };
    this.info = undefined;
    this.devices = [];
    this.mode = QUALITIES.find(([mode]) => mode === readPreference(PREFERENCE))?.[0] ?? 'FHD';
    this.code = undefined;
    this.sound = 'unknown';
    this.isUpright = this.#upright.matches;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = `${this.#path ?? '–'} · openmic`;
    this.#upright.addEventListener('change', () => (this.isUpright = this.#upright.matches));
    window.addEventListener('beforeunload', (event) => this.#pusher()?.isLive === true && event.preventDefault());
    void this.#ask();
  }

  protected override firstUpdated(): void {
    void this.#startIfAllowed();
  }

  protected override render(): TemplateResult {
    const { messages } = this.#localized;
    return html`
      <om-header back></om-header>
      ${this.#path === undefined
        ? html`<main class="none"><h1>${messages.push.noSuchStream}</h1></main>`
        : this.#renderStream(this.#path, messages)}
    `;
  }

  #renderStream(path: string, messages: Messages): TemplateResult {
    // The page's address may carry a signature: it belongs to the address that is published to.
    const url = `/${encodePath(path)}/whip${queryOfPage(location.search, location.hash)}`;
    const isFresh = this.view.kind === 'idle';
    return html`
      <main>
        <div class="stage">
          <live-pusher
            class=${this.isUpright ? 'upright' : ''}
            url=${url}
            mode=${this.mode}
            fps=${FPS}
            orientation=${this.isUpright ? 'vertical' : 'horizontal'}
            enable-agc
            enable-ans
            simulcast
            auto-resume
            controls=${isFresh ? 'none' : 'full'}
            @viewchange=${(event: CustomEvent<{ view: PusherView }>) => this.#handleView(event.detail.view)}
            @netstatus=${(event: CustomEvent<{ info: NetStatus }>) => (this.info = event.detail.info)}
            @deviceschange=${() => void this.#listDevices()}
            @error=${() => this.requestUpdate()}
            @audiovolumenotify=${(event: CustomEvent<{ volume: number }>) => this.#handleVolume(event.detail.volume)}
          >
            ${isFresh ? this.#renderStart(messages) : nothing}
          </live-pusher>
        </div>
        <div class="title">
          <h1>${messages.push.pageTitle}</h1>
          <p class="muted path">${path}</p>
        </div>
        ${this.view.kind === 'live' ? this.#renderFacts(messages) : nothing}
        ${this.#renderRefusals(messages)}
        ${isFresh ? nothing : html`<div class="checks">${this.#renderDevices(messages)} ${this.#renderPicture(messages)}</div>`}
        ${this.#renderShare(path, messages)}
      </main>
    `;
  }

  /** What the browser did not give, and what to do about it. */
  #renderRefusals({ tryAgain, push }: Messages): TemplateResult | typeof nothing {
    const refusals = this.#pusher()?.refusals ?? [];
    if (refusals.length === 0) return nothing;
    return html`
      <div class="refused" role="alert">
        ${refusals.map(({ device, kind }, at) => {
          const { title, help } = push.refusal(device, kind);
          // What helps against both is said once.
          const next = refusals[at + 1];
          const isSaidNext = next !== undefined && push.refusal(next.device, next.kind).help === help;
          return html`<h2>${title}</h2>${isSaidNext ? nothing : html`<p>${help}</p>`}`;
        })}
        <button class="press" type="button" @click=${() => void this.#pusher()?.startPreview()}>${icon('retry')}<span>${tryAgain}</span></button>
      </div>
    `;
  }

  /** The permission is asked for by a button that says why, not by a page that has just been opened. */
  #renderStart({ push }: Messages): TemplateResult {
    return html`
      <div class="start">
        <button class="press main large" type="button" @click=${() => void this.#pusher()?.startPreview()}>
          ${icon('video')}<span>${push.startCheck}</span>
        </button>
        <p>${push.startCheckHelp}</p>
      </div>
    `;
  }

  #renderFacts(messages: Messages): TemplateResult {
    const { push } = messages;
    const { info, view } = this;
    const lasted = view.kind === 'live' ? clockSpan((performance.now() - view.sinceMs) / 1000) : '';
    const facts: readonly (readonly [string, string, string])[] = [
      [push.duration, lasted, ''],
      [push.uplink, info === undefined ? messages.unknown : bitrate(info.netSpeed * 1000), sizeText(info)],
      [push.network, info === undefined ? messages.unknown : push.quality(info.netQualityLevel), ''],
    ];
    return html`
      <dl class="facts">
        ${facts.map(
          ([name, value, more]) => html`
            <div>
              <dt>${name}</dt>
              <dd class="figures">${value}${more === '' ? nothing : html`<span class="more">${more}</span>`}</dd>
            </div>
          `,
        )}
      </dl>
    `;
  }

  #renderDevices({ push }: Messages): TemplateResult {
    return html`
      <section aria-labelledby="check">
        <h2 id="check">${push.checkTitle}</h2>
        ${this.#renderSelect('videoinput', push.camera, push.cameraNumber)}
        ${this.#renderSelect('audioinput', push.microphone, push.microphoneNumber)}
        <div class="meter">
          <div class="bar" role="meter" aria-label=${push.level} aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><span></span></div>
          <p class="muted" role="status">${this.#soundWords(push)}</p>
        </div>
      </section>
    `;
  }

  #soundWords(push: Messages['push']): string {
    switch (this.sound) {
      case 'unknown':
        return push.checkHelp;
      case 'heard':
        return push.heard;
      case 'silent':
        return push.silent;
      case 'muted':
        return push.muted;
    }
  }

  #renderSelect(kind: MediaDeviceKind, label: string, nameOf: (n: number) => string): TemplateResult {
    const pusher = this.#pusher();
    const { push } = this.#localized.messages;
    const found = this.devices.filter((device) => device.kind === kind);
    const chosen = kind === 'videoinput' ? pusher?.cameraId : pusher?.microphoneId;
    return html`
      <label class="field">
        <span>${label}</span>
        <span class="select"><select ?disabled=${found.length === 0} @change=${(event: Event) => this.#choose(kind, (event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${chosen === undefined}>${push.byDefault}</option>
          ${found.map(
            ({ deviceId, label: name }, at) => html`
              <option value=${deviceId} ?selected=${deviceId === chosen}>${name === '' ? nameOf(at + 1) : name}</option>
            `,
          )}
        </select>${icon('chevronDown')}</span>
      </label>
    `;
  }

  #renderPicture({ push }: Messages): TemplateResult {
    const pusher = this.#pusher();
    const isLocked = this.view.kind !== 'preview';
    return html`
      <details>
        <summary>${icon('sparkles')}<span>${push.more}</span>${icon('chevronDown')}</summary>
        <div class="options">
          <label class="field">
            <span>${push.sharpness}</span>
            <span class="select"><select ?disabled=${isLocked} @change=${(event: Event) => this.#chooseMode((event.target as HTMLSelectElement).value as PushMode)}>
              ${QUALITIES.map(([mode, name]) => html`<option value=${mode} ?selected=${mode === this.mode}>${name}</option>`)}
            </select>${icon('chevronDown')}</span>
          </label>
          ${this.#renderRange(push.beauty, pusher?.beauty ?? 0, (value) => pusher !== undefined && (pusher.beauty = value))}
          ${this.#renderRange(push.whiteness, pusher?.whiteness ?? 0, (value) => pusher !== undefined && (pusher.whiteness = value))}
          <label class="field">
            <span>${push.filter}</span>
            <span class="select"><select @change=${(event: Event) => pusher !== undefined && (pusher.filter = (event.target as HTMLSelectElement).value)}>
              ${FILTERS.map((filter) => html`<option value=${filter} ?selected=${filter === pusher?.filter}>${push.filterName(filter)}</option>`)}
            </select>${icon('chevronDown')}</span>
          </label>
        </div>
      </details>
    `;
  }

  #renderRange(label: string, value: number, set: (value: number) => void): TemplateResult {
    return html`
      <label class="field">
        <span>${label}</span>
        <input
          type="range"
          min="0"
          max=${BEAUTY_MAX}
          .value=${String(value)}
          @input=${(event: Event) => set(Number((event.target as HTMLInputElement).value))}
        />
      </label>
    `;
  }

  #renderShare(path: string, messages: Messages): TemplateResult | typeof nothing {
    const { push } = messages;
    const isOpen = this.server?.guarded === false;
    if (!isOpen && this.code === undefined) return nothing;
    const side = (this.code?.size ?? 0) + 2 * QUIET;
    return html`
      <section class="share" aria-labelledby="share">
        <h2 id="share">${push.watch}</h2>
        ${isOpen ? html`<om-copy label=${push.watchPage} value=${addressesOf(path, location.origin, this.server).page}></om-copy>` : nothing}
        ${this.code === undefined
          ? nothing
          : html`
              <div class="phone">
                <svg class="code" role="img" aria-label=${push.qrOf} viewBox="${-QUIET} ${-QUIET} ${side} ${side}">
                  ${svg`<path fill="currentColor" d=${this.code.path} />`}
                </svg>
                <div>
                  <h3>${push.onPhone}</h3>
                  <p class="muted">${push.onPhoneHelp}</p>
                </div>
              </div>
            `}
      </section>
    `;
  }

  #pusher(): LivePusher | undefined {
    return this.renderRoot.querySelector('live-pusher') ?? undefined;
  }

  #handleView(view: PusherView): void {
    this.view = view;
    if (view.kind === 'idle') this.#listeningMs = undefined;
  }

  #handleVolume(volume: number): void {
    const pusher = this.#pusher();
    const meter = this.renderRoot.querySelector<HTMLElement>('.bar');
    if (pusher === undefined || meter === null) return;
    meter.ariaValueNow = String(volume);
    meter.style.setProperty('--loudness', String(volume / 100));
    this.#listeningMs ??= performance.now();
    if (pusher.muted || !pusher.enableMic) this.sound = 'muted';
    else if (volume >= HEARD) this.sound = 'heard';
    else if (this.sound === 'muted') this.sound = 'unknown';
    else if (this.sound === 'unknown' && performance.now() - this.#listeningMs > SILENT_MS) this.sound = 'silent';
  }

  #choose(kind: MediaDeviceKind, id: string): void {
    const pusher = this.#pusher();
    if (pusher === undefined) return;
    const chosen = id === '' ? undefined : id;
    if (kind === 'videoinput') pusher.cameraId = chosen;
    else pusher.microphoneId = chosen;
    this.sound = 'unknown';
    this.#listeningMs = undefined;
  }

  #chooseMode(mode: PushMode): void {
    this.mode = mode;
    keepPreference(PREFERENCE, mode);
  }

  async #listDevices(): Promise<void> {
    this.devices = (await this.#pusher()?.devices()) ?? [];
  }

  /** Somebody who has allowed both before is not asked to press a button first. */
  async #startIfAllowed(): Promise<void> {
    try {
      const names = ['camera', 'microphone'] as PermissionName[];
      const states = await Promise.all(names.map((name) => navigator.permissions.query({ name })));
      if (states.every(({ state }) => state === 'granted')) await this.#pusher()?.startPreview();
    } catch {
      // A browser that does not tell: the button is there.
    }
  }

  async #ask(): Promise<void> {
    const isDesk = !matchMedia('(pointer: coarse)').matches;
    // A phone opens a camera on secure pages only, and cannot reach what listens on this machine alone.
    const isReachable = location.protocol === 'https:' && !/^(localhost|127\.|\[::1\])/.test(location.hostname);
    if (isDesk && isReachable) this.code = await qrOf(location.href);
    try {
      this.server = await getServer(new Client(location.origin));
    } catch (error) {
      // Without it the page only tells less.
      if (!(error instanceof ApiError)) throw error;
    }
  }
}

function sizeText(info: NetStatus | undefined): string {
  if (info === undefined || info.videoWidth === 0) return '';
  return `${info.videoWidth}×${info.videoHeight} · ${frameRate(info.videoFPS)}`;
}
