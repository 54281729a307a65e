//! `<om-usage>`: what was carried, by whom, as a table and as a file for a spreadsheet.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import type { ApiError, Client } from '../../api/client.ts';
import { bytesText, countText, duration, protocolName } from '../../api/format.ts';
import { type UsageBy, type UsageRow, getUsage, getUsageCsv } from '../../api/node.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import { Loader } from './loader.ts';
import { type Column, renderTable, tableStyles } from './table.ts';
import { Words } from './words.ts';

const BY: readonly UsageBy[] = ['app', 'stream', 'protocol', 'app,protocol'];
const HOUR_S = 3_600;
/** How far back, in seconds; 0 is since the server remembers. */
const BACK_S: readonly number[] = [HOUR_S, 24 * HOUR_S, 7 * 24 * HOUR_S, 30 * 24 * HOUR_S, 0];

export class Usage extends LitElement {
  static override properties = {
    client: { attribute: false },
    by: { state: true },
    backS: { state: true },
    error: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    tableStyles,
    css`
      .tools {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 11rem), 14rem));
        gap: 0.75rem;
        align-items: end;
      }
    `,
  ];

  declare client: Client | undefined;
  declare by: UsageBy;
  declare backS: number;
  declare error: ApiError | undefined;
  readonly #words = new Words(this);
  readonly #rows = new Loader<readonly UsageRow[]>(this, async () =>
    this.client === undefined ? [] : getUsage(this.client, this.#query()),
  );

  constructor() {
    super();
    this.client = undefined;
    this.by = 'app';
    this.backS = 0;
    this.error = undefined;
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.get('by') !== undefined || changed.get('backS') !== undefined) this.#rows.reset();
  }

  protected override render(): TemplateResult {
    const { words, messages } = this.#words;
    const rows = this.#rows.value;
    return html`
      <section class="panel" aria-labelledby="title">
        <header>
          <h2 id="title">${words.usage}</h2>
          <button class="press small" type="button" @click=${() => void this.#download()}>
            ${icon('download')}<span>${words.downloadCsv}</span>
          </button>
        </header>
        <div class="tools">
          <label class="field">
            <span>${words.usageBy}</span>
            <select @change=${(event: Event) => (this.by = (event.target as HTMLSelectElement).value as UsageBy)}>
              ${BY.map((by) => html`<option value=${by} ?selected=${by === this.by}>${words.usageByName(by)}</option>`)}
            </select>
          </label>
          <label class="field">
            <span>${words.usageTime}</span>
            <select @change=${(event: Event) => (this.backS = Number((event.target as HTMLSelectElement).value))}>
              ${BACK_S.map(
                (seconds) => html`
                  <option value=${seconds} ?selected=${seconds === this.backS}>
                    ${seconds === 0 ? words.usageAll : words.lastSpan(words.spanName(seconds))}
                  </option>
                `,
              )}
            </select>
          </label>
        </div>
        ${renderFailure(this.error ?? this.#rows.error, words)}
        ${rows === undefined
          ? html`<p class="muted">${messages.loading}</p>`
          : rows.length === 0
            ? html`<p class="empty">${words.noUsage}</p>`
            : renderTable(words.usage, this.#columns(), rows)}
      </section>
    `;
  }

  #columns(): readonly Column<UsageRow>[] {
    const { words, messages, language } = this.#words;
    const name: readonly Column<UsageRow>[] = [
      { name: words.usageByName(this.by), head: true, cell: (row) => nameOf(row, this.by) },
      {
        ...{ name: words.does, short: true },
        cell: ({ action }) =>
          action === 'publish' ? words.publishes : action === 'play' ? words.watches : (action ?? nothing),
      },
    ];
    return [
      ...name,
      { name: words.sessions, number: true, cell: ({ sessions }) => countText(sessions, language) },
      { name: words.usageSeconds, number: true, cell: ({ seconds }) => duration(seconds, messages) },
      { name: words.bytes, number: true, cell: ({ bytes }) => bytesText(bytes) },
    ];
  }

  #query(): { by: UsageBy; from: string | undefined } {
    const from = this.backS === 0 ? undefined : new Date(Date.now() - this.backS * 1_000).toISOString();
    return { by: this.by, from };
  }

  /** Fetched with the header and handed over as a file: a link would need the token in its address. */
  async #download(): Promise<void> {
    if (this.client === undefined) return;
    this.error = undefined;
    try {
      const csv = await getUsageCsv(this.client, this.#query());
      const url = URL.createObjectURL(new Blob([csv], { type: 'text/csv' }));
      const link = document.createElement('a');
      link.href = url;
      link.download = `openmic-usage-${this.by.replace(',', '-')}.csv`;
      link.click();
      // The browser has taken it when the click is over; not all of them before.
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    }
  }
}

function nameOf({ app, stream, protocol }: UsageRow, by: UsageBy): string {
  const told = protocol == null ? undefined : protocolName(protocol);
  const place = [app, stream].filter((part) => part != null && part !== '').join('/');
  return by === 'protocol' ? (told ?? '–') : [place, told].filter((part) => part).join(' · ');
}
