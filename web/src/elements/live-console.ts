//! `<om-console>`: what is live on this server, and how to go live when nothing is.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { type Broadcast, type ServerInfo, getServer, listBroadcasts } from '../api/broadcasts.ts';
import { duration } from '../api/format.ts';
import { PreviewBudget } from '../play/preview-budget.ts';
import { Localized } from './localized.ts';
import { Polling } from './polling.ts';
import { sharedStyles } from './shared.styles.ts';

/** Players running at once: a phone has fewer decoders and a meter on its data. */
const PREVIEWS_MAX = 4;
const PREVIEWS_MAX_PHONE = 1;
const PHONE = '(max-width: 48rem)';

export class LiveConsole extends LitElement {
  static override properties = {
    broadcasts: { state: true },
    server: { state: true },
    reachable: { state: true },
  };

  static override styles = [
    sharedStyles,
    css`
      main {
        display: grid;
        gap: 2.5rem;
        max-inline-size: var(--om-page, 84rem);
        margin-inline: auto;
        padding: 1.5rem max(1.25rem, env(safe-area-inset-right)) 3rem
          max(1.25rem, env(safe-area-inset-left));
      }

      .title {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        justify-content: space-between;
        gap: 0.25rem 1rem;
        margin-block-end: 1.25rem;
      }

      .streams {
        display: grid;
        gap: 1.25rem;
      }

      .empty {
        display: grid;
        gap: 0.375rem;
        padding: 3rem 1.5rem;
        border: 1px dashed var(--om-line);
        border-radius: var(--om-radius);
        text-align: center;
        text-wrap: balance;
      }

      .notice {
        margin-block-end: 1.25rem;
        padding: 0.75rem 1rem;
        border-radius: 10px;
        background: var(--om-sunken);
        color: var(--om-warn);
        font-weight: 550;
      }

      footer {
        max-inline-size: var(--om-page, 84rem);
        margin-inline: auto;
        padding: 0 1.25rem max(2rem, env(safe-area-inset-bottom));
        font-size: 0.875rem;
      }

      .live,
      aside {
        min-inline-size: 0;
      }

      @media (min-width: 64rem) {
        main {
          grid-template-columns: minmax(0, 1fr) 23rem;
          gap: 3rem;
          padding-block-start: 2.5rem;
        }

        aside {
          position: sticky;
          inset-block-start: 2rem;
          align-self: start;
          padding-inline-start: 3rem;
          border-inline-start: 1px solid var(--om-line);
        }
      }
    `,
  ];

  declare broadcasts: readonly Broadcast[] | undefined;
  declare server: ServerInfo | undefined;
  declare reachable: boolean;
  readonly #localized = new Localized(this);
  readonly #budget = new PreviewBudget(matchMedia(PHONE).matches ? PREVIEWS_MAX_PHONE : PREVIEWS_MAX);
  #observer: IntersectionObserver | undefined;

  constructor() {
    super();
    this.broadcasts = undefined;
    this.server = undefined;
    this.reachable = true;
    new Polling(this, () => this.#ask());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer = new IntersectionObserver((entries) => this.#handleVisible(entries), { threshold: 0.25 });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer?.disconnect();
  }

  protected override updated(): void {
    const { messages } = this.#localized;
    const count = this.broadcasts?.length;
    document.title = count === undefined ? 'openmic' : `${messages.streams(count)} · openmic`;
    for (const card of this.renderRoot.querySelectorAll('om-stream')) this.#observer?.observe(card);
  }

  protected override render(): TemplateResult {
    const { messages } = this.#localized;
    const { broadcasts, server } = this;
    return html`
      <om-header></om-header>
      <main>
        <section class="live" aria-labelledby="live">
          <div class="title">
            <h1 id="live">${broadcasts?.length === 0 ? messages.consoleEmpty : messages.consoleTitle}</h1>
            <p class="muted figures" role="status">${broadcasts === undefined ? '' : messages.streams(broadcasts.length)}</p>
          </div>
          ${this.reachable ? nothing : html`<p class="notice" role="alert">${messages.serverUnreachable}</p>`}
          ${broadcasts === undefined ? nothing : this.#renderStreams(broadcasts)}
        </section>
        <aside>
          <om-push-guide .server=${server} .suggested=${this.#suggested()}></om-push-guide>
        </aside>
      </main>
      <footer>${server === undefined ? nothing : this.#renderServer(server)}</footer>
    `;
  }

  #renderServer(server: ServerInfo): TemplateResult {
    const { messages } = this.#localized;
    return html`
      <p class="muted figures">
        ${messages.version(server.version)} · ${messages.uptime(duration(server.uptime_s, messages))}
      </p>
    `;
  }

  #renderStreams(broadcasts: readonly Broadcast[]): TemplateResult {
    const { messages } = this.#localized;
    if (broadcasts.length === 0) {
      return html`<div class="empty"><p class="muted">${messages.consoleEmptyHelp}</p></div>`;
    }
    const { granted } = this.#budget;
    const nowMs = Date.now();
    return html`
      <div class="streams">
        ${repeat(
          broadcasts,
          ({ path }) => path,
          (broadcast) => html`
            <om-stream
              .broadcast=${broadcast}
              .server=${this.server}
              .nowMs=${nowMs}
              ?preview=${granted.has(broadcast.path)}
              @previewwanted=${() => this.#want(broadcast.path)}
            ></om-stream>
          `,
        )}
      </div>
    `;
  }

  /** A name that is not taken, or the first push would replace what is live. */
  #suggested(): string {
    const taken = new Set(this.broadcasts?.map(({ path }) => path));
    let name = 'live/demo';
    for (let n = 2; taken.has(name); n += 1) name = `live/demo${n}`;
    return name;
  }

  #want(path: string): void {
    this.#budget.want(path);
    this.requestUpdate();
  }

  #handleVisible(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const path = (target as Element & { broadcast?: Broadcast }).broadcast?.path;
      if (path !== undefined) this.#budget.handleVisible(path, isIntersecting);
    }
    this.requestUpdate();
  }

  async #ask(): Promise<void> {
    const base = location.origin;
    try {
      const [broadcasts, server] = await Promise.all([listBroadcasts(base), getServer(base)]);
      const paths = new Set(broadcasts.map(({ path }) => path));
      for (const { path } of this.broadcasts ?? []) if (!paths.has(path)) this.#budget.forget(path);
      this.broadcasts = broadcasts;
      this.server = server;
      this.reachable = true;
    } catch {
      // Said in words on the page; the next round asks again.
      this.reachable = false;
    }
  }
}
