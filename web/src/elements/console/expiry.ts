//! The choice of how long a token or a signed address is good for.

import { type TemplateResult, html } from 'lit';
import type { ConsoleMessages } from '../../i18n/console.ts';

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

const CHOICES_S: readonly number[] = [HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S];

export function renderExpiry(words: ConsoleMessages, chosenS: number, choose: (seconds: number) => void): TemplateResult {
  return html`
    <label class="field">
      <span>${words.validFor}</span>
      <select @change=${(event: Event) => choose(Number((event.target as HTMLSelectElement).value))}>
        ${CHOICES_S.map(
          (seconds) => html`<option value=${seconds} ?selected=${seconds === chosenS}>${words.spanName(seconds)}</option>`,
        )}
      </select>
    </label>
  `;
}
