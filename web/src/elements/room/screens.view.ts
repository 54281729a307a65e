//! What fills the element while one is not in the room: joining, ringing, and after the end.

import { type TemplateResult, html, nothing } from 'lit';
import type { RoomMessages } from '../../i18n/room.ts';
import type { Phase } from '../../room/connection.ts';
import { roomIcon } from './icons.ts';
import { renderTile } from './stage.view.ts';
import { type RoomView, secondsUntil } from './view.ts';

export function renderJoining(words: RoomMessages, phase: Phase): TemplateResult {
  const attempt = phase.kind === 'joining' ? phase.attempt : 0;
  // One attempt that fails is nothing to speak of.
  const line = attempt < 2 ? words.joining : words.joiningAgain(attempt);
  return html`<div part="screen" class="screen"><p class="big" role="status">${line}</p><span class="busy" aria-hidden="true"></span></div>`;
}

/** Before one has joined a call: nothing is open yet, neither a connection nor a camera. */
export function renderIncoming(words: RoomMessages, caller: string, answer: { accept: () => void; decline: () => void }): TemplateResult {
  return html`
    <div part="screen" class="screen call">
      <span class="ringer" aria-hidden="true">${roomIcon('phone')}</span>
      <div role="alert"><h2>${words.incoming(caller)}</h2><p>${words.incomingHelp}</p></div>
      <div class="row">
        <button class="answer decline" type="button" @click=${answer.decline}>${roomIcon('phoneOff')}<span>${words.decline}</span></button>
        <button class="answer accept" type="button" @click=${answer.accept}>${roomIcon('phone')}<span>${words.accept}</span></button>
      </div>
    </div>
  `;
}

/** One's own picture while it rings at the other side. */
export function renderCalling(view: RoomView, until: number): TemplateResult {
  const { words, own, leave } = view;
  return html`
    <div part="screen" class="calling">
      ${renderTile(view, own.id, 'main')}
      <div class="over">
        <div role="status"><h2>${words.calling}</h2><p class="figures" aria-hidden="true">${words.callingHelp(secondsUntil(view, until))}</p></div>
        <slot name="invite"></slot>
        <button class="answer decline" type="button" @click=${leave}>${roomIcon('phoneOff')}<span>${words.hangUp}</span></button>
      </div>
    </div>
  `;
}

export interface Over {
  readonly title: string;
  readonly help: string;
  /** What can be done about it; nothing where it is over for good. */
  readonly again: { readonly label: string; readonly press: () => void } | undefined;
}

export function renderOver({ title, help, again }: Over): TemplateResult {
  return html`
    <div part="screen" class="screen">
      <div role="alert"><h2>${title}</h2>${help === '' ? nothing : html`<p>${help}</p>`}</div>
      ${again === undefined ? nothing : html`<button class="wide main" type="button" @click=${again.press}>${roomIcon('retry')}<span>${again.label}</span></button>`}
      <slot name="over"></slot>
    </div>
  `;
}

/** Endings after which the same member may come in again by pressing a button. */
const MAY_RETURN = new Set(['left', 'lost', 'replaced', 'resumed', 'removed', 'flooding', 'locked', 'full', 'second_device', 'room_busy', 'too_fast']);

export function mayReturn(code: string): boolean {
  return MAY_RETURN.has(code);
}
