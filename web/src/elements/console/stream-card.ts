//! `<om-stream>`: one live stream in the list: a moving preview or the last picture of it, and the few numbers that tell
//! whether it is well. All of the card leads to the stream's page.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import type { Broadcast, Track } from '../../api/broadcasts.ts';
import { bitrate, countText, duration } from '../../api/format.ts';
import { hashOf } from '../../api/route.ts';
import type { Messages } from '../../i18n/index.ts';
import { icon } from '../icons.ts';
import { sharedStyles } from '../shared.styles.ts';
import { streamCardStyles } from './stream-card.styles.ts';
import { Words } from './words.ts';

/** Wide enough for a card on a screen of double density. */
const STILL_WIDTH = 480;

export class StreamCard extends LitElement {
  static override properties = {
    broadcast: { attribute: false },
    src: {},
    nowMs: { attribute: false },
    hasStill: { state: true },
  };

  static override styles = [sharedStyles, streamCardStyles];

  declare broadcast: Broadcast | undefined;
  /** What to play as the preview; undefined while this card may not. */
  declare src: string | undefined;
  /** The wall clock that durations are told by. */
  declare nowMs: number;
  declare hasStill: boolean;
  readonly #words = new Words(this);

  constructor() {
    super();
    this.broadcast = undefined;
    this.src = undefined;
    this.nowMs = 0;
    this.hasStill = false;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    // The player goes with this update: its last picture stays.
    if (changed.has('src') && this.src === undefined) this.#keepStill();
  }

  protected override render(): TemplateResult | typeof nothing {
    const { broadcast } = this;
    if (broadcast === undefined) return nothing;
    const { messages, language } = this.#words;
    const waiting = broadcast.state === 'waiting';
    const viewers = broadcast.viewers_total;
    return html`
      <article aria-labelledby="name">
        <div class="picture">
          <canvas aria-hidden="true" ?hidden=${!this.hasStill}></canvas>
          ${this.#renderPicture(broadcast, messages)}
          <p class=${waiting ? 'badge waiting' : 'badge'}>
            <span class="dot" aria-hidden="true"></span>${waiting ? messages.stateWaiting : messages.stateLive}
          </p>
          <p class="badge viewers figures">
            ${icon('users')}<span aria-hidden="true">${countText(viewers, language)}</span>
            <span class="visually-hidden">${messages.viewersCount(viewers)}</span>
          </p>
        </div>
        <div class="body">
          <h2 id="name"><a href=${hashOf({ page: 'stream', path: broadcast.path })}>${renderName(broadcast.path)}</a></h2>
          <p class="facts figures">${this.#facts(broadcast, messages)}</p>
        </div>
      </article>
    `;
  }

  #renderPicture(broadcast: Broadcast, messages: Messages): TemplateResult {
    if (!broadcast.tracks.some(({ kind }) => kind === 'video')) {
      return html`<p class="none">${icon('volume')}<span>${messages.noVideo}</span></p>`;
    }
    if (this.src !== undefined) {
      return html`
        <div class="moving" inert>
          <live-player src=${this.src} muted autoplay auto-resume controls="none" object-fit="contain"></live-player>
        </div>
      `;
    }
    return html`
      <button class="show" type="button" @click=${() => this.dispatchEvent(new Event('previewwanted'))}>
        ${icon('play')}<span class="visually-hidden">${messages.showPreview}: ${broadcast.path}</span>
      </button>
    `;
  }

  /** `2 h 10 min · 1.6 Mbit/s · H.264 1280×720 · AAC` */
  #facts({ since, state, bitrate_bps, tracks }: Broadcast, messages: Messages): string {
    const first = (kind: Track['kind']): Track | undefined => tracks.find((track) => track.kind === kind);
    const [video, audio] = [first('video'), first('audio')];
    const size = video?.width == null || video.height === null ? '' : ` ${video.width}×${video.height}`;
    const parts = [
      state === 'live' ? duration((this.nowMs - Date.parse(since)) / 1000, messages) : undefined,
      bitrate_bps === null ? undefined : bitrate(bitrate_bps),
      video === undefined ? undefined : video.name + size,
      audio === undefined ? messages.noAudio : audio.name,
    ];
    return parts.filter((part) => part !== undefined).join(' · ');
  }

  #keepStill(): void {
    const video = this.renderRoot.querySelector('live-player')?.shadowRoot?.querySelector('video');
    const canvas = this.renderRoot.querySelector('canvas');
    if (video == null || canvas === null || video.videoWidth === 0) return;
    canvas.width = STILL_WIDTH;
    canvas.height = Math.round((STILL_WIDTH * video.videoHeight) / video.videoWidth);
    canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height);
    this.hasStill = true;
  }
}

/** The app steps back behind the stream's own name. */
export function renderName(path: string): TemplateResult {
  const cut = path.lastIndexOf('/') + 1;
  return html`<span class="app">${path.slice(0, cut)}</span><wbr />${path.slice(cut)}`;
}
