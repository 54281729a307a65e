//! `<om-player-page>`: one stream, the picture first, then what it is and how to share it.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import { addressesOf, embedCode } from '../api/addresses.ts';
import { type Broadcast, type ServerInfo, getBroadcast, getServer, queryOfPage, streamOfPage } from '../api/broadcasts.ts';
import { ApiError, Client } from '../api/client.ts';
import { audioParts, bitrate, delayText, duration, frameRate, videoParts } from '../api/format.ts';
import type { Messages } from '../i18n/index.ts';
import type { Mode } from '../play/address.ts';
import { Code } from '../play/codes.ts';
import type { NetStatus } from '../play/netstatus.ts';
import type { LivePlayer } from './live-player.ts';
import { Localized } from './localized.ts';
import { playerPageStyles } from './player-page.styles.ts';
import { keepPreference, readPreference } from './preference.ts';
import { sharedStyles } from './shared.styles.ts';

/** Under this name the choice of the mode is kept. */
const PREFERENCE = 'mode';
const MODES: readonly Mode[] = ['live', 'RTC'];
const ASK_AGAIN: ReadonlySet<number> = new Set([Code.Playing, Code.Ended]);

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
    mode: { state: true },
  };

  static override styles = [sharedStyles, playerPageStyles];

  declare broadcast: Broadcast | undefined;
  declare server: ServerInfo | undefined;
  /** The player's numbers, as of its last `netstatus`. */
  declare player: Numbers | undefined;
  declare mode: Mode;
  readonly #localized = new Localized(this);
  readonly #path = streamOfPage(location.pathname);

  constructor() {
    super();
    this.broadcast = undefined;
    this.server = undefined;
    this.player = undefined;
    this.mode = readPreference(PREFERENCE) === 'RTC' ? 'RTC' : 'live';
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = `${this.#path ?? '–'} · openmic`;
    void this.#ask();
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
    const src = `${addresses.httpFlv}${queryOfPage(location.search, location.hash)}`;
    return html`
      <main>
        <div class="stage">
          <live-player
            src=${src}
            mode=${this.mode}
            autoplay
            auto-resume
            @statechange=${(event: CustomEvent<{ code: number }>) => this.#handleState(event.detail.code)}
            @netstatus=${(event: CustomEvent<{ info: NetStatus }>) => this.#handleNetstatus(event)}
          ></live-player>
        </div>
        <div class="below">
          <div class="title">
            <h1>${path}</h1>
            ${this.#renderState(messages)}
          </div>
          ${this.#renderModes(messages)}
          ${this.broadcast === undefined && this.player === undefined ? nothing : this.#renderDetails(messages)}
          <section class="share" aria-labelledby="share">
            <h2 id="share">${messages.watchElsewhere}</h2>
            <div class="addresses">
              <om-copy label=${messages.playHttpFlv} value=${addresses.httpFlv}></om-copy>
              <om-copy label=${messages.playHls} value=${addresses.hls}></om-copy>
              <om-copy label=${messages.playWhep} value=${addresses.whep}></om-copy>
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
        ${waiting ? messages.stateWaiting : `${messages.stateLive} ${messages.since(since)}`}
      </p>
    `;
  }

  /** Smooth or with the least delay; and the truth where the latter cannot be had. */
  #renderModes(messages: Messages): TemplateResult {
    const transport = this.player?.transport;
    const fellBack = this.mode === 'RTC' && transport !== undefined && transport !== 'whep';
    return html`
      <fieldset class="modes">
        <legend class="visually-hidden">${messages.chooseMode}</legend>
        ${MODES.map(
          (mode) => html`
            <label>
              <input
                class="visually-hidden"
                type="radio"
                name="mode"
                value=${mode}
                .checked=${mode === this.mode}
                @change=${() => this.#choose(mode)}
              />
              <span class="name">${messages.modeName(mode)}</span>
              <span class="more">${messages.modeHelp(mode)}</span>
            </label>
          `,
        )}
        <p class="note muted" role="status">${fellBack ? messages.modeFellBack(messages.transportName(transport)) : nothing}</p>
      </fieldset>
    `;
  }

  #choose(mode: Mode): void {
    this.mode = mode;
    this.player = undefined;
    keepPreference(PREFERENCE, mode);
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
        delay === undefined || transport === undefined
          ? undefined
          : messages.behindLive(delayText(delay, transport, messages)),
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

  /** What the stream is made of may have changed when a publisher has come or gone; the player notices both. */
  #handleState(code: number): void {
    if (ASK_AGAIN.has(code)) void this.#ask();
  }

  async #ask(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    const client = new Client(location.origin);
    try {
      this.server ??= await getServer(client);
      // A guarded server tells strangers nothing but the picture.
      if (!this.server.guarded) this.broadcast = await getBroadcast(client, path);
    } catch (error) {
      // The player itself says when the server is out of reach; facts just grow old.
      if (!(error instanceof ApiError)) throw error;
    }
  }
}
