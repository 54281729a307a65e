//! `<om-charts>`: how a stream has been doing: bitrate, frame rate, group length, viewers, delay.

import { LitElement, type TemplateResult, css, html } from 'lit';
import type { Measure, Sample } from '../../api/feed.ts';
import { bitrate, frameRate, millisText } from '../../api/format.ts';
import { seriesOf } from '../../api/series.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { Words } from './words.ts';

const WINDOWS_S: readonly number[] = [120, 600, 3_600];

const MEASURES: readonly (readonly [Measure, (value: number) => string])[] = [
  ['bitrate_bps', bitrate],
  ['viewers', (value) => String(Math.round(value))],
  ['fps', frameRate],
  ['group_ms', millisText],
  ['delay_ms', millisText],
];

export class Charts extends LitElement {
  static override properties = {
    samples: { attribute: false },
    nowMs: { attribute: false },
    windowS: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    css`
      .charts {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr));
        gap: 1.75rem 2rem;
      }

      /* Three columns have room for all five when the first, which is looked at most, takes two. */
      @media (min-width: 80rem) {
        .charts {
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }

        om-chart:first-child {
          grid-column: span 2;
        }
      }

      header label {
        display: flex;
        align-items: center;
        gap: 0.625rem;
        color: var(--om-muted);
        font-size: 0.9375rem;
        white-space: nowrap;
      }

      header select {
        inline-size: auto;
        color: var(--om-text);
      }
    `,
  ];

  declare samples: readonly Sample[];
  declare nowMs: number;
  declare windowS: number;
  readonly #words = new Words(this);

  constructor() {
    super();
    this.samples = [];
    this.nowMs = 0;
    this.windowS = 600;
  }

  protected override render(): TemplateResult {
    const { words, messages } = this.#words;
    const { samples, windowS } = this;
    const nowMs = Math.max(this.nowMs, samples.at(-1)?.atMs ?? 0);
    return html`
      <section class="panel" aria-labelledby="title">
        <header>
          <h2 id="title">${words.charts}</h2>
          <label>
            <span>${words.chartWindow}</span>
            <select @change=${(event: Event) => (this.windowS = Number((event.target as HTMLSelectElement).value))}>
              ${WINDOWS_S.map(
                (seconds) => html`
                  <option value=${seconds} ?selected=${seconds === windowS}>
                    ${seconds < 3_600 ? messages.minutes(seconds / 60) : messages.hours(seconds / 3_600, 0)}
                  </option>
                `,
              )}
            </select>
          </label>
        </header>
        <div class="charts">
          ${MEASURES.map(
            ([measure, format]) => html`
              <om-chart
                label=${words.measureName(measure)}
                .series=${seriesOf(samples, measure, windowS, nowMs)}
                .format=${format}
                .windowS=${windowS}
                .nowMs=${nowMs}
              ></om-chart>
            `,
          )}
        </div>
      </section>
    `;
  }
}
