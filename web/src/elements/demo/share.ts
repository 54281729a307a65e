//! `<om-share>`: a link and its QR code.

import { LitElement, type PropertyValues, type TemplateResult, css, html, nothing, svg } from 'lit';
import { QUIET, type QrCode, qrOf } from '../qr-path.ts';
import { RoomWords } from '../room/words.ts';
import { sharedStyles } from '../shared.styles.ts';

export class DemoShare extends LitElement {
  static override properties = { url: {}, code: { state: true } };
  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        gap: 1rem;
      }

      .code {
        justify-self: start;
        inline-size: min(9rem, 100%);
        border-radius: 10px;
        /* Scanners want dark on light, by night too. */
        background: #ffffff;
        color: #000000;
        shape-rendering: crispEdges;
      }

      :host(.large) .code {
        justify-self: center;
        inline-size: min(14rem, 100%);
      }
    `,
  ];

  declare url: string;
  declare code: QrCode | undefined;
  readonly #localized = new RoomWords(this);

  constructor() {
    super();
    this.url = '';
    this.code = undefined;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('url') && this.url !== '') void qrOf(this.url).then((code) => (this.code = code));
  }

  protected override render(): TemplateResult {
    const { words } = this.#localized;
    const side = (this.code?.size ?? 0) + 2 * QUIET;
    return html`
      <om-copy label=${words.link} value=${this.url}></om-copy>
      ${this.code === undefined
        ? nothing
        : html`<svg class="code" role="img" aria-label=${words.qrOf} viewBox="${-QUIET} ${-QUIET} ${side} ${side}">${svg`<path fill="currentColor" d=${this.code.path} />`}</svg>`}
    `;
  }
}
