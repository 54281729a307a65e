//! The stage of a room: pictures of whoever is up, large and small, and the audience's picture for those below.

import { type TemplateResult, html, nothing } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import { repeat } from 'lit/directives/repeat.js';
import { arrange } from '../../room/layout.ts';
import { roomIcon } from './icons.ts';
import { plays } from './plays.ts';
import { type RoomView, nameOf, performersOf, renderButton, renderFace } from './view.ts';

/** More tiles a page would be stamps on this width. */
const PAGE_WIDE = 9;
const PAGE_NARROW = 6;

export function renderStage(view: RoomView): TemplateResult {
  if (view.session.place === undefined) return renderAudience(view);
  if (view.layout === 'gallery') return renderGallery(view);
  return renderSpeaker(view);
}

/** Who is not on the stage sees what the audience sees, as one broadcast. */
function renderAudience(view: RoomView): TemplateResult {
  const { audienceSrc, words, hasSlides } = view;
  const isSlides = view.layout === 'teacher' && hasSlides;
  return html`
    <div part="stage" class=${classMap({ stage: true, audience: true, slides: isSlides })}>
      ${isSlides ? html`<div class="main board"><slot name="slides"></slot></div>` : nothing}
      <div class=${isSlides ? 'strip' : 'main watch'} aria-label=${words.audience} role="group">
        <live-player exportparts="video: audience-video" src=${audienceSrc} mode="RTC" controls="none" autoplay auto-resume object-fit="contain"></live-player>
      </div>
    </div>
  `;
}

function renderGallery(view: RoomView): TemplateResult {
  const { others } = arrange({ ...direction(view), layout: 'gallery' });
  const { words, ui, isNarrow } = view;
  const perPage = isNarrow ? PAGE_NARROW : PAGE_WIDE;
  const pages = Math.max(1, Math.ceil(others.length / perPage));
  const page = Math.min(ui.page, pages - 1);
  const shown = others.slice(page * perPage, (page + 1) * perPage);
  return html`
    <div part="stage" class=${classMap({ stage: true, gallery: true, paged: pages > 1 })} data-count=${shown.length} role="group" aria-label=${words.stage}>
      ${repeat(shown, (member) => member, (member) => renderTile(view, member, 'even'))}
    </div>
    ${pages === 1
      ? nothing
      : html`
          <div class="pages">
            ${renderButton('left', words.previousPage, () => ui.set({ page: Math.max(0, page - 1) }), { look: 'small' })}
            <span class="figures">${words.page(page + 1, pages)}</span>
            ${renderButton('right', words.nextPage, () => ui.set({ page: Math.min(pages - 1, page + 1) }), { look: 'small' })}
          </div>
        `}
  `;
}

function renderSpeaker(view: RoomView): TemplateResult {
  const { main, others } = arrange(direction(view));
  const { words, layout, hasSlides, own } = view;
  const isBoard = layout === 'teacher' && hasSlides;
  // Two who talk: the other fills the picture, and oneself is a card on it.
  const isPair = !isBoard && others.length === 1 && others[0] === own.id;
  return html`
    <div part="stage" class=${classMap({ stage: true, lead: true, pair: isPair, alone: others.length === 0 })} role="group" aria-label=${words.stage}>
      ${isBoard ? html`<div class="main board"><slot name="slides"></slot></div>` : nothing}
      ${main === undefined ? nothing : repeat([main], (member) => member, (member) => renderTile(view, member, 'main'))}
      ${others.length === 0
        ? nothing
        : html`
            <div class="strip" tabindex="0" role="group" aria-label=${words.onStage}>
              ${repeat(others, (member) => member, (member) => renderTile(view, member, 'small'))}
            </div>
          `}
    </div>
  `;
}

function direction(view: RoomView): Parameters<typeof arrange>[0] {
  const { all, layout, hasSlides, session } = view;
  return { layout, performers: performersOf(view), focus: all.focus, lead: session.leadSpeaker, hasSlides };
}

interface Picture {
  readonly stream: MediaStream | undefined;
  readonly words: string;
}

export function renderTile(view: RoomView, member: number, size: 'main' | 'small' | 'even'): TemplateResult {
  const { session, words, own, all } = view;
  const isOwn = member === own.id;
  const place = all.stage.find((each) => each.member === member);
  const { sound, screen } = place?.sending ?? { sound: false, screen: false };
  const name = isOwn ? words.you : nameOf(view, member);
  const { stream, words: state } = isOwn ? ownPicture(view) : pictureOf(view, member);
  const isSpeaking = sound && session.isSpeakingNow(member);
  const classes = {
    ...{ tile: true, main: size === 'main', own: isOwn, speaking: isSpeaking, whole: screen },
    mirrored: isOwn && session.media?.isSelfie === true,
  };
  const label = [screen ? words.screenOf(name) : name, ...(sound ? [] : [words.micIsOff]), ...(isSpeaking ? [words.speaking] : []), state]
    .filter((part) => part !== '')
    .join(', ');
  return html`
    <figure part="tile" class=${classMap(classes)} data-member=${member} aria-label=${label}>
      <video autoplay playsinline muted .muted=${true} ?hidden=${stream === undefined} aria-hidden="true" ${plays(stream)}></video>
      ${stream === undefined ? renderFace(member, nameOf(view, member)) : nothing}
      ${state === '' ? nothing : html`<p class="state">${state}</p>`}
      <figcaption>${sound ? nothing : roomIcon('micOff')}<span>${screen ? words.screenOf(name) : name}</span></figcaption>
      ${isOwn && canFlip() && session.media?.hasCamera === true
        ? renderButton('flip', words.flipCamera, () => void flip(view), { look: 'flip' })
        : nothing}
    </figure>
  `;
}

function ownPicture({ session }: RoomView): Picture {
  return { stream: session.media?.own, words: '' };
}

/** The picture that the server says is there, or why there is none. */
function pictureOf(view: RoomView, member: number): Picture {
  const { session, all, words } = view;
  const { picture, screen } = all.stage.find((each) => each.member === member)?.sending ?? { picture: false, screen: false };
  // Without its signalling a member's media goes on: only what does not come is missed.
  const isAway = all.members.find(({ id }) => id === member)?.away === true;
  const missing = isAway ? words.personAway : '';
  if (!picture && !screen) return { stream: undefined, words: missing };
  const down = session.media?.down;
  const tile = down?.slots?.tileOf(member);
  if (down === undefined || tile === undefined) return { stream: undefined, words: missing };
  switch (tile.state) {
    case 'playing':
      return { stream: down.streamOf(tile.mid), words: '' };
    case 'waiting':
      return { stream: undefined, words: isAway ? missing : words.waitingFor(nameOf(view, member)) };
    case 'paused':
      return { stream: undefined, words: words.pausedFor };
  }
}

/** Phones have a camera on each side. */
function canFlip(): boolean {
  return matchMedia('(pointer: coarse)').matches;
}

async function flip({ session }: RoomView): Promise<void> {
  const { media } = session;
  if (media === undefined) return;
  await session.choose({ ...media.devices, cameraId: undefined, position: media.devices.position === 'front' ? 'back' : 'front' });
}
