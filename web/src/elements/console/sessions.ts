//! `<om-sessions>`: who publishes and watches a stream, one by one, and a way to send them off.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import type { ApiError, Client } from '../../api/client.ts';
import { bytesText, clockText, duration, millisText, protocolName } from '../../api/format.ts';
import { SESSIONS_MAX, type Session, endSession, listSessions } from '../../api/sessions.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import type { ConfirmDialog } from './confirm.ts';
import { consoleStyles } from './console.styles.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import { Loader } from './loader.ts';
import { type Column, renderTable, tableStyles } from './table.ts';
import { Words } from './words.ts';

/** Viewers come and go by the hundred; the table follows once in this while. */
const FOLLOW_MS = 2_000;

export class Sessions extends LitElement {
  static override properties = {
    path: {},
    client: { attribute: false },
    viewers: { attribute: false },
    nowMs: { attribute: false },
    error: { state: true },
    said: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    tableStyles,
    css`
      .mark {
        color: var(--om-accent);
        font-weight: 550;
      }
    `,
  ];

  declare path: string;
  declare client: Client | undefined;
  /** Whatever changes when somebody comes or goes. */
  declare viewers: string;
  declare nowMs: number;
  declare error: ApiError | undefined;
  declare said: string;
  readonly #words = new Words(this);
  readonly #list = new Loader(this, async () =>
    this.client === undefined || this.path === '' ? { sessions: [], total: 0 } : listSessions(this.client, this.path),
  );
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.path = '';
    this.client = undefined;
    this.viewers = '';
    this.nowMs = 0;
    this.error = undefined;
    this.said = '';
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.get('path')) this.#list.reset();
    else if (changed.get('viewers')) this.#follow();
  }

  protected override render(): TemplateResult {
    const { words, messages, language } = this.#words;
    const { sessions = [], total = 0 } = this.#list.value ?? {};
    const { answeredMs } = this.#list;
    return html`
      <section class="panel" aria-labelledby="title">
        <header>
          <h2 id="title">${words.sessions}</h2>
          <button class="press small" type="button" ?disabled=${this.#list.busy} @click=${() => void this.#list.refresh()}>
            ${icon('retry')}<span>${words.refresh}</span>
          </button>
        </header>
        <p class="visually-hidden" role="status">${this.said}</p>
        ${renderFailure(this.error ?? this.#list.error, words)}
        ${sessions.length > 0
          ? renderTable(words.sessions, this.#columns(), sessions)
          : html`<p class="empty">${this.#list.value === undefined ? messages.loading : words.noSessions}</p>`}
        ${answeredMs === undefined
          ? nothing
          : html`
              <p class="muted figures">
                ${words.asOf(clockText(answeredMs, this.nowMs, language))}
                ${total > SESSIONS_MAX ? words.firstOf(sessions.length, total) : nothing}
              </p>
            `}
      </section>
      <om-confirm></om-confirm>
    `;
  }

  #columns(): readonly Column<Session>[] {
    const { words, messages } = this.#words;
    const publishes = ({ action }: Session): boolean => action === 'publish';
    return [
      {
        ...{ name: words.address, head: true },
        cell: (each) => html`
          ${each.address ?? words.builtIn}${each.agent === null || each.agent === ''
            ? nothing
            : html`<span class="more">${each.agent}</span>`}
        `,
      },
      {
        ...{ name: words.does, short: true },
        cell: (each) => (publishes(each) ? html`<span class="mark">${words.publishes}</span>` : words.watches),
      },
      { name: words.protocol, short: true, cell: ({ protocol }) => protocolName(protocol) },
      {
        ...{ name: words.connectedFor, number: true },
        cell: ({ since }) => duration((this.nowMs - Date.parse(since)) / 1_000, messages),
      },
      { name: words.bytes, number: true, cell: ({ bytes }) => bytesText(bytes) },
      { name: words.lag, number: true, cell: ({ lag_ms: lag }) => (lag === null ? messages.unknown : millisText(lag)) },
      {
        ...{ name: words.actions, actions: true },
        cell: (each) => html`
          <button
            class="press small danger"
            type="button"
            aria-label=${`${words.kick}: ${each.address ?? words.builtIn}`}
            @click=${() => void this.#kick(each)}
          >
            ${words.kick}
          </button>
        `,
      },
    ];
  }

  /** Somebody has come or gone: asks once for all who did in this while. */
  #follow(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#list.refresh();
    }, FOLLOW_MS);
  }

  async #kick(session: Session): Promise<void> {
    const { words } = this.#words;
    const whom = session.address ?? words.builtIn;
    const confirmed = await this.renderRoot.querySelector<ConfirmDialog>('om-confirm')?.ask({
      title: words.kickTitle(whom),
      text: words.kickText,
      doIt: words.kick,
    });
    if (confirmed === undefined || this.client === undefined) return;
    this.error = undefined;
    try {
      await endSession(this.client, session.id);
      this.said = words.kicked(whom);
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    }
    await this.#list.refresh();
  }
}
