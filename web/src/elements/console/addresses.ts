//! `<om-addresses>`: ready-made lines to publish and to watch a stream; on a guarded server signed ones, made on demand.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { type SignedAddresses, makeAddresses } from '../../api/access.ts';
import { type Group, openAddresses, playGroups, publishGroups } from '../../api/addresses.ts';
import type { ServerInfo } from '../../api/broadcasts.ts';
import type { ApiError, Client } from '../../api/client.ts';
import { clockText } from '../../api/format.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { renderExpiry } from './expiry.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import type { QrDialog } from './qr.ts';
import { Words } from './words.ts';

const DAY_S = 86_400;

interface Made {
  readonly path: string;
  readonly addresses: SignedAddresses;
  readonly untilMs: number;
}

export class AddressesPanel extends LitElement {
  static override properties = {
    path: {},
    server: { attribute: false },
    client: { attribute: false },
    only: {},
    made: { state: true },
    error: { state: true },
    busy: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    css`
      .all,
      .side {
        display: grid;
        gap: 1.5rem;
        min-inline-size: 0;
      }

      .groups {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
        gap: 1.5rem;
        align-items: start;
      }

      .steps {
        color: var(--om-muted);
        font-size: 0.9375rem;
      }

      .ask {
        display: grid;
        grid-template-columns: minmax(0, 14rem) auto;
        justify-content: start;
        align-items: end;
        gap: 0.75rem;
      }
    `,
  ];

  declare path: string;
  declare server: ServerInfo | undefined;
  declare client: Client | undefined;
  /** One side alone; both where it is empty. */
  declare only: '' | 'publish' | 'play';
  declare made: Made | undefined;
  declare error: ApiError | undefined;
  declare busy: boolean;
  readonly #words = new Words(this);
  #seconds = DAY_S;

  constructor() {
    super();
    this.path = '';
    this.server = undefined;
    this.client = undefined;
    this.only = '';
    this.made = undefined;
    this.error = undefined;
    this.busy = false;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { server, path, only } = this;
    if (server === undefined || path === '') return nothing;
    const { words } = this.#words;
    const made = this.made?.path === path ? this.made : undefined;
    const addresses = server.guarded ? made?.addresses : openAddresses(path, location.origin, server);
    return html`
      <div class="all" @qrwanted=${this.#showQr}>
        ${server.guarded ? this.#renderAsk(made) : nothing} ${renderFailure(this.error, words)}
        ${addresses === undefined || only === 'play' ? nothing : this.#renderSide(words.toPublish, publishGroups(addresses))}
        ${addresses === undefined || only === 'publish'
          ? nothing
          : this.#renderSide(words.toWatch, playGroups(addresses, location.origin))}
      </div>
      <om-qr></om-qr>
    `;
  }

  #renderAsk(made: Made | undefined): TemplateResult {
    const { words, language } = this.#words;
    const until = made === undefined ? nothing : words.validUntil(clockText(made.untilMs, Date.now(), language));
    return html`
      <p class="lead">${words.addressesHelp}</p>
      <div class="ask">
        ${renderExpiry(words, this.#seconds, (seconds) => (this.#seconds = seconds))}
        <button class="press main" type="button" ?disabled=${this.busy} @click=${() => void this.#make()}>
          ${icon('key')}<span>${words.makeAddresses}</span>
        </button>
      </div>
      <p role="status" class="muted figures">${until}</p>
    `;
  }

  #renderSide(title: string, groups: readonly Group[]): TemplateResult {
    const { words } = this.#words;
    return html`
      <section class="side" aria-label=${title}>
        ${this.only === '' ? html`<h3>${title}</h3>` : html`<h2 class="visually-hidden">${title}</h2>`}
        ${groups.length === 0 ? html`<p class="empty">${words.nobodyMay}</p>` : nothing}
        <div class="groups">
          ${groups.map(
            ({ kind, lines }) => html`
              <section class="panel">
                <h3>${words.groupName(kind)}</h3>
                <p class="steps">${words.groupHelp(kind)}</p>
                ${lines.map(
                  (line) => html`
                    <om-copy ?qr=${!line.isCode} ?wrap=${line.isCode} label=${words.lineName(line.kind)} value=${line.value}></om-copy>
                  `,
                )}
              </section>
            `,
          )}
        </div>
      </section>
    `;
  }

  async #make(): Promise<void> {
    const { client, path } = this;
    if (client === undefined || this.busy) return;
    [this.busy, this.error] = [true, undefined];
    try {
      const untilMs = Date.now() + this.#seconds * 1_000;
      this.made = { path, addresses: await makeAddresses(client, path, this.#seconds), untilMs };
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    } finally {
      this.busy = false;
    }
  }

  #showQr(event: CustomEvent<{ label: string; value: string }>): void {
    const { label, value } = event.detail;
    void this.renderRoot.querySelector<QrDialog>('om-qr')?.show(label, value);
  }
}
