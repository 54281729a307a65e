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
import { audioParts, bitrate, duration, frameRate, videoParts, viewersTotal } from '../api/format.ts';
import type { Messages } from '../i18n/index.ts';
import type { NetStatus } from '../play/netstatus.ts';
import type { LivePlayer } from './live-player.ts';
import { Localized } from './localized.ts';
import { playerPageStyles } from './player-page.styles.ts';
import { Polling } from './polling.ts';
import { sharedStyles } from './shared.styles.ts';

interface Numbers {
  readonly info: NetStatus;
  readonly transport: LivePlayer['transport'];
  readonly delay: number | undefined;
}

export class PlayerPage extends LitElement {
  static override properties = {
    broadcast: { state: true },
    server: { state: true },
    player: { state: true },
  };

  static override styles = [sharedStyles, playerPageStyles];

  declare broadcast: Broadcast | undefined;
  declare server: ServerInfo | undefined;
  /** The player's numbers, as of its last `netstatus`. */
  declare player: Numbers | undefined;
  readonly #localized = new Localized(this);
  readonly #path = streamOfPage(location.pathname);

  constructor() {
    super();
    this.broadcast = undefined;
    this.server = undefined;
    this.player = undefined;
    const path = this.#path;
    if (path !== undefined) new Polling(this, () => this.#ask(path));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = `${this.#path ?? '–'} · openmic`;
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
            @netstatus=${(event: CustomEvent<{ info: NetStatus }>) => this.#handleNetstatus(event)}
          ></live-player>
        </div>
        <div class="below">
          <div class="title">
            <h1>${path}</h1>
            ${this.#renderState(messages)}
          </div>
          ${this.broadcast === undefined && this.player === undefined ? nothing : this.#renderDetails(messages)}
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
        ${waiting ? messages.stateWaiting : `${messages.stateLive} ${messages.since(since)}`} ·
        ${messages.viewersCount(viewersTotal(broadcast.viewers))}
      </p>
    `;
  }

  #renderDetails(messages: Messages): TemplateResult {
    const tracks = this.broadcast?.tracks ?? [];
    const video = tracks.find(({ kind }) => kind === 'video');
    const audio = tracks.find(({ kind }) => kind === 'audio');
    const none: readonly [undefined, undefined] = [undefined, undefined];
    const { info, transport, delay } = this.player ?? {};
    const kbps = info === undefined ? undefined : bitrate(info.netSpeed * 1000);
    const facts: readonly (readonly [string, string | undefined, string | undefined])[] = [
      [messages.video, ...(video === undefined ? none : videoParts(video))],
      [messages.audio, ...(audio === undefined ? none : audioParts(audio, messages))],
      [messages.bitrate, kbps, info === undefined ? undefined : frameRate(info.videoFPS)],
      [
        messages.transport,
        transport === undefined ? undefined : messages.transportName(transport),
        delay === undefined ? undefined : messages.behindLive(delay.toFixed(1)),
      ],
    ];
    return html`
      <dl class="facts" aria-label=${messages.details}>
        ${facts.map(
          ([name, value, more]) => html`
            <div>
              <dt>${name}</dt>
              <dd class="figures">${value ?? messages.unknown}<span class="more">${more}</span></dd>
            </div>
          `,
        )}
      </dl>
    `;
  }

  #handleNetstatus(event: CustomEvent<{ info: NetStatus }>): void {
    const { transport, delay } = event.target as LivePlayer;
    this.player = { info: event.detail.info, transport, delay };
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
