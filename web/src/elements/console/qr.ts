//! `<om-qr>`: an address as a QR code to be scanned by a phone. The library is loaded when one is first wanted.

import { LitElement, type TemplateResult, css, html, nothing, svg } from 'lit';
import { icon } from '../icons.ts';
import { QUIET, qrOf } from '../qr-path.ts';
import { sharedStyles } from '../shared.styles.ts';
import { dialogStyles } from './console.styles.ts';
import { Words } from './words.ts';


interface Shown {
  readonly label: string;
  readonly value: string;
  readonly size: number;
  /** An SVG path of the dark modules; undefined for what is too long for a code. */
  readonly path: string | undefined;
}

export class QrDialog extends LitElement {
  static override properties = { shown: { state: true } };
  static override styles = [
    sharedStyles,
    dialogStyles,
    css`
      dialog {
        inline-size: min(24rem, calc(100vw - 2rem));
        padding: 1.25rem;
      }

      .head {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 1rem;
      }

      svg.code {
        inline-size: 100%;
        border-radius: 8px;
        /* Scanners want dark on light, by night too. */
        background: #ffffff;
        color: #000000;
        shape-rendering: crispEdges;
      }

      .value {
        max-block-size: 6rem;
        overflow-y: auto;
        color: var(--om-muted);
        font-family: var(--om-mono);
        font-size: 0.8125rem;
        overflow-wrap: anywhere;
      }
    `,
  ];

  declare shown: Shown | undefined;
  readonly #words = new Words(this);

  constructor() {
    super();
    this.shown = undefined;
  }

  async show(label: string, value: string): Promise<void> {
    const code = await qrOf(value);
    this.shown = { label, value, size: code?.size ?? 0, path: code?.path };
    await this.updateComplete;
    this.renderRoot.querySelector('dialog')?.showModal();
  }

  protected override render(): TemplateResult | typeof nothing {
    const { shown } = this;
    if (shown === undefined) return nothing;
    const { words, messages } = this.#words;
    const side = shown.size + 2 * QUIET;
    return html`
      <dialog aria-labelledby="title" @close=${() => (this.shown = undefined)}>
        <form method="dialog">
          <div class="head">
            <h2 id="title">${shown.label}</h2>
            <button class="press plain" aria-label=${words.close}>${icon('close')}</button>
          </div>
          ${shown.path === undefined
            ? html`<p>${words.qrTooLong}</p>`
            : html`
                <svg class="code" role="img" aria-label=${messages.qrCode(shown.label)} viewBox="${-QUIET} ${-QUIET} ${side} ${side}">
                  ${svg`<path fill="currentColor" d=${shown.path} />`}
                </svg>
              `}
          <p class="value" tabindex="0">${shown.value}</p>
        </form>
      </dialog>
    `;
  }
}
