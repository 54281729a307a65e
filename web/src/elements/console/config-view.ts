//! `<om-config>`: the settings in force, without secrets, and reading the file again.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import type { ApiError, Client } from '../../api/client.ts';
import { settingsOf } from '../../api/settings.ts';
import { type Reloaded, getConfig, reloadConfig } from '../../api/node.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import { Loader } from './loader.ts';
import { Words } from './words.ts';

export class ConfigView extends LitElement {
  static override properties = {
    client: { attribute: false },
    busy: { state: true },
    reloaded: { state: true },
    error: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    css`
      details {
        border-block-start: 1px solid var(--om-line);
      }

      summary {
        display: flex;
        align-items: center;
        justify-content: space-between;
        min-block-size: 48px;
        font-weight: 550;
        cursor: pointer;
        list-style: none;
      }

      summary::-webkit-details-marker {
        display: none;
      }

      details[open] summary .icon {
        rotate: 180deg;
      }

      .settings {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr));
        gap: 0.75rem 2rem;
        padding-block-end: 1rem;
        font-size: 0.9375rem;
      }

      dd {
        font-family: var(--om-mono);
        font-size: 0.8125rem;
      }

      code {
        overflow-wrap: anywhere;
      }
    `,
  ];

  declare client: Client | undefined;
  declare busy: boolean;
  declare reloaded: Reloaded | undefined;
  declare error: ApiError | undefined;
  readonly #words = new Words(this);
  readonly #config = new Loader<unknown>(this, async () => (this.client === undefined ? {} : getConfig(this.client)));

  constructor() {
    super();
    this.client = undefined;
    this.busy = false;
    this.reloaded = undefined;
    this.error = undefined;
  }

  protected override render(): TemplateResult {
    const { words, messages } = this.#words;
    const { value } = this.#config;
    return html`
      <section class="panel" aria-labelledby="title">
        <header>
          <h2 id="title">${words.config}</h2>
          <button class="press small" type="button" ?disabled=${this.busy} @click=${() => void this.#reload()}>
            ${icon('retry')}<span>${this.busy ? words.reloading : words.reload}</span>
          </button>
        </header>
        <p class="muted">${words.configHelp}</p>
        <div role="status">${this.reloaded === undefined ? nothing : this.#renderReloaded(this.reloaded)}</div>
        ${this.error === undefined
          ? nothing
          : html`${renderFailure(this.error, words)}<p class="muted">${words.configKept}</p>`}
        ${renderFailure(this.#config.error, words)}
        <div>
          ${value === undefined
            ? html`<p class="muted">${messages.loading}</p>`
            : settingsOf(value).map(
                ({ name, settings }) => html`
                  <details>
                    <summary><span>${name === '' ? words.configGeneral : name}</span>${icon('chevronDown')}</summary>
                    <dl class="settings">
                      ${settings.map(([key, text]) => html`<div><dt>${key}</dt><dd>${text}</dd></div>`)}
                    </dl>
                  </details>
                `,
              )}
        </div>
      </section>
    `;
  }

  #renderReloaded({ changed, needs_restart: restart }: Reloaded): TemplateResult {
    const { words } = this.#words;
    const list = (names: readonly string[]): TemplateResult =>
      html`<span class="detail">${names.map((name, at) => html`${at === 0 ? '' : ', '}<code>${name}</code>`)}</span>`;
    return html`
      <div class="notice ${restart.length === 0 ? 'good' : 'warn'}">
        ${icon(restart.length === 0 ? 'check' : 'warning')}
        <div>
          <p>
            ${changed.length === 0 ? words.reloadedSame : words.reloadedChanged(changed.length)}
            ${changed.length === 0 ? nothing : list(changed)}
          </p>
          ${restart.length === 0 ? nothing : html`<p>${words.needsRestart} ${list(restart)}</p>`}
        </div>
      </div>
    `;
  }

  async #reload(): Promise<void> {
    if (this.client === undefined) return;
    [this.busy, this.reloaded, this.error] = [true, undefined, undefined];
    try {
      this.reloaded = await reloadConfig(this.client);
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    } finally {
      this.busy = false;
    }
    await this.#config.refresh();
  }
}
