//! `<om-node-page>`: is the machine well, what has it carried, and by which settings does it run.

import { LitElement, type TemplateResult, css, html, nothing } from 'lit';
import type { ServerInfo } from '../../api/broadcasts.ts';
import type { Client } from '../../api/client.ts';
import { bitrate, bytesText, countText, dateText, duration } from '../../api/format.ts';
import { type NodeHealth, getNode } from '../../api/node.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { renderFailure } from './failure.ts';
import { Loader } from './loader.ts';
import { Words } from './words.ts';

/** From this share of a limit on, a bar warns. */
const HIGH = 0.8;
/** A certificate that ends sooner is said to end soon. */
const EXPIRES_SOON_MS = 14 * 86_400_000;

interface Gauge {
  readonly name: string;
  readonly value: string;
  readonly more: string;
  /** Of its limit, from 0 to 1; undefined where there is none. */
  readonly share: number | undefined;
}

export class NodePage extends LitElement {
  static override properties = {
    client: { attribute: false },
    server: { attribute: false },
    node: { attribute: false },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    css`
      .warnings:not(:empty) {
        display: grid;
        gap: 0.75rem;
      }

      .gauges {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
        gap: 1.5rem 2rem;
      }

      .gauge {
        display: grid;
        align-content: start;
        gap: 0.25rem;
      }

      .gauge dd:first-of-type {
        font-size: 1.375rem;
        font-weight: 600;
        letter-spacing: -0.01em;
        line-height: 1.3;
      }

      .bar {
        overflow: hidden;
        block-size: 6px;
        margin-block-start: 0.25rem;
        border-radius: 3px;
        background: var(--om-sunken);
      }

      .bar svg {
        display: block;
        inline-size: 100%;
        block-size: 100%;
        color: var(--om-accent);
      }

      .bar.high svg {
        color: var(--om-warn);
      }
    `,
  ];

  declare client: Client | undefined;
  declare server: ServerInfo | undefined;
  /** The last of the events; what is asked for once comes first. */
  declare node: NodeHealth | undefined;
  readonly #words = new Words(this);
  readonly #first = new Loader<NodeHealth | undefined>(this, async () =>
    this.client === undefined ? undefined : getNode(this.client),
  );

  constructor() {
    super();
    this.client = undefined;
    this.server = undefined;
    this.node = undefined;
  }

  protected override render(): TemplateResult {
    const { words, messages } = this.#words;
    const node = this.node ?? this.#first.value;
    return html`
      <div class="page">
        <h1>${words.nodeTitle}</h1>
        ${renderFailure(node === undefined ? this.#first.error : undefined, words)}
        ${node === undefined
          ? html`<p class="muted">${messages.loading}</p>`
          : html`
              <div role="status" class="warnings">${node.warnings.map(renderWarning)}</div>
              <section class="panel" aria-labelledby="health">
                <h2 id="health">${words.health}</h2>
                <div class="gauges">${this.#gauges(node).map(renderGauge)}</div>
                <dl class="facts">${this.#renderFacts(node)}</dl>
              </section>
            `}
        <om-usage .client=${this.client}></om-usage>
        <om-config .client=${this.client}></om-config>
      </div>
    `;
  }

  #gauges(node: NodeHealth): readonly Gauge[] {
    const { words, messages, language } = this.#words;
    const count = (value: number): string => countText(value, language);
    const of = (value: number | null, max: number | null, say: (value: number) => string): Omit<Gauge, 'name'> => ({
      value: value === null ? messages.unknown : say(value),
      more: max === null ? words.noLimit : words.ofLimit(say(max)),
      share: value === null || max === null || max === 0 ? undefined : value / max,
    });
    const cores = Math.max(1, node.cpu_cores_max);
    const busy = node.cpu_cores / cores;
    return [
      { name: words.cpu, value: `${(busy * 100).toFixed(0)} %`, more: words.cpuOf(cores), share: busy },
      { name: words.memory, ...of(node.memory_bytes, node.memory_bytes_max, bytesText) },
      { name: words.connections, ...of(node.connections, node.connections_max, count) },
      { name: words.fileDescriptors, ...of(node.file_descriptors, node.file_descriptors_max, count) },
      { name: words.ring, ...of(node.ring_bytes, node.ring_bytes_max, bytesText) },
    ];
  }

  #renderFacts(node: NodeHealth): TemplateResult {
    const { words, messages, language } = this.#words;
    const expires = node.tls?.expires ?? null;
    const leftMs = expires === null ? Number.POSITIVE_INFINITY : Date.parse(expires) - Date.now();
    const soon = leftMs < EXPIRES_SOON_MS;
    const facts: readonly (readonly [string, unknown])[] = [
      [words.uptimeName, duration(node.uptime_s, messages)],
      [words.version, this.server?.version ?? messages.unknown],
      [words.broadcasts, countText(node.broadcasts, language)],
      [messages.viewers, countText(node.viewers, language)],
      [words.received, bitrate(node.received_bps)],
      [words.sent, bitrate(node.sent_bps)],
      [
        words.panics,
        node.panics === 0 ? words.none : html`<span class="state warn">${countText(node.panics, language)}</span>`,
      ],
      [
        words.certificate,
        expires === null
          ? words.noCertificate
          : html`
              <span class=${soon ? 'state warn' : ''}>${dateText(Date.parse(expires), language)}</span>
              <span class="more">
                ${leftMs > 0 ? words.expiresIn(duration(leftMs / 1_000, messages)) : words.expired}
              </span>
            `,
      ],
    ];
    return html`${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}`;
  }
}

function renderWarning(warning: string): TemplateResult {
  return html`<div class="notice warn" lang="en">${icon('warning')}<p>${warning}</p></div>`;
}

function renderGauge({ name, value, more, share }: Gauge): TemplateResult {
  return html`
    <dl class="gauge">
      <dt>${name}</dt>
      <dd>${value}</dd>
      <dd class="more">${more}</dd>
      ${share === undefined
        ? nothing
        : html`
            <dd class="bar ${share >= HIGH ? 'high' : ''}" aria-hidden="true">
              <svg viewBox="0 0 100 1" preserveAspectRatio="none">
                <rect width=${Math.min(100, share * 100)} height="1" fill="currentColor"></rect>
              </svg>
            </dd>
          `}
    </dl>
  `;
}
