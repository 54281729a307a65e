//! `<om-header>`: the name, where one is, and the language of the page.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { LANGUAGES, type Language, messagesOf, pickLanguage } from '../i18n/index.ts';
import { icon } from './icons.ts';
import { Localized } from './localized.ts';
import { keepPreference, readPreference } from './preference.ts';
import { sharedStyles } from './shared.styles.ts';

/** Under this name the choice is kept. */
const PREFERENCE = 'language';

/** Sets the language of the page: the reader's earlier choice, else the browser's wish. */
export function applyPageLanguage(): void {
  document.documentElement.lang = pickLanguage([readPreference(PREFERENCE) ?? '', ...navigator.languages]);
}

function choose(language: Language): void {
  document.documentElement.lang = language;
  keepPreference(PREFERENCE, language);
}

export class PageHeader extends LitElement {
  static override properties = { back: { type: Boolean, reflect: true } };

  static override styles = [
    sharedStyles,
    css`
      header {
        display: flex;
        align-items: center;
        gap: 0.25rem 1rem;
        min-block-size: 64px;
        max-inline-size: var(--om-page, 84rem);
        margin-inline: auto;
        padding: 0.5rem max(1.25rem, env(safe-area-inset-right)) 0.5rem max(1.25rem, env(safe-area-inset-left));
      }

      .name {
        display: inline-flex;
        align-items: center;
        gap: 0.625rem;
        min-block-size: 44px;
        color: var(--om-text);
        font-size: 1.125rem;
        font-weight: 700;
        letter-spacing: -0.02em;
        text-decoration: none;
      }

      .name .icon {
        color: var(--om-accent);
      }

      .name .icon svg {
        inline-size: 1.375rem;
        block-size: 1.375rem;
      }

      .back {
        margin-inline-start: -0.75rem;
        padding: 0 0.75rem;
        color: var(--om-muted);
      }

      .gap {
        flex: 1;
      }

      select {
        appearance: none;
        min-block-size: 44px;
        padding: 0 0.875rem 0 2.5rem;
        border: 1px solid transparent;
        border-radius: 10px;
        background: transparent;
        color: inherit;
        font: inherit;
        font-size: 0.9375rem;
        cursor: pointer;
      }

      option {
        color: CanvasText;
        background: Canvas;
      }

      label {
        position: relative;
        display: inline-flex;
        align-items: center;
        color: var(--om-muted);
      }

      label .icon {
        position: absolute;
        inset-inline-start: 0.875rem;
        pointer-events: none;
      }

      /* On a phone the way back says enough. */
      @media (max-width: 30rem) {
        :host([back]) .name span:not(.icon) {
          display: none;
        }

        :host([back]) .name {
          min-inline-size: 44px;
        }

        .back {
          margin-inline-start: -0.5rem;
        }

        select {
          max-inline-size: 9rem;
          padding-inline: 2.375rem 0.25rem;
        }
      }

      @media (hover: hover) {
        select:hover {
          background: var(--om-surface);
        }
      }
    `,
  ];

  /** Show the way back to the console instead of the bare name. */
  declare back: boolean;
  readonly #localized = new Localized(this);

  constructor() {
    super();
    this.back = false;
  }

  protected override render(): TemplateResult {
    const { messages, language } = this.#localized;
    return html`
      <header>
        <slot name="start"></slot>
        <a class="name" href="/" aria-label="openmic">${icon('micVocal')}<span>openmic</span></a>
        ${this.back
          ? html`<a class="press plain back" href="/">${icon('arrowLeft')}<span>${messages.backToConsole}</span></a>`
          : nothing}
        <slot></slot>
        <span class="gap"></span>
        <label>
          ${icon('languages')}<span class="visually-hidden">${messages.switchLanguage}</span>
          <select @change=${(event: Event) => choose((event.target as HTMLSelectElement).value as Language)}>
            ${LANGUAGES.map(
              (each) => html`
                <option value=${each} lang=${each} ?selected=${each === language}>${messagesOf(each).language}</option>
              `,
            )}
          </select>
        </label>
        <slot name="end"></slot>
      </header>
    `;
  }
}
