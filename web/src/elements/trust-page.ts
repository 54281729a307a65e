//! `<om-trust>`: why and how to install the server's certificate authority, on this device or on a phone.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { type About, type TrustAddress, getAbout } from '../api/trust.ts';
import type { Device, TrustMessages } from '../i18n/trust.en.ts';
import { icon } from './icons.ts';
import { Localized } from './localized.ts';
import { sharedStyles } from './shared.styles.ts';

const DEVICES: readonly Device[] = ['ios', 'android', 'windows', 'macos', 'linux'];

/** The device that the page is open on, so that its own steps come first. */
function thisDevice(): Device {
  const agent = navigator.userAgent;
  // An iPad says that it is a Mac, which has no touch screen.
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1)) return 'ios';
  if (/Android/.test(agent)) return 'android';
  if (/Windows/.test(agent)) return 'windows';
  return /Macintosh/.test(agent) ? 'macos' : 'linux';
}

type State = 'asking' | 'none' | 'unreachable' | About;

export class TrustPage extends LitElement {
  static override properties = { state: { state: true } };

  static override styles = [
    sharedStyles,
    css`
      main {
        display: grid;
        gap: 2.25rem;
        max-inline-size: var(--om-page, 84rem);
        margin-inline: auto;
        padding: 1rem max(1.25rem, env(safe-area-inset-right)) max(3rem, env(safe-area-inset-bottom))
          max(1.25rem, env(safe-area-inset-left));
      }

      section,
      .lead {
        display: grid;
        gap: 0.875rem;
        min-inline-size: 0;
        align-content: start;
      }

      p {
        max-inline-size: 42rem;
        text-wrap: pretty;
      }

      .actions {
        display: flex;
        flex-wrap: wrap;
        gap: 0.625rem;
        margin-block-start: 0.375rem;
      }

      details {
        border-block-end: 1px solid var(--om-line);
      }

      details:first-of-type {
        border-block-start: 1px solid var(--om-line);
      }

      summary {
        display: flex;
        align-items: center;
        justify-content: space-between;
        min-block-size: 48px;
        font-weight: 600;
        list-style: none;
        cursor: pointer;
      }

      summary::-webkit-details-marker {
        display: none;
      }

      details[open] summary .icon {
        rotate: 180deg;
      }

      ol {
        display: grid;
        gap: 0.625rem;
        padding-block-end: 1rem;
        counter-reset: step;
      }

      li.step {
        display: grid;
        grid-template-columns: 1.75rem minmax(0, 1fr);
        gap: 0.625rem;
        max-inline-size: 42rem;
        counter-increment: step;
      }

      li.step::before {
        content: counter(step);
        display: grid;
        place-items: center;
        block-size: 1.75rem;
        border-radius: 50%;
        background: var(--om-accent-soft);
        color: var(--om-accent);
        font-size: 0.875rem;
        font-weight: 650;
      }

      .phone {
        padding: 1.25rem;
        border: 1px solid var(--om-line);
        border-radius: var(--om-radius);
        background: var(--om-surface);
      }

      .qr {
        inline-size: min(100%, 15rem);
        aspect-ratio: 1;
        border-radius: 10px;
        background: #fff;
      }

      .secure {
        display: inline-flex;
        align-items: center;
        min-block-size: 44px;
        overflow-wrap: anywhere;
        font-weight: 550;
      }

      .notice {
        padding: 0.75rem 1rem;
        border-radius: 10px;
        background: var(--om-sunken);
        color: var(--om-warn);
      }

      @media (min-width: 64rem) {
        main.wide {
          grid-template-columns: minmax(0, 1fr) 22rem;
          gap: 2.5rem 4rem;
          padding-block-start: 2rem;
        }

        .left,
        .right {
          display: grid;
          gap: 2.5rem;
          align-content: start;
          min-inline-size: 0;
        }
      }

      @media (max-width: 63.99rem) {
        .left,
        .right {
          display: contents;
        }

        /* Whoever reads this on a phone needs nothing to find it by. */
        .phone {
          display: none;
        }
      }
    `,
  ];

  declare state: State;
  readonly #localized = new Localized(this);
  readonly #device = thisDevice();

  constructor() {
    super();
    this.state = 'asking';
  }

  override connectedCallback(): void {
    super.connectedCallback();
    getAbout().then(
      (about) => (this.state = about ?? 'none'),
      () => (this.state = 'unreachable'),
    );
  }

  protected override updated(): void {
    document.title = `${this.#localized.messages.trust.title} · openmic`;
  }

  protected override render(): TemplateResult {
    const messages = this.#localized.messages.trust;
    return html`
      <om-header back></om-header>
      ${this.#renderState(messages)}
    `;
  }

  #renderState(messages: TrustMessages): TemplateResult {
    const { state } = this;
    if (state === 'asking') return html`<main aria-busy="true"><h1>${messages.title}</h1></main>`;
    if (state === 'unreachable') {
      return html`<main><h1>${messages.title}</h1><p class="notice" role="alert">${messages.unreachable}</p></main>`;
    }
    if (state === 'none') {
      return html`<main><div class="lead"><h1>${messages.notNeeded}</h1><p class="muted">${messages.notNeededHelp}</p></div></main>`;
    }
    const first = state.addresses[0];
    return html`
      <main class="wide">
        <div class="left">${this.#renderLead(messages)} ${this.#renderSteps(messages)} ${renderThen(messages, state.addresses)}</div>
        <div class="right">
          ${first === undefined ? html`<p class="notice">${messages.nobodyReaches}</p>` : renderPhone(messages, first)}
          ${renderCompare(messages, state.fingerprint)}
        </div>
      </main>
    `;
  }

  #renderLead(messages: TrustMessages): TemplateResult {
    const apple = this.#device === 'ios';
    const profile = html`<a class="press ${apple ? 'main' : ''}" href="/trust/openmic-ca.mobileconfig">${icon('smartphone')}${messages.getProfile}</a>`;
    const certificate = html`<a class="press ${apple ? '' : 'main'}" href="/trust/openmic-ca.crt" download>${icon('download')}${messages.getCertificate}</a>`;
    return html`
      <div class="lead">
        <h1>${messages.title}</h1>
        <p>${messages.intro}</p>
        <p class="muted">${messages.limits}</p>
        <div class="actions">${apple ? [profile, certificate] : certificate}</div>
      </div>
    `;
  }

  #renderSteps(messages: TrustMessages): TemplateResult {
    const own = this.#device;
    const devices = [own, ...DEVICES.filter((device) => device !== own)];
    return html`
      <section aria-labelledby="steps">
        <h2 id="steps">${messages.stepsTitle}</h2>
        <div>
          ${devices.map((device) => {
            const { name, steps } = messages.device(device);
            return html`
              <details ?open=${device === own}>
                <summary>${name}${icon('chevronDown')}</summary>
                <ol>
                  ${steps.map((step) => html`<li class="step"><span>${step}</span></li>`)}
                </ol>
                ${device === 'ios' && own !== 'ios'
                  ? html`<p><a href="/trust/openmic-ca.mobileconfig">${messages.getProfile}</a></p>`
                  : nothing}
              </details>
            `;
          })}
        </div>
      </section>
    `;
  }
}

function renderPhone(messages: TrustMessages, address: TrustAddress): TemplateResult {
  return html`
    <section class="phone" aria-labelledby="phone">
      <h2 id="phone">${messages.scanTitle}</h2>
      <img class="qr" src="/trust/qr.svg?address=0" alt=${messages.qrOf(address.page)} />
      <p class="muted">${messages.scan}</p>
      <om-copy label=${messages.pageAddress} value=${address.page}></om-copy>
    </section>
  `;
}

function renderCompare(messages: TrustMessages, fingerprint: string): TemplateResult {
  return html`
    <section aria-labelledby="compare">
      <h2 id="compare">${messages.compareTitle}</h2>
      <p class="muted">${messages.compare}</p>
      <om-copy wrap label=${messages.fingerprint} value=${fingerprint}></om-copy>
    </section>
  `;
}

function renderThen(messages: TrustMessages, addresses: readonly TrustAddress[]): TemplateResult | typeof nothing {
  if (addresses.length === 0) return nothing;
  return html`
    <section aria-labelledby="then">
      <h2 id="then">${messages.thenTitle}</h2>
      <ul>
        ${addresses.map(({ secure }) => html`<li><a class="secure" href=${secure}>${secure}</a></li>`)}
      </ul>
    </section>
  `;
}
