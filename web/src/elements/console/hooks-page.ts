//! `<om-hooks-page>`: whom the server tells of what happens, and whether they heard it.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import type { ApiError, Client } from '../../api/client.ts';
import { clockText, millisText } from '../../api/format.ts';
import { type Delivery, type Hook, listDeliveries, listHooks, testHook } from '../../api/hooks.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { asApiError, renderFailure, reportUnauthorized } from './failure.ts';
import { Loader } from './loader.ts';
import { type Column, renderTable, tableStyles } from './table.ts';
import { Words } from './words.ts';

const LOOKS: Readonly<Record<Delivery['status'], string>> = { delivered: 'good', retrying: 'warn', dead: 'bad' };

export class HooksPage extends LitElement {
  static override properties = {
    client: { attribute: false },
    testing: { state: true },
    tested: { state: true },
    error: { state: true },
  };

  static override styles = [sharedStyles, consoleStyles, tableStyles];

  declare client: Client | undefined;
  /** The hook that is being tested. */
  declare testing: string | undefined;
  declare tested: Delivery | undefined;
  declare error: ApiError | undefined;
  readonly #words = new Words(this);
  readonly #hooks = new Loader<readonly Hook[]>(this, async () => (this.client === undefined ? [] : listHooks(this.client)));
  readonly #deliveries = new Loader<readonly Delivery[]>(this, async () =>
    this.client === undefined ? [] : listDeliveries(this.client),
  );

  constructor() {
    super();
    this.client = undefined;
    this.testing = undefined;
    this.tested = undefined;
    this.error = undefined;
  }

  protected override render(): TemplateResult {
    const { words } = this.#words;
    return html`
      <div class="page">
        <h1>${words.hooksTitle}</h1>
        <p class="lead">${words.hooksHelp}</p>
        ${renderFailure(this.error ?? this.#hooks.error ?? this.#deliveries.error, words)}
        <div role="status">${this.tested === undefined ? nothing : this.#renderTested(this.tested)}</div>
        <section class="panel" aria-labelledby="hooks">
          <h2 id="hooks">${words.hooks}</h2>
          ${this.#renderHooks()}
        </section>
        <section class="panel" aria-labelledby="deliveries">
          <header>
            <h2 id="deliveries">${words.deliveries}</h2>
            <button
              class="press small"
              type="button"
              ?disabled=${this.#deliveries.busy}
              @click=${() => void this.#deliveries.refresh()}
            >
              ${icon('retry')}<span>${words.refresh}</span>
            </button>
          </header>
          ${this.#renderDeliveries()}
        </section>
      </div>
    `;
  }

  #renderHooks(): TemplateResult {
    const { words, messages } = this.#words;
    const hooks = this.#hooks.value;
    if (hooks === undefined) return html`<p class="muted">${messages.loading}</p>`;
    if (hooks.length === 0) return html`<p class="empty">${words.noHooks}</p>`;
    const columns: readonly Column<Hook>[] = [
      { name: words.hook, head: true, cell: ({ name, url }) => html`${name}<span class="more">${url}</span>` },
      {
        name: words.hookEvents,
        cell: ({ events, apps }) =>
          html`${events.join(', ')}${apps.length === 0 ? nothing : html`<span class="more">${apps.join(', ')}</span>`}`,
      },
      { name: words.hookVeto, cell: ({ veto }) => (veto ? words.yes : words.no) },
      { name: words.hookFailure, cell: ({ on_failure: failure }) => words.onFailure(failure) },
      { name: words.hookWaiting, number: true, cell: ({ waiting }) => String(waiting) },
      {
        ...{ name: words.actions, actions: true },
        cell: ({ name }) => html`
          <button
            class="press small"
            type="button"
            aria-label=${`${this.testing === name ? words.hookTesting : words.hookTest}: ${name}`}
            ?disabled=${this.testing !== undefined}
            @click=${() => void this.#test(name)}
          >
            ${icon('send')}<span>${this.testing === name ? words.hookTesting : words.hookTest}</span>
          </button>
        `,
      },
    ];
    return renderTable(words.hooks, columns, hooks);
  }

  #renderDeliveries(): TemplateResult {
    const { words, messages, language } = this.#words;
    const deliveries = this.#deliveries.value;
    if (deliveries === undefined) return html`<p class="muted">${messages.loading}</p>`;
    if (deliveries.length === 0) return html`<p class="empty">${words.noDeliveries}</p>`;
    const nowMs = Date.now();
    const columns: readonly Column<Delivery>[] = [
      { name: words.event, head: true, cell: ({ event, path }) => html`${event}<span class="more">${path}</span>` },
      { name: words.hook, cell: ({ hook }) => hook },
      { name: words.outcome, cell: (delivery) => this.#renderOutcome(delivery) },
      { name: words.attempts, number: true, cell: ({ attempts }) => String(attempts) },
      { name: words.took, number: true, cell: ({ took_ms: ms }) => (ms === null ? messages.unknown : millisText(ms)) },
      { name: words.at, number: true, cell: ({ at }) => clockText(Date.parse(at), nowMs, language) },
    ];
    return renderTable(words.deliveries, columns, deliveries);
  }

  #renderOutcome({ status, http_status: code, error }: Delivery): TemplateResult {
    const { words } = this.#words;
    const parts = [code === null ? undefined : words.answered(code), error ?? undefined].filter((part) => part !== undefined);
    return html`
      <span class="state ${LOOKS[status]}">${words.deliveryName(status)}</span>
      ${parts.length === 0 ? nothing : html`<span class="more">${parts.join(' · ')}</span>`}
    `;
  }

  #renderTested(delivery: Delivery): TemplateResult {
    const { words } = this.#words;
    const good = delivery.status === 'delivered';
    return html`
      <div class="notice ${good ? 'good' : 'bad'}">
        ${icon(good ? 'check' : 'alert')}
        <p>
          ${good ? words.testArrived(delivery.hook) : words.testFailed(delivery.hook)}
          <span class="detail">${this.#renderOutcome(delivery)}</span>
        </p>
      </div>
    `;
  }

  async #test(name: string): Promise<void> {
    if (this.client === undefined) return;
    [this.testing, this.tested, this.error] = [name, undefined, undefined];
    try {
      this.tested = await testHook(this.client, name);
    } catch (error) {
      this.error = asApiError(error);
      reportUnauthorized(this, this.error);
    } finally {
      this.testing = undefined;
    }
    await this.#deliveries.refresh();
  }
}
