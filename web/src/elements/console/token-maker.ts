//! `<om-token-maker>`: makes a token for a stream or an app, with what it is for and how long it is good.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { type Scope, type Token, makeToken } from '../../api/access.ts';
import type { ApiError, Client } from '../../api/client.ts';
import { clockText } from '../../api/format.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { renderExpiry } from './expiry.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import { Words } from './words.ts';

const SCOPES: readonly Scope[] = ['publish', 'play', 'room', 'admin'];
const DAY_S = 86_400;

export class TokenMaker extends LitElement {
  static override properties = {
    client: { attribute: false },
    made: { state: true },
    error: { state: true },
    busy: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    css`
      form {
        display: grid;
        gap: 1rem;
      }

      .where {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr));
        gap: 1rem;
      }

      .where input {
        font-family: var(--om-mono);
      }

      fieldset {
        display: flex;
        flex-wrap: wrap;
        gap: 0 1.5rem;
        margin: 0;
        padding: 0;
        border: 0;
      }

      legend {
        padding: 0;
        color: var(--om-muted);
        font-size: 0.8125rem;
      }
    `,
  ];

  declare client: Client | undefined;
  declare made: Token | undefined;
  declare error: ApiError | undefined;
  declare busy: boolean;
  readonly #words = new Words(this);
  #seconds = DAY_S;

  constructor() {
    super();
    this.client = undefined;
    this.made = undefined;
    this.error = undefined;
    this.busy = false;
  }

  protected override render(): TemplateResult {
    const { words } = this.#words;
    return html`
      <section class="panel" aria-labelledby="title">
        <h2 id="title">${words.tokenTitle}</h2>
        <p class="muted">${words.tokenHelp}</p>
        <form @submit=${(event: SubmitEvent) => void this.#submit(event)}>
          <fieldset>
            <legend>${words.tokenScope}</legend>
            ${SCOPES.map(
              (scope) => html`
                <label class="check">
                  <input type="checkbox" name="scope" value=${scope} ?checked=${scope === 'play'} />
                  <span>${words.scopeName(scope)}</span>
                </label>
              `,
            )}
          </fieldset>
          <div class="where">
            <label class="field">
              <span>${words.tokenFor}</span>
              <input name="for" required placeholder="live/demo" autocomplete="off" autocapitalize="off" spellcheck="false" />
            </label>
            ${renderExpiry(words, this.#seconds, (seconds) => (this.#seconds = seconds))}
          </div>
          <div class="row"><button class="press main" ?disabled=${this.busy}>${words.makeToken}</button></div>
        </form>
        ${renderFailure(this.error, words)}
        <div role="status">${this.made === undefined ? nothing : this.#renderMade(this.made)}</div>
      </section>
    `;
  }

  #renderMade({ token, expires }: Token): TemplateResult {
    const { words, language } = this.#words;
    const until = words.validUntil(clockText(Date.parse(expires), Date.now(), language));
    return html`
      <om-copy wrap label=${words.token} value=${token}></om-copy>
      <p class="muted figures">${until}</p>
    `;
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const scope = form.getAll('scope') as Scope[];
    const where = String(form.get('for') ?? '').replace(/^[/\s]+|[/\s]+$/g, '');
    if (this.client === undefined || this.busy || scope.length === 0) return;
    [this.busy, this.error, this.made] = [true, undefined, undefined];
    try {
      this.made = await makeToken(this.client, { scope, for: where, seconds: this.#seconds });
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    } finally {
      this.busy = false;
    }
  }
}
