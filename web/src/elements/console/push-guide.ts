//! `<om-push-guide>`: how to go live with the program at hand, with lines ready to copy.

import { LitElement, type TemplateResult, css, html } from 'lit';
import type { ServerInfo } from '../../api/broadcasts.ts';
import type { Client } from '../../api/client.ts';
import { sharedStyles } from '../shared.styles.ts';
import { consoleStyles } from './console.styles.ts';
import { Words } from './words.ts';

export class PushGuide extends LitElement {
  static override properties = {
    server: { attribute: false },
    client: { attribute: false },
    taken: { attribute: false },
    headed: { type: Boolean },
    path: { state: true },
  };

  static override styles = [
    sharedStyles,
    consoleStyles,
    css`
      .name {
        max-inline-size: 30rem;
      }

      .name input {
        font-family: var(--om-mono);
      }
    `,
  ];

  declare server: ServerInfo | undefined;
  declare client: Client | undefined;
  /** Paths of what is live. */
  declare taken: readonly string[];
  /** It is the page itself, not a part of one. */
  declare headed: boolean;
  declare path: string | undefined;
  readonly #words = new Words(this);

  constructor() {
    super();
    this.server = undefined;
    this.client = undefined;
    this.taken = [];
    this.headed = false;
    this.path = undefined;
  }

  protected override render(): TemplateResult {
    const { messages, words } = this.#words;
    const suggested = suggest(this.taken);
    const typed = this.path?.replace(/^\/+|\/+$/g, '') ?? '';
    const path = /.\/./.test(typed) ? typed : suggested;
    return html`
      <div class="page">
        ${this.headed ? html`<h1>${messages.pushTitle}</h1>` : html`<h2>${messages.pushTitle}</h2>`}
        <p class="lead">${words.pushIntro}</p>
        <label class="field name">
          <span>${words.pushStream}</span>
          <input
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            .value=${this.path ?? suggested}
            @input=${(event: Event) => (this.path = (event.target as HTMLInputElement).value)}
          />
        </label>
        <om-addresses only="publish" path=${path} .server=${this.server} .client=${this.client}></om-addresses>
      </div>
    `;
  }
}

/** A name that is not taken, or the first push would replace what is live. */
function suggest(taken: readonly string[]): string {
  let name = 'live/demo';
  for (let n = 2; taken.includes(name); n += 1) name = `live/demo${n}`;
  return name;
}
