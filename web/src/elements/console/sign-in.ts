//! `<om-sign-in>`: asks for an administrator's token and proves it before it is kept.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { ApiError, Client } from '../../api/client.ts';
import { getNode } from '../../api/node.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { asApiError } from './failure.ts';
import { Words } from './words.ts';

function renderBad(said: string): TemplateResult {
  return html`<div class="notice bad">${icon('alert')}<p>${said}</p></div>`;
}

export class SignIn extends LitElement {
  static override properties = {
    expired: { type: Boolean },
    busy: { state: true },
    error: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    css`
      .panel {
        inline-size: min(100%, 27rem);
        margin: clamp(1rem, 10vh, 6rem) auto 0;
        padding: clamp(1.25rem, 5vw, 2rem);
      }

      form {
        display: grid;
        gap: 1rem;
      }

      .press {
        inline-size: 100%;
      }

      .hint {
        color: var(--om-muted);
        font-size: 0.9375rem;
        text-wrap: pretty;
      }
    `,
  ];

  /** A token was taken before and is not any more. */
  declare expired: boolean;
  declare busy: boolean;
  declare error: ApiError | undefined;
  readonly #words = new Words(this);

  constructor() {
    super();
    this.expired = false;
    this.busy = false;
    this.error = undefined;
  }

  protected override firstUpdated(): void {
    this.renderRoot.querySelector('input')?.focus();
  }

  protected override render(): TemplateResult {
    const { words } = this.#words;
    const said = this.error !== undefined ? words.signInFailure(this.error.status) : this.expired ? words.signInExpired : undefined;
    return html`
      <section class="panel" aria-labelledby="title">
        <h1 id="title">${words.signInTitle}</h1>
        <p class="hint">${words.signInHelp}</p>
        <form @submit=${(event: SubmitEvent) => void this.#submit(event)}>
          <label class="field">
            <span>${words.token}</span>
            <input
              type="password"
              name="token"
              required
              autocomplete="off"
              autocapitalize="off"
              spellcheck="false"
              aria-describedby="said"
              aria-invalid=${this.error === undefined ? 'false' : 'true'}
            />
          </label>
          <div id="said" role="alert">${said === undefined ? nothing : renderBad(said)}</div>
          <button class="press main" ?disabled=${this.busy}>${this.busy ? words.signingIn : words.signIn}</button>
        </form>
        <p class="hint">${words.signInKept}</p>
      </section>
    `;
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const input = this.renderRoot.querySelector('input');
    const token = input?.value.trim() ?? '';
    if (token === '' || this.busy) return;
    [this.busy, this.error] = [true, undefined];
    try {
      // A header cannot carry it, so it is no token of ours.
      if (/[^\x21-\x7e]/.test(token)) throw new ApiError(401, '');
      await getNode(new Client(location.origin, token));
      this.dispatchEvent(new CustomEvent('signedin', { detail: { token } }));
    } catch (error) {
      this.error = asApiError(error);
      input?.select();
    } finally {
      this.busy = false;
    }
  }
}
