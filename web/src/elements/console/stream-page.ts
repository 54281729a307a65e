//! `<om-stream-page>`: all about one stream: the picture, what it is made of, how it has been doing, who is there, and its
//! addresses; and its end, if an administrator wants it.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import { type Broadcast, type ServerInfo, endBroadcast } from '../../api/broadcasts.ts';
import type { ApiError, Client } from '../../api/client.ts';
import type { Sample } from '../../api/feed.ts';
import { duration } from '../../api/format.ts';
import { Code } from '../../play/codes.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import type { ConfirmDialog } from './confirm.ts';
import { consoleStyles } from './console.styles.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import { PlayAddresses } from './play-addresses.ts';
import { renderName } from './stream-card.ts';
import { renderConversions, renderFacts, renderTracks } from './stream-facts.ts';
import { streamPageStyles } from './stream-page.styles.ts';
import { tableStyles } from './table.ts';
import { Words } from './words.ts';

/** For how long a path may be refused to publishers, in seconds; the first is not at all. */
const BANS_S: readonly number[] = [0, 60, 3_600, 86_400];

export class StreamPage extends LitElement {
  static override properties = {
    path: {},
    broadcasts: { attribute: false },
    samples: { attribute: false },
    client: { attribute: false },
    server: { attribute: false },
    nowMs: { attribute: false },
    plays: { state: true },
    error: { state: true },
    said: { state: true },
  };

  static override styles = [sharedStyles, consoleStyles, tableStyles, streamPageStyles];

  declare path: string;
  declare broadcasts: readonly Broadcast[] | undefined;
  declare samples: readonly Sample[];
  declare client: Client | undefined;
  declare server: ServerInfo | undefined;
  declare nowMs: number;
  /** How often the player here has begun: it is a session, too, and may take the place of another one. */
  declare plays: number;
  declare error: ApiError | undefined;
  declare said: string;
  readonly #words = new Words(this);
  #addresses: PlayAddresses | undefined;

  constructor() {
    super();
    this.path = '';
    this.broadcasts = undefined;
    this.samples = [];
    this.client = undefined;
    this.server = undefined;
    this.nowMs = 0;
    this.plays = 0;
    this.error = undefined;
    this.said = '';
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    const { client, server } = this;
    if ((changed.has('client') || this.#addresses === undefined) && client !== undefined && server !== undefined) {
      this.#addresses = new PlayAddresses(client, server.guarded, () => this.requestUpdate());
    }
  }

  protected override render(): TemplateResult {
    const { words, messages } = this.#words;
    const broadcast = this.broadcasts?.find(({ path }) => path === this.path);
    return html`
      <div class="page">
        <a class="press plain back" href="#/">${icon('arrowLeft')}<span>${messages.backToConsole}</span></a>
        <div class="title">
          <div class="name">
            <h1>${renderName(this.path)}</h1>
            <p class="figures" role="status">${this.#renderState(broadcast)}</p>
          </div>
          ${broadcast === undefined ? nothing : this.#renderActions(broadcast)}
        </div>
        <p class="visually-hidden" role="status">${this.said}</p>
        ${renderFailure(this.error, words)} ${broadcast === undefined ? nothing : this.#renderLive(broadcast)}
        <section class="addresses" aria-labelledby="addresses">
          <h2 id="addresses">${messages.addresses}</h2>
          <om-addresses path=${this.path} .server=${this.server} .client=${this.client}></om-addresses>
        </section>
      </div>
      <om-confirm></om-confirm>
    `;
  }

  #renderState(broadcast: Broadcast | undefined): TemplateResult | string {
    const { words, messages } = this.#words;
    if (this.broadcasts === undefined) return messages.loading;
    if (broadcast === undefined) return words.notLive;
    const since = duration((this.nowMs - Date.parse(broadcast.since)) / 1_000, messages);
    return broadcast.state === 'waiting'
      ? html`<span class="state warn">${messages.stateWaiting}</span>`
      : html`<span class="state good">${messages.stateLive}</span> <span class="muted">${messages.since(since)}</span>`;
  }

  #renderActions({ path }: Broadcast): TemplateResult {
    const { words } = this.#words;
    const page = this.#addresses?.of(path)?.page;
    return html`
      <div class="row">
        ${page === undefined
          ? nothing
          : html`<a class="press" href=${page}>${icon('externalLink')}<span>${words.openPlayer}</span></a>`}
        <button class="press danger" type="button" @click=${() => void this.#end()}>
          ${icon('stop')}<span>${words.endBroadcast}</span>
        </button>
      </div>
    `;
  }

  #renderLive(broadcast: Broadcast): TemplateResult {
    const { words } = this.#words;
    const text = this.#words;
    const src = this.#addresses?.of(broadcast.path)?.flv;
    return html`
      <div class="top">
        <div class="stage">
          ${src === undefined
            ? nothing
            : html`
                <live-player
                  src=${src}
                  muted
                  autoplay
                  auto-resume
                  object-fit="contain"
                  @statechange=${(event: CustomEvent<{ code: number }>) => this.#handlePlayer(event.detail.code)}
                ></live-player>
              `}
        </div>
        <section class="panel" aria-labelledby="made-of">
          <h2 id="made-of">${words.madeOf}</h2>
          ${renderFacts(broadcast, text)} ${renderConversions(broadcast, text)}
        </section>
      </div>
      <section class="panel" aria-labelledby="tracks">
        <h2 id="tracks">${words.tracks}</h2>
        ${renderTracks(broadcast, text)}
      </section>
      <om-charts .samples=${this.samples} .nowMs=${this.nowMs}></om-charts>
      <om-sessions
        path=${broadcast.path}
        .client=${this.client}
        .viewers=${JSON.stringify([broadcast.viewers, broadcast.publisher, this.plays])}
        .nowMs=${this.nowMs}
      ></om-sessions>
    `;
  }

  #handlePlayer(code: number): void {
    if (code === Code.Playing) this.plays += 1;
  }

  async #end(): Promise<void> {
    const { words, messages } = this.#words;
    const { path, client } = this;
    const chosen = await this.renderRoot.querySelector<ConfirmDialog>('om-confirm')?.ask({
      title: words.endTitle(path),
      text: words.endText,
      doIt: words.endBroadcast,
      option: {
        label: words.banLabel,
        choices: BANS_S.map((seconds) => [
          String(seconds),
          seconds === 0 ? words.banNone : seconds < 3_600 ? messages.minutes(seconds / 60) : words.spanName(seconds),
        ]),
      },
    });
    if (chosen === undefined || client === undefined) return;
    this.error = undefined;
    try {
      await endBroadcast(client, path, chosen === '0' ? undefined : Number(chosen));
      this.said = words.endedSaid(path);
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    }
  }
}
