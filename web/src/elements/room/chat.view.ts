//! The chat: what was said, as text and nothing else, and a line to say something.

import { type TemplateResult, html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Said } from '../../room/tracks.ts';
import { roomIcon } from './icons.ts';
import { type RoomView, renderFace } from './view.ts';

const TEXT_MAX = 500;
/** So near to the end it is the newest that is read. */
const NEAR_PX = 48;

export function renderChat(view: RoomView): TemplateResult {
  const { all, ui, words, session } = view;
  const isOpen = all.open.chat || session.may('moderate');
  return html`
    <div class="lines" tabindex="0" role="log" aria-label=${words.chat} @scroll=${(event: Event) => follow(view, event.target as HTMLElement)}>
      ${all.chat.length === 0 ? html`<p class="none">${words.chatEmpty}</p>` : nothing}
      <ol>${repeat(all.chat, ({ id }) => id, (said) => renderLine(view, said))}</ol>
    </div>
    ${ui.isFollowing
      ? nothing
      : html`<button class="newest" type="button" @click=${() => ui.set({ isFollowing: true })}>${roomIcon('down')}<span>${words.toNewest}</span></button>`}
    ${!session.may('chat') || !isOpen
      ? html`<p class="closed">${words.refusal('chat_closed', '')}</p>`
      : html`
          <form class="say" @submit=${(event: SubmitEvent) => say(view, event)}>
            <input name="text" maxlength=${TEXT_MAX} autocomplete="off" enterkeyhint="send" placeholder=${words.message} aria-label=${words.message} />
            <button class="round main" type="submit" aria-label=${words.send} title=${words.send}>${roomIcon('send')}</button>
          </form>
        `}
  `;
}

function renderLine(view: RoomView, { id, member, by, at, text }: Said): TemplateResult {
  const { words, own, session, all } = view;
  // By whom it was said then: they may have another name now, or be gone.
  const name = all.members.find((person) => person.id === member)?.name ?? by;
  const isOwn = member === own.id;
  const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' }).format(at);
  return html`
    <li class=${isOwn ? 'said own' : 'said'}>
      ${renderFace(member, name)}
      <div class="what">
        <p class="who"><b>${isOwn ? words.you : name}</b> <time class="figures" datetime=${new Date(at).toISOString()}>${time}</time></p>
        <p class="text">${text}</p>
      </div>
      ${isOwn || session.may('moderate')
        ? html`<button class="strike" type="button" aria-label=${words.deleteLine(isOwn ? words.you : name)} title=${words.deleteLine(name)} @click=${() => void session.command({ name: 'delete_chat', chat: id })}>
            ${roomIcon('trash')}
          </button>`
        : nothing}
    </li>
  `;
}

function follow({ ui }: RoomView, lines: HTMLElement): void {
  const isFollowing = lines.scrollHeight - lines.scrollTop - lines.clientHeight < NEAR_PX;
  if (isFollowing !== ui.isFollowing) ui.set({ isFollowing });
}

async function say({ session, ui }: RoomView, event: SubmitEvent): Promise<void> {
  event.preventDefault();
  const input = (event.target as HTMLFormElement).elements.namedItem('text') as HTMLInputElement;
  const text = input.value.trim();
  if (text === '') return;
  input.value = '';
  ui.set({ isFollowing: true });
  const answer = await session.command({ name: 'chat', text });
  // What was not said is not lost: it may be said again.
  if (!answer.ok && input.value === '') input.value = text;
}

