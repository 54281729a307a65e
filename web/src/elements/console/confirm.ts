//! `<om-confirm>`: asks before what cannot be undone, and says that it cannot.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles, dialogStyles } from './console.styles.ts';
import { Words } from './words.ts';

export interface Asked {
  readonly title: string;
  readonly text: string;
  /** What the button that does it says. */
  readonly doIt: string;
  /** An option beside it. */
  readonly option?: { readonly label: string; readonly choices: readonly (readonly [value: string, name: string])[] };
}

export class ConfirmDialog extends LitElement {
  static override properties = { asked: { state: true } };
  static override styles = [
    sharedStyles,
    consoleStyles,
    dialogStyles,
    css`
      dialog {
        inline-size: min(28rem, calc(100vw - 2rem));
        padding: 1.5rem;
      }

      .text {
        color: var(--om-muted);
        overflow-wrap: anywhere;
      }

      h2 {
        overflow-wrap: anywhere;
      }

      .row {
        justify-content: end;
        margin-block-start: 0.5rem;
      }
    `,
  ];

  declare asked: Asked | undefined;
  readonly #words = new Words(this);
  #answer: ((value: string | undefined) => void) | undefined;

  constructor() {
    super();
    this.asked = undefined;
  }

  /** The chosen option, or an empty text where there is none; undefined when it was not confirmed. */
  async ask(asked: Asked): Promise<string | undefined> {
    this.asked = asked;
    await this.updateComplete;
    this.renderRoot.querySelector('dialog')?.showModal();
    return new Promise((done) => (this.#answer = done));
  }

  protected override render(): TemplateResult | typeof nothing {
    const { asked } = this;
    if (asked === undefined) return nothing;
    const { words } = this.#words;
    return html`
      <dialog aria-labelledby="title" aria-describedby="text" @close=${this.#handleClose}>
        <form method="dialog">
          <h2 id="title">${asked.title}</h2>
          <p class="text" id="text">${asked.text}</p>
          ${asked.option === undefined
            ? nothing
            : html`
                <label class="field">
                  <span>${asked.option.label}</span>
                  <select>
                    ${asked.option.choices.map(([value, name]) => html`<option value=${value}>${name}</option>`)}
                  </select>
                </label>
              `}
          <div class="row">
            <button class="press" value="no" autofocus>${words.cancel}</button>
            <button class="press main danger" value="yes">${asked.doIt}</button>
          </div>
        </form>
      </dialog>
    `;
  }

  #handleClose(event: Event): void {
    const { returnValue } = event.target as HTMLDialogElement;
    const chosen = this.renderRoot.querySelector('select')?.value ?? '';
    this.#answer?.(returnValue === 'yes' ? chosen : undefined);
    this.#answer = undefined;
    this.asked = undefined;
  }
}
