//! `<om-stream>`: one live stream in the console: a moving preview, what it is made of, who watches,
//! and its addresses.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import { addressesOf } from '../api/addresses.ts';
import type { Broadcast, Publisher, ServerInfo, Track } from '../api/broadcasts.ts';
import { audioParts, bitrate, duration, videoParts, viewersByProtocol, viewersTotal } from '../api/format.ts';
import type { Messages } from '../i18n/index.ts';
import { icon } from './icons.ts';
import { Localized } from './localized.ts';
import { sharedStyles } from './shared.styles.ts';
import { streamCardStyles } from './stream-card.styles.ts';

export class StreamCard extends LitElement {
  static override properties = {
    broadcast: { attribute: false },
    server: { attribute: false },
    preview: { type: Boolean },
    nowMs: { attribute: false },
  };

  static override styles = [sharedStyles, streamCardStyles];

  declare broadcast: Broadcast | undefined;
  declare server: ServerInfo | undefined;
  /** Whether this card may show a moving picture now. */
  declare preview: boolean;
  /** The wall clock that durations are told by. */
  declare nowMs: number;
  readonly #localized = new Localized(this);

  constructor() {
    super();
    this.broadcast = undefined;
    this.server = undefined;
    this.preview = false;
    this.nowMs = 0;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { broadcast } = this;
    if (broadcast === undefined) return nothing;
    const { messages } = this.#localized;
    const addresses = addressesOf(broadcast.path, location.origin, this.server);
    return html`
      <article aria-labelledby="name">
        ${this.#renderPicture(broadcast, addresses.httpFlv, messages)}
        <div class="body">
          ${this.#renderHead(broadcast, messages)} ${renderFacts(broadcast, messages)}
          <div class="actions">
            <a class="press main" href=${addresses.page}>
              ${icon('play')}<span>${messages.openPlayer}</span>
              <span class="visually-hidden">: ${broadcast.path}</span>
            </a>
          </div>
        </div>
        <details>
          <summary>
            <span>${messages.addresses}<span class="visually-hidden">: ${broadcast.path}</span></span>
            ${icon('chevronDown')}
          </summary>
          <div class="addresses">
            <om-copy label=${messages.playHttpFlv} value=${addresses.httpFlv}></om-copy>
            <om-copy label=${messages.playWsFlv} value=${addresses.wsFlv}></om-copy>
            <om-copy label=${messages.playHls} value=${addresses.hls}></om-copy>
            <om-copy label=${messages.playWhep} value=${addresses.whep}></om-copy>
            <om-copy label=${messages.pushWhip} value=${addresses.whip}></om-copy>
            ${addresses.rtmp === undefined
              ? nothing
              : html`
                  <om-copy label=${messages.playRtmp} value=${addresses.rtmp}></om-copy>
                  <om-copy label=${messages.pushRtmp} value=${addresses.rtmp}></om-copy>
                `}
          </div>
        </details>
      </article>
    `;
  }

  #renderPicture(broadcast: Broadcast, src: string, messages: Messages): TemplateResult {
    const hasVideo = broadcast.tracks.some(({ kind }) => kind === 'video');
    if (this.preview && hasVideo) {
      return html`
        <div class="picture" inert>
          <live-player src=${src} muted autoplay auto-resume controls="none" object-fit="contain"></live-player>
        </div>
      `;
    }
    const label = hasVideo ? messages.showPreview : messages.noVideo;
    return html`
      <div class="picture still">
        ${hasVideo
          ? html`<button class="show" type="button" @click=${() => this.dispatchEvent(new Event('previewwanted'))}>
              ${icon('play')}<span>${label}</span>
            </button>`
          : html`<p>${label}</p>`}
      </div>
    `;
  }

  #renderHead(broadcast: Broadcast, messages: Messages): TemplateResult {
    const waiting = broadcast.state === 'waiting';
    const since = duration((this.nowMs - Date.parse(broadcast.since)) / 1000, messages);
    return html`
      <div class="head">
        <h2 id="name">${broadcast.path}</h2>
        <p class=${waiting ? 'state waiting' : 'state'}>
          <span class="dot" aria-hidden="true"></span>
          <span>${waiting ? messages.stateWaiting : messages.stateLive}</span>
          ${waiting ? nothing : html`<span class="muted figures">${messages.since(since)}</span>`}
        </p>
      </div>
    `;
  }
}

function renderFacts(broadcast: Broadcast, messages: Messages): TemplateResult {
  const { tracks, viewers, publisher, conversions = [] } = broadcast;
  const of = (kind: Track['kind']): readonly Track[] => tracks.filter((track) => track.kind === kind);
  const total = tracks.reduce((sum, { bitrate_bps: bps }) => sum + (bps ?? 0), 0);
  const group = of('video')[0]?.group_ms ?? null;
  const every = group === null ? undefined : messages.keyframeEvery((group / 1000).toFixed(1));
  const watching = viewersByProtocol(viewers).map(([name, count]) => `${name}\u00a0${count}`);
  return html`
    <dl class="facts">
      ${renderFact(messages.video, of('video').map(videoParts), messages.noVideo)}
      ${renderFact(messages.audio, of('audio').map((track) => audioParts(track, messages)), messages.noAudio)}
      ${renderFact(messages.bitrate, [[total === 0 ? messages.unknown : bitrate(total), every]])}
      ${renderFact(messages.viewers, [
        watching.length === 0 ? [messages.viewersNone] : [String(viewersTotal(viewers)), watching.join(' · ')],
      ])}
      ${publisher === null
        ? nothing
        : renderFact(messages.publisher, [publisherParts(publisher, messages)])}
      ${conversions.length === 0
        ? nothing
        : renderFact(
            messages.conversions,
            conversions.map(({ what, cores }) => [what, messages.coreShare((cores * 100).toFixed(1))]),
          )}
    </dl>
  `;
}

function publisherParts({ protocol, address }: Publisher, messages: Messages): readonly (string | undefined)[] {
  return protocol === 'demo' ? [messages.publisherDemo] : [protocol.toUpperCase(), address ?? undefined];
}

/** A name with its lines; each is a word that counts and, beneath it, what belongs to it. */
function renderFact(
  name: string,
  lines: readonly (readonly (string | undefined)[])[],
  otherwise = '',
): TemplateResult {
  const shown = lines.length === 0 ? [[otherwise]] : lines;
  return html`
    <div>
      <dt>${name}</dt>
      ${shown.map(
        ([first, more]) => html`
          <dd class="figures">
            ${first}${more === undefined || more === '' ? nothing : html`<span class="more">${more}</span>`}
          </dd>
        `,
      )}
    </div>
  `;
}
