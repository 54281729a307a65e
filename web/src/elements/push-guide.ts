//! `<om-push-guide>`: how to go live from OBS (by RTMP or by WHIP) and ffmpeg, with lines ready to copy.

import { LitElement, type TemplateResult, css, html } from 'lit';
import { addressesOf, ffmpegFile, ffmpegTest } from '../api/addresses.ts';
import type { ServerInfo } from '../api/broadcasts.ts';
import { Localized } from './localized.ts';
import { sharedStyles } from './shared.styles.ts';

/** What a stream is called until somebody names it. */
const SUGGESTED = 'live/demo';

export class PushGuide extends LitElement {
  static override properties = {
    server: { attribute: false },
    suggested: {},
    path: { state: true },
  };

  static override styles = [
    sharedStyles,
    css`
      .guide {
        display: grid;
        gap: 1.75rem;
      }

      .intro {
        display: grid;
        gap: 0.375rem;
      }

      section {
        display: grid;
        gap: 0.75rem;
        min-inline-size: 0;
      }

      input {
        inline-size: 100%;
        min-block-size: 44px;
        padding: 0 0.875rem;
        border: 1px solid var(--om-line);
        border-radius: 10px;
        background: var(--om-surface);
        color: inherit;
        font-family: var(--om-mono);
        font-size: 1rem;
      }

      .field {
        display: grid;
        gap: 0.25rem;
      }

      .field span {
        font-size: 0.8125rem;
        color: var(--om-muted);
      }

      .steps {
        font-size: 0.9375rem;
        color: var(--om-muted);
      }
    `,
  ];

  declare server: ServerInfo | undefined;
  declare suggested: string;
  declare path: string | undefined;
  readonly #localized = new Localized(this);

  constructor() {
    super();
    this.server = undefined;
    this.suggested = SUGGESTED;
    this.path = undefined;
  }

  protected override render(): TemplateResult {
    const { messages } = this.#localized;
    const typed = this.path?.replace(/^\/+|\/+$/g, '') ?? '';
    const path = /.\/./.test(typed) ? typed : this.suggested;
    const { rtmp, push, whip } = addressesOf(path, location.origin, this.server);
    return html`
      <div class="guide">
        <div class="intro">
          <h2>${messages.pushTitle}</h2>
          <p class="muted">${messages.pushIntro}</p>
        </div>
        <label class="field">
          <span>${messages.pushStream}</span>
          <input
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            .value=${this.path ?? this.suggested}
            @input=${(event: Event) => (this.path = (event.target as HTMLInputElement).value)}
          />
        </label>
        <section>
          <h3>${messages.pushObs}</h3>
          <p class="steps">${messages.pushObsSteps}</p>
          <om-copy label=${messages.pushObsServer} value=${push?.server ?? ''}></om-copy>
          <om-copy label=${messages.pushObsKey} value=${push?.key ?? ''}></om-copy>
        </section>
        <section>
          <h3>${messages.pushWebRtc}</h3>
          <p class="steps">${messages.pushWebRtcSteps}</p>
          <om-copy label=${messages.pushWebRtcServer} value=${whip}></om-copy>
        </section>
        <section>
          <h3>${messages.pushFfmpeg}</h3>
          <om-copy wrap label=${messages.pushFfmpegTest} value=${ffmpegTest(rtmp ?? '')}></om-copy>
          <om-copy wrap label=${messages.pushFfmpegFile} value=${ffmpegFile(rtmp ?? '')}></om-copy>
        </section>
      </div>
    `;
  }
}
