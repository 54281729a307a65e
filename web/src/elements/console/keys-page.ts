//! `<om-keys-page>`: the keys that rights are proved by, their renewal, and tokens and addresses made of them.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { type Key, listKeys, rotateKey } from '../../api/access.ts';
import type { ServerInfo } from '../../api/broadcasts.ts';
import type { ApiError, Client } from '../../api/client.ts';
import { clockText, dateText } from '../../api/format.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import type { ConfirmDialog } from './confirm.ts';
import { consoleStyles } from './console.styles.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import { Loader } from './loader.ts';
import { type Column, renderTable, tableStyles } from './table.ts';
import { Words } from './words.ts';

/** For how long a former secret may be taken; a day is what the server itself would choose. */
const KEEP_S: readonly number[] = [86_400, 3_600, 7 * 86_400, 0];

export class KeysPage extends LitElement {
  static override properties = {
    client: { attribute: false },
    server: { attribute: false },
    path: { state: true },
    secret: { state: true },
    error: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    tableStyles,
    css`
      .path {
        max-inline-size: 30rem;
      }

      .path input {
        font-family: var(--om-mono);
      }

      .secret > div {
        display: grid;
        flex: 1;
        gap: 0.75rem;
        min-inline-size: 0;
      }
    `,
  ];

  declare client: Client | undefined;
  declare server: ServerInfo | undefined;
  declare path: string;
  /** A new secret, shown until it is put away. */
  declare secret: { readonly id: string; readonly value: string } | undefined;
  declare error: ApiError | undefined;
  readonly #words = new Words(this);
  readonly #keys = new Loader<readonly Key[]>(this, async () => (this.client === undefined ? [] : listKeys(this.client)));

  constructor() {
    super();
    this.client = undefined;
    this.server = undefined;
    this.path = '';
    this.secret = undefined;
    this.error = undefined;
  }

  protected override render(): TemplateResult {
    const { words } = this.#words;
    const typed = this.path.replace(/^\/+|\/+$/g, '');
    return html`
      <div class="page">
        <h1>${words.keysTitle}</h1>
        <p class="lead">${words.keysHelp}</p>
        ${renderFailure(this.error ?? this.#keys.error, words)} ${this.#renderSecret()}
        <section class="panel" aria-labelledby="keys">
          <h2 id="keys">${words.keys}</h2>
          ${this.#renderKeys()}
        </section>
        ${this.server?.guarded === true
          ? html`
              <om-token-maker .client=${this.client}></om-token-maker>
              <section class="panel" aria-labelledby="addresses">
                <h2 id="addresses">${words.addressesTitle}</h2>
                <label class="field path">
                  <span>${words.pushStream}</span>
                  <input
                    placeholder="live/demo"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    .value=${this.path}
                    @input=${(event: Event) => (this.path = (event.target as HTMLInputElement).value)}
                  />
                </label>
                ${/.\/./.test(typed)
                  ? html`<om-addresses path=${typed} .server=${this.server} .client=${this.client}></om-addresses>`
                  : nothing}
              </section>
            `
          : html`<div class="notice warn">${icon('warning')}<p>${words.openServer}</p></div>`}
      </div>
      <om-confirm></om-confirm>
    `;
  }

  #renderKeys(): TemplateResult {
    const { words, messages } = this.#words;
    const keys = this.#keys.value;
    if (keys === undefined) return html`<p class="muted">${messages.loading}</p>`;
    if (keys.length === 0) return html`<p class="empty">${words.noKeys}</p>`;
    return renderTable(words.keys, this.#columns(), keys);
  }

  #columns(): readonly Column<Key>[] {
    const { words, messages, language } = this.#words;
    return [
      {
        ...{ name: words.keyKind, head: true },
        cell: ({ kind, id }) => html`${words.keyName(kind)}<span class="more">${id}</span>`,
      },
      { name: words.app, cell: ({ app }) => app ?? words.allApps },
      { name: words.created, short: true, cell: ({ created }) => (created === null ? messages.unknown : dateText(Date.parse(created), language)) },
      {
        name: words.previous,
        cell: ({ previous_until: until }) =>
          until === null ? words.none : words.until(clockText(Date.parse(until), Date.now(), language)),
      },
      {
        ...{ name: words.actions, actions: true },
        cell: (key) => html`
          <button
            class="press small"
            type="button"
            aria-label=${`${words.rotate}: ${key.id}`}
            @click=${() => void this.#rotate(key)}
          >
            ${icon('retry')}<span>${words.rotate}</span>
          </button>
        `,
      },
    ];
  }

  #renderSecret(): TemplateResult | typeof nothing {
    const { words } = this.#words;
    if (this.secret === undefined) return nothing;
    return html`
      <div class="notice good secret" role="status">
        ${icon('key')}
        <div>
          <p>${words.secretOnce(this.secret.id)}</p>
          <om-copy wrap label=${words.secret} value=${this.secret.value}></om-copy>
          <p><button class="press small" type="button" @click=${() => (this.secret = undefined)}>${words.secretDone}</button></p>
        </div>
      </div>
    `;
  }

  async #rotate({ id, kind }: Key): Promise<void> {
    const { words } = this.#words;
    const confirmed = await this.renderRoot.querySelector<ConfirmDialog>('om-confirm')?.ask({
      title: words.rotateTitle(words.keyName(kind), id),
      text: words.rotateText,
      doIt: words.rotate,
      option: {
        label: words.rotateKeep,
        choices: KEEP_S.map((seconds) => [String(seconds), seconds === 0 ? words.rotateKeepNone : words.spanName(seconds)]),
      },
    });
    if (confirmed === undefined || this.client === undefined) return;
    this.error = undefined;
    try {
      this.secret = { id, value: await rotateKey(this.client, id, Number(confirmed)) };
      scrollTo({ top: 0 });
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    }
    await this.#keys.refresh();
  }
}
