//! `<om-chart>`: one measure over time. What it shows is also said: the value now, and the least and most of the time.

import { LitElement, type TemplateResult, css, html, nothing, unsafeCSS } from 'lit';
import { clockText, minuteText } from '../../api/format.ts';
import type { Line } from '../../api/series.ts';
import { sharedStyles } from '../shared.styles.ts';
import type { Chart } from './chart-engine.ts';
import { Words } from './words.ts';

const HEIGHT = 150;
/** A stream that has just begun fills the chart sooner than its window. */
const WINDOW_S_MIN = 60;
const DARK = '(prefers-color-scheme: dark)';

export class ChartFigure extends LitElement {
  static override properties = {
    label: {},
    series: { attribute: false },
    format: { attribute: false },
    windowS: { attribute: false },
    nowMs: { attribute: false },
    pointed: { state: true },
    failed: { state: true },
  };

  static override styles = [
    sharedStyles,
    css`
      figure {
        margin: 0;
        border-radius: 8px;
      }

      figcaption {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        justify-content: space-between;
        gap: 0 1rem;
      }

      h3 {
        color: var(--om-muted);
        font-size: 0.875rem;
        font-weight: 400;
      }

      .now {
        font-size: 1.25rem;
        font-weight: 600;
        letter-spacing: -0.01em;
        line-height: 1.3;
      }

      .range {
        flex-basis: 100%;
        color: var(--om-muted);
        font-size: 0.8125rem;
      }

      .mount {
        block-size: ${unsafeCSS(HEIGHT)}px;
        margin-block-start: 0.25rem;
      }
    `,
  ];

  declare label: string;
  declare series: Line;
  declare format: (value: number) => string;
  declare windowS: number;
  declare nowMs: number;
  /** The sample under the cursor. */
  declare pointed: number | undefined;
  declare failed: boolean;
  readonly #words = new Words(this);
  readonly #dark = matchMedia(DARK);
  readonly #sizes = new ResizeObserver(([entry]) => this.#chart?.resize(Math.floor(entry?.contentRect.width ?? 0)));
  #chart: Chart | undefined;

  constructor() {
    super();
    this.label = '';
    this.series = [[], []];
    this.format = String;
    this.windowS = 600;
    this.nowMs = 0;
    this.pointed = undefined;
    this.failed = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#dark.addEventListener('change', this.#redraw);
    void this.#start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#dark.removeEventListener('change', this.#redraw);
    this.#sizes.disconnect();
    this.#chart?.destroy();
    this.#chart = undefined;
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has('series') || changed.has('windowS')) this.#show();
  }

  protected override render(): TemplateResult {
    const { words, language } = this.#words;
    const [xs, ys] = this.series;
    const at = this.pointed === undefined ? undefined : xs[this.pointed];
    const value = at === undefined ? ys.at(-1) : ys[this.pointed ?? 0];
    const shown = value == null ? '–' : this.format(value);
    const known = ys.filter((each) => each !== null);
    const range = known.length === 0 ? '' : words.chartRange(this.format(least(known)), this.format(most(known)));
    return html`
      <figure
        tabindex="0"
        aria-label=${`${this.label}: ${shown}; ${range}`}
        aria-describedby="keys"
        @keydown=${this.#handleKey}
        @blur=${() => this.#chart?.point(undefined)}
      >
        <figcaption class="figures">
          <h3>${this.label}</h3>
          <span class="now">${shown}</span>
          <span class="range">
            ${at === undefined ? (range === '' ? words.chartEmpty : range) : clockText(at * 1_000, this.nowMs, language)}
          </span>
        </figcaption>
        <div class="mount" aria-hidden="true"></div>
        ${this.failed ? html`<p class="muted">${words.chartFailed}</p>` : nothing}
        <p class="visually-hidden" id="keys">${words.chartKeys}</p>
        <p class="visually-hidden" role="status">
          ${at === undefined ? nothing : `${shown}, ${clockText(at * 1_000, this.nowMs, language)}`}
        </p>
      </figure>
    `;
  }

  async #start(): Promise<void> {
    await this.updateComplete;
    try {
      const { Chart, sheet } = await import('./chart-engine.ts');
      const mount = this.renderRoot.querySelector<HTMLElement>('.mount');
      if (!this.isConnected || mount === null || this.#chart !== undefined) return;
      adopt(this.renderRoot as ShadowRoot, sheet);
      this.#chart = new Chart({
        ...{ mount, host: this, height: HEIGHT, format: (value: number) => this.format(value) },
        formatTime: (seconds) => minuteText(seconds * 1_000, this.#words.language),
        handleCursor: (at) => (this.pointed = at),
      });
      this.#sizes.observe(mount);
      this.#show();
    } catch {
      // The numbers are said all the same; only the line is missing.
      this.failed = true;
    }
  }

  #show(): void {
    const to = this.nowMs / 1_000;
    const known = to - (this.series[0][0] ?? to);
    this.#chart?.show(this.series, to - Math.min(this.windowS, Math.max(known, WINDOW_S_MIN)), to);
  }

  readonly #redraw = (): void => this.#chart?.redraw();

  readonly #handleKey = (event: KeyboardEvent): void => {
    const last = this.series[0].length - 1;
    const at = this.pointed ?? last;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, Escape: -1 }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.#chart?.point(event.key === 'Escape' ? undefined : Math.min(Math.max(0, to), last));
  };
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b));
}

function most(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b));
}

const sheets = new Map<string, CSSStyleSheet>();

/** A constructed sheet: the page's policy allows no other style of a library's. */
function adopt(root: ShadowRoot, text: string): void {
  let sheet = sheets.get(text);
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    sheets.set(text, sheet);
  }
  root.adoptedStyleSheets.push(sheet);
}
