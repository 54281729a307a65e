//! `<om-player-page>`: one stream, the picture first, then what it is and how to share it.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import { addressesOf, embedCode } from '../api/addresses.ts';
import {
  type Broadcast,
  type ServerInfo,
  getBroadcast,
  getServer,
  streamOfPage,
} from '../api/broadcasts.ts';
import { audioLine, duration, videoLine, viewersTotal } from '../api/format.ts';
import { type Poll, startPoll } from '../api/poll.ts';
import type { Messages } from '../i18n/index.ts';
import type { NetStatus } from '../play/netstatus.ts';
import { Localized } from './localized.ts';
import { playerPageStyles } from './player-page.styles.ts';
import { sharedStyles } from './shared.styles.ts';

export class PlayerPage extends LitElement {
  static override properties = {
    broadcast: { state: true },
    server: { state: true },
    info: { state: true },
  };

  static override styles = [sharedStyles, playerPageStyles];

  declare broadcast: Broadcast | undefined;
  declare server: ServerInfo | undefined;
  declare info: NetStatus | undefined;
  readonly #localized = new Localized(this);
  readonly #path = streamOfPage(location.pathname);
  #poll: Poll | undefined;
  #listeners: AbortController | undefined;

  constructor() {
    super();
    this.broadcast = undefined;
    this.server = undefined;
    this.info = undefined;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = `${this.#path ?? '–'} · openmic`;
    if (this.#path === undefined) return;
    const path = this.#path;
    this.#poll = startPoll(() => this.#ask(path));
    this.#listeners = new AbortController();
    const follow = (): void => {
      if (this.#poll !== undefined) this.#poll.active = !document.hidden;
    };
    document.addEventListener('visibilitychange', follow, { signal: this.#listeners.signal });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#poll?.stop();
    this.#listeners?.abort();
  }

  protected override render(): TemplateResult {
    const { messages } = this.#localized;
    return html`
      <om-header back></om-header>
      ${this.#path === undefined
        ? html`<main><h1>${messages.noSuchStream}</h1></main>`
        : this.#renderStream(this.#path, messages)}
    `;
  }

  #renderStream(path: string, messages: Messages): TemplateResult {
    const addresses = addressesOf(path, location.origin, this.server);
    // A viewer's address may carry a signature or other parameters: they belong to the media address.
    const src = `${addresses.httpFlv}${location.search}`;
    return html`
      <main>
        <div class="stage">
          <live-player
            src=${src}
            autoplay
            auto-resume
            @netstatus=${(event: CustomEvent<{ info: NetStatus }>) => (this.info = event.detail.info)}
          ></live-player>
        </div>
        <div class="below">
          <div class="title">
            <h1>${path}</h1>
            ${this.#renderState(messages)}
          </div>
          ${this.#renderDetails(messages)}
          <section class="share" aria-labelledby="share">
            <h2 id="share">${messages.watchElsewhere}</h2>
            <div class="addresses">
              <om-copy label=${messages.playHttpFlv} value=${addresses.httpFlv}></om-copy>
              <om-copy label=${messages.playHls} value=${addresses.hls}></om-copy>
              ${addresses.rtmp === undefined
                ? nothing
                : html`<om-copy label=${messages.playRtmp} value=${addresses.rtmp}></om-copy>`}
              <om-copy class="wide" wrap label=${messages.embed} value=${embedCode(path, location.origin)}></om-copy>
            </div>
          </section>
        </div>
      </main>
    `;
  }

  #renderState(messages: Messages): TemplateResult | typeof nothing {
    const { broadcast } = this;
    if (broadcast === undefined) return nothing;
    const since = duration((Date.now() - Date.parse(broadcast.since)) / 1000, messages);
    const waiting = broadcast.state === 'waiting';
    return html`
      <p class="muted figures">
        ${waiting ? messages.stateWaiting : messages.stateLive} ${messages.since(since)} · ${messages.viewers}:
        ${viewersTotal(broadcast.viewers)}
      </p>
    `;
  }

  #renderDetails(messages: Messages): TemplateResult {
    const tracks = this.broadcast?.tracks ?? [];
    const video = tracks.find(({ kind }) => kind === 'video');
    const audio = tracks.find(({ kind }) => kind === 'audio');
    const { info } = this;
    const facts: readonly (readonly [string, string])[] = [
      [messages.video, video === undefined ? messages.unknown : videoLine(video)],
      [messages.audio, audio === undefined ? messages.unknown : audioLine(audio, messages)],
      [messages.bitrate, info === undefined ? messages.unknown : `${info.netSpeed} kbit/s`],
      [messages.frameRate, info === undefined ? messages.unknown : `${info.videoFPS} fps`],
    ];
    return html`
      <dl class="facts" aria-label=${messages.details}>
        ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd class="figures">${value}</dd></div>`)}
      </dl>
    `;
  }

  async #ask(path: string): Promise<void> {
    try {
      this.server ??= await getServer(location.origin);
      this.broadcast = await getBroadcast(location.origin, path);
    } catch {
      // The player itself says when the server is out of reach; facts just grow old.
    }
  }
}
