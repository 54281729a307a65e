//! What a stream is made of: its source, its viewers, its tracks, and what is computed for some of them.

import { type TemplateResult, html, nothing } from 'lit';
import type { Broadcast, Track } from '../../api/broadcasts.ts';
import { audioParts, bitrate, clockText, millisText, protocolName, videoParts, viewersByProtocol } from '../../api/format.ts';
import { renderTable } from './table.ts';
import type { Words } from './words.ts';

export function renderFacts({ publisher, viewers, viewers_total, bitrate_bps, since }: Broadcast, text: Words): TemplateResult {
  const { messages, words, language } = text;
  const by = viewersByProtocol(viewers).map(([name, count]) => `${name}\u00a0${count}`);
  const isDemo = publisher?.protocol === 'demo';
  return html`
    <dl class="facts">
      ${renderFact(messages.viewers, String(viewers_total), by.join(' · '))}
      ${renderFact(messages.bitrate, bitrate_bps === null ? messages.unknown : bitrate(bitrate_bps))}
      ${publisher === null
        ? renderFact(words.publisher, messages.stateWaiting)
        : isDemo
          ? renderFact(words.publisher, words.publisherDemo)
          : renderFact(words.publisher, protocolName(publisher.protocol), publisher.address ?? '')}
      ${publisher === null || isDemo || publisher.agent === null || publisher.agent === ''
        ? nothing
        : renderFact(words.program, publisher.agent)}
      ${renderFact(words.started, clockText(Date.parse(since), Date.now(), language))}
    </dl>
  `;
}

function renderFact(name: string, value: string, more = ''): TemplateResult {
  return html`
    <div>
      <dt>${name}</dt>
      <dd>${value}${more === '' ? nothing : html`<span class="more">${more}</span>`}</dd>
    </div>
  `;
}

export function renderConversions({ conversions }: Broadcast, { words, messages }: Words): TemplateResult | typeof nothing {
  if (conversions.length === 0) return nothing;
  return html`
    <h3>${words.conversions}</h3>
    <p class="muted">${words.conversionsHelp}</p>
    <dl class="facts">
      ${conversions.map(({ what, viewers, cores }) =>
        renderFact(
          viewers.map(protocolName).join(', ') || messages.viewersNone,
          what,
          words.coreShare((cores * 100).toFixed(1)),
        ),
      )}
    </dl>
  `;
}

export function renderTracks({ tracks }: Broadcast, { words, messages }: Words): TemplateResult {
  if (tracks.length === 0) return html`<p class="empty">${words.noTracks}</p>`;
  const details = (track: Track): string => {
    if (track.kind === 'video') return videoParts(track)[1];
    return track.kind === 'audio' ? audioParts(track, messages)[1] : '';
  };
  return renderTable(
    words.tracks,
    [
      {
        ...{ name: words.track, head: true },
        cell: (track: Track) => html`${words.trackKind(track.kind)}<span class="more">${words.trackNumber(track.id)}</span>`,
      },
      {
        name: words.codec,
        cell: ({ name, codec }) => html`${name}${codec === null ? nothing : html`<span class="more">${codec}</span>`}`,
      },
      { name: words.trackDetails, cell: (track) => details(track) || messages.unknown },
      {
        ...{ name: messages.bitrate, number: true },
        cell: ({ bitrate_bps: bps }) => (bps === null ? messages.unknown : bitrate(bps)),
      },
      {
        ...{ name: words.groupLength, number: true },
        cell: ({ group_ms: ms }) => (ms === null ? messages.unknown : millisText(ms)),
      },
    ],
    tracks,
  );
}
