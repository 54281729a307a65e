//! `<om-copy>`: one line of text and a button that copies it.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { icon } from './icons.ts';
import { Localized } from './localized.ts';
import { sharedStyles } from './shared.styles.ts';

/** How long the button says that it has copied. */
const SAID_MS = 2_000;

export class CopyField extends LitElement {
  static override properties = {
    label: {},
    value: {},
    wrap: { type: Boolean, reflect: true },
    qr: { type: Boolean },
    state: { state: true },
  };

  static override styles = [
    sharedStyles,
    css`
      :host {
        min-inline-size: 0;
      }

      .row {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto auto;
        align-items: center;
        gap: 0;
        min-block-size: 44px;
        border-radius: 10px;
        background: var(--om-sunken);
        padding-inline-start: 0.875rem;
      }

      .label {
        display: block;
        margin-block-end: 0.25rem;
        color: var(--om-muted);
        font-size: 0.8125rem;
      }

      .value {
        overflow-x: auto;
        padding-block: 0.625rem;
        font-family: var(--om-mono);
        font-size: 0.8125rem;
        line-height: 1.5;
        white-space: nowrap;
        scrollbar-width: none;
        user-select: all;
      }

      :host([wrap]) .value {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }

      .token {
        display: inline-block;
      }

      :host([wrap]) .row {
        align-items: start;
      }

      .press {
        padding: 0 0.75rem;
        font-size: 0.875rem;
      }

      .press.done {
        color: var(--om-accent);
      }
    `,
  ];

  declare label: string;
  declare value: string;
  declare wrap: boolean;
  /** Offers a QR code: `qrwanted` asks whoever is around to show it. */
  declare qr: boolean;
  declare state: 'ready' | 'copied' | 'failed';
  readonly #localized = new Localized(this);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.label = '';
    this.value = '';
    this.wrap = false;
    this.qr = false;
    this.state = 'ready';
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  protected override render(): TemplateResult {
    const { messages } = this.#localized;
    const said = { ready: '', copied: messages.copied, failed: messages.copyFailed }[this.state];
    const done = this.state === 'copied';
    return html`
      ${this.label === '' ? '' : html`<span class="label">${this.label}</span>`}
      <div class="row">
        <div class="value" tabindex="0" role="textbox" aria-readonly="true" aria-label=${this.label}>${this.wrap ? renderTokens(this.value) : this.value}</div>
        <button
          class="press plain ${done ? 'done' : ''}"
          type="button"
          aria-label=${messages.copyOf(this.label)}
          @click=${() => void this.#copy()}
        >
          ${icon(done ? 'check' : 'copy')}
        </button>
        ${this.qr
          ? html`
              <button class="press plain" type="button" aria-label=${messages.qrCode(this.label)} @click=${this.#wantQr}>
                ${icon('qr')}
              </button>
            `
          : nothing}
      </div>
      <span class=${this.state === 'failed' ? 'label' : 'visually-hidden'} role="status">${said}</span>
    `;
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.value);
      this.state = 'copied';
    } catch {
      // Plain HTTP on another host has no clipboard; the text is selectable as a whole.
      this.state = this.#copyBySelection() ? 'copied' : 'failed';
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.state = 'ready'), SAID_MS);
  }

  readonly #wantQr = (): void => {
    const detail = { label: this.label, value: this.value };
    this.dispatchEvent(new CustomEvent('qrwanted', { detail, bubbles: true, composed: true }));
  };

  #copyBySelection(): boolean {
    const value = this.renderRoot.querySelector('.value');
    if (value === null) return false;
    getSelection()?.selectAllChildren(value);
    return document.execCommand('copy');
  }
}

/** Breaks lines between words only: a command torn apart after a hyphen reads like another one. */
function renderTokens(text: string): readonly (string | TemplateResult)[] {
  return text.split(/(\s+)/).map((part) => (part.trim() === '' ? part : html`<span class="token">${part}</span>`));
}
