//! `<om-qr>`: an address as a QR code to be scanned by a phone. The library is loaded when one is first wanted.

import { LitElement, type TemplateResult, css, html, nothing, svg } from 'lit';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { dialogStyles } from './console.styles.ts';
import { Words } from './words.ts';

/** Light modules around the code (ISO/IEC 18004 §6.3.8). */
const QUIET = 4;

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
    const { create } = await import('qrcode');
    try {
      const { size, data } = create(value, { errorCorrectionLevel: 'M' }).modules;
      this.shown = { label, value, size, path: pathOf(size, data) };
    } catch {
      // A code holds some 2,300 bytes; addresses are shorter, code snippets may not be.
      this.shown = { label, value, size: 0, path: undefined };
    }
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

/** One rectangle for each run of dark modules in a row. */
function pathOf(size: number, data: ArrayLike<number>): string {
  const parts: string[] = [];
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const from = x;
      while (x < size && data[y * size + x]) x += 1;
      if (x > from) parts.push(`M${from} ${y}h${x - from}v1h${from - x}z`);
    }
  }
  return parts.join('');
}
