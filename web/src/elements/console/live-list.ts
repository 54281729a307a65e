//! `<om-live>`: what is live, as cards: searched, sorted and paged here, since the server tells the whole list.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Broadcast, ServerInfo } from '../../api/broadcasts.ts';
import type { Client } from '../../api/client.ts';
import { type Listing, SORTS, type SortBy, arrange } from '../../api/listing.ts';
import { PreviewBudget } from '../../play/preview-budget.ts';
import { icon } from '../icons.ts';
import { keepPreference, readPreference } from '../preference.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { liveListStyles } from './live-list.styles.ts';
import { PlayAddresses } from './play-addresses.ts';
import { Words } from './words.ts';

/** Players running at once: a phone has fewer decoders and a meter on its data. */
const PREVIEWS_MAX = 4;
const PREVIEWS_MAX_PHONE = 1;
const PHONE = '(max-width: 48rem)';
/** Where there is a mouse there is a keyboard. */
const KEYS = '(hover: hover)';
const CALM = '(prefers-reduced-motion: reduce)';
/** So long a card moves before another one in view may: enough to see that it is well. */
const TURN_MS = 8_000;
/** Under this name the choice of the order is kept. */
const PREFERENCE = 'sort';

export class LiveList extends LitElement {
  static override properties = {
    broadcasts: { attribute: false },
    total: { attribute: false },
    server: { attribute: false },
    client: { attribute: false },
    nowMs: { attribute: false },
    search: { state: true },
    sort: { state: true },
    page: { state: true },
  };

  static override styles = [sharedStyles, consoleStyles, liveListStyles];

  declare broadcasts: readonly Broadcast[] | undefined;
  /** Of all there are; the list may hold fewer. */
  declare total: number;
  declare server: ServerInfo | undefined;
  declare client: Client | undefined;
  declare nowMs: number;
  declare search: string;
  declare sort: SortBy;
  declare page: number;
  readonly #words = new Words(this);
  readonly #budget = new PreviewBudget(previewsMax());
  #addresses: PlayAddresses | undefined;
  #observer: IntersectionObserver | undefined;
  #turn: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    this.broadcasts = undefined;
    this.total = 0;
    this.server = undefined;
    this.client = undefined;
    this.nowMs = 0;
    this.search = '';
    this.page = 0;
    const kept = readPreference(PREFERENCE);
    this.sort = SORTS.find((sort) => sort === kept) ?? 'viewers';
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer = new IntersectionObserver((entries) => this.#handleVisible(entries), { threshold: 0.25 });
    this.#turn = setInterval(() => this.#handleTurn(), TURN_MS);
    document.addEventListener('keydown', this.#handleKey);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer?.disconnect();
    clearInterval(this.#turn);
    document.removeEventListener('keydown', this.#handleKey);
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    const { client, server, broadcasts = [] } = this;
    if ((changed.has('client') || this.#addresses === undefined) && client !== undefined && server !== undefined) {
      this.#addresses = new PlayAddresses(client, server.guarded, () => this.requestUpdate());
    }
    if (changed.has('broadcasts')) {
      const paths = new Set(broadcasts.map(({ path }) => path));
      const before = changed.get('broadcasts') as readonly Broadcast[] | undefined;
      for (const { path } of before ?? []) if (!paths.has(path)) this.#budget.forget(path);
      this.#addresses?.keepOnly(paths);
    }
  }

  protected override updated(): void {
    for (const card of this.renderRoot.querySelectorAll('om-stream')) this.#observer?.observe(card);
  }

  protected override render(): TemplateResult {
    const { messages, words } = this.#words;
    const { broadcasts } = this;
    const some = broadcasts !== undefined && broadcasts.length > 0;
    return html`
      <div class="page">
        <div class="title">
          <h1>${broadcasts?.length === 0 ? words.consoleEmpty : words.consoleTitle}</h1>
          ${some ? html`<a class="press main" href="#/push">${icon('radio')}<span>${messages.pushTitle}</span></a>` : nothing}
        </div>
        ${broadcasts === undefined ? html`<p class="muted">${messages.loading}</p>` : nothing}
        ${some ? this.#renderStreams(arrange(broadcasts, this.search, this.sort, this.page)) : nothing}
        ${broadcasts?.length === 0
          ? html`
              <p class="lead">${words.consoleEmptyHelp}</p>
              <om-push-guide .server=${this.server} .client=${this.client} .taken=${[]}></om-push-guide>
            `
          : nothing}
      </div>
    `;
  }

  #renderStreams(listing: Listing): TemplateResult {
    const { words, messages } = this.#words;
    const { granted } = this.#budget;
    return html`
      <div class="tools" role="search">
        <label class="search">
          ${icon('search')}<span class="visually-hidden">${words.search}</span>
          <input
            type="search"
            placeholder=${matchMedia(KEYS).matches ? words.searchHint : words.search}
            aria-keyshortcuts="/"
            autocomplete="off"
            spellcheck="false"
            .value=${this.search}
            @input=${(event: Event) => this.#find((event.target as HTMLInputElement).value)}
          />
        </label>
        <label class="sort">
          <span>${words.sortBy}</span>
          <select @change=${(event: Event) => this.#order((event.target as HTMLSelectElement).value as SortBy)}>
            ${SORTS.map((sort) => html`<option value=${sort} ?selected=${sort === this.sort}>${words.sortName(sort)}</option>`)}
          </select>
        </label>
        <p class="muted figures count" role="status">
          ${this.search === '' ? messages.streams(listing.matching) : words.found(listing.matching)}
        </p>
      </div>
      ${this.total > (this.broadcasts?.length ?? 0)
        ? html`<p class="muted">${words.listFull(this.broadcasts?.length ?? 0, this.total)}</p>`
        : nothing}
      ${listing.matching === 0 ? html`<p class="empty">${words.nothingFound(this.search)}</p>` : nothing}
      <div class="streams">
        ${repeat(
          listing.shown,
          ({ path }) => path,
          (broadcast) => html`
            <om-stream
              .broadcast=${broadcast}
              .nowMs=${this.nowMs}
              .src=${granted.has(broadcast.path) ? this.#addresses?.of(broadcast.path)?.flv : undefined}
              @previewwanted=${() => this.#want(broadcast.path)}
            ></om-stream>
          `,
        )}
      </div>
      ${listing.pages > 1 ? this.#renderPager(listing) : nothing}
    `;
  }

  #renderPager({ page, pages }: Listing): TemplateResult {
    const { words } = this.#words;
    return html`
      <nav class="pager" aria-label=${words.pages}>
        <button class="press" type="button" ?disabled=${page === 0} @click=${() => this.#turnTo(page - 1)}>
          ${icon('chevronLeft')}<span>${words.pageBefore}</span>
        </button>
        <p class="figures" role="status">${words.pageOf(page + 1, pages)}</p>
        <button class="press" type="button" ?disabled=${page === pages - 1} @click=${() => this.#turnTo(page + 1)}>
          <span>${words.pageAfter}</span>${icon('chevronRight')}
        </button>
      </nav>
    `;
  }

  #find(search: string): void {
    this.search = search;
    this.page = 0;
  }

  #order(sort: SortBy): void {
    this.sort = sort;
    this.page = 0;
    keepPreference(PREFERENCE, sort);
  }

  #turnTo(page: number): void {
    this.page = page;
    scrollTo({ top: 0 });
  }

  #want(path: string): void {
    this.#budget.want(path);
    this.requestUpdate();
  }

  #handleVisible(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const path = (target as Element & { broadcast?: Broadcast }).broadcast?.path;
      if (path !== undefined) this.#budget.handleVisible(path, isIntersecting && target.isConnected);
    }
    this.requestUpdate();
  }

  /** Others in view have their turn; a page that nobody looks at stays as it is. */
  #handleTurn(): void {
    if (!document.hidden && this.#budget.rotate()) this.requestUpdate();
  }

  readonly #handleKey = (event: KeyboardEvent): void => {
    const typing = event.composedPath().some((at) => at instanceof HTMLInputElement);
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const input = this.renderRoot.querySelector<HTMLInputElement>('input[type=search]');
    if (input === null) return;
    event.preventDefault();
    input.focus();
    input.select();
  };
}

/** Who wishes for less motion sees only what they ask for. */
function previewsMax(): number {
  if (matchMedia(CALM).matches) return 0;
  return matchMedia(PHONE).matches ? PREVIEWS_MAX_PHONE : PREVIEWS_MAX;
}
