//! `<om-console>`: who may look (an administrator's token, on a guarded server), where one is, and what the server tells.
//! Pages get all of it from here as properties and keep none of it.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import { type ServerInfo, getServer } from '../../api/broadcasts.ts';
import { ApiError, Client } from '../../api/client.ts';
import { EventStream, type Link, delayBefore } from '../../api/event-stream.ts';
import { type Feed, NOTHING, reduceFeed, turnTo, withHistory } from '../../api/feed.ts';
import { duration } from '../../api/format.ts';
import { getHistory } from '../../api/history.ts';
import { type Route, hashOf, routeOf } from '../../api/route.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { asApiError } from './failure.ts';
import { consoleStyles } from './console.styles.ts';
import { omConsoleStyles } from './om-console.styles.ts';
import { forgetToken, keepToken, readToken } from './token-store.ts';
import { Words } from './words.ts';

/** Durations on the page are told in seconds at first, in minutes soon. */
const TICK_MS = 5_000;

const PLACES = [
  ['live', 'radio'],
  ['keys', 'key'],
  ['hooks', 'webhook'],
  ['node', 'server'],
] as const;

export class OmConsole extends LitElement {
  static override properties = {
    server: { state: true },
    token: { state: true },
    refused: { state: true },
    expired: { state: true },
    link: { state: true },
    feed: { state: true },
    route: { state: true },
    nowMs: { state: true },
  };

  static override styles = [sharedStyles, consoleStyles, omConsoleStyles];

  declare server: ServerInfo | undefined;
  declare token: string | undefined;
  /** The events were refused without a token: so it needs one, whatever the server said first. */
  declare refused: boolean;
  declare expired: boolean;
  declare link: Link;
  declare feed: Feed;
  declare route: Route;
  declare nowMs: number;
  readonly #words = new Words(this);
  #client = new Client(location.origin);
  #events: EventStream | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;
  #learning: ReturnType<typeof setTimeout> | undefined;
  #startedMs = 0;

  constructor() {
    super();
    this.server = undefined;
    this.token = readToken();
    this.refused = false;
    this.expired = false;
    this.link = { kind: 'connecting' };
    this.feed = NOTHING;
    this.route = routeOf(location.hash);
    this.nowMs = Date.now();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('hashchange', this.#handleHash);
    addEventListener('online', this.#nudge);
    document.addEventListener('visibilitychange', this.#nudge);
    this.#tick = setInterval(() => (this.nowMs = Date.now()), TICK_MS);
    void this.#learn(1);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener('hashchange', this.#handleHash);
    removeEventListener('online', this.#nudge);
    document.removeEventListener('visibilitychange', this.#nudge);
    clearInterval(this.#tick);
    clearTimeout(this.#learning);
    this.#events?.close();
  }

  protected override updated(): void {
    document.title = `${this.#titleOf(this.route)} · openmic`;
  }

  protected override render(): TemplateResult {
    const { words } = this.#words;
    const signIn = this.#wantsToken();
    const silent = this.server === undefined ? this.link.kind === 'waiting' : !signIn && this.link.kind === 'waiting';
    return html`
      <om-header>
        <a slot="start" class="skip press" href=${hashOf(this.route)} @click=${this.#skip}>${words.skip}</a>
        ${this.server === undefined || signIn ? nothing : this.#renderNav()}
      </om-header>
      <main id="main" tabindex="-1">
        <div class="said" role="status">
          ${silent ? html`<div class="notice warn">${icon('warning')}<p>${words.reconnecting}</p></div>` : nothing}
        </div>
        ${this.server === undefined ? nothing : signIn ? this.#renderSignIn() : this.#renderPage(this.server)}
      </main>
      <footer>${this.server === undefined ? nothing : this.#renderFooter(this.server)}</footer>
    `;
  }

  #renderSignIn(): TemplateResult {
    return html`
      <om-sign-in
        ?expired=${this.expired}
        @signedin=${(event: CustomEvent<{ token: string }>) => this.#signIn(event.detail.token)}
      ></om-sign-in>
    `;
  }

  #renderNav(): TemplateResult {
    const { words } = this.#words;
    const { page } = this.route;
    const at = page === 'stream' || page === 'push' ? 'live' : page;
    return html`
      <nav aria-label=${words.places}>
        ${PLACES.map(
          ([place, name]) => html`
            <a href=${place === 'live' ? '#/' : `#/${place}`} aria-current=${place === at ? 'page' : 'false'}>
              ${icon(name)}<span>${words.placeName(place)}</span>
            </a>
          `,
        )}
      </nav>
      ${this.token === undefined
        ? nothing
        : html`
            <button slot="end" class="press plain out" type="button" aria-label=${words.signOut} @click=${this.#signOut}>
              ${icon('signOut')}<span>${words.signOut}</span>
            </button>
          `}
    `;
  }

  #renderPage(server: ServerInfo): TemplateResult {
    const { route, nowMs } = this;
    const { broadcasts, total, samples, node } = this.feed;
    const client = this.#client;
    switch (route.page) {
      case 'live':
        return html`
          <om-live .broadcasts=${broadcasts} .total=${total} .server=${server} .client=${client} .nowMs=${nowMs}></om-live>
        `;
      case 'push':
        return html`
          <om-push-guide headed .taken=${broadcasts?.map(({ path }) => path) ?? []} .server=${server} .client=${client}></om-push-guide>
        `;
      case 'stream':
        return html`
          <om-stream-page
            path=${route.path}
            .broadcasts=${broadcasts}
            .samples=${samples}
            .server=${server}
            .client=${client}
            .nowMs=${nowMs}
          ></om-stream-page>
        `;
      case 'keys':
        return html`<om-keys-page .server=${server} .client=${client}></om-keys-page>`;
      case 'hooks':
        return html`<om-hooks-page .client=${client}></om-hooks-page>`;
      case 'node':
        return html`<om-node-page .node=${node} .server=${server} .client=${client}></om-node-page>`;
    }
  }

  #renderFooter({ version }: ServerInfo): TemplateResult {
    const { words, messages } = this.#words;
    const up = duration((this.nowMs - this.#startedMs) / 1_000, messages);
    return html`<p class="muted figures">${words.versionOf(version)} · ${words.uptime(up)}</p>`;
  }

  #titleOf(route: Route): string {
    const { words, messages } = this.#words;
    if (this.#wantsToken()) return words.signInTitle;
    switch (route.page) {
      case 'live':
        return this.feed.broadcasts === undefined ? words.consoleTitle : messages.streams(this.feed.broadcasts.length);
      case 'push':
        return messages.pushTitle;
      case 'stream':
        return route.path;
      case 'keys':
      case 'hooks':
      case 'node':
        return words.placeName(route.page);
    }
  }

  #wantsToken(): boolean {
    return this.token === undefined && (this.server?.guarded === true || this.refused);
  }

  /** Learns what the server is, however long it takes to answer; then listens to it. */
  async #learn(attempt: number): Promise<void> {
    try {
      this.server = await getServer(this.#client);
      this.#startedMs = Date.now() - this.server.uptime_s * 1_000;
      this.#listen();
    } catch (error) {
      asApiError(error);
      const delayMs = delayBefore(attempt, Math.random());
      this.link = { kind: 'waiting', delayMs };
      this.#learning = setTimeout(() => void this.#learn(attempt + 1), delayMs);
    }
  }

  /** Opens the events anew, for the stream that is looked at. Nothing is asked before somebody has signed in. */
  #listen(): void {
    this.#events?.close();
    this.#events = undefined;
    const path = this.route.page === 'stream' ? this.route.path : undefined;
    this.feed = turnTo(this.feed, path);
    if (this.server === undefined || this.#wantsToken()) return;
    this.#client = new Client(location.origin, this.token);
    this.#events = new EventStream(this.#client, path, {
      handleEvent: (event) => {
        this.nowMs = Date.now();
        this.feed = reduceFeed(this.feed, event, this.nowMs);
      },
      handleLink: (link) => this.#handleLink(link),
    });
    if (path !== undefined) void this.#remember(path);
  }

  async #remember(path: string): Promise<void> {
    try {
      const history = await getHistory(this.#client, path);
      this.feed = withHistory(this.feed, path, history);
    } catch (error) {
      // The lines begin now instead; the events tell what is wrong.
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #handleLink(link: Link): void {
    const returned = link.kind === 'open' && this.link.kind === 'connecting' && this.feed.broadcasts !== undefined;
    this.link = link;
    if (link.kind === 'refused') this.#handleUnauthorized();
    // It may have been started anew with another version meanwhile.
    if (returned) void this.#learnAgain();
  }

  async #learnAgain(): Promise<void> {
    try {
      this.server = await getServer(this.#client);
      this.#startedMs = Date.now() - this.server.uptime_s * 1_000;
    } catch (error) {
      asApiError(error);
    }
  }

  #signIn(token: string): void {
    keepToken(token);
    [this.token, this.expired] = [token, false];
    this.#listen();
  }

  readonly #signOut = (): void => {
    forgetToken();
    [this.token, this.expired, this.feed] = [undefined, false, NOTHING];
    this.#listen();
  };

  #handleUnauthorized(): void {
    const had = this.token !== undefined;
    this.refused = true;
    this.#signOut();
    this.expired = had;
  }

  readonly #handleHash = (): void => {
    const before = this.route;
    this.route = routeOf(location.hash);
    const pathOf = (route: Route): string | undefined => (route.page === 'stream' ? route.path : undefined);
    if (pathOf(before) !== pathOf(this.route)) this.#listen();
    scrollTo({ top: 0 });
    // A reader of the screen hears where it has come; the focus ring belongs to keyboards alone.
    void this.updateComplete.then(() => this.renderRoot.querySelector('main')?.focus({ preventScroll: true }));
  };

  readonly #nudge = (): void => {
    if (!document.hidden) this.#events?.nudge();
  };

  readonly #skip = (event: Event): void => {
    event.preventDefault();
    this.renderRoot.querySelector('main')?.focus();
  };

  protected override createRenderRoot(): HTMLElement | DocumentFragment {
    const root = super.createRenderRoot();
    root.addEventListener('unauthorized', () => this.#handleUnauthorized());
    return root;
  }
}
