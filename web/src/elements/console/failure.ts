//! What failed, in words: what it is in the reader's language, and what the server says about it in English.

import { type TemplateResult, html, nothing } from 'lit';
import { ApiError } from '../../api/client.ts';
import type { ConsoleMessages } from '../../i18n/console.ts';
import { icon } from '../icons.ts';

/** Anything thrown as an answer of the API; what is none of its answers is our own mistake and is thrown on. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  throw error;
}

/** Tells the console that the token is not taken any more: it asks for another one. */
export function reportUnauthorized(from: EventTarget, error: ApiError): void {
  if (error.status === 401) from.dispatchEvent(new CustomEvent('unauthorized', { bubbles: true, composed: true }));
}

export function renderFailure(error: ApiError | undefined, words: ConsoleMessages): TemplateResult | typeof nothing {
  if (error === undefined) return nothing;
  return html`
    <div class="notice bad" role="alert">
      ${icon('alert')}
      <p>
        ${words.failure(error.status)}
        ${error.detail === '' ? nothing : html`<span class="detail" lang="en">${error.detail}</span>`}
      </p>
    </div>
  `;
}
