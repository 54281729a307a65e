//! `<om-share>`: a link, and its QR code: at once where it is what the page is about, else when it is asked for.

import { LitElement, type PropertyValues, type TemplateResult, css, html, nothing, svg } from 'lit';
import { QUIET, type QrCode, qrOf } from '../qr-path.ts';
import { roomIcon } from '../room/icons.ts';
import { RoomWords } from '../room/words.ts';
import { sharedStyles } from '../shared.styles.ts';

export class DemoShare extends LitElement {
  static override properties = { url: {}, large: { type: Boolean, reflect: true }, isOpen: { state: true }, code: { state: true } };
  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        gap: 0.75rem;
      }

      .buttons {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem;
      }

      .buttons .press {
        flex: 1;
        background: transparent;
      }

      .code {
        justify-self: center;
        inline-size: min(11rem, 100%);
        border-radius: 10px;
        /* Scanners want dark on light, by night too. */
        background: #ffffff;
        color: #000000;
        shape-rendering: crispEdges;
      }

      :host([large]) .code {
        inline-size: min(14rem, 100%);
      }
    `,
  ];

  declare url: string;
  declare large: boolean;
  declare isOpen: boolean;
  declare code: QrCode | undefined;
  readonly #localized = new RoomWords(this);

  constructor() {
    super();
    Object.assign(this, { url: '', large: false, isOpen: false, code: undefined });
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('url') && this.url !== '') void qrOf(this.url).then((code) => (this.code = code));
  }

  protected override render(): TemplateResult {
    const { words } = this.#localized;
    const { large, isOpen, url } = this;
    // Phones hand a link on by their own sheet.
    const canShare = 'share' in navigator && matchMedia('(pointer: coarse)').matches;
    return html`
      <om-copy label=${words.link} value=${url}></om-copy>
      ${large && !canShare
        ? nothing
        : html`<div class="buttons">
            ${canShare ? html`<button class="press" type="button" @click=${() => void navigator.share({ url }).catch(() => undefined)}>${roomIcon('share')}<span>${words.shareLink}</span></button>` : nothing}
            ${large ? nothing : html`<button class="press" type="button" aria-expanded=${isOpen} @click=${() => (this.isOpen = !isOpen)}>${roomIcon('qr')}<span>${words.qr}</span></button>`}
          </div>`}
      ${large || isOpen ? this.#renderCode() : nothing}
    `;
  }

  #renderCode(): TemplateResult | typeof nothing {
    if (this.code === undefined) return nothing;
    const side = this.code.size + 2 * QUIET;
    const label = this.#localized.words.qrOf;
    return html`<svg class="code" role="img" aria-label=${label} viewBox="${-QUIET} ${-QUIET} ${side} ${side}">${svg`<path fill="currentColor" d=${this.code.path} />`}</svg>`;
  }
}
